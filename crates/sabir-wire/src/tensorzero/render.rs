//! Answers, whole and in chunks.
//!
//! Invariants that the client punishes: the five members are always there; no finish reason and no
//! block type is made up; a text block has no other members; usage and finish reason come in one
//! last chunk, and `[DONE]` after it.

use sabir_types::{
    Block, ChatResponse, Delta, Event, FinishReason, Map, Source, Thinking, ToolCall, Usage, Uuid, Value,
};
use serde_json::json;

use super::block::ID;
use crate::signed::{self, Spread};

/// What every answer and every chunk carries.
#[derive(Debug, Clone)]
pub struct Ids {
    /// The inference.
    pub inference_id: Uuid,
    /// The episode.
    pub episode_id: Uuid,
    /// The variant: the model's name for a call by model name.
    pub variant_name: String,
    /// The tools that the model was offered.
    pub tools: Vec<String>,
}

/// A whole answer; `extra` holds what else was asked for (`raw_usage`, `original_response`, …).
pub fn answer(ids: &Ids, answer: &ChatResponse, usage: Value, extra: Map<String, Value>) -> Value {
    let choice = answer.choices.first();
    let content: Vec<Value> = choice
        .map(|choice| {
            signed::spread(&choice.content, None).iter().map(|block| self::block(block, &ids.tools)).collect()
        })
        .unwrap_or_default();
    let mut out = base(ids, content);
    out.insert("usage".into(), usage);
    if let Some(reason) = choice.and_then(|choice| choice.finish_reason) {
        out.insert("finish_reason".into(), finish_reason(reason).into());
    }
    out.extend(extra);
    Value::Object(out)
}

fn base(ids: &Ids, content: Vec<Value>) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("inference_id".into(), ids.inference_id.to_string().into());
    out.insert("episode_id".into(), ids.episode_id.to_string().into());
    out.insert("variant_name".into(), ids.variant_name.as_str().into());
    out.insert("content".into(), content.into());
    out
}

/// Usage in this protocol's words. An answer from the cache consumed nothing.
pub fn usage(usage: &Usage, cost: Option<f64>, cached: bool) -> Value {
    if cached {
        return json!({"input_tokens": 0, "output_tokens": 0, "cost": 0.0});
    }
    let mut out = Map::new();
    out.insert("input_tokens".into(), json!(usage.input_tokens));
    out.insert("output_tokens".into(), json!(usage.output_tokens));
    if let Some(read) = usage.cache_read_tokens {
        out.insert("provider_cache_read_input_tokens".into(), read.into());
    }
    if let Some(written) = usage.cache_write_tokens {
        out.insert("provider_cache_write_input_tokens".into(), written.into());
    }
    out.insert("cost".into(), json!(cost));
    Value::Object(out)
}

/// This protocol's word for a finish reason.
pub fn finish_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::StopSequence => "stop_sequence",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_call",
        FinishReason::ContentFilter => "content_filter",
        _ => "unknown",
    }
}

/// A block of an answer.
pub fn block(block: &Block, tools: &[String]) -> Value {
    match block {
        Block::Text(text) => json!({"type": "text", "text": text.text}),
        Block::Refusal { text } => json!({"type": "text", "text": text}),
        Block::ToolCall(call) => tool_call(call, tools),
        Block::Thinking(thinking) => thought(thinking),
        Block::Unknown(unknown) => json!({"type": "unknown", "data": unknown.data}),
        Block::Image(media) | Block::Audio(media) | Block::Video(media) | Block::File(media) => {
            // There is no word for media in an answer: it is handed out as it is.
            let (name, text) = match &media.source {
                Source::Url(text) => ("url", text),
                Source::Base64(text) | Source::Text(text) => ("data", text),
                Source::FileId(text) => ("file_id", text),
            };
            json!({"type": "unknown", "data": {"type": block.kind(), name: text, "mime_type": media.mime}})
        }
        Block::ToolResult(result) => json!({"type": "unknown", "data": {"type": "tool_result", "id": result.id}}),
    }
}

fn tool_call(call: &ToolCall, tools: &[String]) -> Value {
    let raw = if call.arguments.is_empty() { "{}" } else { &call.arguments };
    let parsed: Option<Value> = serde_json::from_str(raw).ok().filter(Value::is_object);
    let name = tools.is_empty() || tools.contains(&call.name);
    json!({
        "type": "tool_call",
        "id": call.id,
        "raw_name": call.name,
        "raw_arguments": raw,
        "name": name.then_some(&call.name),
        "arguments": if name { parsed } else { None },
    })
}

