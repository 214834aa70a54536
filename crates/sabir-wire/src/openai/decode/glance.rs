//! A look at an answer that goes through untouched.
//!
//! Invariant: only what the ledger needs is built; the rest is checked to be JSON and passed over.

use std::borrow::Cow;

use sabir_types::{Error, FinishReason, Operation, Result, TranscriptFormat, Usage, Value};
use serde::{Deserialize, de::IgnoredAny};

use super::{Reading, finish_reason, input_usage, is_failure, usage};
use crate::{
    openai::{answer, error, image, moderation, speech, transcript},
    rerank,
};

/// What can be seen at a glance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Glimpse {
    /// What it consumed.
    pub usage: Usage,
    /// Why the model stopped.
    pub finish_reason: Option<FinishReason>,
    /// The stream ends here.
    pub done: bool,
}

#[derive(Deserialize)]
struct Seen<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<SeenChoice<'a>>>,
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    error: Option<IgnoredAny>,
    #[serde(default, borrow)]
    object: Option<Cow<'a, str>>,
    #[serde(default)]
    data: Option<IgnoredAny>,
    #[serde(default)]
    x_groq: Option<Value>,
    #[serde(default)]
    base_resp: Option<IgnoredAny>,
    #[serde(default, rename = "type")]
    kind: Option<Value>,
}

#[derive(Deserialize)]
struct SeenChoice<'a> {
    #[serde(default, borrow)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    message: Option<SeenMessage>,
}

#[derive(Deserialize)]
struct SeenMessage {
    #[serde(default)]
    tool_calls: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    function_call: Option<IgnoredAny>,
}

impl SeenMessage {
    fn calls(&self) -> bool {
        self.function_call.is_some() || self.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty())
    }
}

/// Looks at a whole answer with a success status.
pub fn glance(operation: Operation, body: &[u8]) -> Result<Glimpse> {
    whole(operation, body, &Reading::USUAL)
}

/// Looks at one event of a stream.
pub fn glance_event(data: &str) -> Result<Glimpse> {
    event(data, &Reading::USUAL)
}

pub(super) fn whole(operation: Operation, body: &[u8], reading: &Reading) -> Result<Glimpse> {
    if let Some(usage) = media(operation, body)? {
        return Ok(Glimpse { usage, ..Glimpse::default() });
    }
    let seen: Seen<'_> = serde_json::from_slice(body)
        .map_err(|e| Error::bad_upstream(format!("the provider's answer is not what was asked for: {e}")))?;
    refuse(&seen, body, reading)?;
    let missing = match operation {
        Operation::Embed if seen.data.is_some() => {
            let usage = seen.usage.filter(Value::is_object).map(|raw| input_usage(&raw)).unwrap_or_default();
            return Ok(Glimpse { usage, ..Glimpse::default() });
        }
        Operation::Embed => Some("data"),
        _ => seen.choices.as_ref().is_none_or(Vec::is_empty).then_some("choices"),
    };
    if let Some(name) = missing {
        return Err(Error::bad_upstream(format!("the provider's answer has no `{name}`")));
    }
    glimpse(seen)
}

/// What an answer with pictures, sound, verdicts or an order says of usage. What may be long (pictures)
/// is not built.
fn media(operation: Operation, body: &[u8]) -> Result<Option<Usage>> {
    Ok(Some(match operation {
        Operation::Image | Operation::ImageEdit => pictures(body)?,
        Operation::Speech if speech::is_object(body) => {
            answer(body)?;
            return Err(Error::bad_upstream("the provider's answer is an object instead of sound"));
        }
        Operation::Speech => Usage::default(),
        Operation::Transcribe | Operation::Translate => {
            let format = if speech::is_object(body) { TranscriptFormat::Json } else { TranscriptFormat::Text };
            transcript::decode(body, format)?.usage
        }
        Operation::Moderate => moderation::decode(body)?.usage,
        Operation::Rerank => rerank::glance(body)?,
        _ => return Ok(None),
    }))
}

fn pictures(body: &[u8]) -> Result<Usage> {
    #[derive(Deserialize)]
    struct Pictures {
        data: Option<Vec<IgnoredAny>>,
        usage: Option<Value>,
    }
    let seen: Result<Pictures, _> = serde_json::from_slice(body);
    match seen {
        Ok(Pictures { data: Some(data), usage: raw }) => Ok(match raw.filter(|raw| raw.is_object()) {
            Some(raw) => usage(&raw),
            None => Usage::of_units("images", data.len()),
        }),
        // What is wrong with it, the reader of the whole answer says.
        _ => Ok(image::decode(body)?.usage),
    }
}

/// The event after which a stream of pictures, sound or a transcript is over.
fn is_last(kind: &str) -> bool {
    matches!(kind, "image_generation.completed" | "image_edit.completed" | "speech.audio.done" | "transcript.text.done")
}

pub(super) fn event(data: &str, reading: &Reading) -> Result<Glimpse> {
    if data.trim() == "[DONE]" {
        return Ok(Glimpse { done: true, ..Glimpse::default() });
    }
    let seen: Seen<'_> = serde_json::from_str(data)
        .map_err(|e| Error::bad_upstream(format!("an event of the provider's stream is not JSON: {e}")))?;
    refuse(&seen, data.as_bytes(), reading)?;
    glimpse(seen)
}

fn refuse(seen: &Seen<'_>, body: &[u8], reading: &Reading) -> Result<()> {
    if seen.error.is_some() || seen.base_resp.is_some() || seen.object.as_deref() == Some("error") {
        let value: Value = serde_json::from_slice(body)
            .map_err(|e| Error::bad_upstream(format!("the provider's answer is not JSON: {e}")))?;
        if let Some(error) = error::embedded_with(&value, reading.codes) {
            return Err(error);
        }
    }
    Ok(())
}

fn glimpse(seen: Seen<'_>) -> Result<Glimpse> {
    let done = seen.kind.as_ref().and_then(Value::as_str).is_some_and(is_last);
    let mut found = Glimpse { done, ..Glimpse::default() };
    for choice in seen.choices.unwrap_or_default() {
        if let Some(word) = choice.finish_reason.filter(|word| !word.is_empty()) {
            if is_failure(&word) {
                return Err(Error::new(
                    sabir_types::ErrorKind::Upstream,
                    format!("the model broke off: finish reason `{word}`"),
                ));
            }
            // A forced call ends with `stop`: the call is what counts.
            let calls = choice.message.as_ref().is_some_and(SeenMessage::calls);
            found.finish_reason = Some(match finish_reason(&word) {
                FinishReason::Stop if calls => FinishReason::ToolCalls,
                reason => reason,
            });
        }
        if let Some(raw) = choice.usage.filter(Value::is_object) {
            found.usage = usage(&raw);
        }
    }
    let groq = seen.x_groq.as_ref().and_then(|extra| extra.get("usage")).filter(|raw| raw.is_object());
    if let Some(raw) = seen.usage.as_ref().filter(|raw| raw.is_object()).or(groq) {
        found.usage = usage(raw);
    }
    Ok(found)
}
