//! Paths of a provider's API that no door knows: handed to the engine as they came.
//!
//! Invariant: nothing of a request is read here but its head; a path that could climb out of a
//! provider's address is refused.

use std::time::Instant;

use axum::{body::Body, http::Request, response::Response};
use futures_util::TryStreamExt;
use http::{HeaderMap, header, request::Parts};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sabir_engine::{
    CallOptions, Failure, Relay, RelayBody, RelayTo, Relayed, Summary,
    config::Family,
    relay::{self, Connection, KEY_PROTOCOL},
};
use sabir_types::{Error, Result, new_id};

use super::{
    anthropic, gemini, openai,
    shared::{from_headers, query, set_facts, set_failure, shown},
};
use crate::{app::App, gate, serve::Conversations};

/// The name of the endpoint in metrics.
const ENDPOINT: &str = "relay";
/// The same for WebSockets.
const REALTIME: &str = "realtime";

/// Whose API a path belongs to, and which part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) family: Family,
    /// Below the API's version; Google's with it.
    path: String,
    /// The deployment that stands in the path (Azure's).
    deployment: Option<String>,
}

impl Way {
    /// The way of a request; `None` if no provider has such paths.
    pub(super) fn of(path: &str, headers: &HeaderMap) -> Option<Self> {
        let says = |name: &str| headers.contains_key(name);
        let way =
            |family, path: &str| (!path.is_empty()).then(|| Self { family, path: path.to_owned(), deployment: None });
        if let Some(rest) = path.strip_prefix("/gemini/") {
            return way(Family::Gemini, rest);
        }
        if let Some(rest) = path.strip_prefix("/anthropic/v1/") {
            return way(Family::Anthropic, rest);
        }
        if let Some(rest) = path.strip_prefix("/openai/deployments/") {
            let (deployment, rest) = rest.split_once('/')?;
            let way = way(Family::OpenAi, rest)?;
            return Some(Self { deployment: Some(deployment.to_owned()), ..way });
        }
        if let Some(rest) = path.strip_prefix("/openai/v1/").or_else(|| path.strip_prefix("/openai/")) {
            return way(Family::OpenAi, rest);
        }
        let below = path.strip_prefix('/')?;
        if ["v1beta/", "v1alpha/", "upload/v1"].iter().any(|version| below.starts_with(version)) {
            return way(Family::Gemini, below);
        }
        let rest = below.strip_prefix("v1/")?;
        if says("anthropic-version") || rest.starts_with("messages") {
            return way(Family::Anthropic, rest);
        }
        if says("x-goog-api-key") { way(Family::Gemini, below) } else { way(Family::OpenAi, rest) }
    }
}

/// An error in the words of a family's door.
pub(super) fn shaped(family: Family, error: &Error) -> Response {
    match family {
        Family::OpenAi => openai::error_response(error),
        Family::Anthropic => anthropic::error_response(error),
        Family::Gemini => gemini::error_response(error),
    }
}

/// Whether a request may have somewhere to go: the family's provider, or one that its body names.
pub(super) fn may_go(app: &App, request: &Request<Body>, family: Family) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let may_name = kind.contains("json") || request.uri().path().contains("/deployments/");
    let is_empty = request.body().size_hint().exact() == Some(0);
    let is_open = app.engine().config().pass_through.is_open(family);
    is_open || (may_name && !is_empty) || is_websocket(request.headers())
}

/// Relays a request.
pub(super) async fn relay(app: &App, request: Request<Body>, way: Way) -> Response {
    let family = way.family;
    let (mut parts, body) = request.into_parts();
    let upgrade = parts.extensions.remove::<OnUpgrade>().filter(|_| is_websocket(&parts.headers));
    let relay = match read(app, &parts, way) {
        Ok(relay) => relay,
        Err(error) => {
            app.metrics().failed(ENDPOINT, error.kind());
            return shaped(family, &error);
        }
    };
    if let Some(upgrade) = upgrade {
        let conversations = parts.extensions.remove::<Conversations>().unwrap_or_default();
        return converse(app, relay, upgrade, &conversations).await;
    }
    let length = body.size_hint().exact();
    let broken = |error: axum::Error| Error::bad_request("the request's body broke off").with_source(error);
    let body = RelayBody::streamed(body.into_data_stream().map_err(broken), length);
    match app.engine().relay(relay, body).await {
        Ok(relayed) => {
            app.metrics().answered(ENDPOINT, &relayed.facts, &Summary::default());
            answer(relayed)
        }
        Err(failure) => failed(app, family, ENDPOINT, &failure),
    }
}

fn failed(app: &App, family: Family, endpoint: &'static str, failure: &Failure) -> Response {
    app.metrics().failed(endpoint, failure.error.kind());
    let mut response = shaped(family, &shown(&failure.error));
    set_failure(response.headers_mut(), failure);
    response
}

