//! Streamed answers for a client of this protocol.
//!
//! Invariant: every block that starts stops; texts and thoughts stop before the next block starts.
//! Calls stay open beside each other until something else follows, because providers may write
//! them in turns.

use sabir_types::{Block, CallKind, Delta, Error, Event, FinishReason, Thinking, Usage};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Face, StopDetails, stop_reason};
use crate::{
    anthropic::{
        SIGNERS,
        block::{self, Piece},
        error,
        usage::Figures,
    },
    signed::Spread,
    sse,
};

/// Writes events as server-sent events.
#[derive(Debug)]
pub struct EventWriter {
    id: String,
    model: String,
    provider: Option<String>,
    begun: bool,
    open: Vec<Open>,
    /// Blocks that started so far.
    count: u32,
    usage: Usage,
    service_tier: Option<String>,
    finish: Option<(FinishReason, Option<String>)>,
    stop_sequence: Option<String>,
    refusal: String,
    spread: Spread,
}

#[derive(Debug)]
struct Open {
    /// Its number in the events.
    number: u32,
    /// Its number on the wire, once it has started.
    index: Option<u32>,
    holds: Holds,
}

#[derive(Debug)]
enum Holds {
    Text,
    /// What of a thought is not shown, and which part of a summary came last.
    Thinking {
        hidden: Box<Thinking>,
        part: Option<u32>,
    },
    Call,
    /// The free text of a call, which has to become an object.
    Custom {
        text: String,
    },
}

impl EventWriter {
    /// A writer at the beginning of an answer.
    pub fn new(face: Face<'_>) -> Self {
        Self {
            id: face.id.to_owned(),
            model: face.model.to_owned(),
            provider: face.provider.map(str::to_owned),
            begun: false,
            open: Vec::new(),
            count: 0,
            usage: Usage::default(),
            service_tier: None,
            finish: None,
            stop_sequence: None,
            refusal: String::new(),
            spread: Spread::default(),
        }
    }

