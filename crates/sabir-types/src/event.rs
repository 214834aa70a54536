//! What a stream is made of, and how its pieces add up to an answer.
//!
//! Invariant: feeding all events of a stream to an [`Accumulator`] gives the answer that the
//! provider would have given without streaming.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Block, CallKind, ChatResponse, Choice, FinishReason, Media, Source, Text, Thinking, ToolCall, Unknown, Usage,
};

/// One event of a streamed answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The provider began: its id for the answer and the model that it used. Sent once, first.
    Start {
        /// The provider's id.
        id: Option<String>,
        /// The provider's model.
        model: String,
        /// Seconds since 1970, if the provider says so.
        created: Option<i64>,
    },
    /// A piece of block `block` of answer `choice`. Blocks are numbered per choice in order of
    /// appearance from 0, without gaps; a block's kind never changes.
    Delta {
        /// Which answer.
        choice: u32,
        /// Which block of it.
        block: u32,
        /// The piece.
        delta: Delta,
    },
    /// Log probabilities for the pieces since the last such event, in OpenAI's form.
    Logprobs {
        /// Which answer.
        choice: u32,
        /// The `logprobs` object.
        data: Value,
    },
    /// An answer ended.
    Finish {
        /// Which answer.
        choice: u32,
        /// Why.
        reason: FinishReason,
        /// The provider's own word.
        raw: Option<String>,
        /// The stop text that the model wrote.
        stop_sequence: Option<String>,
    },
    /// Usage so far; later ones replace earlier ones figure by figure.
    Usage(Usage),
    /// Facts about the whole answer that came on the way (`service_tier`, `system_fingerprint`).
    Meta {
        /// The service tier that was used.
        service_tier: Option<String>,
        /// OpenAI's `system_fingerprint`.
        system_fingerprint: Option<String>,
    },
}

/// A piece of a block. The first piece of a block says what kind it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "delta", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Delta {
    /// More text.
    Text {
        /// The text.
        text: String,
    },
    /// A citation on the text.
    Citation {
        /// As the provider gave it.
        data: Value,
    },
    /// More of a refusal.
    Refusal {
        /// The text.
        text: String,
    },
    /// More of a thought.
    Thinking {
        /// The text.
        text: String,
    },
    /// More of a thought's summary.
    ThinkingSummary {
        /// Which part.
        part: u32,
        /// The text.
        text: String,
    },
    /// The signature of a thought, or of the text or call that this block is.
    Signature {
        /// The signature (a piece of it: pieces are concatenated).
        signature: String,
    },
    /// Opaque state in place of a thought.
    Opaque {
        /// The state.
        data: String,
    },
    /// The provider's id for a thought.
    ThinkingId {
        /// The id.
        id: String,
    },
    /// A tool call begins.
    ToolCall {
        /// Its id.
        id: String,
        /// The tool's name.
        name: String,
        /// JSON or free text.
        kind: CallKind,
    },
    /// More of a tool call's arguments.
    Arguments {
        /// JSON text; the pieces concatenate to the whole.
        text: String,
    },
    /// A whole picture, sound or file.
    Media {
        /// `image`, `audio`, `video` or `file`, as a block.
        block: Box<Block>,
    },
    /// More sound: base64 of more bytes, and more of its transcript.
    Audio {
        /// The provider's id for the sound.
        id: Option<String>,
        /// Base64.
        data: Option<String>,
        /// Text.
        transcript: Option<String>,
        /// Seconds since 1970.
        expires_at: Option<i64>,
    },
    /// A whole block that Sabir has no word for.
    Unknown {
        /// The block.
        block: Unknown,
    },
}

/// Adds events up to an answer.
#[derive(Debug, Clone, Default)]
pub struct Accumulator {
    answer: ChatResponse,
}

impl Accumulator {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The answer so far.
    pub fn snapshot(&self) -> &ChatResponse {
        &self.answer
    }

    /// The answer.
    pub fn finish(self) -> ChatResponse {
        self.answer
    }

    /// Takes the next event.
    pub fn push(&mut self, event: &Event) {
        match event {
            Event::Start { id, model, created } => {
                self.answer.id.clone_from(id);
                self.answer.model.clone_from(model);
                self.answer.created = *created;
            }
            Event::Delta { choice, block, delta } => {
                let content = &mut self.choice(*choice).content;
                let index = *block as usize;
                if index >= content.len() {
                    content.push(open(delta));
                }
                let last = content.len() - 1;
                add(&mut content[index.min(last)], delta);
            }
            Event::Logprobs { choice, data } => merge_logprobs(&mut self.choice(*choice).logprobs, data),
            Event::Finish { choice, reason, raw, stop_sequence } => {
                let choice = self.choice(*choice);
                choice.finish_reason = Some(*reason);
                choice.raw_finish_reason.clone_from(raw);
                choice.stop_sequence.clone_from(stop_sequence);
            }
            Event::Usage(usage) => self.answer.usage.update(usage.clone()),
            Event::Meta { service_tier, system_fingerprint } => {
                if service_tier.is_some() {
                    self.answer.service_tier.clone_from(service_tier);
                }
                if system_fingerprint.is_some() {
                    self.answer.system_fingerprint.clone_from(system_fingerprint);
                }
            }
        }
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        let at = match self.answer.choices.iter().position(|c| c.index >= index) {
            Some(at) if self.answer.choices[at].index == index => at,
            Some(at) => {
                self.answer.choices.insert(at, Choice { index, ..Choice::default() });
                at
            }
            None => {
                self.answer.choices.push(Choice { index, ..Choice::default() });
                self.answer.choices.len() - 1
            }
        };
        &mut self.answer.choices[at]
    }
}

