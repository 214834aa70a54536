//! A chat answer, written for a client: whole, as chunks, or as an error.
//!
//! Invariants that real clients punish: the role stands only in the first chunk of a choice;
//! `content` is never null in a chunk; usage comes only when it was asked for, in a last chunk
//! without choices; a stream has `data:` lines alone and ends with `[DONE]`.

use std::collections::BTreeMap;

use sabir_types::{
    Block, CallKind, ChatResponse, Choice, Delta, Error, ErrorKind, Event, FinishReason, Map, Source, Thinking,
    ToolCall, Usage, Value,
};
use serde_json::json;

use super::details;
use crate::signed::{self, Spread};

/// What an answer says about itself.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The answer's id.
    pub id: String,
    /// Seconds since 1970.
    pub created: i64,
    /// The model's name as the caller shall see it.
    pub model: String,
    /// Whether the caller speaks of `functions` and expects `function_call`.
    pub legacy_functions: bool,
    /// The provider type that answers: its hidden thoughts are packed for it alone.
    pub maker: Option<String>,
    /// Members to add to the answer and to every chunk.
    pub extra: Map<String, Value>,
}

/// Writes a whole answer.
pub fn chat(answer: &ChatResponse, frame: &Frame) -> Vec<u8> {
    let mut out = Map::new();
    out.insert("id".into(), frame.id.as_str().into());
    out.insert("object".into(), "chat.completion".into());
    out.insert("created".into(), frame.created.into());
    out.insert("model".into(), frame.model.as_str().into());
    out.insert("choices".into(), answer.choices.iter().map(|choice| self::choice(choice, frame)).collect());
    out.insert("usage".into(), usage(&answer.usage));
    if let Some(tier) = &answer.service_tier {
        out.insert("service_tier".into(), tier.as_str().into());
    }
    if let Some(fingerprint) = &answer.system_fingerprint {
        out.insert("system_fingerprint".into(), fingerprint.as_str().into());
    }
    out.extend(frame.extra.clone());
    Value::Object(out).to_string().into_bytes()
}

/// Usage in OpenAI's words.
pub fn usage(usage: &Usage) -> Value {
    let mut out = Map::new();
    let (input, output) = (usage.input_tokens.unwrap_or(0), usage.output_tokens.unwrap_or(0));
    out.insert("prompt_tokens".into(), input.into());
    out.insert("completion_tokens".into(), output.into());
    out.insert("total_tokens".into(), input.saturating_add(output).into());
    let mut details = |name: &str, fields: [(&str, Option<u64>); 3]| {
        let fields: Map<String, Value> =
            fields.iter().filter_map(|(name, count)| Some(((*name).to_owned(), Value::from((*count)?)))).collect();
        if !fields.is_empty() {
            out.insert(name.into(), Value::Object(fields));
        }
    };
    details(
        "prompt_tokens_details",
        [
            ("cached_tokens", usage.cache_read_tokens),
            ("cache_write_tokens", usage.cache_write_tokens),
            ("audio_tokens", usage.input_audio_tokens),
        ],
    );
    details(
        "completion_tokens_details",
        [("reasoning_tokens", usage.reasoning_tokens), ("audio_tokens", usage.output_audio_tokens), ("", None)],
    );
    Value::Object(out)
}

/// OpenAI's word for a finish reason.
pub fn finish_reason(reason: FinishReason, legacy_functions: bool) -> &'static str {
    match reason {
        FinishReason::Length => "length",
        FinishReason::ToolCalls if legacy_functions => "function_call",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        _ => "stop",
    }
}