    /// Writes what the next event says. The beginning waits for the first piece of the answer, so
    /// that it can name the usage that is known by then.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        let mut spread = std::mem::take(&mut self.spread);
        spread.take(event, |event| self.put(event, out));
        self.spread = spread;
    }

    fn put(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Delta { choice: 0, block, delta } => {
                self.begin(out);
                self.delta(*block, delta, out);
            }
            Event::Finish { choice: 0, reason, raw, stop_sequence } => {
                self.begin(out);
                self.close(out);
                self.finish = Some((*reason, raw.clone()));
                self.stop_sequence.clone_from(stop_sequence);
            }
            Event::Usage(usage) => self.usage.update(usage.clone()),
            Event::Meta { service_tier: Some(tier), .. } => self.service_tier = Some(tier.clone()),
            _ => {}
        }
    }

    /// Writes the end of the answer.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        std::mem::take(&mut self.spread).end(|event| self.put(event, out));
        self.begin(out);
        self.close(out);
        let reason = self.finish.as_ref().map(|(reason, raw)| stop_reason(*reason, raw.as_deref()));
        let delta = End {
            stop_reason: reason.as_deref(),
            stop_sequence: self.stop_sequence.as_deref(),
            stop_details: StopDetails::of(&self.refusal),
        };
        let usage = Figures::of(&self.usage, None);
        send(out, "message_delta", &MessageDelta { kind: "message_delta", delta, usage });
        send(out, "message_stop", &json!({"type": "message_stop"}));
    }

    /// Writes a failure, after which nothing follows.
    pub fn error(&mut self, error: &Error, request_id: Option<&str>, out: &mut Vec<u8>) {
        sse::encode(out, Some("error"), &String::from_utf8_lossy(&error::body(error, request_id)));
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.begun {
            return;
        }
        self.begun = true;
        let message = Head {
            id: &self.id,
            kind: "message",
            role: "assistant",
            model: &self.model,
            content: [],
            stop_reason: (),
            stop_sequence: (),
            usage: Figures::of(&self.usage, self.service_tier.as_deref()),
        };
        send(out, "message_start", &MessageStart { kind: "message_start", message });
    }

    fn delta(&mut self, number: u32, delta: &Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Text { text } => {
                let index = self.text(number, out);
                if !text.is_empty() {
                    piece(out, index, "text_delta", "text", text);
                }
            }
            Delta::Citation { data } => {
                let index = self.text(number, out);
                piece(out, index, "citations_delta", "citation", data);
            }
            Delta::Refusal { text } => self.refusal.push_str(text),
            Delta::Thinking { text } if text.is_empty() => self.hide(number, out, |_| {}),
            Delta::Thinking { text } => self.think(number, text, out),
            Delta::ThinkingSummary { part, text } => self.summarize(number, *part, text, out),
            Delta::Signature { signature } => {
                let other = self.open.iter().any(|open| open.number == number && !open.thinks());
                if !other {
                    self.hide(number, out, |hidden| append(&mut hidden.signature, signature));
                }
            }
            Delta::Opaque { data } => self.hide(number, out, |hidden| append(&mut hidden.opaque, data)),
            Delta::ThinkingId { id } => self.hide(number, out, |hidden| hidden.id = Some(id.clone())),
            Delta::ToolCall { id, name, kind } => self.call(number, id, name, *kind, out),
            Delta::Arguments { text } => self.arguments(number, text, out),
            Delta::Media { block } => {
                self.close(out);
                let piece = block::answer(block, self.provider.as_deref());
                self.whole(piece.as_ref(), out);
            }
            Delta::Audio { transcript: Some(text), .. } => {
                let index = self.text(number, out);
                piece(out, index, "text_delta", "text", text);
            }
            Delta::Unknown { block } => {
                self.close(out);
                self.whole(Some(&block::raw(block.protocol, &block.data)), out);
            }
            _ => {}
        }
    }

    /// The text block of that number, started.
    fn text(&mut self, number: u32, out: &mut Vec<u8>) -> u32 {
        if let Some(Open { index: Some(index), holds: Holds::Text, .. }) =
            self.open.iter().find(|open| open.number == number)
        {
            return *index;
        }
        self.close(out);
        let index = self.start(&json!({"type": "text", "text": ""}), out);
        self.open.push(Open { number, index: Some(index), holds: Holds::Text });
        index
    }

    /// Changes what is hidden of the thought of that number, which starts with its first shown word only.
    fn hide(&mut self, number: u32, out: &mut Vec<u8>, change: impl FnOnce(&mut Thinking)) {
        let at = self.thought(number, out);
        if let Holds::Thinking { hidden, .. } = &mut self.open[at].holds {
            change(hidden);
        }
    }

    /// Where the thought of that number stands among the open blocks.
    fn thought(&mut self, number: u32, out: &mut Vec<u8>) -> usize {
        if let Some(at) = self.open.iter().position(|open| open.number == number && open.thinks()) {
            return at;
        }
        self.close(out);
        let hidden = Box::new(Thinking { provider: self.provider.clone(), ..Thinking::default() });
        self.open.push(Open { number, index: None, holds: Holds::Thinking { hidden, part: None } });
        self.open.len() - 1
    }

    fn think(&mut self, number: u32, text: &str, out: &mut Vec<u8>) {
        let at = self.thought(number, out);
        let index = match self.open[at].index {
            Some(index) => index,
            None => {
                let index = self.start(&json!({"type": "thinking", "thinking": "", "signature": ""}), out);
                self.open[at].index = Some(index);
                index
            }
        };
        piece(out, index, "thinking_delta", "thinking", text);
    }

    fn summarize(&mut self, number: u32, part: u32, text: &str, out: &mut Vec<u8>) {
        let at = self.thought(number, out);
        let mut next = false;
        if let Holds::Thinking { hidden, part: last } = &mut self.open[at].holds {
            next = last.is_some_and(|last| last != part);
            *last = Some(part);
            let part = part as usize;
            if hidden.summary.len() <= part {
                hidden.summary.resize(part + 1, String::new());
            }
            hidden.summary[part].push_str(text);
        }
        if next {
            self.think(number, "\n\n", out);
        }
        if !text.is_empty() {
            self.think(number, text, out);
        }
    }

    fn call(&mut self, number: u32, id: &str, name: &str, kind: CallKind, out: &mut Vec<u8>) {
        if self.open.iter().any(|open| !open.calls()) {
            self.close(out);
        }
        let index = self.start(&json!({"type": "tool_use", "id": id, "name": name, "input": {}}), out);
        let holds = match kind {
            CallKind::Function => Holds::Call,
            CallKind::Custom => Holds::Custom { text: String::new() },
        };
        self.open.push(Open { number, index: Some(index), holds });
    }

    fn arguments(&mut self, number: u32, more: &str, out: &mut Vec<u8>) {
        match self.open.iter_mut().find(|open| open.number == number) {
            Some(Open { index: Some(index), holds: Holds::Call, .. }) => {
                piece(out, *index, "input_json_delta", "partial_json", more);
            }
            Some(Open { holds: Holds::Custom { text }, .. }) => text.push_str(more),
            _ => {}
        }
    }

    fn whole(&mut self, block: Option<&Piece<'_>>, out: &mut Vec<u8>) {
        if let Some(block) = block {
            let index = self.start(block, out);
            stop(out, index);
        }
    }

    fn start(&mut self, block: &impl Serialize, out: &mut Vec<u8>) -> u32 {
        let index = self.count;
        self.count += 1;
        send(out, "content_block_start", &BlockStart { kind: "content_block_start", index, content_block: block });
        if index == 0 {
            // Where Anthropic's own streams have one: a client that cannot pass over it shows at once.
            send(out, "ping", &json!({"type": "ping"}));
        }
        index
    }

    /// Stops every open block.
    fn close(&mut self, out: &mut Vec<u8>) {
        for open in std::mem::take(&mut self.open) {
            match open.holds {
                Holds::Text | Holds::Call => {}
                Holds::Custom { text } => {
                    if let (Some(index), Some(wrapped)) = (open.index, block::wrap(&text)) {
                        piece(out, index, "input_json_delta", "partial_json", wrapped.get());
                    }
                }
                Holds::Thinking { hidden, .. } => {
                    if self.end_thought(open.index, *hidden, out) {
                        continue;
                    }
                }
            }
            if let Some(index) = open.index {
                stop(out, index);
            }
        }
    }

    /// Writes what was hidden of a thought; says whether that was a whole block of its own.
    fn end_thought(&mut self, index: Option<u32>, hidden: Thinking, out: &mut Vec<u8>) -> bool {
        let own = self.provider.as_deref().is_none_or(|provider| SIGNERS.contains(&provider));
        let Some(index) = index else {
            self.whole(block::answer(&Block::Thinking(hidden), self.provider.as_deref()).as_ref(), out);
            return true;
        };
        let signature = if own { hidden.signature.unwrap_or_default() } else { block::seal(&hidden) };
        if !signature.is_empty() {
            piece(out, index, "signature_delta", "signature", &signature);
        }
        false
    }
}

