//! An answer that came whole.

use sabir_types::{
    Block, CallKind, ChatResponse, Choice, Error, Map, Protocol, Result, Text, ToolCall, Unknown, Value,
};
use serde_json::json;

use super::{
    super::{error, thought},
    finish,
};
use crate::openai::decode::usage;

/// Members of an answer that only repeat the request.
const ECHO: &[&str] = &[
    "background",
    "completed_at",
    "frequency_penalty",
    "include",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// Reads an answer with a success status.
pub fn chat(body: &[u8]) -> Result<ChatResponse> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|e| Error::bad_upstream(format!("the provider's answer is not JSON: {e}")))?;
    if let Some(error) = error::failed(&value) {
        return Err(error);
    }
    let Some(output) = value.get("output").and_then(Value::as_array) else {
        return Err(Error::bad_upstream("the provider's answer has no `output`"));
    };
    let mut choice = Choice::default();
    let mut logprobs = Vec::new();
    for item in output {
        blocks(item, &mut choice.content, &mut logprobs)?;
    }
    let called = choice.content.iter().any(|block| matches!(block, Block::ToolCall(_)));
    let (reason, raw) = finish(&value, called, only_refused(&choice.content));
    choice.finish_reason = Some(reason);
    choice.raw_finish_reason = raw;
    if !logprobs.is_empty() {
        choice.logprobs = Some(json!({"content": logprobs}));
    }
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(ChatResponse {
        id: text("id"),
        model: text("model").unwrap_or_default(),
        created: created(&value),
        choices: vec![choice],
        usage: value.get("usage").filter(|raw| raw.is_object()).map(usage).unwrap_or_default(),
        service_tier: text("service_tier"),
        rest: rest(&value),
        ..ChatResponse::default()
    })
}

/// When it was made; some servers write a fraction.
pub(super) fn created(response: &Value) -> Option<i64> {
    let at = response.get("created_at")?;
    at.as_i64().or_else(|| at.as_f64().map(|at| at as i64))
}

/// Whether there are no words but those of a refusal.
pub(super) fn only_refused(content: &[Block]) -> bool {
    content.iter().any(|block| matches!(block, Block::Refusal { .. }))
        && content.iter().all(|block| matches!(block, Block::Refusal { .. } | Block::Thinking(_)))
}

fn rest(response: &Value) -> Map<String, Value> {
    const KNOWN: [&str; 10] = [
        "id",
        "object",
        "model",
        "created_at",
        "status",
        "output",
        "usage",
        "service_tier",
        "error",
        "incomplete_details",
    ];
    let unknown = |name: &str, value: &Value| !value.is_null() && !KNOWN.contains(&name) && !ECHO.contains(&name);
    let members = response.as_object().into_iter().flatten();
    members.filter(|(name, value)| unknown(name, value)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The blocks of an item.
fn blocks(item: &Value, out: &mut Vec<Block>, logprobs: &mut Vec<Value>) -> Result<()> {
    match item.get("type").and_then(Value::as_str) {
        Some("message") => {
            for part in item.get("content").and_then(Value::as_array).into_iter().flatten() {
                out.extend(part_block(part));
                logprobs.extend(part.get("logprobs").and_then(Value::as_array).into_iter().flatten().cloned());
            }
        }
        Some("reasoning") => out.push(Block::Thinking(thought::read(item))),
        Some("function_call") => out.push(Block::ToolCall(tool_call(item, CallKind::Function)?)),
        Some("custom_tool_call") => out.push(Block::ToolCall(tool_call(item, CallKind::Custom)?)),
        Some(_) => out.push(Block::Unknown(verbatim(item))),
        None => return Err(Error::bad_upstream("an item of the provider's answer has no type")),
    }
    Ok(())
}

/// The block of a content part; a text without a word is none.
pub(super) fn part_block(part: &Value) -> Option<Block> {
    let text = |name: &str| part.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match part.get("type").and_then(Value::as_str) {
        Some("output_text") => {
            let citations = part.get("annotations").and_then(Value::as_array).cloned().unwrap_or_default();
            let text = text("text");
            (!text.is_empty() || !citations.is_empty())
                .then(|| Block::Text(Text { text, citations, ..Text::default() }))
        }
        Some("refusal") => Some(Block::Refusal { text: text("refusal") }).filter(|_| !text("refusal").is_empty()),
        _ => Some(Block::Unknown(verbatim(part))),
    }
}

/// A call; its `call_id` is what the result has to carry, not its `id`.
pub(super) fn tool_call(item: &Value, kind: CallKind) -> Result<ToolCall> {
    let text = |name: &str| item.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(name) = text("name") else {
        return Err(Error::bad_upstream("a tool call of the provider's answer has no name"));
    };
    let Some(id) = text("call_id").or_else(|| text("id")) else {
        return Err(Error::bad_upstream("a tool call of the provider's answer has no id"));
    };
    let arguments = text(if kind == CallKind::Custom { "input" } else { "arguments" }).unwrap_or_default();
    Ok(ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        kind,
        ..ToolCall::default()
    })
}

pub(super) fn verbatim(data: &Value) -> Unknown {
    Unknown { protocol: Some(Protocol::Responses), model: None, provider: None, data: data.clone() }
}