/// Whether a request asks for a WebSocket.
pub(super) fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Opens a WebSocket and joins its two sides.
async fn converse(app: &App, relay: Relay, upgrade: OnUpgrade, conversations: &Conversations) -> Response {
    let family = relay.family;
    match app.engine().connect(relay).await {
        Ok(Connection::Open(relayed, tunnel)) => {
            app.metrics().answered(REALTIME, &relayed.facts, &Summary::default());
            conversations.spawn(|stop| async move {
                match upgrade.await {
                    Ok(caller) => tunnel.join(TokioIo::new(caller), stop).await,
                    Err(error) => tracing::debug!(%error, "a caller left before the conversation began"),
                }
            });
            answer(*relayed)
        }
        Ok(Connection::Refused(relayed)) => {
            app.metrics().answered(REALTIME, &relayed.facts, &Summary::default());
            answer(*relayed)
        }
        Err(failure) => failed(app, family, REALTIME, &failure),
    }
}

/// The key that a browser brings as a subprotocol, since it cannot send headers.
fn key_of_protocol(headers: &HeaderMap) -> Option<String> {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter().filter_map(|value| value.to_str().ok());
    let mut names = offered.flat_map(|value| value.split(',')).map(str::trim);
    names.find_map(|name| name.strip_prefix(KEY_PROTOCOL)).map(str::to_owned)
}

fn read(app: &App, parts: &Parts, way: Way) -> Result<Relay> {
    let started = Instant::now();
    let asked = parts.uri.query().unwrap_or_default();
    let elsewhere = match way.family {
        Family::Gemini => query(asked, "key"),
        _ => key_of_protocol(&parts.headers),
    };
    let caller = gate::admit_with(app, &parts.headers, elsewhere.as_deref())?;
    let mut options = CallOptions::default();
    let mut episode_id = None;
    from_headers(&parts.headers, &mut options, &mut episode_id)?;
    if climbs(&way.path) {
        return Err(Error::bad_request(format!("the path `{}` holds a step up or none", parts.uri.path())));
    }
    let deployment = way.deployment;
    // A WebSocket has no body that could name a model.
    let in_query = || query(asked, "model").or_else(|| query(asked, "deployment"));
    let in_query = is_websocket(&parts.headers).then(in_query).flatten();
    Ok(Relay {
        id: new_id(),
        episode_id: episode_id.unwrap_or_else(new_id),
        started,
        family: way.family,
        method: parts.method.clone(),
        path: way.path,
        query: parts.uri.query().map(str::to_owned),
        model: deployment.as_deref().map(relay::decoded).or(in_query),
        deployment,
        asked: parts.uri.path().to_owned(),
        headers: parts.headers.clone(),
        to: RelayTo::Named,
        caller,
        tags: options.tags,
    })
}

/// Whether a path has steps that a server might take for others.
fn climbs(path: &str) -> bool {
    path.split('/').any(|step| matches!(relay::decoded(step).as_str(), "." | ".."))
}

/// What a provider answered, for its caller.
pub(super) fn answer(relayed: Relayed) -> Response {
    let Relayed { status, facts, mut body } = relayed;
    let has_length = facts.headers.contains_key(header::CONTENT_LENGTH);
    let whole = body.take_whole();
    let body = match whole {
        // The head of an answer without a body may tell a length that is not its own.
        Some(whole) if whole.is_empty() && has_length => Body::empty(),
        Some(whole) => Body::from(whole),
        None => Body::from_stream(body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = facts.headers.clone();
    set_facts(response.headers_mut(), &facts);
    response
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn way(path: &str, header: Option<&'static str>) -> Option<(Family, String, Option<String>)> {
        let headers = header.into_iter().map(|name| (name.parse().unwrap(), HeaderValue::from_static("x"))).collect();
        Way::of(path, &headers).map(|way| (way.family, way.path, way.deployment))
    }

    #[test]
    fn every_path_has_its_family() {
        for (path, header, family, rest) in [
            ("/v1/files/a%2Fb", None, Family::OpenAi, "files/a%2Fb"),
            ("/openai/v1/batches", None, Family::OpenAi, "batches"),
            ("/openai/files", None, Family::OpenAi, "files"),
            ("/v1/files", Some("anthropic-version"), Family::Anthropic, "files"),
            ("/v1/messages/batches/b/results", None, Family::Anthropic, "messages/batches/b/results"),
            ("/anthropic/v1/skills", None, Family::Anthropic, "skills"),
            ("/gemini/v1beta/cachedContents", None, Family::Gemini, "v1beta/cachedContents"),
            ("/gemini/upload/v1beta/files", None, Family::Gemini, "upload/v1beta/files"),
            ("/upload/v1beta/files", None, Family::Gemini, "upload/v1beta/files"),
            ("/v1beta/operations/o", None, Family::Gemini, "v1beta/operations/o"),
            ("/v1/operations/o", Some("x-goog-api-key"), Family::Gemini, "v1/operations/o"),
        ] {
            assert_eq!(way(path, header), Some((family, rest.to_owned(), None)), "{path}");
        }
        let deployed = Some((Family::OpenAi, "audio/speech".to_owned(), Some("my%20tts".to_owned())));
        assert_eq!(way("/openai/deployments/my%20tts/audio/speech", None), deployed);
        assert!(
            ["/", "/v1/", "/inference", "/v2/x", "/openai/deployments/d"].iter().all(|path| way(path, None).is_none())
        );
    }

    #[test]
    fn a_step_up_is_seen_however_it_is_written() {
        assert!(["../x", "a/%2e%2E/b", "a/.", "%2e"].iter().all(|path| climbs(path)));
        assert!(["a..b/...", "a%2F..b", ""].iter().all(|path| !climbs(path)));
    }
}
