//! Pieces of a stream in the words of the call's dialect.
//!
//! Invariant: every piece is one JSON object, as the dialect's own service would send it; the
//! marker at the end of a stream is not one.

use sabir_engine::Facts;
use sabir_types::{Block, ChatResponse, Delta, Event, FinishReason, Map, Usage, Value};
use sabir_wire::{anthropic, gemini, openai, sse::SseDecoder};
use serde_json::json;

use super::{dialect::Dialect, parse::Ask};

/// How an answer presents itself.
#[derive(Debug, Clone)]
pub(super) struct Names {
    id: String,
    created: i64,
    model: String,
    provider: &'static str,
}

impl Names {
    /// The names of an answer; its own where it has some.
    pub(super) fn of(facts: &Facts, ask: &Ask, id: Option<&str>, created: Option<i64>) -> Self {
        let prefix = match ask.dialect {
            Dialect::Chat => "chatcmpl-",
            Dialect::Responses => "resp_",
            Dialect::Messages => "msg_",
            Dialect::Gemini => "",
        };
        Self {
            id: id.map_or_else(|| format!("{prefix}{}", facts.inference_id.simple()), str::to_owned),
            created: created.unwrap_or_else(|| crate::doors::shared::now() as i64),
            model: ask.model.clone(),
            provider: facts.provider_type,
        }
    }

    pub(super) fn frame(&self) -> openai::render::Frame {
        openai::render::Frame {
            id: self.id.clone(),
            created: self.created,
            model: self.model.clone(),
            legacy_functions: false,
            extra: Map::new(),
        }
    }

    pub(super) fn face(&self) -> anthropic::render::Face<'_> {
        anthropic::render::Face { id: &self.id, model: &self.model, provider: Some(self.provider) }
    }
}

/// Writes pieces.
#[derive(Debug)]
pub(super) enum Pieces {
    Chat(Box<openai::render::ChunkWriter>),
    Messages(Box<anthropic::render::EventWriter>),
    Gemini(Box<gemini::render::EventWriter>),
    Responses(Box<Responses>),
}

impl Pieces {
    pub(super) fn new(dialect: Dialect, names: Names) -> Self {
        match dialect {
            Dialect::Chat => Self::Chat(Box::new(openai::render::ChunkWriter::new(names.frame(), true))),
            Dialect::Messages => Self::Messages(Box::new(anthropic::render::EventWriter::new(names.face()))),
            Dialect::Gemini => Self::Gemini(Box::new(gemini::render::EventWriter::new(Some(names.provider)))),
            Dialect::Responses => Self::Responses(Box::new(Responses { names, answer: Default::default() })),
        }
    }

    /// The pieces for an event: none, one or several.
    pub(super) fn event(&mut self, event: &Event) -> Vec<String> {
        let mut out = Vec::new();
        match self {
            Self::Chat(writer) => writer.events(std::slice::from_ref(event), &mut out),
            Self::Messages(writer) => writer.write(event, &mut out),
            Self::Gemini(writer) => writer.push(event, &mut out),
            Self::Responses(writer) => return writer.event(event),
        }
        split(&out)
    }

    /// The pieces at the end.
    pub(super) fn end(&mut self, usage: &Usage) -> Vec<String> {
        let mut out = Vec::new();
        match self {
            Self::Chat(writer) => writer.end(usage, &mut out),
            Self::Messages(writer) => writer.finish(&mut out),
            Self::Gemini(_) => {}
            Self::Responses(writer) => return writer.end(usage),
        }
        split(&out)
    }
}

/// The data of server-sent events.
fn split(bytes: &[u8]) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut take = |event: sabir_wire::sse::SseEvent<'_>| {
        if event.data.starts_with('{') {
            pieces.push(event.data.to_owned());
        }
        Ok(())
    };
    let mut decoder = SseDecoder::new();
    // They were written a moment ago: nothing in them can be wrong.
    drop(decoder.feed(bytes, &mut take));
    drop(decoder.finish(&mut take));
    pieces
}

