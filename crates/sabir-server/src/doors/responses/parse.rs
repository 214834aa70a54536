//! A request as the engine takes it.
//!
//! Invariant: a body that names nothing that is kept here is not touched. One that goes on from an
//! earlier answer or a conversation of ours is written anew, with what was said before in front,
//! so that it is complete wherever it goes.

use std::{sync::Arc, time::Instant};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, request::Parts};
use sabir_engine::{Call, CallOptions, Source};
use sabir_types::{Map, Operation, Protocol, Request, Result, Value, new_id};
use sabir_wire::{
    holds_packed_thoughts,
    openai::peek,
    responses::{parse, render},
};
use serde_json::json;

use super::{
    context::{self, Complete},
    unsupported,
};
use crate::{
    app::App,
    doors::shared::{forwarded, from_headers},
    gate,
};

/// The caller's headers that a provider of the same protocol sees.
pub(super) const FORWARDED: [&str; 5] =
    ["openai-beta", "idempotency-key", "x-client-request-id", "http-referer", "x-title"];

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
    /// The answer's id, if it is not made of the inference's.
    pub(super) id: Option<String>,
    /// The answer that this one follows, if it is one of ours.
    pub(super) previous: Option<String>,
    /// The conversation of ours that this answer belongs to.
    pub(super) conversation: Option<String>,
    /// The caller does not wait for it.
    pub(super) background: bool,
}

impl Ask {
    /// The members of the request that the answer repeats.
    pub(super) fn echo(&self) -> Map<String, Value> {
        let request: Map<String, Value> = serde_json::from_slice(&self.body).unwrap_or_default();
        let mut echo = render::echo(&request);
        echo.insert("background".into(), self.background.into());
        if let Some(previous) = &self.previous {
            echo.insert("previous_response_id".into(), previous.as_str().into());
        }
        if let Some(conversation) = &self.conversation {
            echo.insert("conversation".into(), json!({"id": conversation}));
        }
        echo
    }
}

/// Who is calling, and a body that needs nothing that is kept here any more.
pub(super) async fn read(app: &App, parts: &Parts, body: Body) -> Result<(Option<Arc<str>>, Complete)> {
    let caller = gate::admit(app, &parts.headers)?;
    let body = gate::read(app, &parts.headers, body).await?;
    let complete = context::complete(app, caller.as_deref(), body).await?;
    Ok((caller, complete))
}

/// The call for such a body.
pub(super) fn call(
    headers: &HeaderMap,
    caller: Option<Arc<str>>,
    complete: &Complete,
    started: Instant,
) -> Result<Parsed> {
    let body = complete.body.clone();
    let peeked = peek::response(&body)?;
    let mut options = CallOptions::default();
    let mut episode_id = None;
    from_headers(headers, &mut options, &mut episode_id)?;
    // Members for the gateway only never reach a provider, and thoughts that are packed for another
    // provider would be refused.
    options.rewrite = complete.rewrite || peeked.extended || holds_packed_thoughts(&body);
    let ask = Ask {
        model: peeked.model.clone(),
        body: body.clone(),
        id: None,
        previous: complete.previous.clone(),
        conversation: complete.conversation.clone(),
        background: complete.background,
    };
    let call = Call {
        id: new_id(),
        episode_id: episode_id.unwrap_or_else(new_id),
        started,
        door: Protocol::Responses,
        operation: Operation::Chat,
        asked: peeked.model.clone(),
        model: peeked.model,
        stream: peeked.stream,
        source: Source::Wire { body, model: peeked.model_at, parse: neutral, headers: forwarded(headers, &FORWARDED) },
        caller,
        options,
    };
    Ok(Parsed { call, ask })
}

/// Reads a request for a provider that speaks another protocol: what its own server would have to
/// know is refused by name.
pub(super) fn neutral(body: &[u8]) -> Result<Request> {
    let request = parse::chat(body)?;
    if let Request::Chat(chat) = &request
        && let Some(name) = STATE.iter().find(|name| chat.rest.members.contains_key(**name))
    {
        return Err(unsupported(name, "it names something that this provider does not keep"));
    }
    Ok(request)
}
