//! What can be seen of an answer without reading all of it: for answers that go through untouched.
//!
//! Invariant: nothing of the answer's content is built, only what it consumed and why it ended.

use std::borrow::Cow;

use sabir_types::{Error, FinishReason, Result, Usage, Value};
use serde::{Deserialize, de::IgnoredAny};

use super::{error, finish, usage};

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// What it consumed, as far as it says so.
    pub usage: Usage,
    /// Why the model stopped, if it says so.
    pub finish_reason: Option<FinishReason>,
}

/// Looks at a whole answer. `Err` if it is an error in disguise, or not an answer at all.
pub fn chat(body: &[u8]) -> Result<Seen> {
    let look = look(body)?;
    if look.candidates.is_empty() && look.feedback().is_none() {
        return Err(error::decode(200, body));
    }
    Ok(look.seen())
}

/// Looks at one event of a stream. `Err` if it is an error.
pub fn event(data: &str) -> Result<Seen> {
    Ok(look(data.as_bytes())?.seen())
}

/// Looks at an embeddings answer. `Err` if it is an error in disguise, or not an answer at all.
pub fn embeddings(body: &[u8]) -> Result<Seen> {
    let look = look(body)?;
    if look.embeddings.is_none() && look.embedding.is_none() {
        return Err(error::decode(200, body));
    }
    Ok(look.seen())
}

/// Whether a request's body names a model of its own, beside the URL. What cannot be read is taken
/// for one that does.
pub fn names_model(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Named {
        model: Option<IgnoredAny>,
    }
    serde_json::from_slice::<Named>(body).map_or(true, |named| named.model.is_some())
}

fn look(body: &[u8]) -> Result<Look<'_>> {
    match serde_json::from_slice::<Look<'_>>(body) {
        Ok(look) if look.error.is_none() => Ok(look),
        Ok(_) => Err(error::decode(200, body)),
        // A list is how the wire wraps an error on some routes.
        Err(_) if body.trim_ascii_start().first() == Some(&b'[') => Err(error::decode(200, body)),
        Err(e) => Err(Error::bad_upstream(format!("answer cannot be read: {e}"))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Look<'a> {
    #[serde(borrow, default)]
    candidates: Vec<Candidate<'a>>,
    usage_metadata: Option<Value>,
    #[serde(borrow)]
    prompt_feedback: Option<Feedback<'a>>,
    error: Option<IgnoredAny>,
    embeddings: Option<IgnoredAny>,
    embedding: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    content: Option<Content>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    finish_message: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    function_call: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback<'a> {
    #[serde(borrow)]
    block_reason: Option<Cow<'a, str>>,
}

impl Look<'_> {
    fn feedback(&self) -> Option<&str> {
        self.prompt_feedback.as_ref()?.block_reason.as_deref()
    }

    fn seen(self) -> Seen {
        let blocked = self.feedback().map(|_| FinishReason::ContentFilter);
        let ended = self.candidates.first().and_then(|candidate| {
            let parts = candidate.content.iter().flat_map(|content| &content.parts);
            // A stream's last event need not hold the call, but its message speaks of it.
            let calls = parts.into_iter().any(|part| part.function_call.is_some())
                || candidate.finish_message.as_deref().is_some_and(|message| message.contains("function call"));
            candidate.finish_reason.as_deref().map(|reason| finish::read(reason, calls))
        });
        Seen { usage: self.usage_metadata.map(usage::read).unwrap_or_default(), finish_reason: ended.or(blocked) }
    }
}