fn choice(choice: &Choice, frame: &Frame) -> Value {
    let mut message = Map::new();
    message.insert("role".into(), "assistant".into());
    let (mut text, mut refusal, mut thought) = (None::<String>, None::<String>, None::<String>);
    let (mut notes, mut calls) = (Vec::new(), Vec::new());
    let add = |slot: &mut Option<String>, more: &str| slot.get_or_insert_default().push_str(more);
    let content = signed::spread(&choice.content, frame.maker.as_deref());
    let mut packed = Vec::new();
    for block in &*content {
        match block {
            Block::Text(block) => {
                add(&mut text, &block.text);
                notes.extend(block.citations.iter().cloned());
            }
            Block::Refusal { text } => add(&mut refusal, text),
            Block::Thinking(block) => {
                for part in block.text.iter().chain(&block.summary) {
                    add(&mut thought, part);
                }
                if let Some(details) = block.rest.get("reasoning_details") {
                    message.insert("reasoning_details".into(), details.clone());
                } else if details::hides(block) {
                    packed.push(details::pack(block, frame.maker.as_deref(), packed.len()));
                }
            }
            Block::ToolCall(call) => calls.push(call),
            Block::Audio(media) => {
                let mut audio = media.rest.clone();
                if let Source::Base64(data) = &media.source {
                    audio.insert("data".into(), data.as_str().into());
                }
                message.insert("audio".into(), Value::Object(audio));
            }
            Block::Image(media) | Block::Video(media) | Block::File(media) => {
                // A picture in an answer: OpenRouter's `images`, which several clients read.
                let url = match &media.source {
                    Source::Url(url) => url.clone(),
                    Source::Base64(data) => {
                        format!("data:{};base64,{data}", media.mime.as_deref().unwrap_or("application/octet-stream"))
                    }
                    Source::FileId(id) | Source::Text(id) => id.clone(),
                };
                let image = json!({"type": "image_url", "image_url": {"url": url}});
                if let Value::Array(images) = message.entry("images").or_insert_with(|| json!([])) {
                    images.push(image);
                }
            }
            Block::Unknown(unknown) => {
                if let Value::Array(blocks) = message.entry("sabir_blocks").or_insert_with(|| json!([])) {
                    blocks.push(unknown.data.clone());
                }
            }
            Block::ToolResult(_) => {}
        }
    }
    if !packed.is_empty() {
        message.insert("reasoning_details".into(), packed.into());
    }
    message.insert("content".into(), text.map_or(Value::Null, Value::from));
    message.insert("refusal".into(), refusal.map_or(Value::Null, Value::from));
    if let Some(thought) = thought {
        message.insert("reasoning_content".into(), thought.into());
    }
    if !notes.is_empty() {
        message.insert("annotations".into(), notes.into());
    }
    match calls.as_slice() {
        [] => {}
        [call, ..] if frame.legacy_functions => {
            let call = json!({"name": call.name, "arguments": arguments(call)});
            message.insert("function_call".into(), call);
        }
        calls => {
            message.insert("tool_calls".into(), calls.iter().map(|call| tool_call(call)).collect());
        }
    }
    for (name, value) in &choice.rest {
        message.entry(name.clone()).or_insert_with(|| value.clone());
    }
    let reason = choice.finish_reason.unwrap_or(FinishReason::Stop);
    json!({
        "index": choice.index,
        "message": message,
        "logprobs": choice.logprobs,
        "finish_reason": finish_reason(reason, frame.legacy_functions),
    })
}

fn tool_call(call: &ToolCall) -> Value {
    match call.kind {
        CallKind::Function => {
            json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments(call)}})
        }
        CallKind::Custom => {
            json!({"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}})
        }
    }
}

fn arguments(call: &ToolCall) -> &str {
    if call.arguments.is_empty() { "{}" } else { &call.arguments }
}

/// Writes events as chunks of a stream.
#[derive(Debug)]
pub struct ChunkWriter {
    frame: Frame,
    usage_wanted: bool,
    choices: BTreeMap<u32, ChoiceState>,
    /// What every chunk ends with, after its choices.
    tail: String,
    /// What every chunk begins with, up to its choices.
    head: String,
    spread: Spread,
}

