//! An answer as an OpenAI client reads it.
//!
//! Invariant: bytes that came from a provider of the same protocol go out as they are; everything
//! else is written by `sabir-wire`. No answer says anything about a key.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header};
use sabir_engine::{Answer, Content, Facts, Failure, Frame, Summary, call::RawCall};
use sabir_types::{Error, ErrorKind, Map, Protocol, Response as Neutral, Value, new_id};
use sabir_wire::openai::{embed, render};
use serde_json::json;

use super::parse::{Ask, Extended};
use crate::{
    app::App,
    doors::{
        events::{self, FrameWriter},
        shared::{json_response, now, pass_on, set, set_facts, set_failure, shown, verbatim},
    },
    rate_limits::{self, Words},
};

/// The whole answer or the stream.
pub(super) fn answer(app: &App, answer: Answer, ask: Ask, endpoint: &'static str) -> Response {
    match answer {
        Answer::Whole { facts, content, summary } => {
            app.metrics().answered(endpoint, &facts, &summary);
            let mut response = match content {
                Content::Passed { status, body } => {
                    let kind = facts.headers.get(header::CONTENT_TYPE).cloned();
                    json_response(status, Body::from(body), kind)
                }
                Content::Neutral(neutral) => match whole(&neutral, &facts, &summary, &ask) {
                    Ok(body) => json_response(StatusCode::OK, Body::from(body), None),
                    Err(error) => return self::error(&error),
                },
            };
            add_headers(response.headers_mut(), &facts);
            response
        }
        Answer::Stream { facts, frames } => {
            let mut head = HeaderMap::new();
            add_headers(&mut head, &facts);
            let writer = Writer { chunks: None, ask, app: app.clone(), endpoint, facts, failed: false };
            let mut response = events::respond(frames, writer);
            response.headers_mut().extend(head);
            response
        }
    }
}

