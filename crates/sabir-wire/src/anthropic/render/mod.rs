//! Answers for a client of this protocol: whole and streamed.
//!
//! Invariant: the events of [`EventWriter`] add up, in the official client, to the message that
//! [`chat`] writes. What the protocol has no place for is not in either: log probabilities, answers
//! after the first, thought signatures on texts, sound in pieces (its transcript is text).

mod events;

use std::borrow::Cow;

use sabir_types::{Block, ChatResponse, Choice, Error, FinishReason, Map, Value};
use serde::Serialize;

pub use events::EventWriter;

use super::{
    SIGNERS,
    block::{self, EMPTY, Piece},
    decode, error,
    usage::Figures,
};
use crate::signed;

/// How an answer presents itself to its client.
#[derive(Debug, Clone, Copy)]
pub struct Face<'a> {
    /// The message's id (`msg_…`).
    pub id: &'a str,
    /// The model's name, as the client knows it.
    pub model: &'a str,
    /// The provider type that made the answer: its thoughts are sealed if they are not Anthropic's own.
    pub provider: Option<&'a str>,
}

/// Writes a whole answer.
pub fn chat(answer: &ChatResponse, face: Face<'_>) -> Vec<u8> {
    let empty = Choice::default();
    let choice = answer.choices.first().unwrap_or(&empty);
    let own = face.provider.is_some_and(|provider| SIGNERS.contains(&provider));
    let content = signed::spread(&choice.content, face.provider);
    let refusal: String = choice.content.iter().filter_map(refusal).collect();
    let message = Message {
        id: face.id,
        kind: "message",
        role: "assistant",
        model: face.model,
        content: content.iter().filter_map(|block| block::answer(block, face.provider)).collect(),
        stop_reason: choice.finish_reason.map(|reason| stop_reason(reason, choice.raw_finish_reason.as_deref())),
        stop_sequence: choice.stop_sequence.as_deref(),
        stop_details: match choice.rest.get("stop_details") {
            Some(details) => Some(StopDetails::Given(details)),
            None => StopDetails::of(&refusal),
        },
        usage: Figures::of(&answer.usage, answer.service_tier.as_deref()),
        rest: if own { &answer.rest } else { &EMPTY },
    };
    serde_json::to_vec(&message).unwrap_or_default()
}

/// Writes a failure: status and body. `request_id` is what the client can name the call by.
pub fn error(error: &Error, request_id: Option<&str>) -> (u16, Vec<u8>) {
    error::render(error, request_id)
}

fn refusal(block: &Block) -> Option<&str> {
    match block {
        Block::Refusal { text } => Some(text),
        _ => None,
    }
}

/// The word for why the model stopped: the provider's own one if it is a word of this protocol.
fn stop_reason(reason: FinishReason, raw: Option<&str>) -> Cow<'_, str> {
    const WORDS: &[&str] = &[
        "end_turn",
        "max_tokens",
        "stop_sequence",
        "tool_use",
        "pause_turn",
        "refusal",
        "model_context_window_exceeded",
        "compaction",
    ];
    match raw {
        Some(raw) if WORDS.contains(&raw) && decode::finish_reason(raw) == reason => Cow::Borrowed(raw),
        _ => Cow::Borrowed(match reason {
            FinishReason::StopSequence => "stop_sequence",
            FinishReason::Length => "max_tokens",
            FinishReason::ToolCalls => "tool_use",
            FinishReason::ContentFilter => "refusal",
            _ => "end_turn",
        }),
    }
}

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Piece<'a>>,
    stop_reason: Option<Cow<'a, str>>,
    stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_details: Option<StopDetails<'a>>,
    usage: Figures<'a>,
    #[serde(flatten)]
    rest: &'a Map<String, Value>,
}

/// `stop_details`.
#[derive(Serialize)]
#[serde(untagged)]
enum StopDetails<'a> {
    Given(&'a Value),
    Refusal {
        #[serde(rename = "type")]
        kind: &'static str,
        category: Option<&'a str>,
        explanation: &'a str,
    },
}

impl<'a> StopDetails<'a> {
    fn of(refusal: &'a str) -> Option<Self> {
        (!refusal.is_empty()).then_some(Self::Refusal { kind: "refusal", category: None, explanation: refusal })
    }
}
