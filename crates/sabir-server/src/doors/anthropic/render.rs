//! An answer as an Anthropic client reads it.
//!
//! Invariant: bytes that came from a provider of the same protocol go out as they are; everything
//! else is written by `sabir-wire`. No answer says anything about a key.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use sabir_engine::{Answer, Content, Facts, Failure, Frame};
use sabir_providers::HttpResponse;
use sabir_types::{Error, ErrorKind, Event, Protocol, Response as Neutral, Uuid, new_id};
use sabir_wire::anthropic::render::{self, EventWriter, Face};

use super::thread;
use crate::{
    app::App,
    doors::{
        events::{self, FrameWriter},
        shared::{json_response, pass_on, set, set_facts, set_failure, set_wait, shown, verbatim},
    },
    rate_limits::{self, Words},
};

/// The whole answer or the stream; `asked` is the model as the caller wrote it.
pub(super) fn answer(app: &App, answer: Answer, asked: String, endpoint: &'static str) -> Response {
    match answer {
        Answer::Whole { facts, content, summary } => {
            app.metrics().answered(endpoint, &facts, &summary);
            let mut response = match content {
                Content::Passed { status, body } => {
                    let kind = facts.headers.get(header::CONTENT_TYPE).cloned();
                    json_response(status, Body::from(body), kind)
                }
                Content::Neutral(neutral) => match *neutral {
                    Neutral::Chat(mut chat) => {
                        // What the ledger sums up is what the caller is shown: the cached answer costs nothing.
                        chat.usage.clone_from(&summary.usage);
                        let id = message_id(&facts, chat.id.as_deref());
                        let face = Face { id: &id, model: &asked, provider: Some(facts.provider_type) };
                        json_response(StatusCode::OK, Body::from(render::chat(&chat, face)), None)
                    }
                    _ => return error(&Error::internal("this door cannot write such an answer")),
                },
            };
            add_headers(response.headers_mut(), &facts);
            response
        }
        Answer::Stream { facts, frames } => {
            let mut head = HeaderMap::new();
            add_headers(&mut head, &facts);
            let writer = Writer { events: None, asked, app: app.clone(), endpoint, facts, failed: false };
            let mut response = events::respond(frames, writer);
            response.headers_mut().extend(head);
            response
        }
    }
}

/// The number of tokens, as the provider said it.
pub(super) fn counted(answer: HttpResponse) -> Response {
    let kind = answer.headers.get(header::CONTENT_TYPE).cloned();
    let mut response = json_response(answer.status, Body::from(answer.body), kind);
    let headers = response.headers_mut();
    pass_on(headers, &answer.headers, is_read);
    set(headers, "request-id", &request_id(&answer.headers, new_id()));
    response
}

/// The answer to a call that came to nothing.
pub(super) fn failure(failure: &Failure) -> Response {
    let own_words = verbatim(&failure.error, failure.protocol, Protocol::Anthropic);
    let id = request_id(&failure.headers, failure.inference_id);
    let mut response = own_words.unwrap_or_else(|| written(&failure.error, &id));
    let headers = response.headers_mut();
    pass_on(headers, &failure.headers, is_read);
    rate_limits::say(headers, &failure.headers, Words::Anthropic);
    set_failure(headers, failure);
    set(headers, "request-id", &id);
    response
}

/// The answer to a request that was not counted.
pub(super) fn refused(error: &Error) -> Response {
    let mut response =
        verbatim(error, Some(Protocol::Anthropic), Protocol::Anthropic).unwrap_or_else(|| self::error(error));
    set_wait(response.headers_mut(), error);
    response
}

/// An error in this door's shape.
pub fn error(error: &Error) -> Response {
    let id = own_request_id(new_id());
    let mut response = written(error, &id);
    set(response.headers_mut(), "request-id", &id);
    response
}

fn written(error: &Error, id: &str) -> Response {
    let (status, body) = render::error(&shown(error), Some(id));
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json_response(status, Body::from(body), None);
    let headers = response.headers_mut();
    if matches!(error.kind(), ErrorKind::QuotaExceeded | ErrorKind::NotImplemented) {
        // Clients would try again after an error that no waiting ends.
        set(headers, "x-should-retry", "false");
    }
    response
}

/// Turns frames into events.
struct Writer {
    /// The writer of an answer that is translated; made when the first events come.
    events: Option<EventWriter>,
    asked: String,
    app: App,
    endpoint: &'static str,
    facts: Box<Facts>,
    failed: bool,
}

impl Writer {
    fn events(&mut self, id: Option<&str>) -> &mut EventWriter {
        let Self { events, facts, asked, .. } = self;
        events.get_or_insert_with(|| {
            let id = message_id(facts, id);
            EventWriter::new(Face { id: &id, model: asked, provider: Some(facts.provider_type) })
        })
    }
}

impl FrameWriter for Writer {
    fn frame(&mut self, frame: Frame) -> Bytes {
        let mut out = Vec::new();
        match frame {
            Frame::Passed(bytes) => return bytes,
            Frame::Events(events) => {
                self.failed = false;
                let id = match events.first() {
                    Some(Event::Start { id, .. }) => id.as_deref(),
                    _ => None,
                };
                let writer = self.events(id);
                events.iter().for_each(|event| writer.write(event, &mut out));
            }
            Frame::Error(error) => {
                self.failed = true;
                let id = request_id(&self.facts.headers, self.facts.inference_id);
                self.events(None).error(&shown(&error), Some(&id), &mut out);
            }
            Frame::End(summary) => {
                self.app.metrics().answered(self.endpoint, &self.facts, &summary);
                if let Some(events) = self.events.as_mut().filter(|_| !self.failed) {
                    events.write(&Event::Usage(summary.usage), &mut out);
                    events.finish(&mut out);
                }
            }
        }
        out.into()
    }

    fn keep_alive(&self) -> &'static [u8] {
        b"event: ping\ndata: {\"type\": \"ping\"}\n\n"
    }
}

/// The message's id: the provider's if it is one of this protocol, else made of the inference's.
fn message_id(facts: &Facts, given: Option<&str>) -> String {
    match given {
        Some(id) if id.starts_with("msg_") => id.to_owned(),
        _ => thread::name(facts.inference_id),
    }
}

fn own_request_id(id: Uuid) -> String {
    format!("req_{}", id.simple())
}

fn add_headers(headers: &mut HeaderMap, facts: &Facts) {
    set_facts(headers, facts);
    pass_on(headers, &facts.headers, is_read);
    rate_limits::say(headers, &facts.headers, Words::Anthropic);
    set(headers, "request-id", &request_id(&facts.headers, facts.inference_id));
}

/// Rate limits and what else a client reads from the provider's headers.
fn is_read(name: &str) -> bool {
    name.starts_with("anthropic-ratelimit-")
        || matches!(name, "retry-after" | "retry-after-ms" | "x-should-retry" | "anthropic-organization-id")
}

/// The provider's id for the request if it is one of this protocol, else made of the inference's.
fn request_id(from: &HeaderMap, own: Uuid) -> String {
    match from.get("request-id").and_then(|id| id.to_str().ok()) {
        Some(id) => id.to_owned(),
        None => own_request_id(own),
    }
}