#[derive(Debug, Default)]
struct ChoiceState {
    begun: bool,
    calls: Vec<Call>,
    /// The thought that is open, and its block.
    thought: Option<(u32, Box<Thinking>)>,
    /// How many thoughts were packed.
    packed: usize,
}

#[derive(Debug)]
struct Call {
    block: u32,
    kind: CallKind,
    /// Arguments were written: an empty call gets `{}` at the end.
    written: bool,
}

impl ChunkWriter {
    /// A writer. `usage_wanted`: the caller asked for usage.
    pub fn new(frame: Frame, usage_wanted: bool) -> Self {
        let (head, tail) = around(&frame, usage_wanted, None, None);
        Self { frame, usage_wanted, choices: BTreeMap::new(), head, tail, spread: Spread::default() }
    }

    /// Writes events.
    pub fn events(&mut self, events: &[Event], out: &mut Vec<u8>) {
        let mut spread = std::mem::take(&mut self.spread);
        for event in events {
            spread.take(event, |event| self.put(event, out));
        }
        self.spread = spread;
    }

    fn put(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Delta { choice, block, delta } => self.delta(*choice, *block, delta, out),
            Event::Logprobs { choice, data } => {
                self.begin(*choice, out);
                let choice = json!({"index": choice, "delta": {}, "logprobs": data, "finish_reason": null});
                self.write(&choice.to_string(), out);
            }
            Event::Finish { choice, reason, .. } => {
                self.begin(*choice, out);
                self.show_hidden(*choice, None, out);
                self.fill_empty_calls(*choice, out);
                let reason = finish_reason(*reason, self.frame.legacy_functions);
                let choice = json!({"index": choice, "delta": {}, "logprobs": null, "finish_reason": reason});
                self.write(&choice.to_string(), out);
            }
            Event::Meta { service_tier, system_fingerprint } => {
                (self.head, self.tail) =
                    around(&self.frame, self.usage_wanted, service_tier.as_deref(), system_fingerprint.as_deref());
            }
            // Usage goes into the last chunk; the start is told by the frame.
            _ => {}
        }
    }

    /// Writes the end: usage if it was asked for, and the marker.
    pub fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) {
        std::mem::take(&mut self.spread).end(|event| self.put(event, out));
        if self.choices.is_empty() {
            // A stream without any choice would leave clients without an answer to return.
            self.begin(0, out);
        }
        if self.usage_wanted {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(self.head.as_bytes());
            out.extend_from_slice(b"],\"usage\":");
            out.extend_from_slice(self::usage(usage).to_string().as_bytes());
            let tail = self.tail.replacen(",\"usage\":null", "", 1);
            out.extend_from_slice(&tail.as_bytes()[1..]);
            out.extend_from_slice(b"\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// Writes an error. A stream that failed has no end marker.
    pub fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(self::error(error).to_string().as_bytes());
        out.extend_from_slice(b"\n\n");
    }

    fn delta(&mut self, choice: u32, block: u32, delta: &Delta, out: &mut Vec<u8>) {
        self.show_hidden(choice, Some(block), out);
        match delta {
            Delta::Text { text } => self.say(choice, "content", &json!(text), out),
            Delta::Refusal { text } => self.say(choice, "refusal", &json!(text), out),
            Delta::Thinking { text } => {
                append(&mut self.hidden(choice, block).text, text);
                self.say(choice, "reasoning_content", &json!(text), out);
            }
            Delta::ThinkingSummary { part, text } => {
                let summary = &mut self.hidden(choice, block).summary;
                let part = *part as usize;
                if summary.len() <= part {
                    summary.resize(part + 1, String::new());
                }
                summary[part].push_str(text);
                self.say(choice, "reasoning_content", &json!(text), out);
            }
            Delta::ThinkingId { id } => self.hidden(choice, block).id = Some(id.clone()),
            Delta::Opaque { data } => append(&mut self.hidden(choice, block).opaque, data),
            // A signature of a text has no place in this protocol.
            Delta::Signature { signature } => {
                if let Some((_, thinking)) = &mut self.choices.entry(choice).or_default().thought {
                    append(&mut thinking.signature, signature);
                }
            }
            Delta::Citation { data } => self.say(choice, "annotations", &json!([data]), out),
            Delta::ToolCall { id, name, kind } => {
                let begun = self.choices.entry(choice).or_default();
                let index = begun.calls.len();
                begun.calls.push(Call { block, kind: *kind, written: false });
                if self.frame.legacy_functions {
                    if index == 0 {
                        self.say(choice, "function_call", &json!({"name": name, "arguments": ""}), out);
                    }
                    return;
                }
                let call = match kind {
                    CallKind::Function => {
                        json!([{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}])
                    }
                    CallKind::Custom => {
                        json!([{"index": index, "id": id, "type": "custom", "custom": {"name": name, "input": ""}}])
                    }
                };
                self.say(choice, "tool_calls", &call, out);
            }
            Delta::Arguments { text } => self.arguments(choice, block, text, out),
            Delta::Audio { id, data, transcript, expires_at } => {
                let mut audio = Map::new();
                for (name, value) in [("id", id), ("data", data), ("transcript", transcript)] {
                    if let Some(value) = value {
                        audio.insert(name.into(), value.as_str().into());
                    }
                }
                if let Some(at) = expires_at {
                    audio.insert("expires_at".into(), (*at).into());
                }
                self.say(choice, "audio", &Value::Object(audio), out);
            }
            _ => {}
        }
    }

    /// The thought that is open.
    fn hidden(&mut self, choice: u32, block: u32) -> &mut Thinking {
        let state = self.choices.entry(choice).or_default();
        &mut state.thought.get_or_insert_with(|| (block, Box::default())).1
    }

    /// Writes what was hidden of a thought when something else follows: `next` is the block that does.
    fn show_hidden(&mut self, choice: u32, next: Option<u32>, out: &mut Vec<u8>) {
        let Some(state) = self.choices.get_mut(&choice) else { return };
        if state.thought.as_ref().is_none_or(|(block, _)| Some(*block) == next) {
            return;
        }
        let Some((_, thinking)) = state.thought.take() else { return };
        if details::hides(&thinking) {
            let details = json!([details::pack(&thinking, self.frame.maker.as_deref(), state.packed)]);
            state.packed += 1;
            self.say(choice, "reasoning_details", &details, out);
        }
    }

    fn arguments(&mut self, choice: u32, block: u32, text: &str, out: &mut Vec<u8>) {
        let calls = &mut self.choices.entry(choice).or_default().calls;
        let Some(index) = calls.iter().position(|call| call.block == block) else { return };
        calls[index].written = true;
        let kind = calls[index].kind;
        if self.frame.legacy_functions {
            if index == 0 {
                self.say(choice, "function_call", &json!({"arguments": text}), out);
            }
            return;
        }
        let call = match kind {
            CallKind::Function => json!([{"index": index, "function": {"arguments": text}}]),
            CallKind::Custom => json!([{"index": index, "custom": {"input": text}}]),
        };
        self.say(choice, "tool_calls", &call, out);
    }

    /// A call without arguments means `{}`: clients parse what the pieces add up to.
    fn fill_empty_calls(&mut self, choice: u32, out: &mut Vec<u8>) {
        let Some(state) = self.choices.get(&choice) else { return };
        let empty: Vec<u32> = state
            .calls
            .iter()
            .filter(|call| !call.written && call.kind == CallKind::Function)
            .map(|call| call.block)
            .collect();
        for block in empty {
            self.arguments(choice, block, "{}", out);
        }
    }

    fn begin(&mut self, choice: u32, out: &mut Vec<u8>) {
        let state = self.choices.entry(choice).or_default();
        if !state.begun {
            state.begun = true;
            let first = format!(
                "{{\"index\":{choice},\"delta\":{{\"role\":\"assistant\",\"content\":\"\"}},\"logprobs\":null,\"finish_reason\":null}}"
            );
            self.write(&first, out);
        }
    }

    fn say(&mut self, choice: u32, member: &str, value: &Value, out: &mut Vec<u8>) {
        self.begin(choice, out);
        let text = format!(
            "{{\"index\":{choice},\"delta\":{{\"{member}\":{value}}},\"logprobs\":null,\"finish_reason\":null}}"
        );
        self.write(&text, out);
    }

    fn write(&self, choice: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(self.head.as_bytes());
        out.extend_from_slice(choice.as_bytes());
        out.extend_from_slice(self.tail.as_bytes());
        out.extend_from_slice(b"\n\n");
    }
}

fn append(slot: &mut Option<String>, text: &str) {
    slot.get_or_insert_default().push_str(text);
}

/// What stands before and after the choices of every chunk.
fn around(frame: &Frame, usage_wanted: bool, tier: Option<&str>, fingerprint: Option<&str>) -> (String, String) {
    let head = format!(
        "{{\"id\":{},\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":{},\"choices\":[",
        Value::from(frame.id.as_str()),
        frame.created,
        Value::from(frame.model.as_str())
    );
    let mut tail = String::from(if usage_wanted { "],\"usage\":null" } else { "]" });
    let mut add = |name: &str, value: &Value| {
        tail.push_str(&format!(",{}:{value}", Value::from(name)));
    };
    if let Some(tier) = tier {
        add("service_tier", &tier.into());
    }
    if let Some(fingerprint) = fingerprint {
        add("system_fingerprint", &fingerprint.into());
    }
    for (name, value) in &frame.extra {
        add(name, value);
    }
    tail.push('}');
    (head, tail)
}

/// The error object that clients read.
pub fn error(error: &Error) -> Value {
    let upstream = error.upstream();
    let code = upstream.and_then(|upstream| upstream.code.clone()).or_else(|| code(error).map(str::to_owned));
    json!({"error": {
        "message": error.message(),
        "type": upstream.and_then(|upstream| upstream.kind.as_deref()).unwrap_or_else(|| error_type(error.kind())),
        "param": error.param().or_else(|| upstream?.param.as_deref()),
        "code": code,
    }})
}

fn error_type(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadRequest
        | ErrorKind::ContextLength
        | ErrorKind::ContentFilter
        | ErrorKind::Unsupported
        | ErrorKind::NotFound
        | ErrorKind::TooLarge
        | ErrorKind::Conflict
        | ErrorKind::NotImplemented => "invalid_request_error",
        ErrorKind::Authentication => "authentication_error",
        ErrorKind::Permission => "permission_error",
        ErrorKind::RateLimited => "rate_limit_error",
        ErrorKind::QuotaExceeded => "insufficient_quota",
        ErrorKind::Timeout => "timeout_error",
        _ => "server_error",
    }
}

fn code(error: &Error) -> Option<&'static str> {
    Some(match error.kind() {
        ErrorKind::ContextLength => "context_length_exceeded",
        ErrorKind::ContentFilter => "content_filter",
        ErrorKind::Unsupported => "unsupported_parameter",
        ErrorKind::Authentication => "invalid_api_key",
        // Other things than models have no code: clients would look for the wrong one.
        ErrorKind::NotFound if error.param() == Some("model") => "model_not_found",
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::RateLimited => "rate_limit_exceeded",
        ErrorKind::QuotaExceeded => "insufficient_quota",
        ErrorKind::Timeout => "timeout",
        ErrorKind::NotImplemented => "not_implemented",
        ErrorKind::Upstream | ErrorKind::BadUpstream | ErrorKind::Connection => "upstream_error",
        ErrorKind::Unavailable => "unavailable",
        _ => return None,
    })
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
