//! Message threads: conversations of which a client sends only what is new.
//!
//! Invariant: a conversation is gone on with by its caller alone, and whole: the request that goes
//! to a provider holds everything that was said before. One that is not kept here is an error with
//! the code by which clients send everything again.

use bytes::Bytes;
use memchr::memmem;
use sabir_engine::history;
use sabir_store::{InferenceQuery, Record, Status};
use sabir_types::{ChatRequest, Error, ErrorKind, Map, Operation, Protocol, Response, Result, Uuid, Value};
use sabir_wire::anthropic::render::{self, Face};
use serde::Deserialize;
use serde_json::json;

use crate::app::App;

/// What a request says of its thread.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Thread {
    /// Keep this conversation.
    Create {},
    /// Go on with the one that this message ended.
    Continue { previous_message_id: String },
}

/// Members that stay as they were when the thread began.
const KEPT: [&str; 2] = ["system", "tools"];

/// The id of a message that the gateway writes: the inference's.
pub(super) fn name(id: Uuid) -> String {
    format!("msg_{}", id.simple())
}

/// The inference that an id of ours stands for.
fn id(name: &str) -> Option<Uuid> {
    crate::doors::shared::own_id(name, "msg_")
}

/// The complete request, if the body goes on with a conversation that is kept here.
pub(super) async fn follow(app: &App, body: &[u8], caller: Option<&str>) -> Result<Option<Bytes>> {
    if memmem::find(body, b"\"previous_message_id\"").is_none() {
        return Ok(None);
    }
    let mut members: Map<String, Value> =
        serde_json::from_slice(body).map_err(|e| Error::bad_request(format!("the body is not valid JSON: {e}")))?;
    let previous = match members.get("thread") {
        None | Some(Value::Null) => return Ok(None),
        Some(thread) => match understood(thread)? {
            Thread::Create {} => return Ok(None),
            Thread::Continue { previous_message_id } => previous_message_id,
        },
    };
    // Another server's ids go through to it.
    let Some(id) = id(&previous) else { return Ok(None) };
    if let Some(name) = KEPT.iter().find(|name| members.contains_key(**name)) {
        let message = format!("`{name}` cannot be changed within a thread: leave it out");
        return Err(Error::bad_request(message).with_param(*name));
    }
    let record = find(app, id, caller).await?.ok_or_else(|| unknown(&previous))?;
    let before = history::members(&record)?;
    if before.get("thread").is_none_or(Value::is_null) {
        return Err(unknown(&previous));
    }
    let mut said = turns(before.get("messages"));
    said.push(json!({"role": "assistant", "content": answer(&record, &previous)?}));
    said.extend(turns(members.get("messages")));
    members.insert("messages".into(), said.into());
    for name in KEPT {
        if let Some(value) = before.get(name) {
            members.insert(name.into(), value.clone());
        }
    }
    members.insert("thread".into(), json!({"type": "create"}));
    serde_json::to_vec(&members)
        .map(|body| Some(body.into()))
        .map_err(|e| Error::internal("a request could not be written").with_source(e))
}

/// Takes the thread out of a request for a provider that knows none: the gateway keeps it.
pub(super) fn read(chat: &mut ChatRequest) -> Result<()> {
    match chat.rest.members.shift_remove("thread") {
        None | Some(Value::Null) => Ok(()),
        Some(thread) => match understood(&thread)? {
            Thread::Create {} => Ok(()),
            Thread::Continue { previous_message_id } => Err(unknown(&previous_message_id)),
        },
    }
}

fn understood(thread: &Value) -> Result<Thread> {
    Thread::deserialize(thread).map_err(|e| Error::bad_request(format!("`thread`: {e}")).with_param("thread"))
}

fn unknown(message: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("no thread that ends with the message `{message}` is kept here"))
        .with_code("thread_not_found")
}

/// The row of a message that its caller was given.
async fn find(app: &App, id: Uuid, caller: Option<&str>) -> Result<Option<Record>> {
    let Some(ledger) = app.engine().ledger() else { return Ok(None) };
    let unreadable = |error: sabir_store::StoreError| {
        Error::new(ErrorKind::Unavailable, format!("the ledger could not be read: {error}")).with_source(error)
    };
    let query = || InferenceQuery { ids: Some(vec![id]), ..InferenceQuery::default() };
    let mut found = ledger.inferences(query()).await.map_err(unreadable)?;
    if found.is_empty() {
        // Rows are written behind the answers unless the ledger is durable.
        ledger.flush().await.map_err(unreadable)?;
        found = ledger.inferences(query()).await.map_err(unreadable)?;
    }
    Ok(found.into_iter().next().filter(|record| {
        let row = &record.inference;
        row.door == Protocol::Anthropic
            && row.operation == Operation::Chat
            && row.status == Status::Ok
            && (caller.is_none() || row.caller.as_deref() == caller)
    }))
}

fn turns(messages: Option<&Value>) -> Vec<Value> {
    messages.and_then(Value::as_array).cloned().unwrap_or_default()
}

/// What was answered, in the blocks that the client was given.
fn answer(record: &Record, name: &str) -> Result<Value> {
    let row = &record.inference;
    let Some(Response::Chat(chat)) = history::output(record)? else { return Err(unknown(name)) };
    let provider = record.calls.last().map(|call| call.provider_type);
    let mut message: Value =
        serde_json::from_slice(&render::chat(&chat, Face { id: name, model: &row.model, provider })).map_err(|e| {
            Error::internal(format!("the answer of inference {} cannot be read", row.id)).with_source(e)
        })?;
    Ok(message["content"].take())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_ours_are_read() {
        let own = sabir_types::new_id();
        assert_eq!(id(&name(own)), Some(own));
        for other in ["msg_01XFDUDYJgAACzvnptvVoYEL", "msg_", "x", &own.to_string()] {
            assert_eq!(id(other), None, "{other}");
        }
    }

    #[test]
    fn a_thread_of_another_server_is_told_by_its_code() {
        let with = |thread: Value| {
            let mut chat = ChatRequest::default();
            chat.rest.members.insert("thread".into(), thread);
            read(&mut chat).map(|()| chat.rest.members.is_empty())
        };
        assert!(with(json!({"type": "create"})).unwrap());
        assert!(with(Value::Null).unwrap());
        let error = with(json!({"type": "continue", "previous_message_id": "msg_x"})).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, Some("thread_not_found")));
        assert_eq!(with(json!({"type": "fork"})).unwrap_err().param(), Some("thread"));
        assert_eq!(with(json!({"type": "continue"})).unwrap_err().param(), Some("thread"));
    }
}
