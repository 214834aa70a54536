//! An answer as a client of the Responses API reads it.
//!
//! Invariant: bytes that came from a provider of the same protocol go out as they are; everything
//! else is written by `sabir-wire`, under an id that stands for the inference. No answer says
//! anything about a key.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use sabir_engine::{Answer, Content, Facts, Failure, Frame};
use sabir_types::{Error, Protocol, Response as Neutral};
use sabir_wire::responses::render::{self, EventWriter};

use super::{ENDPOINT, kept, parse::Ask};
use crate::{
    app::App,
    doors::{
        events::{self, FrameWriter},
        openai,
        shared::{json_response, now, shown},
    },
};

/// The whole answer or the stream.
pub(super) fn answer(app: &App, answer: Answer, ask: Ask) -> Response {
    match answer {
        Answer::Whole { facts, content, summary } => {
            app.metrics().answered(ENDPOINT, &facts, &summary);
            let mut response = match content {
                Content::Passed { status, body } => {
                    let kind = facts.headers.get(header::CONTENT_TYPE).cloned();
                    json_response(status, Body::from(body), kind)
                }
                Content::Neutral(neutral) => match *neutral {
                    Neutral::Chat(mut chat) => {
                        // What the ledger sums up is what the caller is shown: the cached answer costs nothing.
                        chat.usage.clone_from(&summary.usage);
                        let written = render::response(&chat, &frame(&facts, &ask, chat.created));
                        json_response(StatusCode::OK, Body::from(written.to_string()), None)
                    }
                    _ => return error(&Error::internal("this door cannot write such an answer")),
                },
            };
            openai::add_headers(response.headers_mut(), &facts);
            response
        }
        Answer::Stream { facts, frames } => {
            let mut head = HeaderMap::new();
            openai::add_headers(&mut head, &facts);
            let writer = Writer::new(app, facts, ask);
            let mut response = events::respond(frames, writer);
            response.headers_mut().extend(head);
            response
        }
    }
}

/// The answer to a call that came to nothing.
pub(super) fn failure(failure: &Failure) -> Response {
    openai::failure_response(failure, Some(Protocol::Responses))
}

/// An error in this door's shape.
pub(super) fn error(error: &Error) -> Response {
    openai::error_response(error)
}

fn frame(facts: &Facts, ask: &Ask, created: Option<i64>) -> render::Frame {
    render::Frame {
        id: ask.id.clone().unwrap_or_else(|| kept::name(facts.inference_id)),
        created: created.unwrap_or_else(|| now() as i64),
        model: ask.model.clone(),
        maker: Some(facts.provider_type.to_owned()),
        echo: ask.echo(),
    }
}

/// Turns frames into events.
pub(super) struct Writer {
    /// The writer of an answer that is translated; made when the first events come.
    events: Option<EventWriter>,
    ask: Ask,
    app: App,
    facts: Box<Facts>,
    /// The provider's own bytes went out.
    passed: bool,
    failed: bool,
}

impl Writer {
    /// A writer for the answer to this.
    pub(super) fn new(app: &App, facts: Box<Facts>, ask: Ask) -> Self {
        Self { events: None, ask, app: app.clone(), facts, passed: false, failed: false }
    }

    fn events(&mut self) -> &mut EventWriter {
        let Self { events, facts, ask, .. } = self;
        events.get_or_insert_with(|| EventWriter::new(frame(facts, ask, None)))
    }
}

impl FrameWriter for Writer {
    fn frame(&mut self, frame: Frame) -> Bytes {
        let mut out = Vec::new();
        match frame {
            Frame::Passed(bytes) => {
                self.passed = true;
                return bytes;
            }
            // In this protocol nothing follows an answer that failed.
            Frame::Events(_) | Frame::Error(_) if self.failed => {}
            Frame::Events(events) => self.events().events(&events, &mut out),
            Frame::Error(error) => {
                self.failed = true;
                if self.passed {
                    render::error_event(&shown(&error), &mut out);
                } else {
                    self.events().error(&shown(&error), &mut out);
                }
            }
            Frame::End(summary) => {
                self.app.metrics().answered(ENDPOINT, &self.facts, &summary);
                if let Some(events) = self.events.as_mut().filter(|_| !self.failed) {
                    events.end(&summary.usage, &mut out);
                }
            }
        }
        out.into()
    }
}
