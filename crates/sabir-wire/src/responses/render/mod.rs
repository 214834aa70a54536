//! An answer, written for a client: whole, as events, or as what became of it.
//!
//! Invariants that real clients punish: every event has a number, counted from 0; the first one is
//! `response.created`; an item is announced before its pieces and complete in its last event; the
//! id of the answer never changes; a stream ends with one of `response.completed`,
//! `response.incomplete` and `response.failed`.

mod events;
mod item;

use sabir_types::{Block, ChatResponse, Error, FinishReason, Map, Usage, Value};
use serde_json::json;

pub use events::EventWriter;

use crate::openai::render as chat;

/// What an answer says about itself.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The answer's id.
    pub id: String,
    /// Seconds since 1970.
    pub created: i64,
    /// The model's name as the caller shall see it.
    pub model: String,
    /// The provider type that answers: its hidden thoughts are packed for it alone.
    pub maker: Option<String>,
    /// The members of the request that an answer repeats.
    pub echo: Map<String, Value>,
}

/// The members of a request that an answer repeats, with what is usual where the request is silent.
pub fn echo(request: &Map<String, Value>) -> Map<String, Value> {
    let usual: [(&str, Value); 19] = [
        ("background", false.into()),
        ("instructions", Value::Null),
        ("max_output_tokens", Value::Null),
        ("max_tool_calls", Value::Null),
        ("metadata", json!({})),
        ("parallel_tool_calls", true.into()),
        ("previous_response_id", Value::Null),
        ("prompt_cache_key", Value::Null),
        ("reasoning", json!({"effort": null, "summary": null})),
        ("safety_identifier", Value::Null),
        ("store", true.into()),
        ("temperature", Value::Null),
        ("text", json!({"format": {"type": "text"}})),
        ("tool_choice", "auto".into()),
        ("tools", json!([])),
        ("top_logprobs", 0.into()),
        ("top_p", Value::Null),
        ("truncation", "disabled".into()),
        ("user", Value::Null),
    ];
    let said = |name: &str| request.get(name).filter(|value| !value.is_null()).cloned();
    usual.into_iter().map(|(name, usual)| (name.to_owned(), said(name).unwrap_or(usual))).collect()
}

/// Writes a whole answer.
pub fn response(answer: &ChatResponse, frame: &Frame) -> Value {
    let choice = answer.choices.first();
    let reason = choice.and_then(|choice| choice.finish_reason);
    let content = choice.map(|choice| choice.content.as_slice()).unwrap_or_default();
    let end = Ending::of(reason, content.iter().any(|block| matches!(block, Block::Refusal { .. })));
    let logprobs = choice.and_then(|choice| choice.logprobs.as_ref()?.get("content")?.as_array());
    let (output, strange) = item::items(content, logprobs, frame, end);
    assemble(frame, end, output, Tail { usage: Some(&answer.usage), tier: answer.service_tier.as_deref(), strange })
}

/// Writes what became of a call that came to nothing.
pub fn failed(error: &Error, frame: &Frame) -> Value {
    failure(error, frame, Vec::new())
}

/// Writes an answer that there is nothing of yet, with this status.
pub fn pending(frame: &Frame, status: &str) -> Value {
    Value::Object(head(frame, status))
}

/// Usage in this protocol's words.
pub fn usage(usage: &Usage) -> Value {
    let (input, output) = (usage.input_tokens.unwrap_or(0), usage.output_tokens.unwrap_or(0));
    let mut into = Map::new();
    into.insert("cached_tokens".into(), usage.cache_read_tokens.unwrap_or(0).into());
    for (name, count) in [("cache_write_tokens", usage.cache_write_tokens), ("audio_tokens", usage.input_audio_tokens)]
    {
        if let Some(count) = count {
            into.insert(name.into(), count.into());
        }
    }
    let mut out_of = Map::new();
    out_of.insert("reasoning_tokens".into(), usage.reasoning_tokens.unwrap_or(0).into());
    if let Some(count) = usage.output_audio_tokens {
        out_of.insert("audio_tokens".into(), count.into());
    }
    json!({
        "input_tokens": input,
        "input_tokens_details": into,
        "output_tokens": output,
        "output_tokens_details": out_of,
        "total_tokens": input.saturating_add(output),
    })
}

/// The error object that clients read from an answer with a failure status.
pub fn error(error: &Error) -> Value {
    chat::error(error)
}

/// Writes an error into a stream whose events are not ours.
pub fn error_event(error: &Error, out: &mut Vec<u8>) {
    write("error", 0, said(error), out);
}

/// What an `error` event says, in both shapes that are about: some clients read the flat one, some
/// raise only on the nested one.
fn said(error: &Error) -> Value {
    let words = &chat::error(error)["error"];
    json!({"code": words["code"], "message": words["message"], "param": words["param"], "error": words})
}

fn write(kind: &str, number: u64, members: Value, out: &mut Vec<u8>) {
    let mut event = Map::new();
    event.insert("type".into(), kind.into());
    event.insert("sequence_number".into(), number.into());
    if let Value::Object(members) = members {
        event.extend(members);
    }
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(Value::Object(event).to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Completed,
    /// For this reason.
    Incomplete(&'static str),
}

impl Ending {
    /// A model that declined has said what it wanted to say; a filter has not let it.
    fn of(reason: Option<FinishReason>, refused: bool) -> Self {
        match reason {
            Some(FinishReason::Length) => Self::Incomplete("max_output_tokens"),
            Some(FinishReason::ContentFilter) if !refused => Self::Incomplete("content_filter"),
            _ => Self::Completed,
        }
    }

    fn status(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
        }
    }
}

/// What stands at the end of an answer.
struct Tail<'a> {
    usage: Option<&'a Usage>,
    tier: Option<&'a str>,
    /// Blocks that this protocol has no word for.
    strange: Vec<Value>,
}

fn assemble(frame: &Frame, end: Ending, output: Vec<Value>, tail: Tail<'_>) -> Value {
    let mut out = head(frame, end.status());
    if let Ending::Incomplete(reason) = end {
        out.insert("incomplete_details".into(), json!({"reason": reason}));
    }
    out.insert("output".into(), output.into());
    if let Some(usage) = tail.usage {
        out.insert("usage".into(), self::usage(usage));
    }
    if let Some(tier) = tail.tier {
        out.insert("service_tier".into(), tier.into());
    }
    if !tail.strange.is_empty() {
        out.insert("sabir_blocks".into(), tail.strange.into());
    }
    Value::Object(out)
}

fn failure(error: &Error, frame: &Frame, output: Vec<Value>) -> Value {
    let mut out = head(frame, "failed");
    let words = chat::error(error);
    let code = words["error"]["code"].as_str().unwrap_or("server_error");
    out.insert("error".into(), json!({"code": code, "message": error.message()}));
    out.insert("output".into(), output.into());
    Value::Object(out)
}

fn head(frame: &Frame, status: &str) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("id".into(), frame.id.as_str().into());
    out.insert("object".into(), "response".into());
    out.insert("created_at".into(), frame.created.into());
    out.insert("status".into(), status.into());
    out.insert("error".into(), Value::Null);
    out.insert("incomplete_details".into(), Value::Null);
    out.insert("model".into(), frame.model.as_str().into());
    out.insert("output".into(), json!([]));
    out.insert("usage".into(), Value::Null);
    out.extend(frame.echo.iter().map(|(name, value)| (name.clone(), value.clone())));
    out
}

#[cfg(test)]
mod tests;
