//! What clients ask beside an answer: how many tokens a request has, and a shorter conversation.
//!
//! Invariant: a provider does it or nobody; nothing here estimates or sums up by itself.

use std::{collections::HashMap, sync::Arc, time::Instant};

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method, header, request::Parts};
use sabir_engine::{CallOptions, Counting, Relay, RelayBody, RelayTo, config::Family};
use sabir_types::{Error, Operation, Protocol, Result, Value, new_id};
use sabir_wire::openai::peek;
use serde_json::json;

use super::{
    context::Complete,
    parse::{self, FORWARDED},
    render,
};
use crate::{
    app::App,
    doors::{
        pass_through,
        shared::{forwarded, from_headers},
    },
};

/// `POST /v1/responses/input_tokens`, for any provider that counts.
pub(super) async fn input_tokens(app: &App, headers: &HeaderMap, body: Bytes) -> Result<Value> {
    let wanted = Counting {
        door: Protocol::Responses,
        model: peek::response(&body)?.model,
        body,
        headers: forwarded(headers, &FORWARDED),
        credentials: HashMap::new(),
    };
    let number = app.engine().input_tokens(&wanted, parse::neutral).await?;
    Ok(json!({"object": "response.input_tokens", "input_tokens": number}))
}

/// `POST /v1/responses/compact`: what comes out can be read by its maker alone, so it is a
/// provider's that speaks the protocol.
pub(super) async fn compact(
    app: &App,
    parts: &Parts,
    caller: Option<Arc<str>>,
    complete: Complete,
) -> Result<Response> {
    let started = Instant::now();
    let name = peek::response(&complete.body)?.model;
    let model = app.engine().config().model(Operation::Chat, &name)?;
    let speaks =
        |options: &sabir_types::Map<String, Value>| options.get("api_type").is_some_and(|api| api == "responses");
    let target = model.routing.iter().find(|target| speaks(&target.options)).ok_or_else(|| {
        let message =
            format!("no provider of model `{name}` speaks the Responses API, so none can compact a conversation");
        Error::unsupported("model", message)
    })?;
    let mut options = CallOptions::default();
    let mut episode_id = None;
    from_headers(&parts.headers, &mut options, &mut episode_id)?;
    let mut headers = parts.headers.clone();
    // The body may be another one now.
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::CONTENT_ENCODING);
    let relay = Relay {
        id: new_id(),
        episode_id: episode_id.unwrap_or_else(new_id),
        started,
        family: Family::OpenAi,
        method: Method::POST,
        path: "responses/compact".into(),
        query: parts.uri.query().map(str::to_owned),
        deployment: None,
        model: None,
        asked: parts.uri.path().to_owned(),
        headers,
        to: RelayTo::Endpoint(target.clone()),
        caller,
        tags: options.tags,
    };
    match app.engine().relay(relay, RelayBody::whole(complete.body)).await {
        Ok(relayed) => Ok(pass_through::answer(relayed)),
        Err(failure) => Ok(render::failure(&failure)),
    }
}