/// Writes the pieces of a response.
#[derive(Debug)]
pub(super) struct Responses {
    names: Names,
    answer: sabir_types::Accumulator,
}

impl Responses {
    fn event(&mut self, event: &Event) -> Vec<String> {
        self.answer.push(event);
        let Event::Delta { choice: 0, block, delta } = event else { return Vec::new() };
        let piece = match delta {
            Delta::Text { text } => json!({"type": "response.output_text.delta", "output_index": block,
                "content_index": 0, "delta": text}),
            Delta::Refusal { text } => json!({"type": "response.refusal.delta", "output_index": block,
                "content_index": 0, "delta": text}),
            Delta::Arguments { text } => json!({"type": "response.function_call_arguments.delta",
                "output_index": block, "delta": text}),
            _ => return Vec::new(),
        };
        vec![piece.to_string()]
    }

    fn end(&mut self, usage: &Usage) -> Vec<String> {
        let answer = ChatResponse { usage: usage.clone(), ..self.answer.snapshot().clone() };
        let whole = response(&answer, &self.names);
        let kind = if whole["status"] == "incomplete" { "response.incomplete" } else { "response.completed" };
        vec![json!({"type": kind, "response": whole}).to_string()]
    }
}

/// A whole answer as a response.
pub(super) fn response(answer: &ChatResponse, names: &Names) -> Value {
    let choice = answer.choices.first();
    let mut output: Vec<Value> = Vec::new();
    let mut words: Vec<Value> = Vec::new();
    let close = |words: &mut Vec<Value>, output: &mut Vec<Value>| {
        if !words.is_empty() {
            output.push(json!({"type": "message", "id": format!("msg_{}_{}", names.id, output.len()),
                "role": "assistant", "status": "completed", "content": std::mem::take(words)}));
        }
    };
    for block in choice.into_iter().flat_map(|choice| &choice.content) {
        match block {
            Block::Text(text) => {
                words.push(json!({"type": "output_text", "text": text.text, "annotations": text.citations}));
            }
            Block::Refusal { text } => words.push(json!({"type": "refusal", "refusal": text})),
            Block::ToolCall(call) => {
                close(&mut words, &mut output);
                output.push(json!({"type": "function_call", "id": format!("fc_{}", call.id), "call_id": call.id,
                    "name": call.name, "arguments": call.arguments, "status": "completed"}));
            }
            Block::Thinking(thinking) => {
                close(&mut words, &mut output);
                let texts = thinking.summary.iter().chain(thinking.text.as_ref());
                let summary: Vec<Value> = texts.map(|text| json!({"type": "summary_text", "text": text})).collect();
                output.push(json!({"type": "reasoning", "id": format!("rs_{}_{}", names.id, output.len()),
                    "summary": summary}));
            }
            _ => {}
        }
    }
    close(&mut words, &mut output);
    let why = match choice.and_then(|choice| choice.finish_reason) {
        Some(FinishReason::Length) => Some("max_output_tokens"),
        Some(FinishReason::ContentFilter) => Some("content_filter"),
        _ => None,
    };
    let usage = &answer.usage;
    json!({
        "id": names.id,
        "object": "response",
        "created_at": names.created,
        "model": names.model,
        "status": if why.is_some() { "incomplete" } else { "completed" },
        "incomplete_details": why.map(|reason| json!({ "reason": reason })),
        "error": null,
        "output": output,
        "usage": {
            "input_tokens": usage.input_tokens.unwrap_or(0),
            "input_tokens_details": {"cached_tokens": usage.cache_read_tokens.unwrap_or(0)},
            "output_tokens": usage.output_tokens.unwrap_or(0),
            "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens.unwrap_or(0)},
            "total_tokens": usage.total().unwrap_or(0),
        },
    })
}
