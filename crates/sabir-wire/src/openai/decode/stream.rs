//! A chat answer that comes in pieces.
//!
//! Invariant: blocks are numbered per choice in order of appearance; a choice finishes once; a
//! stream that ends without a finish reason was cut off, and that is an error.

use std::collections::BTreeMap;

use sabir_types::{CallKind, Delta, Error, ErrorKind, Event, FinishReason, Result, Value};

use super::{
    Reading, finish_reason,
    inline::{Inline, Piece},
    is_failure, usage, whole,
};
use crate::{
    openai::error,
    sse::{SseDecoder, SseEvent},
};

/// Reads a streamed chat answer.
#[derive(Debug)]
pub struct ChatStream {
    sse: SseDecoder,
    state: State,
}

impl Default for ChatStream {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct State {
    reading: Reading,
    started: bool,
    done: bool,
    choices: BTreeMap<u32, ChoiceState>,
    meta: (Option<String>, Option<String>),
}

#[derive(Debug, Default)]
struct ChoiceState {
    next: u32,
    /// The block that text (or a thought, a refusal, sound) goes on in, while nothing else came between.
    open: Option<(Lane, u32)>,
    /// The calls so far: the provider's index, its id, and the block.
    calls: Vec<(u64, String, u32)>,
    finished: bool,
    /// Tells thoughts from text where they stand in it.
    inline: Option<Inline>,
    /// Whether the provider kept something back.
    withheld: bool,
    /// What the answer rests on, where that stands beside the choices.
    sources: Vec<Value>,
    /// The block of the text, and that of the thought.
    text: Option<u32>,
    thought: Option<u32>,
    /// Hidden thoughts (OpenRouter), put together as far as they came.
    details: Vec<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Text,
    Thinking,
    Refusal,
    Audio,
}

impl ChatStream {
    /// Reads from the beginning.
    pub fn new() -> Self {
        Self::reading(Reading::USUAL)
    }

    pub(super) fn reading(reading: Reading) -> Self {
        let state = State { reading, started: false, done: false, choices: BTreeMap::new(), meta: <(_, _)>::default() };
        Self { sse: SseDecoder::default(), state }
    }

    /// Takes more bytes and adds the events that they complete.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<()> {
        let Self { sse, state } = self;
        sse.feed(bytes, &mut |event: SseEvent<'_>| state.event(event.data, out))
    }

    /// The stream ended.
    pub fn finish(&mut self, out: &mut Vec<Event>) -> Result<()> {
        let Self { sse, state } = self;
        sse.finish(&mut |event: SseEvent<'_>| state.event(event.data, out))?;
        let complete = !state.choices.is_empty() && state.choices.values().all(|choice| choice.finished);
        match (state.started, complete) {
            (_, true) => Ok(()),
            (false, _) => Err(Error::bad_upstream("the provider's stream ended before it began")),
            // Some servers end with the marker alone.
            (true, false) if state.done => {
                for (index, choice) in state.choices.iter_mut().filter(|(_, choice)| !choice.finished) {
                    choice.finished = true;
                    choice.flush(*index, out);
                    let reason = if choice.calls.is_empty() { FinishReason::Stop } else { FinishReason::ToolCalls };
                    out.push(Event::Finish { choice: *index, reason, raw: None, stop_sequence: None });
                }
                if state.choices.is_empty() {
                    return Err(Error::bad_upstream("the provider's stream holds no answer"));
                }
                Ok(())
            }
            (true, false) => Err(Error::bad_upstream("the provider's stream was cut off before the answer ended")),
        }
    }
}

impl State {
    fn event(&mut self, data: &str, out: &mut Vec<Event>) -> Result<()> {
        let data = data.trim();
        if data.is_empty() || self.done {
            return Ok(());
        }
        if data == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        let chunk: Value = serde_json::from_str(data)
            .map_err(|e| Error::bad_upstream(format!("an event of the provider's stream is not JSON: {e}")))?;
        if let Some(error) = error::embedded_with(&chunk, self.reading.codes) {
            return Err(error);
        }
        // Azure's first event is about the prompt alone and names nothing; the answer begins after it.
        let unnamed = text(&chunk, "model").unwrap_or_default().is_empty()
            && chunk.get("choices").and_then(Value::as_array).is_some_and(Vec::is_empty)
            && chunk.get("usage").is_none_or(Value::is_null);
        if !self.started && unnamed {
            return Ok(());
        }
        if !self.started {
            self.started = true;
            out.push(Event::Start {
                id: text(&chunk, "id").map(str::to_owned),
                model: text(&chunk, "model").unwrap_or_default().to_owned(),
                created: chunk.get("created").and_then(Value::as_i64),
            });
        }
        self.meta(&chunk, out);
        for (at, choice) in chunk.get("choices").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let index = choice.get("index").and_then(Value::as_u64).map_or(at as u32, |index| index as u32);
            let reading = self.reading;
            let state = self.choices.entry(index);
            let state = state.or_insert_with(|| ChoiceState { inline: reading.inline(), ..ChoiceState::default() });
            if let Some(all) = chunk.as_object() {
                state.withheld |= whole::is_withheld(all);
                // Each event repeats them: the last list counts.
                if all.contains_key("search_results") || all.contains_key("citations") {
                    state.sources = whole::sources(all);
                }
            }
            state.piece(index, choice, out)?;
            if let Some(raw) = choice.get("usage").filter(|raw| raw.is_object()) {
                out.push(Event::Usage(usage(raw)));
            }
        }
        let counted = chunk.get("usage").filter(|raw| raw.is_object()).or_else(|| chunk.pointer("/x_groq/usage"));
        if let Some(raw) = counted {
            out.push(Event::Usage(usage(raw)));
        }
        Ok(())
    }

