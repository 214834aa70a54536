//! Streamed answers (`alt=sse`).
//!
//! Invariant: how the bytes are cut never changes the events; a stream whose answers did not all
//! say why they ended is an error.

use memchr::memchr2;
use sabir_types::{Block, CallKind, Delta, Error, Event, FinishReason, Map, Result, Usage, Value};

use super::{
    super::{error, finish, ids, part, short, usage},
    block_reason, citations, index, logprobs, partial, parts, read,
};
use crate::{FRAME_LIMIT, sse::SseDecoder};

/// Reads a streamed answer.
#[derive(Debug)]
pub struct ChatStream {
    sse: SseDecoder,
    state: State,
    /// The last byte ended a line, or there was none yet.
    at_line: bool,
    /// JSON that stands in the stream without being an event: how the provider says that it failed.
    bare: Option<Vec<u8>>,
}

impl Default for ChatStream {
    fn default() -> Self {
        Self { sse: SseDecoder::new(), state: State::default(), at_line: true, bare: None }
    }
}

impl ChatStream {
    /// A reader at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, of an answer whose conversation held so many calls already.
    #[must_use]
    pub fn after(mut self, calls: usize) -> Self {
        self.state.before = calls;
        self
    }

    /// Takes more bytes and adds the events that they complete. An error inside the stream is `Err`.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<()> {
        let framed = if self.bare.is_some() { 0 } else { self.framed(bytes) };
        let (events, rest) = bytes.split_at(framed);
        let state = &mut self.state;
        self.sse.feed(events, &mut |event| state.take(event.data, out))?;
        let Some(bare) = &mut self.bare else { return Ok(()) };
        bare.extend_from_slice(rest);
        let whole = matches!(bare.trim_ascii_end().last(), Some(b'}' | b']'))
            && serde_json::from_slice::<serde::de::IgnoredAny>(bare).is_ok();
        if whole || bare.len() > FRAME_LIMIT { Err(error::decode(200, bare)) } else { Ok(()) }
    }

    /// The stream ended: adds why the answers ended, or says that it was cut off.
    pub fn finish(&mut self, out: &mut Vec<Event>) -> Result<()> {
        let state = &mut self.state;
        self.sse.finish(&mut |event| state.take(event.data, out))?;
        match &self.bare {
            Some(bare) => Err(error::decode(200, bare)),
            None => self.state.end(out),
        }
    }

    /// How many of the bytes are lines of events. No field of an event begins with a bracket.
    fn framed(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            if self.at_line && matches!(bytes[at], b'{' | b'[') {
                self.bare = Some(Vec::new());
                return at;
            }
            match memchr2(b'\n', b'\r', &bytes[at..]) {
                Some(end) => {
                    self.at_line = true;
                    at += end + 1;
                }
                None => {
                    self.at_line = false;
                    break;
                }
            }
        }
        bytes.len()
    }
}

#[derive(Debug, Default)]
struct State {
    started: bool,
    id: Option<String>,
    tier: Option<String>,
    usage: Usage,
    blocked: Option<String>,
    candidates: Vec<Candidate>,
    /// How many calls the conversation held already.
    before: usize,
}

/// One of the answers, as far as it came.
#[derive(Debug, Default)]
struct Candidate {
    index: u32,
    blocks: u32,
    /// The block that more of the same goes to.
    open: Option<(u32, Kind)>,
    /// The last block of text, for citations.
    text: Option<u32>,
    calls: u32,
    /// The call whose arguments are coming in pieces: its block and the arguments so far.
    call: Option<(u32, Value)>,
    reason: Option<String>,
    before: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Thinking,
}

