//! The items of an answer.
//!
//! Invariant: texts and refusals that stand side by side are parts of one message; a stream makes
//! the same items of the same blocks.

use sabir_types::{Block, CallKind, Map, Media, Protocol, Source, ToolCall, Value};
use serde_json::json;

use super::{
    super::{namespace, thought},
    Ending, Frame,
};
use crate::signed;

/// The items that say whether they are complete.
const ENDS: [&str; 3] = ["message", "function_call", "custom_tool_call"];

/// The items of a content, and the blocks that this protocol has no word for.
pub(super) fn items(
    content: &[Block],
    logprobs: Option<&Vec<Value>>,
    frame: &Frame,
    end: Ending,
) -> (Vec<Value>, Vec<Value>) {
    let mut out: Vec<Value> = Vec::new();
    let mut strange = Vec::new();
    let mut logprobs = logprobs.cloned().unwrap_or_default();
    let mut in_message = false;
    let content = signed::spread(content, frame.maker.as_deref());
    for block in &*content {
        if let Some(part) = part(block, std::mem::take(&mut logprobs)) {
            match out.last_mut().and_then(|item| item.get_mut("content")?.as_array_mut()) {
                Some(parts) if in_message => parts.push(part),
                _ => out.push(message(&id(frame, "msg", out.len()), "completed", vec![part])),
            }
            in_message = true;
            continue;
        }
        let at = out.len();
        match block {
            Block::Thinking(thinking) => {
                let id = thought::name(thinking).unwrap_or_else(|| id(frame, "rs", at));
                out.push(thought::item(thinking, &id, frame.maker.as_deref()));
            }
            Block::ToolCall(call) => out.push(tool_call(frame, call, &id(frame, "fc", at), "completed")),
            Block::Image(media) if inline(media).is_some() => out.push(image(media, &id(frame, "ig", at))),
            Block::Unknown(unknown) if unknown.protocol == Some(Protocol::Responses) => out.push(unknown.data.clone()),
            // A client's result cannot stand in an answer.
            Block::ToolResult(_) => continue,
            other => {
                strange.push(self::strange(other));
                continue;
            }
        }
        in_message = false;
    }
    if end != Ending::Completed
        && let Some(Value::Object(last)) = out.last_mut()
        && last.get("type").and_then(Value::as_str).is_some_and(|kind| ENDS.contains(&kind))
    {
        last.insert("status".into(), end.status().into());
    }
    (out, strange)
}

/// An id for an item: the answer's own, with the item's number.
pub(super) fn id(frame: &Frame, kind: &str, at: usize) -> String {
    let own = frame.id.strip_prefix("resp_").unwrap_or(&frame.id);
    format!("{kind}_{own}{at:02x}")
}

pub(super) fn message(id: &str, status: &str, parts: Vec<Value>) -> Value {
    json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": parts})
}

/// A part of a message; `None` if the block is an item of its own.
pub(super) fn part(block: &Block, logprobs: Vec<Value>) -> Option<Value> {
    Some(match block {
        Block::Text(text) => {
            json!({"type": "output_text", "text": text.text, "annotations": text.citations, "logprobs": logprobs})
        }
        Block::Refusal { text } => json!({"type": "refusal", "refusal": text}),
        Block::Audio(media) => {
            let mut out = Map::new();
            out.insert("type".into(), "output_audio".into());
            out.insert("data".into(), inline(media).unwrap_or_default().into());
            out.insert("transcript".into(), "".into());
            out.extend(media.rest.clone());
            Value::Object(out)
        }
        Block::Unknown(unknown) if unknown.protocol == Some(Protocol::Responses) => {
            let kind = unknown.data.get("type").and_then(Value::as_str)?;
            return kind.starts_with("output_").then(|| unknown.data.clone());
        }
        _ => return None,
    })
}

pub(super) fn tool_call(frame: &Frame, call: &ToolCall, id: &str, status: &str) -> Value {
    let within = namespace::split(&frame.echo, &call.name);
    let name = within.map_or(call.name.as_str(), |(_, name)| name);
    let mut item = match call.kind {
        CallKind::Function => json!({
            "id": id,
            "type": "function_call",
            "status": status,
            "call_id": call.id,
            "name": name,
            "arguments": arguments(call),
        }),
        CallKind::Custom => json!({
            "id": id,
            "type": "custom_tool_call",
            "status": status,
            "call_id": call.id,
            "name": name,
            "input": call.arguments,
        }),
    };
    if let Some((namespace, _)) = within {
        item["namespace"] = namespace.into();
    }
    item
}

/// A call without arguments means `{}`: clients parse the text.
pub(super) fn arguments(call: &ToolCall) -> &str {
    if call.arguments.is_empty() && call.kind == CallKind::Function { "{}" } else { &call.arguments }
}

pub(super) fn image(media: &Media, id: &str) -> Value {
    let mut out = Map::new();
    out.insert("id".into(), id.into());
    out.insert("type".into(), "image_generation_call".into());
    out.insert("status".into(), "completed".into());
    out.insert("result".into(), inline(media).unwrap_or_default().into());
    if let Some(format) = media.mime.as_deref().and_then(|mime| mime.strip_prefix("image/")) {
        out.insert("output_format".into(), format.into());
    }
    Value::Object(out)
}

/// A block that this protocol has no word for.
pub(super) fn strange(block: &Block) -> Value {
    match block {
        Block::Unknown(unknown) => unknown.data.clone(),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

pub(super) fn inline(media: &Media) -> Option<&str> {
    match &media.source {
        Source::Base64(data) => Some(data),
        _ => None,
    }
}
