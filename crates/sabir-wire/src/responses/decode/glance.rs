//! A look at an answer that goes through untouched.
//!
//! Invariant: only what the ledger needs is built; events in the middle of a stream are told by
//! their name alone.

use std::borrow::Cow;

use sabir_types::{Error, Result, Usage, Value};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;

use super::{super::error, finish, is_call};
use crate::openai::decode::{Glimpse, usage};

#[derive(Deserialize)]
struct Seen<'a> {
    #[serde(default, borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(default)]
    incomplete_details: Option<Value>,
    #[serde(default, borrow)]
    output: Option<Vec<SeenItem<'a>>>,
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct SeenItem<'a> {
    #[serde(default, borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    content: Option<Vec<SeenPart<'a>>>,
}

#[derive(Deserialize)]
struct SeenPart<'a> {
    #[serde(default, borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    text: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct SeenEvent<'a> {
    #[serde(default, borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    response: Option<Seen<'a>>,
}

/// Looks at a whole answer with a success status.
pub fn glance(body: &[u8]) -> Result<Glimpse> {
    let seen: Seen<'_> = serde_json::from_slice(body)
        .map_err(|e| Error::bad_upstream(format!("the provider's answer is not what was asked for: {e}")))?;
    if seen.error.is_none() && seen.output.is_none() {
        return Err(Error::bad_upstream("the provider's answer has no `output`"));
    }
    glimpse(seen)
}

/// Looks at one event of a stream.
pub fn glance_event(name: Option<&str>, data: &str) -> Result<Glimpse> {
    if data.trim() == "[DONE]" {
        return Ok(Glimpse { done: true, ..Glimpse::default() });
    }
    if name.is_some_and(|name| name.starts_with("response.") && !is_terminal(name)) {
        return Ok(Glimpse::default());
    }
    let not_json =
        |e: serde_json::Error| Error::bad_upstream(format!("an event of the provider's stream is not JSON: {e}"));
    let event: SeenEvent<'_> = serde_json::from_str(data).map_err(not_json)?;
    match (event.kind.as_deref(), event.response) {
        (Some("error"), _) => Err(error::event(&serde_json::from_str(data).map_err(not_json)?)),
        (Some(kind), Some(seen)) if is_terminal(kind) => Ok(Glimpse { done: true, ..glimpse(seen)? }),
        // Some proxies put the error of chat completions into the stream.
        (None, _) => match crate::openai::error::embedded(&serde_json::from_str(data).map_err(not_json)?) {
            Some(error) => Err(error),
            None => Err(Error::bad_upstream("an event of the provider's stream has no type")),
        },
        _ => Ok(Glimpse::default()),
    }
}

/// Whether an event of that name ends the stream.
pub(super) fn is_terminal(name: &str) -> bool {
    matches!(
        name,
        "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" | "response.done"
    )
}

fn glimpse(seen: Seen<'_>) -> Result<Glimpse> {
    let status = json!({"status": seen.status, "error": seen.error, "incomplete_details": seen.incomplete_details});
    if let Some(error) = error::failed(&status) {
        return Err(error);
    }
    let items = seen.output.unwrap_or_default();
    let called = items.iter().any(|item| item.kind.as_deref().is_some_and(is_call));
    let parts = || items.iter().flat_map(|item| item.content.iter().flatten());
    let refused = parts().any(|part| part.kind.as_deref() == Some("refusal"));
    let did = items.iter().any(|item| !matches!(item.kind.as_deref(), Some("message" | "reasoning")));
    let spoken = did || parts().any(|part| part.kind.as_deref() == Some("output_text") && part.text.is_some());
    let usage = seen.usage.as_ref().filter(|raw| raw.is_object()).map_or_else(Usage::default, usage);
    let (reason, _) = finish(&status, called, refused && !spoken);
    Ok(Glimpse { usage, finish_reason: Some(reason), done: false })
}
