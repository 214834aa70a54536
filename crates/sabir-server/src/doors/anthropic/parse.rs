//! A request as the engine takes it.
//!
//! Invariant: the body is not touched, only looked at; but one that goes on with a conversation that
//! the gateway keeps is written anew, complete, so that it can go anywhere.

use std::{collections::HashMap, time::Instant};

use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use sabir_engine::{Call, CallOptions, Counting, Source};
use sabir_types::{Operation, Protocol, Request, Result, new_id};
use sabir_wire::{
    anthropic::{parse, peek},
    holds_packed_thoughts,
};

use super::thread;
use crate::{
    app::App,
    doors::shared::{forwarded, from_headers},
    gate,
};

/// The caller's headers that a provider of the same protocol sees.
const FORWARDED: [&str; 2] = ["anthropic-version", "anthropic-beta"];

pub(super) async fn call(app: &App, parts: &Parts, body: Body) -> Result<Call> {
    let started = Instant::now();
    let caller = gate::admit(app, &parts.headers)?;
    let mut body = gate::read(app, &parts.headers, body).await?;
    let mut seen = peek::peek(&body)?;
    let mut options = CallOptions::default();
    let mut episode_id = None;
    from_headers(&parts.headers, &mut options, &mut episode_id)?;
    options.rewrite = holds_packed_thoughts(&body);
    if let Some(whole) = thread::follow(app, &body, caller.as_deref()).await? {
        body = whole;
        seen.model_at = peek::peek(&body)?.model_at;
        // What other providers thought and called stands in it now: the translator knows which.
        options.rewrite = true;
    }
    Ok(Call {
        id: new_id(),
        episode_id: episode_id.unwrap_or_else(new_id),
        started,
        door: Protocol::Anthropic,
        operation: Operation::Chat,
        asked: seen.model.clone(),
        model: seen.model,
        stream: seen.stream,
        source: Source::Wire {
            body,
            model: seen.model_at,
            parse: read,
            headers: forwarded(&parts.headers, &FORWARDED),
        },
        caller,
        options,
    })
}

/// A request whose tokens are to be counted.
pub(super) async fn counting(app: &App, parts: &Parts, body: Body) -> Result<Counting> {
    gate::admit(app, &parts.headers)?;
    let body: Bytes = gate::read(app, &parts.headers, body).await?;
    Ok(Counting {
        door: Protocol::Anthropic,
        model: peek::peek(&body)?.model,
        body,
        headers: forwarded(&parts.headers, &FORWARDED),
        credentials: HashMap::new(),
    })
}

fn read(body: &[u8]) -> Result<Request> {
    let mut chat = parse::chat(body)?;
    thread::read(&mut chat)?;
    Ok(Request::Chat(Box::new(chat)))
}
