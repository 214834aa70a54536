//! Streamed answers.
//!
//! Invariant: how the bytes are cut never changes the events; a stream that does not reach
//! `message_stop` is an error.

use std::borrow::Cow;

use sabir_types::{CallKind, Delta, Error, Event, FinishReason, Map, Protocol, Result, Unknown, Value};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{JSON_TOOL, error, usage};
use super::whole::{explanation, finish_reason};
use crate::sse::SseDecoder;

/// Reads a streamed answer.
#[derive(Debug, Default)]
pub struct ChatStream {
    sse: SseDecoder,
    state: State,
}

impl ChatStream {
    /// A reader at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, turning the call of [`JSON_TOOL`] back into the text that it stands for.
    #[must_use]
    pub fn unwrapping_json(mut self) -> Self {
        self.state.unwraps = true;
        self
    }

    /// Takes more bytes and adds the events that they complete. An error inside the stream is `Err`.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<()> {
        let state = &mut self.state;
        self.sse.feed(bytes, &mut |event| state.take(event.event, event.data, out))
    }

    /// The stream ended: says if it was cut off.
    pub fn finish(&mut self, out: &mut Vec<Event>) -> Result<()> {
        let state = &mut self.state;
        self.sse.finish(&mut |event| state.take(event.event, event.data, out))?;
        if state.stopped { Ok(()) } else { Err(Error::bad_upstream("stream ended before `message_stop`")) }
    }

    /// Takes one event that came in another frame than SSE.
    pub fn take(&mut self, event: Option<&str>, data: &str, out: &mut Vec<Event>) -> Result<()> {
        self.state.take(event, data, out)
    }
}

#[derive(Debug, Default)]
struct State {
    open: Vec<Open>,
    blocks: u32,
    figures: Map<String, Value>,
    unwraps: bool,
    /// Tools other than [`JSON_TOOL`] were called.
    calls: bool,
    stopped: bool,
}

/// A block that has begun and not ended.
#[derive(Debug)]
struct Open {
    /// Its number on the wire.
    index: u32,
    /// Its number in our events, once there is one.
    number: Option<u32>,
    holds: Holds,
}

#[derive(Debug)]
enum Holds {
    Text,
    Thinking,
    /// A call: the input that it began with, and whether pieces of input came.
    Tool {
        input: Option<Box<RawValue>>,
        pieces: bool,
        json: bool,
    },
    /// A block that we have no word for, until it is whole, and the pieces of its input.
    Unknown {
        block: Map<String, Value>,
        input: String,
    },
}

