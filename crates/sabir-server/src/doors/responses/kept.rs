//! Earlier answers, out of the ledger or out of their tasks.
//!
//! Invariant: an answer is found by its caller alone, and only if the caller let it be kept; what
//! went through untouched is given back as it came, but for the id.

use sabir_engine::{history, tasks::stored};
use sabir_store::{InferenceQuery, Record, Status, state::TaskRow};
use sabir_types::{Error, ErrorKind, Operation, Protocol, Response as Neutral, Result, Uuid, Value};
use sabir_wire::{
    responses::render::{self, Frame},
    sse::{SseDecoder, SseEvent},
};
use serde_json::json;

use super::background;
use crate::{app::App, doors::shared::query};

/// How many items a page has unless the caller says so, and how many at most.
const PAGE: (usize, usize) = (20, 100);

/// The id of an answer: the inference's.
pub(super) fn name(id: Uuid) -> String {
    format!("resp_{}", id.simple())
}

/// The inference that an id of ours stands for. Those of providers are longer.
pub(super) fn id(name: &str) -> Option<Uuid> {
    crate::doors::shared::own_id(name, "resp_")
}

/// An answer that is kept.
#[derive(Debug)]
pub(super) enum Kept {
    /// One that its caller waited for.
    Row(Box<Record>),
    /// One that is or was made in the background.
    Task(Box<TaskRow>),
}

/// An answer, by its id.
pub(super) async fn find(app: &App, name: &str, caller: Option<&str>) -> Result<Kept> {
    let missing = || Error::new(ErrorKind::NotFound, format!("no answer with the id `{name}` is kept here"));
    let found = look(app, id(name).ok_or_else(missing)?).await?.ok_or_else(missing)?;
    let is_theirs = match &found {
        Kept::Row(record) => {
            let row = &record.inference;
            row.door == Protocol::Responses
                && row.operation == Operation::Chat
                && (caller.is_none() || row.caller.as_deref() == caller)
                && history::members(record)?.get("store") != Some(&Value::Bool(false))
        }
        Kept::Task(task) => caller.is_none() || task.caller.as_deref() == caller,
    };
    if is_theirs { Ok(found) } else { Err(missing()) }
}

/// What is kept under this id, whoever asked for it.
pub(super) async fn look(app: &App, id: Uuid) -> Result<Option<Kept>> {
    if let Some(tasks) = app.engine().tasks()
        && let Some(task) = tasks.get(background::KIND, id).await?
    {
        return Ok(Some(Kept::Task(Box::new(task))));
    }
    let Some(ledger) = app.engine().ledger() else {
        return Err(Error::new(ErrorKind::NotFound, "no answers are kept: observability is off"));
    };
    let query = InferenceQuery { ids: Some(vec![id]), include_failed: true, ..InferenceQuery::default() };
    let found = stored(ledger.inferences(query).await)?;
    Ok(found.into_iter().next().map(|record| Kept::Row(Box::new(record))))
}

/// An item of an answer of ours, by its id: that of the answer and the item's place.
pub(super) async fn item(app: &App, id: &str, caller: Option<&str>) -> Result<Option<Value>> {
    let hex = id.split_once('_').map(|(_, own)| own).filter(|own| own.len() == 34).and_then(|own| own.get(..32));
    let Some(hex) = hex else { return Ok(None) };
    let found = match find(app, &format!("resp_{hex}"), caller).await {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Value::Array(items) = found.response()?["output"].take() else { return Ok(None) };
    Ok(items.into_iter().find(|item| item["id"] == id))
}

/// Makes an answer one that no door finds.
pub(super) async fn remove(app: &App, kept: &Kept) -> Result<()> {
    let inferences = match kept {
        Kept::Row(record) => vec![record.inference.id],
        Kept::Task(task) => {
            app.tasks("answers")?.delete(task.id).await?;
            background::inferences(task)
        }
    };
    if let Some(ledger) = app.engine().ledger() {
        for id in inferences {
            stored(ledger.hide(id).await)?;
        }
    }
    Ok(())
}

impl Kept {
    /// What was asked, as items.
    pub(super) fn input(&self) -> Result<Vec<Value>> {
        let mut request = match self {
            Self::Row(record) => history::members(record)?,
            Self::Task(task) => background::request(task)?,
        };
        Ok(items(request.shift_remove("input").unwrap_or_default()))
    }

    /// The answer as it was given, or as it is so far.
    pub(super) fn response(&self) -> Result<Value> {
        match self {
            Self::Row(record) => response(record),
            Self::Task(task) => background::response(task),
        }
    }

    /// What was answered, as items. An answer that did not end well cannot be gone on from.
    pub(super) fn output(&self) -> Result<Vec<Value>> {
        let mut response = self.response()?;
        match response["status"].as_str() {
            Some("completed" | "incomplete") => match response["output"].take() {
                Value::Array(items) => Ok(items),
                _ => Ok(Vec::new()),
            },
            status => {
                let status = status.unwrap_or("unknown");
                let message = format!("the answer {} has the status `{status}`", response["id"]);
                Err(Error::bad_request(message).with_param("previous_response_id"))
            }
        }
    }
}

/// An `input` as items.
pub(super) fn items(input: Value) -> Vec<Value> {
    match input {
        Value::Array(items) => items,
        Value::String(text) => {
            vec![json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})]
        }
        _ => Vec::new(),
    }
}

