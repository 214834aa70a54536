//! A request as the engine takes it.
//!
//! Invariant: the body is not touched, not even looked at: the model and the way of the answer stand
//! in the URL.

use std::{collections::HashMap, sync::Arc, time::Instant};

use axum::body::Body;
use http::{HeaderMap, request::Parts};
use sabir_engine::{Call, CallOptions, Counting, Source};
use sabir_types::{Operation, Protocol, Request, Result, new_id};
use sabir_wire::{
    gemini::{embed, parse},
    holds_packed_thoughts,
};

use super::Method;
use crate::{
    app::App,
    doors::shared::{from_headers, query},
    gate,
};

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
    pub(super) method: Method,
    /// A stream as server-sent events; otherwise it is one JSON array.
    pub(super) sse: bool,
}

pub(super) async fn call(app: &App, parts: &Parts, body: Body, model: &str, method: Method) -> Result<Parsed> {
    let started = Instant::now();
    let asked = parts.uri.query().unwrap_or_default();
    let caller = admitted(app, &parts.headers, asked)?;
    let body = gate::read(app, &parts.headers, body).await?;
    let mut options = CallOptions::default();
    let mut episode_id = None;
    from_headers(&parts.headers, &mut options, &mut episode_id)?;
    options.rewrite = holds_packed_thoughts(&body);
    let operation = match method {
        Method::Embed | Method::EmbedBatch => Operation::Embed,
        _ => Operation::Chat,
    };
    let call = Call {
        id: new_id(),
        episode_id: episode_id.unwrap_or_else(new_id),
        started,
        door: Protocol::Gemini,
        operation,
        asked: model.to_owned(),
        model: model.to_owned(),
        stream: method == Method::Stream,
        source: Source::Wire {
            body,
            model: None,
            parse: match method {
                Method::Stream => streamed,
                Method::Embed | Method::EmbedBatch => vectors,
                _ => whole,
            },
            headers: HeaderMap::new(),
        },
        caller,
        options,
    };
    let sse = query(asked, "alt").as_deref() == Some("sse");
    Ok(Parsed { call, ask: Ask { model: model.to_owned(), method, sse } })
}

/// A request whose tokens are to be counted.
pub(super) async fn counting(app: &App, parts: &Parts, body: Body, model: &str) -> Result<Counting> {
    admitted(app, &parts.headers, parts.uri.query().unwrap_or_default())?;
    Ok(Counting {
        door: Protocol::Gemini,
        model: model.to_owned(),
        body: gate::read(app, &parts.headers, body).await?,
        headers: HeaderMap::new(),
        credentials: HashMap::new(),
    })
}

/// The public name of who is calling. The key may stand in the query.
pub(super) fn admitted(app: &App, headers: &HeaderMap, asked: &str) -> Result<Option<Arc<str>>> {
    gate::admit_with(app, headers, query(asked, "key").as_deref())
}

fn whole(body: &[u8]) -> Result<Request> {
    parse::chat(body, "generateContent", false)
}

fn streamed(body: &[u8]) -> Result<Request> {
    parse::chat(body, "streamGenerateContent", true)
}

fn vectors(body: &[u8]) -> Result<Request> {
    embed::parse(body).map(|embed| Request::Embed(Box::new(embed)))
}