impl Open {
    fn thinks(&self) -> bool {
        matches!(self.holds, Holds::Thinking { .. })
    }

    fn calls(&self) -> bool {
        matches!(self.holds, Holds::Call | Holds::Custom { .. })
    }
}

fn append(slot: &mut Option<String>, text: &str) {
    slot.get_or_insert_default().push_str(text);
}

fn send(out: &mut Vec<u8>, name: &str, data: &impl Serialize) {
    // Nothing here has a key that is no text, so writing cannot fail.
    if let Ok(data) = serde_json::to_string(data) {
        sse::encode(out, Some(name), &data);
    }
}

fn piece(out: &mut Vec<u8>, index: u32, kind: &'static str, member: &str, value: &(impl Serialize + ?Sized)) {
    let delta = json!({"type": kind, member: value});
    send(out, "content_block_delta", &BlockDelta { kind: "content_block_delta", index, delta });
}

fn stop(out: &mut Vec<u8>, index: u32) {
    send(out, "content_block_stop", &json!({"type": "content_block_stop", "index": index}));
}

#[derive(Serialize)]
struct MessageStart<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: Head<'a>,
}

#[derive(Serialize)]
struct Head<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: [(); 0],
    stop_reason: (),
    stop_sequence: (),
    usage: Figures<'a>,
}

#[derive(Serialize)]
struct BlockStart<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    index: u32,
    content_block: &'a T,
}

#[derive(Serialize)]
struct BlockDelta {
    #[serde(rename = "type")]
    kind: &'static str,
    index: u32,
    delta: Value,
}

#[derive(Serialize)]
struct MessageDelta<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    delta: End<'a>,
    usage: Figures<'a>,
}

#[derive(Serialize)]
struct End<'a> {
    stop_reason: Option<&'a str>,
    stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_details: Option<StopDetails<'a>>,
}
