//! Earlier answers, out of the ledger.
//!
//! Invariant: an answer is found by its caller alone, and only if the caller let it be kept; what
//! went through untouched is given back as it came, but for the id.

use sabir_engine::history;
use sabir_store::{InferenceQuery, Record, Status};
use sabir_types::{Error, ErrorKind, Map, Operation, Protocol, Response as Neutral, Result, Uuid, Value};
use sabir_wire::{
    responses::render::{self, Frame},
    sse::{SseDecoder, SseEvent},
};
use serde_json::json;

use crate::{app::App, doors::shared::query};

/// How many items a page has unless the caller says so, and how many at most.
const PAGE: (usize, usize) = (20, 100);

/// The id of an answer: the inference's.
pub(super) fn name(id: Uuid) -> String {
    format!("resp_{}", id.simple())
}

/// The inference that an id of ours stands for. Those of providers are longer.
pub(super) fn id(name: &str) -> Option<Uuid> {
    let hex = name.strip_prefix("resp_").filter(|hex| hex.len() == 32)?;
    Uuid::try_parse(hex).ok()
}

/// The row of an answer.
pub(super) async fn find(app: &App, name: &str, caller: Option<&str>) -> Result<Record> {
    let missing = || Error::new(ErrorKind::NotFound, format!("no answer with the id `{name}` is kept here"));
    let id = id(name).ok_or_else(missing)?;
    let Some(ledger) = app.engine().ledger() else {
        return Err(Error::new(ErrorKind::NotFound, "no answers are kept: observability is off"));
    };
    let query = InferenceQuery { ids: Some(vec![id]), include_failed: true, ..InferenceQuery::default() };
    let found = ledger.inferences(query).await.map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("the ledger could not be read: {error}")).with_source(error)
    })?;
    let record = found.into_iter().next().ok_or_else(missing)?;
    let row = &record.inference;
    let is_theirs = row.door == Protocol::Responses
        && row.operation == Operation::Chat
        && (caller.is_none() || row.caller.as_deref() == caller);
    if !is_theirs || request(&record)?.get("store") == Some(&Value::Bool(false)) {
        return Err(missing());
    }
    Ok(record)
}

/// The request's members.
fn request(record: &Record) -> Result<Map<String, Value>> {
    let row = &record.inference;
    let body = row.input.as_ref().or_else(|| record.calls.first().map(|call| &call.raw_request));
    let body = body.ok_or_else(|| Error::internal(format!("inference {} holds no input", row.id)))?;
    serde_json::from_slice(body).map_err(|e| unreadable(record, e))
}

/// What was asked, as items.
pub(super) fn input(record: &Record) -> Result<Vec<Value>> {
    Ok(items(request(record)?.shift_remove("input").unwrap_or_default()))
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

/// What was answered, as items. An answer that did not end well cannot be gone on from.
pub(super) fn output(record: &Record) -> Result<Vec<Value>> {
    let mut response = response(record)?;
    match response["status"].as_str() {
        Some("completed" | "incomplete") => match response["output"].take() {
            Value::Array(items) => Ok(items),
            _ => Ok(Vec::new()),
        },
        status => {
            let status = status.unwrap_or("unknown");
            let message = format!("the answer `{}` has the status `{status}`", name(record.inference.id));
            Err(Error::bad_request(message).with_param("previous_response_id"))
        }
    }
}

/// An answer as it was given.
pub(super) fn response(record: &Record) -> Result<Value> {
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
        echo: render::echo(&request(record)?),
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