impl State {
    fn take(&mut self, data: &str, out: &mut Vec<Event>) -> Result<()> {
        if data.trim() == "[DONE]" {
            return Ok(());
        }
        let mut chunk: Map<String, Value> = match serde_json::from_str::<Value>(data) {
            Ok(Value::Object(map)) if !map.contains_key("error") => map,
            Ok(_) => return Err(error::decode(200, data.as_bytes())),
            Err(e) => return Err(Error::bad_upstream(format!("event of the stream is not JSON: {e}"))),
        };
        if !self.started {
            self.started = true;
            self.id = chunk.get("responseId").and_then(Value::as_str).map(str::to_owned);
            let model = chunk.get("modelVersion").and_then(Value::as_str).map(|name| short(name).to_owned());
            out.push(Event::Start { id: self.id.clone(), model: model.unwrap_or_default(), created: None });
        }
        if let Some(reason) = block_reason(&chunk) {
            self.blocked = Some(reason);
        }
        if let Some(Value::Array(candidates)) = chunk.shift_remove("candidates") {
            for (at, candidate) in candidates.into_iter().enumerate() {
                let candidate = part::object(Some(candidate));
                let index = index(&candidate, at);
                let place = self.candidates.iter().position(|known| known.index == index).unwrap_or_else(|| {
                    self.candidates.push(Candidate { index, before: self.before, ..Candidate::default() });
                    self.candidates.len() - 1
                });
                self.candidates[place].take(candidate, self.id.as_deref(), out)?;
            }
        }
        if let Some(raw) = chunk.shift_remove("usageMetadata") {
            let tier = usage::service_tier(&raw);
            if tier.is_some() && tier != self.tier {
                self.tier.clone_from(&tier);
                out.push(Event::Meta { service_tier: tier, system_fingerprint: None });
            }
            let usage = usage::read(raw);
            if !usage.is_empty() && usage != self.usage {
                self.usage.clone_from(&usage);
                out.push(Event::Usage(usage));
            }
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<()> {
        if self.candidates.is_empty() && self.blocked.is_some() {
            self.candidates.push(Candidate::default());
        }
        if self.candidates.is_empty() || self.blocked.is_none() && self.candidates.iter().any(|c| c.reason.is_none()) {
            return Err(Error::bad_upstream("stream ended before the answer was complete"));
        }
        for candidate in &mut self.candidates {
            candidate.end_call(out);
            // A reason is only final now: older models send one with every event.
            let (reason, raw) = match candidate.reason.take() {
                Some(raw) => (finish::read(&raw, candidate.calls > 0), Some(raw)),
                None => (FinishReason::ContentFilter, self.blocked.clone()),
            };
            out.push(Event::Finish { choice: candidate.index, reason, raw, stop_sequence: None });
        }
        Ok(())
    }
}

impl Candidate {
    fn take(&mut self, mut data: Map<String, Value>, response: Option<&str>, out: &mut Vec<Event>) -> Result<()> {
        for value in parts(&mut data) {
            self.part(value, response, out)?;
        }
        for data in citations(&mut data) {
            let block = self.text.unwrap_or_else(|| self.begin());
            self.text = Some(block);
            out.push(self.delta(block, Delta::Citation { data }));
        }
        if let Some(data) = data.get("logprobsResult").and_then(logprobs) {
            out.push(Event::Logprobs { choice: self.index, data });
        }
        if let Some(reason) = data.shift_remove("finishReason").and_then(part::text) {
            self.reason = Some(reason);
        }
        Ok(())
    }

    fn part(&mut self, value: Value, response: Option<&str>, out: &mut Vec<Event>) -> Result<()> {
        if let Some(call) = value.get("functionCall").and_then(Value::as_object) {
            let goes_on = call.get("willContinue").and_then(Value::as_bool).unwrap_or(false);
            if self.call.is_some() || goes_on || call.is_empty() {
                return self.piece(call, value.get("thoughtSignature"), goes_on, response, out);
            }
        }
        match read(value) {
            Block::Text(text) => self.words(Kind::Text, text.text, text.signature, out),
            Block::Thinking(thought) => {
                self.words(Kind::Thinking, thought.text.unwrap_or_default(), thought.signature, out);
            }
            Block::ToolCall(call) => {
                let block = self.call(call.id, call.name, response, out);
                self.sign(block, call.signature, out);
                out.push(self.delta(block, Delta::Arguments { text: call.arguments }));
            }
            Block::Unknown(block) => {
                let number = self.begin();
                out.push(self.delta(number, Delta::Unknown { block }));
            }
            block => {
                let number = self.begin();
                out.push(self.delta(number, Delta::Media { block: Box::new(block) }));
            }
        }
        Ok(())
    }

    /// More text or thought. A signed piece is a block of its own, because the signature must go
    /// back on a part with these very words.
    fn words(&mut self, kind: Kind, text: String, signature: Option<String>, out: &mut Vec<Event>) {
        if text.is_empty() && signature.is_none() {
            return;
        }
        let block = match self.open {
            Some((block, open)) if open == kind && signature.is_none() => block,
            _ => self.begin(),
        };
        self.open = signature.is_none().then_some((block, kind));
        let delta = match kind {
            Kind::Text => {
                self.text = Some(block);
                Delta::Text { text }
            }
            Kind::Thinking => Delta::Thinking { text },
        };
        out.push(self.delta(block, delta));
        self.sign(block, signature, out);
    }

    /// A call whose arguments come in pieces.
    fn piece(
        &mut self,
        call: &Map<String, Value>,
        signature: Option<&Value>,
        goes_on: bool,
        response: Option<&str>,
        out: &mut Vec<Event>,
    ) -> Result<()> {
        if let Some(name) = call.get("name").and_then(Value::as_str) {
            self.end_call(out);
            let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
            let block = self.call(id.to_owned(), name.to_owned(), response, out);
            let args = call.get("args").filter(|args| args.is_object()).cloned();
            self.call = Some((block, args.unwrap_or_else(|| Value::Object(Map::new()))));
        }
        // An empty piece after a call that is over has nothing to add to.
        let Some((block, args)) = &mut self.call else { return Ok(()) };
        let block = *block;
        if let Some(Value::Array(pieces)) = call.get("partialArgs") {
            partial::apply(args, pieces)?;
        }
        self.sign(block, signature.and_then(Value::as_str).map(str::to_owned), out);
        if !goes_on {
            self.end_call(out);
        }
        Ok(())
    }

    /// Hands out the arguments that came in pieces.
    fn end_call(&mut self, out: &mut Vec<Event>) {
        if let Some((block, args)) = self.call.take() {
            out.push(self.delta(block, Delta::Arguments { text: args.to_string() }));
        }
    }

    fn call(&mut self, id: String, name: String, response: Option<&str>, out: &mut Vec<Event>) -> u32 {
        let block = self.begin();
        let id = if id.is_empty() { ids::of_answer(response, self.before, self.index, self.calls) } else { id };
        self.calls += 1;
        out.push(self.delta(block, Delta::ToolCall { id, name, kind: CallKind::Function }));
        block
    }

    fn sign(&self, block: u32, signature: Option<String>, out: &mut Vec<Event>) {
        if let Some(signature) = signature {
            out.push(self.delta(block, Delta::Signature { signature }));
        }
    }

    fn begin(&mut self) -> u32 {
        self.open = None;
        self.blocks += 1;
        self.blocks - 1
    }

    fn delta(&self, block: u32, delta: Delta) -> Event {
        Event::Delta { choice: self.index, block, delta }
    }
}
