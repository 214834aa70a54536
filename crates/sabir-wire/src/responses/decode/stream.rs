//! An answer that comes in pieces.
//!
//! Invariant: blocks are numbered in order of appearance; what a server leaves out of its pieces
//! is taken from the event that ends them; a stream that ends without a terminal event was cut
//! off, and that is an error.

use std::collections::BTreeMap;

use sabir_types::{Block, CallKind, Delta, Error, Event, Result, Value};
use serde_json::json;

use super::{
    super::{error, thought},
    finish,
    glance::is_terminal,
    is_call, whole,
};
use crate::{
    openai::{self, decode::usage},
    sse::{SseDecoder, SseEvent},
};

/// Reads a streamed answer.
#[derive(Debug, Default)]
pub struct ChatStream {
    sse: SseDecoder,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    started: bool,
    done: bool,
    tier: Option<String>,
    next: u32,
    items: BTreeMap<u64, Item>,
}

/// One item of the output, as far as it was told.
#[derive(Debug, Default)]
struct Item {
    /// The block of the item, if it is one block.
    block: Option<u32>,
    /// The blocks of a message's parts.
    parts: BTreeMap<u64, Part>,
    /// The parts of a summary that were told.
    summaries: u64,
    /// A text (of a thought, of arguments) was told.
    told: bool,
    named: bool,
    ended: bool,
    call: bool,
    refused: bool,
    spoken: bool,
}

#[derive(Debug)]
struct Part {
    block: u32,
    /// Words were told.
    told: bool,
    citations: usize,
}

impl ChatStream {
    /// Reads from the beginning.
    pub fn new() -> Self {
        Self::default()
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
        match (state.done, state.started) {
            (true, _) => Ok(()),
            (false, false) => Err(Error::bad_upstream("the provider's stream ended before it began")),
            (false, true) => Err(Error::bad_upstream("the provider's stream was cut off before the answer ended")),
        }
    }
}

impl State {
    fn event(&mut self, data: &str, out: &mut Vec<Event>) -> Result<()> {
        let data = data.trim();
        if data.is_empty() || self.done || data == "[DONE]" {
            return Ok(());
        }
        let event: Value = serde_json::from_str(data)
            .map_err(|e| Error::bad_upstream(format!("an event of the provider's stream is not JSON: {e}")))?;
        let Some(kind) = text(&event, "type") else {
            return match openai::error::embedded(&event) {
                Some(error) => Err(error),
                None => Err(Error::bad_upstream("an event of the provider's stream has no type")),
            };
        };
        match kind {
            "error" => return Err(error::event(&event)),
            "response.created" | "response.in_progress" | "response.queued" => self.start(&event, out),
            kind if is_terminal(kind) => self.end(&event, out)?,
            _ => self.piece(kind, &event, out)?,
        }
        Ok(())
    }

    fn start(&mut self, event: &Value, out: &mut Vec<Event>) {
        let Some(response) = event.get("response") else { return };
        if !self.started {
            self.started = true;
            out.push(Event::Start {
                id: text(response, "id").map(str::to_owned),
                model: text(response, "model").unwrap_or_default().to_owned(),
                created: whole::created(response),
            });
        }
        let tier = text(response, "service_tier").map(str::to_owned);
        if tier.is_some() && tier != self.tier {
            self.tier.clone_from(&tier);
            out.push(Event::Meta { service_tier: tier, system_fingerprint: None });
        }
    }

    fn end(&mut self, event: &Value, out: &mut Vec<Event>) -> Result<()> {
        let response = event.get("response").unwrap_or(&Value::Null);
        if let Some(error) = error::failed(response) {
            return Err(error);
        }
        self.start(event, out);
        for (at, item) in response.get("output").and_then(Value::as_array).into_iter().flatten().enumerate() {
            self.item_done(at as u64, item, out)?;
        }
        if let Some(raw) = response.get("usage").filter(|raw| raw.is_object()) {
            out.push(Event::Usage(usage(raw)));
        }
        let called = self.items.values().any(|item| item.call);
        let refused = self.items.values().any(|item| item.refused) && !self.items.values().any(|item| item.spoken);
        let (reason, raw) = finish(response, called, refused);
        out.push(Event::Finish { choice: 0, reason, raw, stop_sequence: None });
        self.done = true;
        Ok(())
    }

