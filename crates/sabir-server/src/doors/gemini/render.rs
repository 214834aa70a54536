//! An answer as a client of Google's reads it.
//!
//! Invariant: bytes that came from a provider of the same protocol go out as they are; everything
//! else is written by `sabir-wire`. No answer says anything about a key.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use sabir_engine::{Answer, Content, Facts, Failure, Frame, Summary};
use sabir_providers::HttpResponse;
use sabir_types::{Error, Event, Protocol, Response as Neutral, Result};
use sabir_wire::gemini::{
    embed,
    render::{self, EventWriter},
};

use super::{Method, array::Array, parse::Ask};
use crate::{
    app::App,
    doors::{
        events::{self, FrameWriter},
        shared::{json_response, pass_on, set_facts, set_failure, set_wait, shown, verbatim},
    },
    rate_limits::{self, Words},
};

/// The whole answer or the stream.
pub(super) fn answer(app: &App, answer: Answer, ask: Ask) -> Response {
    match answer {
        Answer::Whole { facts, content, summary } => {
            app.metrics().answered(ask.method.endpoint(), &facts, &summary);
            let mut response = match content {
                Content::Passed { status, body } => {
                    let kind = facts.headers.get(header::CONTENT_TYPE).cloned();
                    json_response(status, Body::from(body), kind)
                }
                Content::Neutral(neutral) => match whole(*neutral, &facts, &summary, &ask) {
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
            let array = (!ask.sse).then(Array::default);
            let writer = Writer { events: None, array, ask, app: app.clone(), facts, failed: false };
            let mut response = events::respond(frames, writer);
            response.headers_mut().extend(head);
            response
        }
    }
}

fn whole(neutral: Neutral, facts: &Facts, summary: &Summary, ask: &Ask) -> Result<Vec<u8>> {
    match neutral {
        Neutral::Chat(mut chat) => {
            // What the ledger sums up is what the caller is shown: the cached answer costs nothing.
            chat.usage.clone_from(&summary.usage);
            if chat.model.is_empty() {
                chat.model.clone_from(&ask.model);
            }
            chat.id.get_or_insert_with(|| facts.inference_id.to_string());
            Ok(render::chat(&chat))
        }
        Neutral::Embed(answer) => embed::render(&answer, ask.method == Method::EmbedBatch),
        _ => Err(Error::internal("this door cannot write such an answer")),
    }
}

/// The number of tokens, as the provider said it.
pub(super) fn counted(answer: HttpResponse) -> Response {
    let kind = answer.headers.get(header::CONTENT_TYPE).cloned();
    json_response(answer.status, Body::from(answer.body), kind)
}

/// The answer to a call that came to nothing.
pub(super) fn failure(failure: &Failure) -> Response {
    let own_words = verbatim(&failure.error, failure.protocol, Protocol::Gemini);
    let mut response = own_words.unwrap_or_else(|| self::error(&failure.error));
    let headers = response.headers_mut();
    pass_on(headers, &failure.headers, is_read);
    rate_limits::say(headers, &failure.headers, Words::OpenAi);
    set_failure(headers, failure);
    response
}

/// The answer to a request that was not counted.
pub(super) fn refused(error: &Error) -> Response {
    verbatim(error, Some(Protocol::Gemini), Protocol::Gemini).unwrap_or_else(|| self::error(error))
}

/// An error in this door's shape.
pub fn error(error: &Error) -> Response {
    let (status, body) = render::error(&shown(error));
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json_response(status, Body::from(body), None);
    set_wait(response.headers_mut(), error);
    response
}

/// Turns frames into events, or into the elements of an array.
struct Writer {
    /// The writer of an answer that is translated; made when the first events come.
    events: Option<EventWriter>,
    array: Option<Array>,
    ask: Ask,
    app: App,
    facts: Box<Facts>,
    failed: bool,
}

impl Writer {
    fn events(&mut self) -> &mut EventWriter {
        let provider = self.facts.provider_type;
        self.events.get_or_insert_with(|| EventWriter::new(Some(provider)))
    }

    /// The bytes as this caller wants them.
    fn shaped(&mut self, bytes: Bytes, ends: bool) -> Bytes {
        let Some(array) = &mut self.array else { return bytes };
        let mut out = Vec::with_capacity(bytes.len());
        if let Err(error) = array.feed(&bytes, &mut out) {
            tracing::debug!(%error, "an event of a stream could not be framed");
        }
        if ends {
            array.finish(&mut out);
        }
        out.into()
    }
}

impl FrameWriter for Writer {
    fn frame(&mut self, frame: Frame) -> Bytes {
        let mut out = Vec::new();
        let mut ends = false;
        match frame {
            Frame::Passed(bytes) => return self.shaped(bytes, false),
            Frame::Events(mut events) => {
                self.failed = false;
                for event in &mut events {
                    if let Event::Start { id, model, .. } = event {
                        id.get_or_insert_with(|| self.facts.inference_id.to_string());
                        if model.is_empty() {
                            model.clone_from(&self.ask.model);
                        }
                    }
                }
                let writer = self.events();
                events.iter().for_each(|event| writer.push(event, &mut out));
            }
            Frame::Error(error) => {
                self.failed = true;
                self.events().error(&shown(&error), &mut out);
            }
            Frame::End(summary) => {
                self.app.metrics().answered(self.ask.method.endpoint(), &self.facts, &summary);
                ends = true;
                if let Some(events) = self.events.as_mut().filter(|_| !self.failed) {
                    // What the ledger sums up is what the caller is shown.
                    events.push(&Event::Usage(summary.usage), &mut out);
                    events.finish(&mut out);
                }
            }
        }
        self.shaped(out.into(), ends)
    }

    fn keep_alive(&self) -> &'static [u8] {
        // Between the elements of an array only white space may stand.
        if self.array.is_some() { b"\n" } else { b": keep-alive\n\n" }
    }

    fn content_type(&self) -> &'static str {
        if self.array.is_some() { "application/json" } else { "text/event-stream" }
    }
}

fn add_headers(headers: &mut HeaderMap, facts: &Facts) {
    set_facts(headers, facts);
    pass_on(headers, &facts.headers, is_read);
    rate_limits::say(headers, &facts.headers, Words::OpenAi);
}

/// What a client reads from the provider's headers.
fn is_read(name: &str) -> bool {
    matches!(name, "retry-after" | "server-timing")
}