fn response(record: &Record) -> Result<Value> {
    let row = &record.inference;
    if row.status != Status::Ok {
        return failed(record);
    }
    let own = name(row.id);
    if row.output.is_none()
        && let Some(mut passed) = passed(record)?
    {
        passed["id"] = own.into();
        return Ok(passed);
    }
    match history::output(record)? {
        Some(Neutral::Chat(chat)) => {
            // What the ledger sums up is what the caller was shown.
            let shown = sabir_types::ChatResponse { usage: row.usage.clone(), ..*chat };
            Ok(render::response(&shown, &frame(record)?))
        }
        _ => Err(Error::internal(format!("inference {} holds no answer", row.id))),
    }
}

fn failed(record: &Record) -> Result<Value> {
    let row = &record.inference;
    let (kind, message) = match &row.error {
        Some((kind, message)) => (*kind, message.as_str()),
        None => (ErrorKind::Internal, "the call did not end well"),
    };
    let mut response = render::failed(&Error::new(kind, message), &frame(record)?);
    if row.status == Status::Cancelled {
        response["status"] = "cancelled".into();
    }
    Ok(response)
}

/// The provider's own answer, if it went through untouched.
fn passed(record: &Record) -> Result<Option<Value>> {
    let Some(call) = record.calls.last().filter(|call| call.protocol == Protocol::Responses) else { return Ok(None) };
    if !record.inference.stream {
        return serde_json::from_slice(&call.raw_response).map(Some).map_err(|e| unreadable(record, e));
    }
    let mut last = None;
    let mut look = |event: SseEvent<'_>| {
        if event.data.contains("\"response\"")
            && let Ok(mut event) = serde_json::from_str::<Value>(event.data)
            && event.get("response").is_some_and(Value::is_object)
        {
            last = Some(event["response"].take());
        }
        Ok(())
    };
    let mut framing = SseDecoder::new();
    framing.feed(&call.raw_response, &mut look)?;
    framing.finish(&mut look)?;
    Ok(last)
}

fn frame(record: &Record) -> Result<Frame> {
    let row = &record.inference;
    let (seconds, _) = row.id.get_timestamp().map_or((0, 0), |at| at.to_unix());
    Ok(Frame {
        id: name(row.id),
        created: i64::try_from(seconds).unwrap_or_default(),
        model: row.model.clone(),
        maker: record.calls.last().map(|call| call.provider_type.to_owned()),
        echo: render::echo(&history::members(record)?),
    })
}

fn unreadable(record: &Record, error: serde_json::Error) -> Error {
    Error::internal(format!("inference {} cannot be read", record.inference.id)).with_source(error)
}

/// A page of items, as a list object. The newest come first unless the caller says so.
pub(super) fn page(mut items: Vec<Value>, asked: &str) -> Result<Value> {
    for (at, item) in items.iter_mut().enumerate() {
        if let Some(members) = item.as_object_mut() {
            members.entry("id").or_insert_with(|| format!("item_{at:04}").into());
            members.entry("type").or_insert_with(|| "message".into());
        }
    }
    match query(asked, "order").as_deref() {
        None | Some("desc") => items.reverse(),
        Some("asc") => {}
        Some(_) => return Err(Error::bad_request("`order`: expected `asc` or `desc`").with_param("order")),
    }
    let limit = match query(asked, "limit") {
        None => PAGE.0,
        Some(text) => text.parse().ok().filter(|limit| (1..=PAGE.1).contains(limit)).ok_or_else(|| {
            Error::bad_request(format!("`limit`: expected a number from 1 to {}", PAGE.1)).with_param("limit")
        })?,
    };
    if let Some(after) = query(asked, "after") {
        let Some(at) = items.iter().position(|item| item["id"] == after.as_str()) else {
            return Err(Error::bad_request("`after`: no item has that id").with_param("after"));
        };
        items.drain(..=at);
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let end = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    Ok(json!({
        "object": "list",
        "first_id": end(items.first()),
        "last_id": end(items.last()),
        "has_more": more,
        "data": items,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_ours_are_read() {
        let own = sabir_types::new_id();
        assert_eq!(id(&name(own)), Some(own));
        for other in ["resp_0d4b654a05c1a7a70069deb79f81b88197a19f61e394151ecc", "resp_", "x", &own.to_string()] {
            assert_eq!(id(other), None, "{other}");
        }
    }

    #[test]
    fn items_come_in_pages() {
        let all = || (0..5).map(|at| json!({"role": "user", "content": at})).collect::<Vec<_>>();
        let contents = |page: &Value| -> Vec<u64> {
            page["data"].as_array().unwrap().iter().map(|item| item["content"].as_u64().unwrap()).collect()
        };
        let first = page(all(), "limit=2").unwrap();
        assert_eq!((contents(&first), &first["has_more"]), (vec![4, 3], &json!(true)));
        let after = first["last_id"].as_str().unwrap();
        let second = page(all(), &format!("limit=3&after={after}")).unwrap();
        assert_eq!((contents(&second), &second["has_more"]), (vec![2, 1, 0], &json!(false)));
        assert_eq!(contents(&page(all(), "order=asc").unwrap()), [0, 1, 2, 3, 4]);
        assert_eq!(page(Vec::new(), "").unwrap()["first_id"], Value::Null);
        for wrong in ["order=up", "limit=0", "limit=x", "after=nobody"] {
            assert_eq!(page(all(), wrong).unwrap_err().kind(), ErrorKind::BadRequest, "{wrong}");
        }
    }
}