    fn piece(&mut self, kind: &str, event: &Value, out: &mut Vec<Event>) -> Result<()> {
        let number = |name: &str| event.get(name).and_then(Value::as_u64);
        let at = number("output_index").unwrap_or(0);
        let part = number("content_index").unwrap_or(0);
        let delta = || text(event, "delta").unwrap_or_default();
        match kind {
            "response.output_item.added" => self.item_added(at, event.get("item").unwrap_or(&Value::Null), out)?,
            "response.output_item.done" => self.item_done(at, event.get("item").unwrap_or(&Value::Null), out)?,
            "response.content_part.done" => {
                if let Some(done) = event.get("part") {
                    self.part_done(at, part, done, out);
                }
            }
            "response.output_text.delta" => {
                if !delta().is_empty() {
                    self.words(at, part, Delta::Text { text: delta().to_owned() }, out);
                }
                logprobs(event, out);
            }
            "response.output_text.annotation.added" => {
                if let Some(note) = event.get("annotation") {
                    self.words(at, part, Delta::Citation { data: note.clone() }, out);
                }
            }
            "response.refusal.delta" if !delta().is_empty() => {
                self.words(at, part, Delta::Refusal { text: delta().to_owned() }, out);
            }
            "response.reasoning_summary_text.delta" if !delta().is_empty() => {
                let part = number("summary_index").unwrap_or(0);
                let item = self.items.entry(at).or_default();
                item.summaries = item.summaries.max(part + 1);
                self.whole(at, Delta::ThinkingSummary { part: part as u32, text: delta().to_owned() }, out);
            }
            "response.reasoning_text.delta" if !delta().is_empty() => {
                self.items.entry(at).or_default().told = true;
                self.whole(at, Delta::Thinking { text: delta().to_owned() }, out);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta"
                if !delta().is_empty() =>
            {
                let item = self.items.entry(at).or_default();
                if !item.named {
                    return Err(Error::bad_upstream("arguments of the provider's stream come before their tool call"));
                }
                item.told = true;
                self.whole(at, Delta::Arguments { text: delta().to_owned() }, out);
            }
            // Announcements, ends that only repeat, and what tells of a tool that the server runs itself:
            // its item comes whole at its end.
            _ => {}
        }
        Ok(())
    }

    fn item_added(&mut self, at: u64, item: &Value, out: &mut Vec<Event>) -> Result<()> {
        match text(item, "type") {
            Some("reasoning") => self.name(at, item, out),
            Some(kind) if is_call(kind) => self.call(at, kind, item, out)?,
            Some(_) => {}
            None => return Err(Error::bad_upstream("an item of the provider's stream has no type")),
        }
        Ok(())
    }

    /// An item is complete: what was not told of it comes now.
    fn item_done(&mut self, at: u64, item: &Value, out: &mut Vec<Event>) -> Result<()> {
        if std::mem::replace(&mut self.items.entry(at).or_default().ended, true) {
            return Ok(());
        }
        match text(item, "type") {
            Some("message") => {
                let parts = item.get("content").and_then(Value::as_array);
                for (index, part) in parts.into_iter().flatten().enumerate() {
                    self.part_done(at, index as u64, part, out);
                }
            }
            Some("reasoning") => self.thought_done(at, item, out),
            Some(kind) if is_call(kind) => {
                self.call(at, kind, item, out)?;
                let kind = if kind == "function_call" { CallKind::Function } else { CallKind::Custom };
                let call = whole::tool_call(item, kind)?;
                if !self.items.entry(at).or_default().told && !call.arguments.is_empty() {
                    self.whole(at, Delta::Arguments { text: call.arguments }, out);
                }
            }
            Some(_) => {
                self.items.entry(at).or_default().spoken = true;
                self.whole(at, Delta::Unknown { block: whole::verbatim(item) }, out);
            }
            None => return Err(Error::bad_upstream("an item of the provider's stream has no type")),
        }
        Ok(())
    }

    fn part_done(&mut self, at: u64, index: u64, part: &Value, out: &mut Vec<Event>) {
        let (told, citations) =
            self.items.entry(at).or_default().parts.get(&index).map_or((false, 0), |part| (part.told, part.citations));
        match whole::part_block(part) {
            Some(Block::Text(text)) => {
                if !told && !text.text.is_empty() {
                    self.words(at, index, Delta::Text { text: text.text }, out);
                    logprobs(part, out);
                }
                for note in text.citations.into_iter().skip(citations) {
                    self.words(at, index, Delta::Citation { data: note }, out);
                }
            }
            Some(Block::Refusal { text }) if !told => self.words(at, index, Delta::Refusal { text }, out),
            // The text of a thought has events of its own.
            Some(Block::Unknown(block)) if !told && text(part, "type") != Some("reasoning_text") => {
                self.words(at, index, Delta::Unknown { block }, out);
            }
            _ => {}
        }
    }

    fn thought_done(&mut self, at: u64, item: &Value, out: &mut Vec<Event>) {
        self.name(at, item, out);
        let thinking = thought::read(item);
        let (summaries, told) = self.items.get(&at).map_or((0, false), |item| (item.summaries, item.told));
        for (part, text) in thinking.summary.into_iter().enumerate().skip(summaries as usize) {
            self.whole(at, Delta::ThinkingSummary { part: part as u32, text }, out);
        }
        if let Some(text) = thinking.text.filter(|_| !told) {
            self.whole(at, Delta::Thinking { text }, out);
        }
        if let Some(signature) = thinking.signature {
            self.whole(at, Delta::Signature { signature }, out);
        }
        // That of the item's beginning is provisional.
        if let Some(data) = thinking.opaque {
            self.whole(at, Delta::Opaque { data }, out);
        }
    }

    /// Tells the id of a thought, once.
    fn name(&mut self, at: u64, item: &Value, out: &mut Vec<Event>) {
        let entry = self.items.entry(at).or_default();
        if std::mem::replace(&mut entry.named, true) {
            return;
        }
        if let Some(id) = text(item, "id").filter(|id| !id.is_empty()) {
            self.whole(at, Delta::ThinkingId { id: id.to_owned() }, out);
        }
    }

    /// Tells the beginning of a call, once.
    fn call(&mut self, at: u64, kind: &str, item: &Value, out: &mut Vec<Event>) -> Result<()> {
        let entry = self.items.entry(at).or_default();
        entry.call = true;
        if std::mem::replace(&mut entry.named, true) {
            return Ok(());
        }
        let kind = if kind == "function_call" { CallKind::Function } else { CallKind::Custom };
        let call = whole::tool_call(item, kind)?;
        self.whole(at, Delta::ToolCall { id: call.id, name: call.name, kind }, out);
        Ok(())
    }

    /// A piece of an item that is one block.
    fn whole(&mut self, at: u64, delta: Delta, out: &mut Vec<Event>) {
        let item = self.items.entry(at).or_default();
        let block = *item.block.get_or_insert_with(|| {
            self.next += 1;
            self.next - 1
        });
        out.push(Event::Delta { choice: 0, block, delta });
    }

    /// A piece of a message's part.
    fn words(&mut self, at: u64, index: u64, delta: Delta, out: &mut Vec<Event>) {
        let item = self.items.entry(at).or_default();
        match delta {
            Delta::Refusal { .. } => item.refused = true,
            _ => item.spoken = true,
        }
        let part = item.parts.entry(index).or_insert_with(|| {
            self.next += 1;
            Part { block: self.next - 1, told: false, citations: 0 }
        });
        match delta {
            Delta::Citation { .. } => part.citations += 1,
            _ => part.told = true,
        }
        out.push(Event::Delta { choice: 0, block: part.block, delta });
    }
}

fn logprobs(holder: &Value, out: &mut Vec<Event>) {
    if let Some(list @ [_, ..]) = holder.get("logprobs").and_then(Value::as_array).map(Vec::as_slice) {
        out.push(Event::Logprobs { choice: 0, data: json!({"content": list}) });
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}
