//! A request as the engine takes it.
//!
//! Invariant: a body that names nothing that is kept here is not touched. One that goes on from an
//! earlier answer of ours is written anew, with what was said before in front, so that it is
//! complete wherever it goes.

use std::{borrow::Cow, sync::Arc, time::Instant};

use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use memchr::memmem;
use sabir_engine::{Call, CallOptions, Source};
use sabir_types::{Error, Map, Operation, Protocol, Request, Result, Value, new_id};
use sabir_wire::{holds_packed_thoughts, openai::peek, responses::parse};
use serde::{Deserialize, de::IgnoredAny};

use super::{kept, unsupported};
use crate::{
    app::App,
    doors::shared::{forwarded, from_headers},
    gate,
};

/// The caller's headers that a provider of the same protocol sees.
const FORWARDED: [&str; 5] = ["openai-beta", "idempotency-key", "x-client-request-id", "http-referer", "x-title"];

/// Members that mean nothing without a server that keeps answers.
const STATE: [&str; 3] = ["previous_response_id", "conversation", "prompt"];

/// A request, and what its answer has to look like.
pub(super) struct Parsed {
    pub(super) call: Call,
    pub(super) ask: Ask,
}

/// What the answer has to look like.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    /// The model as the caller wrote it.
    pub(super) model: String,
    /// The body as it goes on: an answer repeats some of it.
    pub(super) body: Bytes,
    /// The answer that this one follows, if it is one of ours.
    pub(super) previous: Option<String>,
}

/// What the door itself has to know of the members that name something that is kept.
#[derive(Debug, Default, Deserialize)]
struct Seen<'a> {
    #[serde(default, borrow)]
    previous_response_id: Option<Cow<'a, str>>,
    #[serde(default)]
    background: Option<bool>,
    #[serde(default)]
    conversation: Option<IgnoredAny>,
}

pub(super) async fn call(app: &App, parts: &Parts, body: Body) -> Result<Parsed> {
    let started = Instant::now();
    let caller = gate::admit(app, &parts.headers)?;
    let body = gate::read(app, &parts.headers, body).await?;
    let mut peeked = peek::response(&body)?;
    let seen = seen(&body)?;
    let mut options = CallOptions::default();
    let mut episode_id = None;
    from_headers(&parts.headers, &mut options, &mut episode_id)?;
    let previous = seen.previous_response_id.map(Cow::into_owned).filter(|id| kept::id(id).is_some());
    let body = match &previous {
        None => body,
        Some(id) => {
            // Ids and thoughts of what was said before may be another provider's: the translator knows which.
            options.rewrite = true;
            let body = follow(app, id, caller.as_ref(), &body).await?;
            peeked.model_at = peek::response(&body)?.model_at;
            body
        }
    };
    // Members for the gateway only never reach a provider, and thoughts that are packed for another
    // provider would be refused.
    options.rewrite |= peeked.extended || holds_packed_thoughts(&body);
    let ask = Ask { model: peeked.model.clone(), body: body.clone(), previous };
    let call = Call {
        id: new_id(),
        episode_id: episode_id.unwrap_or_else(new_id),
        started,
        door: Protocol::Responses,
        operation: Operation::Chat,
        asked: peeked.model.clone(),
        model: peeked.model,
        stream: peeked.stream,
        source: Source::Wire {
            body,
            model: peeked.model_at,
            parse: read,
            headers: forwarded(&parts.headers, &FORWARDED),
        },
        caller,
        options,
    };
    Ok(Parsed { call, ask })
}

/// Looks for the members that name something that is kept, and refuses those that nobody keeps here.
fn seen(body: &[u8]) -> Result<Seen<'_>> {
    let names = ["\"previous_response_id\"", "\"background\"", "\"conversation\""];
    if !names.iter().any(|name| memmem::find(body, name.as_bytes()).is_some()) {
        return Ok(Seen::default());
    }
    let seen: Seen<'_> = serde_json::from_slice(body)
        .map_err(|e| Error::bad_request(format!("the body is not what was expected: {e}")))?;
    if seen.background == Some(true) {
        return Err(unsupported("background", "no answer is made in the background: wait for it or ask for a stream"));
    }
    if seen.conversation.is_some() {
        let what = "conversations are not kept here: use `previous_response_id`, or send all items";
        return Err(unsupported("conversation", what));
    }
    Ok(seen)
}

/// The body with what was said before in front of its own items.
async fn follow(app: &App, id: &str, caller: Option<&Arc<str>>, body: &[u8]) -> Result<Bytes> {
    let before = kept::find(app, id, caller.map(|caller| &**caller)).await.map_err(|error| {
        // Not the path is wrong but a member.
        Error::new(sabir_types::ErrorKind::BadRequest, error.message()).with_param("previous_response_id")
    })?;
    let mut items = kept::input(&before)?;
    items.extend(kept::output(&before)?);
    let mut members: Map<String, Value> =
        serde_json::from_slice(body).map_err(|e| Error::bad_request(format!("the body is not valid JSON: {e}")))?;
    members.shift_remove("previous_response_id");
    let own = members.get_mut("input").map(Value::take).unwrap_or_default();
    items.extend(kept::items(own));
    members.insert("input".into(), items.into());
    serde_json::to_vec(&members)
        .map(Bytes::from)
        .map_err(|e| Error::internal("a request could not be written").with_source(e))
}

/// Reads a request for a provider that speaks another protocol: what its own server would have to
/// know is refused by name.
fn read(body: &[u8]) -> Result<Request> {
    let request = parse::chat(body)?;
    if let Request::Chat(chat) = &request
        && let Some(name) = STATE.iter().find(|name| chat.rest.members.contains_key(**name))
    {
        return Err(unsupported(name, "it names something that this provider does not keep"));
    }
    Ok(request)
}