    fn meta(&mut self, chunk: &Value, out: &mut Vec<Event>) {
        let tier = text(chunk, "service_tier").map(str::to_owned);
        let fingerprint = text(chunk, "system_fingerprint").map(str::to_owned);
        let is_new = |seen: &Option<String>, now: &Option<String>| now.is_some() && seen != now;
        if is_new(&self.meta.0, &tier) || is_new(&self.meta.1, &fingerprint) {
            self.meta = (tier.clone().or(self.meta.0.take()), fingerprint.clone().or(self.meta.1.take()));
            out.push(Event::Meta { service_tier: tier, system_fingerprint: fingerprint });
        }
    }
}

impl ChoiceState {
    fn piece(&mut self, choice: u32, data: &Value, out: &mut Vec<Event>) -> Result<()> {
        if let Some(delta) = data.get("delta").filter(|delta| delta.is_object()) {
            self.delta(choice, delta, out)?;
        }
        if let Some(logprobs) = data.get("logprobs").filter(|value| !value.is_null()) {
            out.push(Event::Logprobs { choice, data: logprobs.clone() });
        }
        let Some(word) = text(data, "finish_reason").filter(|word| !word.is_empty() && !self.finished) else {
            return Ok(());
        };
        if is_failure(word) {
            return Err(Error::new(ErrorKind::Upstream, format!("the model broke off: finish reason `{word}`")));
        }
        self.finished = true;
        self.flush(choice, out);
        self.end_notes(choice, out);
        let reason = match finish_reason(word) {
            _ if self.withheld => FinishReason::ContentFilter,
            FinishReason::Stop if !self.calls.is_empty() => FinishReason::ToolCalls,
            reason => reason,
        };
        let stop_sequence = data.as_object().and_then(whole::stop_text);
        out.push(Event::Finish { choice, reason, raw: Some(word.to_owned()), stop_sequence });
        Ok(())
    }

    fn delta(&mut self, choice: u32, delta: &Value, out: &mut Vec<Event>) -> Result<()> {
        let mut say = |state: &mut Self, lane: Lane, delta: Delta| {
            let block = state.lane(lane);
            out.push(Event::Delta { choice, block, delta });
        };
        let thought = text(delta, "reasoning_content").or_else(|| text(delta, "reasoning"));
        if let Some(thought) = thought.filter(|text| !text.is_empty()) {
            say(self, Lane::Thinking, Delta::Thinking { text: thought.to_owned() });
        }
        for piece in delta.get("reasoning_details").and_then(Value::as_array).into_iter().flatten() {
            self.detail(piece);
        }
        match delta.get("content") {
            Some(Value::String(text)) if !text.is_empty() => match self.inline.take() {
                Some(mut inline) => {
                    let mut pieces = Vec::new();
                    inline.push(text, &mut pieces);
                    self.inline = Some(inline);
                    pieces.into_iter().for_each(|piece| {
                        let (lane, delta) = spoken(piece);
                        say(self, lane, delta);
                    });
                }
                None => say(self, Lane::Text, Delta::Text { text: text.clone() }),
            },
            Some(Value::Array(chunks)) => {
                for chunk in chunks {
                    match whole::chunk_text(chunk) {
                        (_, text) if text.is_empty() => {}
                        (true, text) => say(self, Lane::Thinking, Delta::Thinking { text }),
                        (false, text) => say(self, Lane::Text, Delta::Text { text }),
                    }
                }
            }
            _ => {}
        }
        if let Some(refusal) = text(delta, "refusal").filter(|text| !text.is_empty()) {
            say(self, Lane::Refusal, Delta::Refusal { text: refusal.to_owned() });
        }
        if let Some(audio) = delta.get("audio").filter(|audio| audio.is_object()) {
            let own = |name: &str| text(audio, name).map(str::to_owned);
            let expires_at = audio.get("expires_at").and_then(Value::as_i64);
            let (id, data, transcript) = (own("id"), own("data"), own("transcript"));
            say(self, Lane::Audio, Delta::Audio { id, data, transcript, expires_at });
        }
        for note in delta.get("annotations").and_then(Value::as_array).into_iter().flatten() {
            say(self, Lane::Text, Delta::Citation { data: note.clone() });
        }
        if delta.get("tool_calls").is_some_and(|calls| calls.as_array().is_some_and(|calls| !calls.is_empty())) {
            self.flush(choice, out);
        }
        for call in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            self.call(choice, call, out)?;
        }
        if let Some(call) = delta.get("function_call").filter(|call| call.is_object()) {
            self.call(choice, &serde_json::json!({"index": 0, "function": call}), out)?;
        }
        Ok(())
    }

