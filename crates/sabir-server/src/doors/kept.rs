//! What the gateway keeps and a provider may keep as well: files, batches, answers, conversations.
//!
//! Invariant: an id tells whose it is. What has no id yet is whose the caller or the configuration
//! says; if neither does, the provider's where its API passes through, but for batches of models that
//! the gateway knows.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use http::Method;
use sabir_engine::config::{BatchMode, Family};
use sabir_types::{Error, Result, Uuid};

use super::{anthropic, fallback, openai, pass_through, responses, whose};
use crate::app::App;

/// What says whose batches and files are meant.
const HEADER: &str = "x-sabir-batch";

/// The routes of all doors to such things.
pub fn routes(app: &App) -> Router<App> {
    openai::kept_routes()
        .merge(responses::kept_routes())
        .merge(anthropic::kept_routes())
        .route_layer(middleware::from_fn_with_state(app.clone(), choose))
}

async fn choose(State(app): State<App>, request: Request<Body>, next: Next) -> Response {
    let family = if request.uri().path().contains("/messages/batches") { Family::Anthropic } else { Family::OpenAi };
    match is_the_providers(&app, request, family).await {
        Ok((false, request)) => next.run(request).await,
        Ok((true, request)) => fallback::unknown(State(app), request).await,
        Err(error) => pass_through::shaped(family, &error),
    }
}

/// Whether a request is the provider's to answer; the request comes back.
async fn is_the_providers(app: &App, request: Request<Body>, family: Family) -> Result<(bool, Request<Body>)> {
    let path = request.uri().path();
    let mut parts = path.rsplit_once("/v1/").map_or(path, |(_, rest)| rest).split('/').peekable();
    // What stands between the version and the id.
    let thing = parts.find(|part| *part != "messages").unwrap_or_default();
    // Anthropic's files are its own.
    if thing == "files" && request.headers().contains_key("anthropic-version") {
        return Ok((true, request));
    }
    let config = app.engine().config();
    let is_open = config.pass_through.is_open(family);
    if let Some(id) = parts.next() {
        let is_the_providers = is_open && !is_ours(id);
        return Ok((is_the_providers, request));
    }
    let mode = match request.headers().get(HEADER).map(|value| value.as_bytes()) {
        None => config.gateway.batches.mode,
        Some(b"own") => BatchMode::Own,
        Some(b"provider") => BatchMode::Provider,
        Some(_) => {
            let message = format!("header `{HEADER}`: expected `own` or `provider`");
            return Err(Error::bad_request(message).with_param(HEADER));
        }
    };
    // Where nothing is kept, a provider may.
    let nobody_else = is_open && app.engine().tasks().is_none();
    let is_made = request.method() == Method::POST;
    let (is_ours, request) = match (mode, thing) {
        (BatchMode::Own, _) => (true, request),
        (BatchMode::Provider, _) => (false, request),
        (BatchMode::Auto, _) if !is_open => (true, request),
        (BatchMode::Auto, "files") if is_made => whose::file(&config, request).await,
        (BatchMode::Auto, "batches") if is_made && family == Family::Anthropic => {
            whose::messages(&config, request).await
        }
        (BatchMode::Auto, "batches") if is_made => whose::batch(request).await,
        (BatchMode::Auto, "files" | "batches") => (false, request),
        // Answers and conversations may be any model's.
        (BatchMode::Auto, _) => (true, request),
    };
    Ok((!is_ours || (nobody_else && mode != BatchMode::Own), request))
}

/// Ids of ours hold a moment in a way that nobody else's do.
pub(super) fn is_ours(id: &str) -> bool {
    let hex = id.split_once(['_', '-']).map_or(id, |(_, hex)| hex);
    hex.len() == 32 && Uuid::try_parse(hex).is_ok_and(|id| id.get_version_num() == 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_whose_it_is() {
        let own = sabir_types::new_id().simple();
        for prefix in ["file-", "batch_", "msgbatch_", "resp_", "conv_"] {
            assert!(is_ours(&format!("{prefix}{own}")));
        }
        for other in ["file-abc123", "batch_6712ae5c1b848190b6a5ff3d8b1d0a73", "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d", "x"]
        {
            assert!(!is_ours(other), "{other}");
        }
    }
}
