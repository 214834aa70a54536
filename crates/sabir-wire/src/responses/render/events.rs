//! An answer as events.
//!
//! Invariant: a message or a thought is closed before the next item begins; calls stay open until
//! the end, because their pieces may come mixed. What the last event holds is what
//! [`super::response`] would have written.

use std::collections::BTreeMap;

use sabir_types::{
    Block, CallKind, Delta, Error, Event, FinishReason, Media, Protocol, Source, Text, Thinking, ToolCall, Usage, Value,
};
use serde_json::json;

use super::{
    super::{namespace, thought},
    Ending, Frame, Tail, assemble, failure, head,
    item::{self, arguments},
};
use crate::signed::Spread;

/// Writes events as this protocol's events.
#[derive(Debug)]
pub struct EventWriter {
    frame: Frame,
    number: u64,
    begun: bool,
    slots: Vec<Slot>,
    /// Where each block's pieces go: the item, and the part of a message.
    places: BTreeMap<u32, (usize, usize)>,
    reason: Option<FinishReason>,
    tier: Option<String>,
    strange: Vec<Value>,
    spread: Spread,
}

/// One item of the output.
#[derive(Debug)]
struct Slot {
    id: String,
    kind: Kind,
    /// The item in its last form; nothing is added to it then.
    done: Option<Value>,
}

#[derive(Debug)]
enum Kind {
    /// The parts so far, with their log probabilities.
    Message(Vec<(Block, Vec<Value>)>),
    Thought {
        thinking: Thinking,
        /// The part of the summary that is open.
        summary: Option<u32>,
    },
    Call(ToolCall),
    Whole(Value),
}

impl EventWriter {
    /// A writer.
    pub fn new(frame: Frame) -> Self {
        Self {
            frame,
            number: 0,
            begun: false,
            slots: Vec::new(),
            places: BTreeMap::new(),
            reason: None,
            tier: None,
            strange: Vec::new(),
            spread: Spread::default(),
        }
    }

    /// Writes events.
    pub fn events(&mut self, events: &[Event], out: &mut Vec<u8>) {
        self.begin(out);
        let mut spread = std::mem::take(&mut self.spread);
        for event in events {
            spread.take(event, |event| self.put(event, out));
        }
        self.spread = spread;
    }