    /// Says what belongs to blocks that are complete by now: sources to the text, hidden thoughts to the thought.
    fn end_notes(&mut self, choice: u32, out: &mut Vec<Event>) {
        if let Some(block) = self.text {
            let notes = std::mem::take(&mut self.sources).into_iter();
            out.extend(notes.map(|data| Event::Delta { choice, block, delta: Delta::Citation { data } }));
        }
        // Plain text stands in the thought already.
        let plain = |detail: &Value| detail["type"] == "reasoning.text" && detail["signature"].is_null();
        if !self.details.iter().all(plain) {
            let data = Value::from(std::mem::take(&mut self.details)).to_string();
            let block = self.thought.unwrap_or_else(|| self.lane(Lane::Thinking));
            out.push(Event::Delta { choice, block, delta: Delta::Opaque { data } });
        }
    }

    /// Puts a piece of a hidden thought to what came before: pieces of one have the same index.
    fn detail(&mut self, piece: &Value) {
        let same =
            |known: &&mut Value| known.get("index") == piece.get("index") && known.get("type") == piece.get("type");
        let Some(Value::Object(known)) = self.details.iter_mut().find(same) else {
            return self.details.push(piece.clone());
        };
        for (name, more) in piece.as_object().into_iter().flatten() {
            match (known.get_mut(name), more) {
                (Some(Value::String(text)), Value::String(more)) if matches!(&**name, "text" | "summary" | "data") => {
                    text.push_str(more);
                }
                (_, Value::Null) => {}
                _ => {
                    known.insert(name.clone(), more.clone());
                }
            }
        }
    }

    /// Says what was held back because it might have been a tag.
    fn flush(&mut self, choice: u32, out: &mut Vec<Event>) {
        let mut pieces = Vec::new();
        if let Some(inline) = &mut self.inline {
            inline.flush(&mut pieces);
        }
        for piece in pieces {
            let (lane, delta) = spoken(piece);
            let block = self.lane(lane);
            out.push(Event::Delta { choice, block, delta });
        }
    }

    fn lane(&mut self, lane: Lane) -> u32 {
        match self.open {
            Some((open, block)) if open == lane => block,
            _ => {
                let block = self.block();
                self.open = Some((lane, block));
                match lane {
                    Lane::Text => self.text = Some(block),
                    Lane::Thinking => self.thought = self.thought.or(Some(block)),
                    _ => {}
                }
                block
            }
        }
    }

    fn block(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    fn call(&mut self, choice: u32, call: &Value, out: &mut Vec<Event>) -> Result<()> {
        let id = text(call, "id").filter(|id| !id.is_empty());
        let custom = call.get("custom").filter(|custom| custom.is_object());
        let body = custom.or_else(|| call.get("function")).unwrap_or(&Value::Null);
        let name = text(body, "name").filter(|name| !name.is_empty());
        let index = call.get("index").and_then(Value::as_u64);
        // Whole calls may come without an index, or all with the same one: then the id tells them apart.
        let known = match (index, id) {
            (Some(index), Some(id)) => self.calls.iter().rposition(|(at, own, _)| *at == index && own == id).or_else(
                // The id may come late or change its mind only while no name begins a new call.
                || if name.is_some() { None } else { self.calls.iter().rposition(|(at, ..)| *at == index) },
            ),
            (Some(index), None) => self.calls.iter().rposition(|(at, ..)| *at == index),
            (None, Some(id)) => self.calls.iter().rposition(|(_, own, _)| own == id),
            (None, None) if name.is_some() => None,
            (None, None) => self.calls.len().checked_sub(1),
        };
        let block = match known {
            Some(at) => self.calls[at].2,
            None => {
                let Some(name) = name else {
                    return Err(Error::bad_upstream("a tool call of the provider's stream begins without a name"));
                };
                let number = self.calls.len() as u64;
                let id = id.map_or_else(|| format!("call_{number}"), str::to_owned);
                let block = self.block();
                self.open = None;
                self.calls.push((index.unwrap_or(number), id.clone(), block));
                let kind = if custom.is_some() { CallKind::Custom } else { CallKind::Function };
                out.push(Event::Delta { choice, block, delta: Delta::ToolCall { id, name: name.to_owned(), kind } });
                block
            }
        };
        let more = match body.get("arguments").or_else(|| body.get("input")) {
            Some(Value::String(text)) => text.clone(),
            Some(object @ Value::Object(_)) => object.to_string(),
            _ => String::new(),
        };
        if !more.is_empty() {
            out.push(Event::Delta { choice, block, delta: Delta::Arguments { text: more } });
        }
        Ok(())
    }
}

fn spoken(piece: Piece) -> (Lane, Delta) {
    match piece {
        Piece::Thought(text) => (Lane::Thinking, Delta::Thinking { text }),
        Piece::Text(text) => (Lane::Text, Delta::Text { text }),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}
