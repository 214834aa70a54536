//! Upstreams: each understands requests of its protocol and answers in it.
//!
//! Invariant: written from the protocols' own documentation, by nothing that the gateway is made of (but the framing of
//! AWS), so that both can be wrong only together if the documentation is.

pub(super) mod anthropic;
pub(super) mod bedrock;
pub(super) mod gemini;
pub(super) mod openai;
pub(super) mod responses;

use serde_json::Value;

use super::talk::{LIMIT, MARK, Reply};
use crate::mock::{Seen, Step, answer, chunk, last_chunk, stream_head};

/// A protocol that providers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    OpenAi,
    Responses,
    Anthropic,
    Gemini,
    Bedrock,
}

impl Family {
    /// What the request asks, line by line.
    pub(super) fn understands(self, seen: &Seen) -> Vec<String> {
        let body: Value = serde_json::from_slice(&seen.body).unwrap_or_else(|e| panic!("{e}: {}", seen.text()));
        let mut lines = match self {
            Self::OpenAi => openai::understands(&body),
            Self::Responses => responses::understands(&body),
            Self::Anthropic => anthropic::understands(&body),
            Self::Gemini => gemini::understands(&body),
            Self::Bedrock => bedrock::understands(&body),
        };
        // Wherever a protocol puts a schema: the member's name stands there.
        if seen.text().contains(MARK) && !lines.iter().any(|line| line.contains(MARK)) {
            let at = lines.iter().position(|line| line == "thinks").unwrap_or(lines.len());
            lines.insert(at, "schema".to_owned());
        }
        lines
    }

    /// Answers this request.
    pub(super) fn answers(self, seen: &Seen, reply: &Reply) -> Vec<Step> {
        let body: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        match self {
            Self::OpenAi => openai::answers(&body, reply),
            Self::Responses => responses::answers(&body, reply),
            Self::Anthropic => anthropic::answers(&body, reply),
            Self::Gemini => gemini::answers(seen, reply),
            Self::Bedrock => bedrock::answers(seen, &body, reply),
        }
    }
}

/// A failure with its words.
fn fails(status: u16, more: &str, body: &Value) -> Vec<Step> {
    vec![answer(status, "application/json", more, body.to_string())]
}

/// A stream of these events, cut in odd places.
fn streams(text: &str) -> Vec<Step> {
    let mut steps = vec![stream_head()];
    steps.extend(text.as_bytes().chunks(501).map(chunk));
    steps.push(last_chunk());
    steps
}

/// The line for a limit, if it is the one of the scenario.
fn limit(value: &Value) -> Option<String> {
    (value.as_u64() == Some(LIMIT)).then(|| format!("limit: {LIMIT}"))
}

/// The lines for stop texts.
fn stops(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![format!("stop: {text}")],
        Value::Array(texts) => texts.iter().map(|text| format!("stop: {}", text.as_str().unwrap())).collect(),
        _ => Vec::new(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}