pub(super) fn thought(thinking: &Thinking) -> Value {
    let mut out = Map::new();
    out.insert("type".into(), "thought".into());
    out.insert("text".into(), json!(thinking.text));
    if let Some(signature) = thinking.signature.as_ref().or(thinking.opaque.as_ref()) {
        out.insert("signature".into(), signature.as_str().into());
    }
    if !thinking.summary.is_empty() {
        let parts: Vec<Value> =
            thinking.summary.iter().map(|text| json!({"type": "summary_text", "text": text})).collect();
        out.insert("summary".into(), parts.into());
    }
    if let Some(provider) = &thinking.provider {
        out.insert("provider_type".into(), provider.as_str().into());
    }
    match (thinking.rest.get("extra_data"), &thinking.id) {
        (Some(extra), _) => {
            out.insert("extra_data".into(), extra.clone());
        }
        (None, Some(id)) if signed::is_of_call(id) => {
            out.insert("extra_data".into(), json!({ID: id}));
        }
        _ => {}
    }
    Value::Object(out)
}

/// Writes events as chunks of a stream.
#[derive(Debug)]
pub struct ChunkWriter {
    ids: Ids,
    /// The id of the call that each block is.
    calls: Vec<(u32, String)>,
    finish: Option<FinishReason>,
    spread: Spread,
}

impl ChunkWriter {
    /// A writer.
    pub fn new(ids: Ids) -> Self {
        Self { ids, calls: Vec::new(), finish: None, spread: Spread::default() }
    }

    /// Writes events: one chunk for all of them that carry content.
    pub fn events(&mut self, events: &[Event], out: &mut Vec<u8>) {
        let mut spread = std::mem::take(&mut self.spread);
        for event in events {
            spread.take(event, |event| self.put(event, out));
        }
        self.spread = spread;
    }

    fn put(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Delta { choice: 0, block, delta } => {
                if let Some(content) = self.piece(*block, delta) {
                    write(&Value::Object(base(&self.ids, vec![content])), out);
                }
            }
            Event::Finish { choice: 0, reason, .. } => self.finish = Some(*reason),
            _ => {}
        }
    }

    /// Writes the last chunk and the marker.
    pub fn end(&mut self, usage: Value, finish: Option<FinishReason>, extra: Map<String, Value>, out: &mut Vec<u8>) {
        std::mem::take(&mut self.spread).end(|event| self.put(event, out));
        let mut last = base(&self.ids, Vec::new());
        last.insert("usage".into(), usage);
        if let Some(reason) = self.finish.or(finish) {
            last.insert("finish_reason".into(), finish_reason(reason).into());
        }
        last.extend(extra);
        write(&Value::Object(last), out);
        self.done(out);
    }

    /// Writes the marker alone: the stream broke off.
    pub fn done(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn piece(&mut self, block: u32, delta: &Delta) -> Option<Value> {
        let id = block.to_string();
        Some(match delta {
            Delta::Text { text } | Delta::Refusal { text } => json!({"type": "text", "id": id, "text": text}),
            Delta::Thinking { text } => json!({"type": "thought", "id": id, "text": text}),
            Delta::ThinkingSummary { part, text } => {
                json!({"type": "thought", "id": id, "text": null, "summary_id": part.to_string(), "summary_text": text})
            }
            Delta::Signature { signature } if !self.calls.iter().any(|(at, _)| *at == block) => {
                json!({"type": "thought", "id": id, "text": null, "signature": signature})
            }
            Delta::ThinkingId { id: of } if signed::is_of_call(of) => {
                json!({"type": "thought", "id": id, "text": null, "extra_data": {ID: of}})
            }
            Delta::Opaque { data } => json!({"type": "thought", "id": id, "text": null, "signature": data}),
            Delta::ToolCall { id, name, .. } => {
                self.calls.push((block, id.clone()));
                json!({"type": "tool_call", "id": id, "raw_name": name, "raw_arguments": ""})
            }
            Delta::Arguments { text } => {
                let (_, id) = self.calls.iter().find(|(at, _)| *at == block)?;
                json!({"type": "tool_call", "id": id, "raw_name": "", "raw_arguments": text})
            }
            Delta::Unknown { block } => json!({"type": "unknown", "id": id, "data": block.data}),
            Delta::Media { block } => {
                let mut value = self::block(block, &[]);
                value["id"] = id.into();
                value
            }
            // Citations, sound and a thought's id have no place in this protocol's chunks.
            _ => return None,
        })
    }
}

/// One event.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(value.to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