/// The empty block that a first piece opens.
fn open(delta: &Delta) -> Block {
    match delta {
        Delta::Text { .. } | Delta::Citation { .. } => Block::Text(Text::default()),
        Delta::Refusal { .. } => Block::Refusal { text: String::new() },
        Delta::Thinking { .. }
        | Delta::ThinkingSummary { .. }
        | Delta::Signature { .. }
        | Delta::Opaque { .. }
        | Delta::ThinkingId { .. } => Block::Thinking(Thinking::default()),
        Delta::ToolCall { .. } | Delta::Arguments { .. } => Block::ToolCall(ToolCall::default()),
        Delta::Media { block } => (**block).clone(),
        Delta::Audio { .. } => Block::Audio(Media::new(Source::Base64(String::new()), None)),
        Delta::Unknown { block } => Block::Unknown(block.clone()),
    }
}

/// Adds a piece to its block; a piece of another kind than the block's is dropped, because
/// [`Event::Delta`] promises that it cannot come.
fn add(block: &mut Block, delta: &Delta) {
    match (block, delta) {
        (Block::Text(block), Delta::Text { text }) => block.text.push_str(text),
        (Block::Text(block), Delta::Citation { data }) => block.citations.push(data.clone()),
        (Block::Text(block), Delta::Signature { signature }) => append(&mut block.signature, signature),
        (Block::Refusal { text: all }, Delta::Refusal { text }) => all.push_str(text),
        (Block::Thinking(block), Delta::Thinking { text }) => append(&mut block.text, text),
        (Block::Thinking(block), Delta::ThinkingSummary { part, text }) => {
            let part = *part as usize;
            if block.summary.len() <= part {
                block.summary.resize(part + 1, String::new());
            }
            block.summary[part].push_str(text);
        }
        (Block::Thinking(block), Delta::Signature { signature }) => append(&mut block.signature, signature),
        (Block::Thinking(block), Delta::Opaque { data }) => append(&mut block.opaque, data),
        (Block::Thinking(block), Delta::ThinkingId { id }) => block.id = Some(id.clone()),
        (Block::ToolCall(call), Delta::ToolCall { id, name, kind }) => {
            call.id.clone_from(id);
            call.name.push_str(name);
            call.kind = *kind;
        }
        (Block::ToolCall(call), Delta::Arguments { text }) => call.arguments.push_str(text),
        (Block::ToolCall(call), Delta::Signature { signature }) => append(&mut call.signature, signature),
        (Block::Audio(media), Delta::Audio { id, data, transcript, expires_at }) => {
            if let (Source::Base64(all), Some(data)) = (&mut media.source, data) {
                all.push_str(data);
            }
            if let Some(id) = id {
                media.rest.insert("id".into(), Value::String(id.clone()));
            }
            if let Some(text) = transcript {
                let all = media.rest.entry("transcript").or_insert_with(|| Value::String(String::new()));
                if let Value::String(all) = all {
                    all.push_str(text);
                }
            }
            if let Some(at) = expires_at {
                media.rest.insert("expires_at".into(), Value::from(*at));
            }
        }
        _ => {}
    }
}

fn append(slot: &mut Option<String>, text: &str) {
    slot.get_or_insert_with(String::new).push_str(text);
}

fn merge_logprobs(slot: &mut Option<Value>, data: &Value) {
    let Some(Value::Object(all)) = slot else {
        *slot = Some(data.clone());
        return;
    };
    let Value::Object(more) = data else { return };
    for (key, value) in more {
        match (all.get_mut(key), value) {
            (Some(Value::Array(list)), Value::Array(items)) => list.extend(items.iter().cloned()),
            (_, value) => {
                all.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_add_up_to_blocks() {
        let mut acc = Accumulator::new();
        let delta = |block, delta| Event::Delta { choice: 0, block, delta };
        for event in [
            Event::Start { id: Some("x".into()), model: "m".into(), created: Some(1) },
            delta(0, Delta::Thinking { text: "h".into() }),
            delta(0, Delta::Thinking { text: "m".into() }),
            delta(0, Delta::Signature { signature: "s".into() }),
            delta(1, Delta::Text { text: "a".into() }),
            delta(2, Delta::ToolCall { id: "1".into(), name: "f".into(), kind: CallKind::Function }),
            delta(2, Delta::Arguments { text: "{\"a\"".into() }),
            delta(2, Delta::Arguments { text: ":1}".into() }),
            Event::Finish { choice: 0, reason: FinishReason::ToolCalls, raw: None, stop_sequence: None },
            Event::Usage(Usage { input_tokens: Some(1), ..Usage::default() }),
            Event::Usage(Usage { output_tokens: Some(2), ..Usage::default() }),
        ] {
            acc.push(&event);
        }
        let answer = acc.finish();
        assert_eq!(answer.usage.total(), Some(3));
        let content = &answer.choices[0].content;
        assert_eq!(
            content[0],
            Block::Thinking(Thinking { text: Some("hm".into()), signature: Some("s".into()), ..Thinking::default() })
        );
        assert_eq!(content[1].as_text(), Some("a"));
        assert!(matches!(&content[2], Block::ToolCall(call) if call.arguments == "{\"a\":1}" && call.name == "f"));
        assert_eq!(answer.choices[0].finish_reason, Some(FinishReason::ToolCalls));
    }
}
