//! A quick look at an answer that goes through untouched: what it cost and why it ended.
//!
//! Invariant: no block of the answer is built, and an error in disguise is an error here too.

use std::borrow::Cow;

use sabir_types::{Error, FinishReason, Map, Result, Usage, Value};
use serde::{Deserialize, de::IgnoredAny};

use super::{decode::finish_reason, error, usage};

/// What can be seen of an answer or of an event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Look {
    /// What the call consumed, as far as this says so.
    pub usage: Usage,
    /// Why the model stopped, if this says so.
    pub finish_reason: Option<FinishReason>,
    /// The stream is complete.
    pub done: bool,
}

/// Looks at a whole answer with a success status.
pub fn chat(body: &[u8]) -> Result<Look> {
    let message: Message<'_> = serde_json::from_slice(body)
        .map_err(|e| Error::bad_upstream(format!("answer is not a message: {e}")).with_source(e))?;
    if message.kind.as_deref() == Some("error") {
        return Err(error::decode(200, body));
    }
    if message.content.is_none() {
        return Err(Error::bad_upstream("answer is not a message: `content` is missing"));
    }
    Ok(Look {
        usage: message.usage.map(usage::read).unwrap_or_default(),
        finish_reason: message.stop_reason.as_deref().map(finish_reason),
        done: true,
    })
}

/// Looks at one event of a stream.
pub fn event(name: Option<&str>, data: &str) -> Result<Look> {
    let kind = match name {
        Some(name) => Cow::Borrowed(name),
        None => read::<Named<'_>>(data)?.kind,
    };
    match kind.as_ref() {
        "message_start" => {
            let usage = read::<Begin>(data)?.message.usage;
            Ok(Look { usage: usage.map(usage::read).unwrap_or_default(), ..Look::default() })
        }
        "message_delta" => {
            let end: End<'_> = read(data)?;
            Ok(Look {
                usage: end.usage.map(usage::read).unwrap_or_default(),
                finish_reason: end.delta.stop_reason.as_deref().map(finish_reason),
                done: false,
            })
        }
        "message_stop" => Ok(Look { done: true, ..Look::default() }),
        "error" => Err(error::decode(200, data.as_bytes())),
        _ => Ok(Look::default()),
    }
}

fn read<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T> {
    serde_json::from_str(data)
        .map_err(|e| Error::bad_upstream(format!("event of the stream cannot be read: {e}")).with_source(e))
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    content: Option<Vec<IgnoredAny>>,
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
    usage: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Begin {
    message: Head,
}

#[derive(Deserialize)]
struct Head {
    usage: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct End<'a> {
    #[serde(borrow)]
    delta: Ending<'a>,
    usage: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Ending<'a> {
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
}