impl State {
    fn take(&mut self, event: Option<&str>, data: &str, out: &mut Vec<Event>) -> Result<()> {
        let named;
        let kind = match event {
            Some(name) => name,
            None => {
                named = read::<Named<'_>>(data)?.kind;
                &named
            }
        };
        match kind {
            "content_block_delta" => self.delta(data, out),
            "content_block_start" => self.start(read(data)?, out),
            "content_block_stop" => {
                self.stop(read::<Stop>(data)?.index, out);
                Ok(())
            }
            "message_start" => {
                self.begin(read::<Begin>(data)?.message, out);
                Ok(())
            }
            "message_delta" => {
                self.end(read(data)?, out);
                Ok(())
            }
            "message_stop" => {
                while let Some(open) = self.open.first() {
                    let index = open.index;
                    self.stop(index, out);
                }
                self.stopped = true;
                Ok(())
            }
            "error" => Err(error::decode(200, data.as_bytes())),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, message: Head, out: &mut Vec<Event>) {
        out.push(Event::Start { id: message.id, model: message.model.unwrap_or_default(), created: None });
        if let Some(figures) = message.usage {
            self.count(figures, out);
        }
    }

    fn count(&mut self, figures: Map<String, Value>, out: &mut Vec<Event>) {
        let service_tier = usage::service_tier(&figures);
        usage::merge(&mut self.figures, figures);
        if service_tier.is_some() {
            out.push(Event::Meta { service_tier, system_fingerprint: None });
        }
        out.push(Event::Usage(usage::read(self.figures.clone())));
    }

    fn start(&mut self, start: Start<'_>, out: &mut Vec<Event>) -> Result<()> {
        let raw = start.content_block.get();
        let kind = read::<Named<'_>>(raw)?.kind;
        let known = matches!(kind.as_ref(), "text" | "thinking" | "redacted_thinking" | "tool_use");
        let begun: Begun<'_> = if known { read(raw)? } else { Begun::default() };
        let holds = match kind.as_ref() {
            "text" => Holds::Text,
            "thinking" | "redacted_thinking" => Holds::Thinking,
            "tool_use" if begun.is_direct() => {
                let json = self.unwraps && begun.name.as_deref() == Some(JSON_TOOL);
                self.calls |= !json;
                Holds::Tool { input: begun.input.map(ToOwned::to_owned), pieces: false, json }
            }
            _ => Holds::Unknown { block: read(raw)?, input: String::new() },
        };
        let call = matches!(holds, Holds::Tool { json: false, .. });
        self.open.push(Open { index: start.index, number: None, holds });
        let at = self.open.len() - 1;
        if call {
            let delta = Delta::ToolCall {
                id: begun.id.unwrap_or_default(),
                name: begun.name.unwrap_or_default(),
                kind: CallKind::Function,
            };
            self.push(at, delta, out);
        }
        match &self.open[at].holds {
            Holds::Text => {
                if let Some(text) = begun.text.filter(|text| !text.is_empty()) {
                    self.push(at, Delta::Text { text }, out);
                }
                for data in begun.citations.unwrap_or_default() {
                    self.push(at, Delta::Citation { data }, out);
                }
            }
            Holds::Thinking => {
                if let Some(data) = begun.data {
                    self.push(at, Delta::Opaque { data }, out);
                }
                if let Some(text) = begun.thinking.filter(|text| !text.is_empty()) {
                    self.push(at, Delta::Thinking { text }, out);
                }
                if let Some(signature) = begun.signature.filter(|signature| !signature.is_empty()) {
                    self.push(at, Delta::Signature { signature }, out);
                }
            }
            Holds::Tool { .. } | Holds::Unknown { .. } => {}
        }
        Ok(())
    }

    fn delta(&mut self, data: &str, out: &mut Vec<Event>) -> Result<()> {
        let Piece { index, delta } = read(data)?;
        let at = match self.open.iter().position(|open| open.index == index) {
            Some(at) => at,
            None => {
                // Some compatible servers leave out the start of a text.
                let holds = match delta.kind {
                    Kind::Text => Holds::Text,
                    Kind::Thinking => Holds::Thinking,
                    _ => {
                        return Err(Error::bad_upstream(format!("stream goes on with block {index} that never began")));
                    }
                };
                self.open.push(Open { index, number: None, holds });
                self.open.len() - 1
            }
        };
        match (&mut self.open[at].holds, delta.kind) {
            (Holds::Text, Kind::Text) => {
                if let Some(text) = delta.text.filter(|text| !text.is_empty()) {
                    self.push(at, Delta::Text { text }, out);
                }
            }
            (Holds::Text, Kind::Citations) => {
                if let Some(data) = delta.citation {
                    self.push(at, Delta::Citation { data }, out);
                }
            }
            (Holds::Thinking, Kind::Thinking) => {
                if let Some(text) = delta.thinking.filter(|text| !text.is_empty()) {
                    self.push(at, Delta::Thinking { text }, out);
                }
            }
            (Holds::Thinking, Kind::Signature) => {
                if let Some(signature) = delta.signature.filter(|signature| !signature.is_empty()) {
                    self.push(at, Delta::Signature { signature }, out);
                }
            }
            (Holds::Tool { pieces, json, .. }, Kind::InputJson) => {
                if let Some(text) = delta.partial_json.filter(|text| !text.is_empty()) {
                    *pieces = true;
                    let delta = if *json { Delta::Text { text } } else { Delta::Arguments { text } };
                    self.push(at, delta, out);
                }
            }
            (Holds::Unknown { input, .. }, Kind::InputJson) => {
                input.push_str(delta.partial_json.as_deref().unwrap_or_default());
            }
            (Holds::Unknown { block, .. }, _) => grow(block, data)?,
            _ => {}
        }
        Ok(())
    }

    fn stop(&mut self, index: u32, out: &mut Vec<Event>) {
        let Some(at) = self.open.iter().position(|open| open.index == index) else { return };
        let started = self.open[at].number.is_some();
        let delta = match &mut self.open[at].holds {
            Holds::Text if !started => Some(Delta::Text { text: String::new() }),
            Holds::Thinking if !started => Some(Delta::Thinking { text: String::new() }),
            Holds::Tool { input, pieces: false, json } => {
                let text = match input.take() {
                    Some(raw) if raw.get().starts_with('{') => String::from(Box::<str>::from(raw)),
                    _ => "{}".to_owned(),
                };
                Some(if *json { Delta::Text { text } } else { Delta::Arguments { text } })
            }
            Holds::Unknown { block, input } => {
                if !input.is_empty() {
                    let value = serde_json::from_str(input).unwrap_or_else(|_| Value::String(std::mem::take(input)));
                    block.insert("input".to_owned(), value);
                }
                let data = Value::Object(std::mem::take(block));
                let block = Unknown { protocol: Some(Protocol::Anthropic), model: None, provider: None, data };
                Some(Delta::Unknown { block })
            }
            _ => None,
        };
        if let Some(delta) = delta {
            self.push(at, delta, out);
        }
        self.open.remove(at);
    }

    fn end(&mut self, end: End, out: &mut Vec<Event>) {
        if let Some(text) = end.delta.stop_details.as_ref().and_then(explanation) {
            let block = self.blocks;
            self.blocks += 1;
            out.push(Event::Delta { choice: 0, block, delta: Delta::Refusal { text } });
        }
        if let Some(word) = end.delta.stop_reason {
            let mut reason = finish_reason(&word);
            if self.unwraps && !self.calls && reason == FinishReason::ToolCalls {
                reason = FinishReason::Stop;
            }
            let stop_sequence = end.delta.stop_sequence;
            out.push(Event::Finish { choice: 0, reason, raw: Some(word), stop_sequence });
        }
        if let Some(figures) = end.usage {
            self.count(figures, out);
        }
    }

    fn push(&mut self, at: usize, delta: Delta, out: &mut Vec<Event>) {
        let block = *self.open[at].number.get_or_insert_with(|| {
            self.blocks += 1;
            self.blocks - 1
        });
        out.push(Event::Delta { choice: 0, block, delta });
    }
}

/// Adds a piece of a kind that we do not know to a block that we do not know: texts go on, other
/// members replace.
fn grow(block: &mut Map<String, Value>, data: &str) -> Result<()> {
    let Raw { delta } = read(data)?;
    for (name, value) in delta {
        match (block.get_mut(&name), value) {
            _ if name == "type" => {}
            (Some(Value::String(text)), Value::String(more)) => text.push_str(&more),
            (_, value) => {
                block.insert(name, value);
            }
        }
    }
    Ok(())
}

fn read<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T> {
    serde_json::from_str(data)
        .map_err(|e| Error::bad_upstream(format!("event of the stream cannot be read: {e}")).with_source(e))
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Begin {
    message: Head,
}

#[derive(Deserialize)]
struct Head {
    id: Option<String>,
    model: Option<String>,
    usage: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Start<'a> {
    index: u32,
    #[serde(borrow)]
    content_block: &'a RawValue,
}

/// The members of a block's start that we know.
#[derive(Default, Deserialize)]
struct Begun<'a> {
    id: Option<String>,
    name: Option<String>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    text: Option<String>,
    citations: Option<Vec<Value>>,
    thinking: Option<String>,
    signature: Option<String>,
    data: Option<String>,
    caller: Option<Value>,
}

impl Begun<'_> {
    /// Whether the model itself calls, not a program that it runs.
    fn is_direct(&self) -> bool {
        self.caller.as_ref().is_none_or(|caller| caller.get("type").and_then(Value::as_str) == Some("direct"))
    }
}

#[derive(Deserialize)]
struct Piece {
    index: u32,
    delta: Fragment,
}

#[derive(Deserialize)]
struct Fragment {
    #[serde(rename = "type")]
    kind: Kind,
    text: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    partial_json: Option<String>,
    citation: Option<Value>,
}

#[derive(Deserialize, Clone, Copy)]
enum Kind {
    #[serde(rename = "text_delta")]
    Text,
    #[serde(rename = "thinking_delta")]
    Thinking,
    #[serde(rename = "signature_delta")]
    Signature,
    #[serde(rename = "input_json_delta")]
    InputJson,
    #[serde(rename = "citations_delta")]
    Citations,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Raw {
    delta: Map<String, Value>,
}

#[derive(Deserialize)]
struct Stop {
    index: u32,
}

#[derive(Deserialize)]
struct End {
    delta: Ending,
    usage: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Ending {
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    stop_details: Option<Value>,
}
