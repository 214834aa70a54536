//! Rows as JSON.
//!
//! Invariant: nothing that the ledger holds is left out of a whole row; a body is a string as it
//! travelled, or base64 under another name if it is no text.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sabir_store::{FeedbackKind, FeedbackRow, ModelCallRow, Record, TargetKind};
use sabir_types::{ErrorKind, Map, Value};
use serde_json::json;

use super::text;

/// An inference without bodies.
pub(super) fn facts(record: &Record) -> Map<String, Value> {
    let row = &record.inference;
    let tags: Map<String, Value> =
        row.tags.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    let facts = json!({
        "id": row.id,
        "time": text::rfc3339(row.id),
        "episode_id": row.episode_id,
        "door": row.door.as_str(),
        "operation": row.operation.as_str(),
        "function_name": row.function_name,
        "variant_name": row.variant_name,
        "model": row.model,
        "provider": record.calls.last().map(|call| call.provider_name.as_str()),
        "status": text::status(row.status),
        "error": error(row.error.as_ref()),
        "finish_reason": row.finish_reason.map(|reason| reason.as_str()),
        "stream": row.stream,
        "cached": row.cached,
        "caller": row.caller,
        "tags": tags,
        "usage": row.usage,
        "cost": row.cost,
        "ttft_us": row.ttft_us,
        "total_us": row.total_us,
    });
    object(facts)
}

/// An inference with everything.
pub(super) fn whole(record: &Record, feedback: &[&FeedbackRow]) -> Value {
    let row = &record.inference;
    let mut whole = facts(record);
    match &row.input {
        Some(input) => body(&mut whole, "input", input),
        None => drop(whole.insert("input".into(), Value::Null)),
    }
    let output = row.output.as_ref().map(|json| {
        // What is no JSON after all is a text.
        serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.clone()))
    });
    whole.insert("output".into(), output.unwrap_or(Value::Null));
    whole.insert("model_calls".into(), record.calls.iter().map(call).collect());
    whole.insert("feedback".into(), feedback.iter().map(|row| said(row)).collect());
    Value::Object(whole)
}

fn call(call: &ModelCallRow) -> Value {
    let mut whole = object(json!({
        "id": call.id,
        "time": text::rfc3339(call.id),
        "model_name": call.model_name,
        "provider_name": call.provider_name,
        "provider_type": call.provider_type,
        "protocol": call.protocol.as_str(),
        "status": text::status(call.status),
        "error": error(call.error.as_ref()),
        "http_status": call.http_status,
        "request_id": call.request_id,
        "finish_reason": call.finish_reason.map(|reason| reason.as_str()),
        "cached": call.cached,
        "usage": call.usage,
        "cost": call.cost,
        "ttft_us": call.ttft_us,
        "total_us": call.total_us,
    }));
    body(&mut whole, "raw_request", &call.raw_request);
    body(&mut whole, "raw_response", &call.raw_response);
    Value::Object(whole)
}

/// One piece of feedback.
fn said(row: &FeedbackRow) -> Value {
    let tags: Map<String, Value> =
        row.tags.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    let (kind, value) = match &row.value {
        FeedbackKind::Boolean(value) => ("boolean", json!(value)),
        FeedbackKind::Float(value) => ("float", json!(value)),
        FeedbackKind::Comment(text) => ("comment", json!(text)),
        FeedbackKind::Demonstration(text) => {
            ("demonstration", serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())))
        }
    };
    json!({
        "id": row.id,
        "time": text::rfc3339(row.id),
        "target": if row.target_kind == TargetKind::Inference { "inference" } else { "episode" },
        "target_id": row.target_id,
        "metric_name": row.metric_name,
        "kind": kind,
        "value": value,
        "tags": tags,
    })
}

fn error(error: Option<&(ErrorKind, String)>) -> Value {
    error.map_or(Value::Null, |(kind, message)| json!({ "kind": kind.as_str(), "message": message }))
}

fn body(into: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => into.insert(name.into(), text.into()),
        Err(_) => into.insert(format!("{name}_base64"), STANDARD.encode(bytes).into()),
    };
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