    fn put(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            // There is one answer in this protocol.
            Event::Delta { choice: 0, block, delta } => self.delta(*block, delta, out),
            Event::Logprobs { choice: 0, data } => self.logprobs(data, out),
            Event::Finish { choice: 0, reason, .. } => self.reason = self.reason.or(Some(*reason)),
            Event::Meta { service_tier: Some(tier), .. } => self.tier = Some(tier.clone()),
            // Usage goes into the last event; the start is told by the frame.
            _ => {}
        }
    }

    /// Writes the end.
    pub fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) {
        self.begin(out);
        std::mem::take(&mut self.spread).end(|event| self.put(event, out));
        let end = self.ending();
        self.close_all(end, out);
        let output = self.slots.iter_mut().filter_map(|slot| slot.done.take()).collect();
        let strange = std::mem::take(&mut self.strange);
        let tail = Tail { usage: Some(usage), tier: self.tier.as_deref(), strange };
        let response = assemble(&self.frame, end, output, tail);
        let kind = if end == Ending::Completed { "response.completed" } else { "response.incomplete" };
        self.write(kind, json!({"response": response}), out);
    }

    /// Writes an error, and that the answer failed.
    pub fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.begin(out);
        self.write("error", super::said(error), out);
        let output = self.slots.iter_mut().filter_map(|slot| slot.done.take()).collect();
        let response = failure(error, &self.frame, output);
        self.write("response.failed", json!({"response": response}), out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            let response = Value::Object(head(&self.frame, "in_progress"));
            self.write("response.created", json!({"response": response}), out);
            self.write("response.in_progress", json!({"response": response}), out);
        }
    }

    fn ending(&self) -> Ending {
        let refused = self.slots.iter().any(|slot| {
            matches!(&slot.kind, Kind::Message(parts)
                if parts.iter().any(|(part, _)| matches!(part, Block::Refusal { .. })))
        });
        Ending::of(self.reason, refused)
    }

    fn delta(&mut self, block: u32, delta: &Delta, out: &mut Vec<u8>) {
        let known = self.places.get(&block).copied().filter(|(at, _)| self.slots[*at].done.is_none());
        let place = match known {
            Some(place) => place,
            None => {
                let Some(place) = self.open(delta, out) else { return };
                self.places.insert(block, place);
                place
            }
        };
        self.add(place, delta, out);
    }

    /// Opens what a first piece begins; `None` if the piece is all of it.
    fn open(&mut self, delta: &Delta, out: &mut Vec<u8>) -> Option<(usize, usize)> {
        let id = |writer: &Self, kind: &str| item::id(&writer.frame, kind, writer.slots.len());
        Some(match delta {
            Delta::Text { .. } | Delta::Citation { .. } => self.part(Block::Text(Text::default()), out),
            Delta::Refusal { .. } => self.part(Block::Refusal { text: String::new() }, out),
            Delta::Audio { .. } => self.part(Block::Audio(Media::new(Source::Base64(String::new()), None)), out),
            Delta::Thinking { .. }
            | Delta::ThinkingSummary { .. }
            | Delta::Signature { .. }
            | Delta::Opaque { .. }
            | Delta::ThinkingId { .. } => {
                let thinking = match delta {
                    Delta::ThinkingId { id } => Thinking { id: Some(id.clone()), ..Thinking::default() },
                    _ => Thinking::default(),
                };
                let id = thought::name(&thinking).unwrap_or_else(|| id(self, "rs"));
                let begun = json!({"id": id, "type": "reasoning", "summary": []});
                (self.slot(id, Kind::Thought { thinking, summary: None }, begun, out), 0)
            }
            Delta::ToolCall { .. } | Delta::Arguments { .. } => {
                let mut call = ToolCall::default();
                if let Delta::ToolCall { id, name, kind } = delta {
                    call = ToolCall { id: id.clone(), name: name.clone(), kind: *kind, ..call };
                }
                let id = id(self, "fc");
                let mut begun = item::tool_call(&self.frame, &call, &id, "in_progress");
                if call.kind == CallKind::Function {
                    begun["arguments"] = "".into();
                }
                (self.slot(id, Kind::Call(call), begun, out), 0)
            }
            Delta::Media { block } => {
                match &**block {
                    Block::Image(media) if item::inline(media).is_some() => {
                        let id = id(self, "ig");
                        self.whole(item::image(media, &id), out);
                    }
                    block @ Block::Audio(_) => {
                        self.part(block.clone(), out);
                    }
                    other => self.strange.push(item::strange(other)),
                }
                return None;
            }
            Delta::Unknown { block } => {
                let block = Block::Unknown(block.clone());
                if item::part(&block, Vec::new()).is_some() {
                    self.part(block, out);
                } else if let Block::Unknown(unknown) = &block
                    && unknown.protocol == Some(Protocol::Responses)
                {
                    self.whole(unknown.data.clone(), out);
                } else {
                    self.strange.push(item::strange(&block));
                }
                return None;
            }
            _ => return None,
        })
    }

    /// A new item.
    fn slot(&mut self, id: String, kind: Kind, begun: Value, out: &mut Vec<u8>) -> usize {
        let at = self.slots.len();
        if let Some(before) = at.checked_sub(1)
            && !matches!(self.slots[before].kind, Kind::Call(_))
        {
            self.close(before, "completed", out);
        }
        self.write("response.output_item.added", json!({"output_index": at, "item": begun}), out);
        self.slots.push(Slot { id, kind, done: None });
        at
    }

    /// An item that comes all at once.
    fn whole(&mut self, item: Value, out: &mut Vec<u8>) {
        let id = item.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let at = self.slot(id, Kind::Whole(item.clone()), item, out);
        self.close(at, "completed", out);
    }

    /// A new part, of the message that is open or of a new one.
    fn part(&mut self, part: Block, out: &mut Vec<u8>) -> (usize, usize) {
        let is_open = |slot: &Slot| slot.done.is_none() && matches!(slot.kind, Kind::Message(_));
        let at = match self.slots.last() {
            Some(last) if is_open(last) => self.slots.len() - 1,
            _ => {
                let id = item::id(&self.frame, "msg", self.slots.len());
                let begun = item::message(&id, "in_progress", Vec::new());
                self.slot(id, Kind::Message(Vec::new()), begun, out)
            }
        };
        self.part_done(at, out);
        let Kind::Message(parts) = &mut self.slots[at].kind else { return (at, 0) };
        let index = parts.len();
        let begun = item::part(&part, Vec::new());
        parts.push((part, Vec::new()));
        let id = self.slots[at].id.clone();
        let event = json!({"item_id": id, "output_index": at, "content_index": index, "part": begun});
        self.write("response.content_part.added", event, out);
        (at, index)
    }

    fn add(&mut self, (at, index): (usize, usize), delta: &Delta, out: &mut Vec<u8>) {
        let id = self.slots[at].id.clone();
        match (&mut self.slots[at].kind, delta) {
            (Kind::Message(parts), delta) => {
                let Some((part, _)) = parts.get_mut(index) else { return };
                match (part, delta) {
                    (Block::Text(block), Delta::Text { text }) => {
                        block.text.push_str(text);
                        let place = json!({
                            "item_id": id, "output_index": at, "content_index": index, "delta": text, "logprobs": [],
                        });
                        self.write("response.output_text.delta", place, out);
                    }
                    (Block::Text(block), Delta::Citation { data }) => {
                        block.citations.push(data.clone());
                        let event = json!({
                            "item_id": id, "output_index": at, "content_index": index,
                            "annotation_index": block.citations.len() - 1, "annotation": data,
                        });
                        self.write("response.output_text.annotation.added", event, out);
                    }
                    (Block::Refusal { text: all }, Delta::Refusal { text }) => {
                        all.push_str(text);
                        let event = json!({"item_id": id, "output_index": at, "content_index": index, "delta": text});
                        self.write("response.refusal.delta", event, out);
                    }
                    (Block::Audio(media), Delta::Audio { data, transcript, .. }) => sound(media, data, transcript),
                    // A signature of a text has no place in this protocol.
                    _ => {}
                }
            }
            (Kind::Thought { .. }, delta) => self.think(at, &id, delta, out),
            (Kind::Call(call), Delta::Arguments { text }) => {
                call.arguments.push_str(text);
                let kind = match call.kind {
                    CallKind::Function => "response.function_call_arguments.delta",
                    CallKind::Custom => "response.custom_tool_call_input.delta",
                };
                self.write(kind, json!({"item_id": id, "output_index": at, "delta": text}), out);
            }
            _ => {}
        }
    }

    fn think(&mut self, at: usize, id: &str, delta: &Delta, out: &mut Vec<u8>) {
        let Kind::Thought { thinking, summary } = &mut self.slots[at].kind else { return };
        let add = |slot: &mut Option<String>, text: &str| slot.get_or_insert_default().push_str(text);
        match delta {
            Delta::ThinkingId { id } => thinking.id = Some(id.clone()),
            Delta::Signature { signature } => add(&mut thinking.signature, signature),
            Delta::Opaque { data } => add(&mut thinking.opaque, data),
            Delta::Thinking { text } => {
                let is_first = thinking.text.is_none();
                add(&mut thinking.text, text);
                let place = json!({"item_id": id, "output_index": at, "content_index": 0});
                if is_first {
                    let begun = json!({"type": "reasoning_text", "text": ""});
                    self.write("response.content_part.added", with(&place, "part", begun), out);
                }
                self.write("response.reasoning_text.delta", with(&place, "delta", text.as_str().into()), out);
            }
            Delta::ThinkingSummary { part, text } => {
                let begins = *summary != Some(*part);
                let ended = summary.filter(|_| begins);
                *summary = Some(*part);
                let index = *part as usize;
                if thinking.summary.len() <= index {
                    thinking.summary.resize(index + 1, String::new());
                }
                thinking.summary[index].push_str(text);
                if let Some(ended) = ended {
                    self.summary_done(at, id, ended, out);
                }
                let place = json!({"item_id": id, "output_index": at, "summary_index": part});
                if begins {
                    let begun = json!({"type": "summary_text", "text": ""});
                    self.write("response.reasoning_summary_part.added", with(&place, "part", begun), out);
                }
                let event = with(&place, "delta", text.as_str().into());
                self.write("response.reasoning_summary_text.delta", event, out);
            }
            _ => {}
        }
    }

    fn summary_done(&mut self, at: usize, id: &str, part: u32, out: &mut Vec<u8>) {
        let Kind::Thought { thinking, .. } = &self.slots[at].kind else { return };
        let text = thinking.summary.get(part as usize).cloned().unwrap_or_default();
        let place = json!({"item_id": id, "output_index": at, "summary_index": part});
        let done = json!({"type": "summary_text", "text": text});
        self.write("response.reasoning_summary_text.done", with(&place, "text", text.into()), out);
        self.write("response.reasoning_summary_part.done", with(&place, "part", done), out);
    }

    /// Log probabilities of the words before: they belong to the text that is open.
    fn logprobs(&mut self, data: &Value, out: &mut Vec<u8>) {
        let Some(list) = data.get("content").and_then(Value::as_array) else { return };
        let Some(at) = self.slots.len().checked_sub(1) else { return };
        let slot = &mut self.slots[at];
        let (Kind::Message(parts), None) = (&mut slot.kind, &slot.done) else { return };
        let Some((_, all)) = parts.last_mut() else { return };
        all.extend(list.iter().cloned());
        let event = json!({
            "item_id": slot.id, "output_index": at, "content_index": parts.len() - 1, "delta": "", "logprobs": list,
        });
        self.write("response.output_text.delta", event, out);
    }

    /// The last part of a message is complete.
    fn part_done(&mut self, at: usize, out: &mut Vec<u8>) {
        let Kind::Message(parts) = &self.slots[at].kind else { return };
        let Some((part, logprobs)) = parts.last() else { return };
        let place = json!({"item_id": self.slots[at].id, "output_index": at, "content_index": parts.len() - 1});
        let done = item::part(part, logprobs.clone());
        let ended = match part {
            Block::Text(text) => {
                let event = with(&place, "text", text.text.as_str().into());
                Some(("response.output_text.done", with(&event, "logprobs", logprobs.clone().into())))
            }
            Block::Refusal { text } => Some(("response.refusal.done", with(&place, "refusal", text.as_str().into()))),
            _ => None,
        };
        if let Some((kind, event)) = ended {
            self.write(kind, event, out);
        }
        self.write("response.content_part.done", with(&place, "part", done.into()), out);
    }

    fn close_all(&mut self, end: Ending, out: &mut Vec<u8>) {
        let last = self.slots.len().saturating_sub(1);
        for at in 0..self.slots.len() {
            self.close(at, if at == last { end.status() } else { "completed" }, out);
        }
    }

    fn close(&mut self, at: usize, status: &str, out: &mut Vec<u8>) {
        if self.slots[at].done.is_some() {
            return;
        }
        let id = self.slots[at].id.clone();
        self.part_done(at, out);
        let maker = self.frame.maker.clone();
        let done = match &self.slots[at].kind {
            Kind::Message(parts) => {
                let parts = parts.iter().filter_map(|(part, logprobs)| item::part(part, logprobs.clone())).collect();
                item::message(&id, status, parts)
            }
            Kind::Thought { thinking, summary } => {
                let (thinking, summary) = (thinking.clone(), *summary);
                if let Some(part) = summary {
                    self.summary_done(at, &id, part, out);
                }
                if let Some(text) = &thinking.text {
                    let place = json!({"item_id": id, "output_index": at, "content_index": 0});
                    let done = json!({"type": "reasoning_text", "text": text});
                    self.write("response.reasoning_text.done", with(&place, "text", text.as_str().into()), out);
                    self.write("response.content_part.done", with(&place, "part", done), out);
                }
                thought::item(&thinking, &id, maker.as_deref())
            }
            Kind::Call(call) => {
                let call = call.clone();
                let place = json!({"item_id": id, "output_index": at});
                match call.kind {
                    CallKind::Function => {
                        let within = namespace::split(&self.frame.echo, &call.name);
                        let name = within.map_or(call.name.as_str(), |(_, name)| name);
                        let event = with(&place, "name", name.into());
                        let event = with(&event, "arguments", arguments(&call).into());
                        self.write("response.function_call_arguments.done", event, out);
                    }
                    CallKind::Custom => {
                        let event = with(&place, "input", call.arguments.as_str().into());
                        self.write("response.custom_tool_call_input.done", event, out);
                    }
                }
                item::tool_call(&self.frame, &call, &id, status)
            }
            Kind::Whole(item) => item.clone(),
        };
        self.write("response.output_item.done", json!({"output_index": at, "item": done}), out);
        self.slots[at].done = Some(done);
    }

    fn write(&mut self, kind: &str, members: Value, out: &mut Vec<u8>) {
        super::write(kind, self.number, members, out);
        self.number += 1;
    }
}

fn with(place: &Value, name: &str, value: Value) -> Value {
    let mut out = place.clone();
    out[name] = value;
    out
}

fn sound(media: &mut Media, data: &Option<String>, transcript: &Option<String>) {
    if let (Source::Base64(all), Some(data)) = (&mut media.source, data) {
        all.push_str(data);
    }
    if let Some(text) = transcript
        && let Value::String(all) = media.rest.entry("transcript").or_insert_with(|| "".into())
    {
        all.push_str(text);
    }
}