fn whole(neutral: &Neutral, facts: &Facts, summary: &Summary, ask: &Ask) -> Result<Vec<u8>, Error> {
    match neutral {
        Neutral::Chat(chat) => {
            let mut frame = frame(facts, ask, chat.id.as_deref(), chat.created);
            if let Some(extended) = ask.extended {
                extend(&mut frame.extra, extended, summary);
            }
            // Members beside the usual ones are for clients of the protocol that they are of.
            let of = sabir_providers::find(facts.provider_type).map(|provider| provider.spec().protocol);
            if of == Some(Protocol::OpenAi) {
                for (name, value) in &chat.rest {
                    frame.extra.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
            // What the ledger sums up is what the caller is shown: the cached answer costs nothing.
            let shown = sabir_types::ChatResponse { usage: summary.usage.clone(), ..(**chat).clone() };
            let mut body = render::chat(&shown, &frame);
            if ask.extended.is_some() {
                body = with_cost(body, summary)?;
            }
            Ok(body)
        }
        Neutral::Embed(answer) => embed::render(answer, ask.format, &ask.model),
        _ => Err(Error::internal("this door cannot write such an answer")),
    }
}

fn frame(facts: &Facts, ask: &Ask, id: Option<&str>, created: Option<i64>) -> render::Frame {
    let mut extra = Map::new();
    let mut id = id.map_or_else(|| format!("chatcmpl-{}", facts.inference_id), str::to_owned);
    if ask.extended.is_some() {
        id = facts.inference_id.to_string();
        extra.insert("episode_id".into(), facts.episode_id.to_string().into());
        extra.insert("system_fingerprint".into(), "".into());
        extra.insert("service_tier".into(), Value::Null);
    }
    let model = ask.model.clone();
    let created = created.unwrap_or_else(|| now() as i64);
    let maker = Some(facts.provider_type.to_owned());
    render::Frame { id, created, model, legacy_functions: ask.legacy_functions, maker, extra }
}

/// Adds what a caller of TensorZero's dialect asked to see.
fn extend(extra: &mut Map<String, Value>, wanted: Extended, summary: &Summary) {
    let entry = |call: &RawCall, data: Value| {
        json!({
            "model_inference_id": call.id.to_string(),
            "provider_type": call.provider_type,
            "api_type": call.api_type,
            "data": data,
        })
    };
    if wanted.raw_usage {
        let list: Vec<Value> =
            summary.calls.iter().filter_map(|call| Some(entry(call, call.raw_usage.clone()?))).collect();
        extra.insert("tensorzero_raw_usage".into(), list.into());
    }
    if wanted.raw_response {
        let list: Vec<Value> =
            summary.calls.iter().map(|call| entry(call, call.raw_response.as_str().into())).collect();
        extra.insert("tensorzero_raw_response".into(), list.into());
    }
    if wanted.original_response
        && let Some(last) = summary.calls.last()
    {
        extra.insert("tensorzero_original_response".into(), last.raw_response.as_str().into());
    }
}

fn with_cost(body: Vec<u8>, summary: &Summary) -> Result<Vec<u8>, Error> {
    let unreadable = |e| Error::internal("an answer could not be written").with_source(e);
    let mut value: Value = serde_json::from_slice(&body).map_err(unreadable)?;
    value["usage"]["tensorzero_cost"] = json!(summary.cost);
    serde_json::to_vec(&value).map_err(unreadable)
}

/// Writes a stream's frames.
pub(super) struct Writer {
    /// The writer of an answer that is translated; made when the first events come.
    chunks: Option<render::ChunkWriter>,
    ask: Ask,
    app: App,
    endpoint: &'static str,
    facts: Box<Facts>,
    failed: bool,
}

impl Writer {
    /// One for a stream that goes through as it is.
    pub(super) fn passing(app: &App, ask: &Ask, endpoint: &'static str, facts: Box<Facts>) -> Self {
        Self { chunks: None, ask: ask.clone(), app: app.clone(), endpoint, facts, failed: false }
    }

    fn chunks(&mut self, id: Option<&str>, created: Option<i64>) -> &mut render::ChunkWriter {
        let Self { chunks, facts, ask, .. } = self;
        chunks.get_or_insert_with(|| render::ChunkWriter::new(frame(facts, ask, id, created), ask.usage_wanted))
    }
}

impl FrameWriter for Writer {
    fn frame(&mut self, frame: Frame) -> Bytes {
        match frame {
            Frame::Passed(bytes) => bytes,
            Frame::Events(events) => {
                self.failed = false;
                let mut out = Vec::with_capacity(256 * events.len());
                if self.chunks.is_none()
                    && let Some(sabir_types::Event::Start { id, created, .. }) = events.first()
                {
                    self.chunks(id.as_deref(), *created);
                }
                self.chunks(None, None).events(&events, &mut out);
                out.into()
            }
            Frame::Error(error) => {
                self.failed = true;
                let mut out = Vec::new();
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(render::error(&error).to_string().as_bytes());
                out.extend_from_slice(b"\n\n");
                out.into()
            }
            Frame::End(summary) => {
                self.app.metrics().answered(self.endpoint, &self.facts, &summary);
                let failed = self.failed;
                let mut out = Vec::new();
                if let Some(chunks) = &mut self.chunks
                    && !failed
                {
                    chunks.end(&summary.usage, &mut out);
                }
                out.into()
            }
        }
    }
}

/// The answer to a call that came to nothing.
pub(super) fn failure(failure: &Failure, ask: &Ask) -> Response {
    self::failure_response(failure, ask.extended.is_none().then_some(Protocol::OpenAi))
}

/// The answer to a call that came to nothing, in the provider's own words if it speaks `door`.
pub fn failure_response(failure: &Failure, door: Option<Protocol>) -> Response {
    let error = &failure.error;
    let own_words = door.and_then(|door| verbatim(error, failure.protocol, door));
    let mut response = own_words.unwrap_or_else(|| self::error(error));
    let headers = response.headers_mut();
    pass_on(headers, &failure.headers, is_read);
    rate_limits::say(headers, &failure.headers, Words::OpenAi);
    set_failure(headers, failure);
    request_id(headers, &failure.headers, &failure.inference_id.to_string());
    response
}

/// An error in this door's shape.
pub fn error(error: &Error) -> Response {
    let mut response = json_response(status(error), Body::from(render::error(&shown(error)).to_string()), None);
    give_request_id(&mut response);
    if error.kind() == ErrorKind::Authentication && error.upstream().is_none() {
        set(response.headers_mut(), "www-authenticate", "Bearer");
    }
    if matches!(error.kind(), ErrorKind::QuotaExceeded) {
        // Clients would try again after a 429 that no waiting ends.
        set(response.headers_mut(), "x-should-retry", "false");
    }
    response
}

/// This door's status for each kind.
fn status(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::BadRequest | ErrorKind::ContextLength | ErrorKind::ContentFilter | ErrorKind::Unsupported => {
            StatusCode::BAD_REQUEST
        }
        ErrorKind::Authentication => StatusCode::UNAUTHORIZED,
        ErrorKind::Permission => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::RateLimited | ErrorKind::QuotaExceeded => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Timeout if error.upstream().is_some() => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Timeout => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::Upstream | ErrorKind::BadUpstream | ErrorKind::Connection => StatusCode::BAD_GATEWAY,
        ErrorKind::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What the gateway and the provider say about an answer.
pub fn add_headers(headers: &mut HeaderMap, facts: &Facts) {
    set_facts(headers, facts);
    pass_on(headers, &facts.headers, is_read);
    rate_limits::say(headers, &facts.headers, Words::OpenAi);
    request_id(headers, &facts.headers, &facts.inference_id.to_string());
}

/// Rate limits and what else a client reads from the provider's headers.
fn is_read(name: &str) -> bool {
    name.starts_with("x-ratelimit-")
        || matches!(
            name,
            "retry-after" | "retry-after-ms" | "x-should-retry" | "openai-processing-ms" | "openai-version"
        )
}

fn request_id(headers: &mut HeaderMap, from: &HeaderMap, own: &str) {
    match from.get("x-request-id") {
        Some(id) => {
            headers.insert(HeaderName::from_static("x-request-id"), id.clone());
        }
        None => set(headers, "x-request-id", own),
    }
}

/// An id for an answer that no call stands behind: clients show it whatever they got.
pub(super) fn give_request_id(response: &mut Response) {
    set(response.headers_mut(), "x-request-id", &new_id().to_string());
}
