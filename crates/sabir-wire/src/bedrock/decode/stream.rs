//! An answer that comes in pieces, as frames of AWS's event stream.
//!
//! Invariant: blocks are numbered in order of appearance, whatever the provider numbers them; usage
//! comes after the reason to stop, so a stream is read to its end; one without a reason was cut off.

use std::collections::BTreeMap;

use sabir_types::{CallKind, Delta, Error, Event, FinishReason, Protocol, Result, Unknown, Value};

use super::{finish_reason, usage, whole::object};
use crate::{
    anthropic::JSON_TOOL,
    bedrock::error,
    event_stream::{EventStreamDecoder, Frame},
};

/// Reads a streamed answer.
#[derive(Debug)]
pub struct ChatStream {
    frames: EventStreamDecoder,
    state: State,
}

#[derive(Debug)]
struct State {
    model: String,
    unwrap: bool,
    started: bool,
    finished: bool,
    /// The provider's number of a block, ours, and whether it is the answer in JSON.
    blocks: BTreeMap<u64, (u32, bool)>,
    calls: bool,
}

impl ChatStream {
    /// Reads an answer of `model`, which the stream does not name. `unwrap` says that a call of the
    /// tool that stands for an answer in JSON is that answer.
    pub fn new(model: &str, unwrap: bool) -> Self {
        let state = State {
            model: model.to_owned(),
            unwrap,
            started: false,
            finished: false,
            blocks: BTreeMap::new(),
            calls: false,
        };
        Self { frames: EventStreamDecoder::new(), state }
    }

    /// Takes more bytes and adds the events that they complete.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<()> {
        let Self { frames, state } = self;
        frames.feed(bytes, &mut |frame| state.frame(&frame, out))
    }

    /// The stream ended.
    pub fn finish(&mut self) -> Result<()> {
        self.frames.finish()?;
        match (self.state.started, self.state.finished) {
            (_, true) => Ok(()),
            (true, false) => Err(Error::bad_upstream("the provider's stream was cut off before the answer ended")),
            (false, false) => Err(Error::bad_upstream("the provider's stream ended before it began")),
        }
    }
}

impl State {
    fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<Event>) -> Result<()> {
        match frame.header(":message-type") {
            Some("exception") => {
                let class = frame.header(":exception-type").unwrap_or("exception");
                return Err(error::exception(class, frame.payload));
            }
            Some("error") => {
                let class = frame.header(":error-code").unwrap_or("error");
                let message = frame.header(":error-message").unwrap_or(class);
                return Err(error::exception(class, serde_json::json!({"message": message}).to_string().as_bytes()));
            }
            _ => {}
        }
        let payload: Value = serde_json::from_slice(frame.payload)
            .map_err(|e| Error::bad_upstream(format!("an event of the provider's stream is not JSON: {e}")))?;
        if !self.started {
            self.started = true;
            out.push(Event::Start { id: None, model: self.model.clone(), created: None });
        }
        match frame.header(":event-type").unwrap_or_default() {
            "contentBlockStart" => self.begin(&payload, out),
            "contentBlockDelta" => self.delta(payload, out),
            "messageStop" => {
                let word = payload.get("stopReason").and_then(Value::as_str).unwrap_or_default();
                let reason = match finish_reason(word) {
                    FinishReason::ToolCalls if !self.calls => FinishReason::Stop,
                    FinishReason::Stop if self.calls => FinishReason::ToolCalls,
                    reason => reason,
                };
                if !self.finished {
                    self.finished = true;
                    out.push(Event::Finish { choice: 0, reason, raw: Some(word.to_owned()), stop_sequence: None });
                }
                Ok(())
            }
            "metadata" => {
                if let Some(raw) = payload.get("usage").filter(|raw| raw.is_object()) {
                    out.push(Event::Usage(usage(raw)));
                }
                if let Some(tier) = payload.pointer("/serviceTier/type").and_then(Value::as_str) {
                    out.push(Event::Meta { service_tier: Some(tier.to_owned()), system_fingerprint: None });
                }
                Ok(())
            }
            // The beginning says who speaks, the end of a block nothing that is not known; new kinds
            // of events are no part of the answer.
            _ => Ok(()),
        }
    }

    fn begin(&mut self, payload: &Value, out: &mut Vec<Event>) -> Result<()> {
        let Some(call) = payload.pointer("/start/toolUse") else { return Ok(()) };
        let text = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = text("name");
        if name.is_empty() {
            return Err(Error::bad_upstream("a tool call of the provider's stream begins without a name"));
        }
        let is_answer = self.unwrap && name == JSON_TOOL;
        let block = self.block(payload, is_answer).0;
        if !is_answer {
            self.calls = true;
            let delta = Delta::ToolCall { id: text("toolUseId"), name, kind: CallKind::Function };
            out.push(Event::Delta { choice: 0, block, delta });
        }
        Ok(())
    }

    fn delta(&mut self, mut payload: Value, out: &mut Vec<Event>) -> Result<()> {
        let (block, is_answer) = self.block(&payload, false);
        let delta = object(payload["delta"].take());
        let mut say = |delta| out.push(Event::Delta { choice: 0, block, delta });
        for (name, value) in delta {
            match (name.as_str(), value) {
                ("text", Value::String(text)) if !text.is_empty() => say(Delta::Text { text }),
                ("text", Value::String(_)) => {}
                ("toolUse", mut call) => {
                    if let Value::String(text) = call["input"].take()
                        && !text.is_empty()
                    {
                        say(if is_answer { Delta::Text { text } } else { Delta::Arguments { text } });
                    }
                }
                ("reasoningContent", thought) => {
                    for (name, value) in object(thought) {
                        let Value::String(text) = value else { continue };
                        match name.as_str() {
                            "text" if !text.is_empty() => say(Delta::Thinking { text }),
                            "signature" if !text.is_empty() => say(Delta::Signature { signature: text }),
                            "redactedContent" => say(Delta::Opaque { data: text }),
                            _ => {}
                        }
                    }
                }
                ("citation", data) => say(Delta::Citation { data }),
                (_, data) => {
                    let data = Value::Object([(name, data)].into_iter().collect());
                    let protocol = Some(Protocol::Bedrock);
                    say(Delta::Unknown { block: Unknown { protocol, model: None, provider: None, data } });
                }
            }
        }
        Ok(())
    }

    /// Our number of a block.
    fn block(&mut self, payload: &Value, is_answer: bool) -> (u32, bool) {
        let theirs = payload.get("contentBlockIndex").and_then(Value::as_u64).unwrap_or_default();
        let next = self.blocks.len() as u32;
        *self.blocks.entry(theirs).or_insert((next, is_answer))
    }
}
