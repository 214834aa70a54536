//! Images, audio, moderations and reranking: their routes and their answers.
//!
//! Invariant: an answer that came in the caller's protocol goes out as it is; one in our words is
//! written in the form that the request asks for.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::Request,
    response::Response,
    routing::{MethodRouter, post},
};
use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::{Body as HttpBody, Frame as BodyFrame};
use sabir_engine::{Answer, Content, Facts, Frame, FrameStream};
use sabir_types::{
    Error, Operation, Protocol, Request as NeutralRequest, Response as Neutral, Result, TranscribeRequest,
    TranscribeResponse,
};
use sabir_wire::{
    openai::{image, moderation, speech, transcript},
    rerank,
};

use super::{
    parse::{self, Ask, Way},
    render,
};
use crate::{
    app::App,
    doors::{
        events,
        shared::{json_response, now, set_failure, shown},
    },
};

/// The operations of this file, and their paths below a base.
const PATHS: [(Operation, &str); 7] = [
    (Operation::Image, "images/generations"),
    (Operation::ImageEdit, "images/edits"),
    (Operation::Speech, "audio/speech"),
    (Operation::Transcribe, "audio/transcriptions"),
    (Operation::Translate, "audio/translations"),
    (Operation::Moderate, "moderations"),
    (Operation::Rerank, "rerank"),
];

/// Its routes, to be mounted at the root.
pub(super) fn routes() -> Router<App> {
    let mut router = Router::new().route("/v2/rerank", at(Operation::Rerank, Protocol::Cohere));
    for (operation, path) in PATHS {
        for base in ["/v1", "/openai/v1"] {
            router = router.route(&format!("{base}/{path}"), at(operation, Protocol::OpenAi));
        }
        router = router.route(&format!("/openai/deployments/{{model}}/{path}"), deployed(operation));
    }
    router
}

fn at(operation: Operation, door: Protocol) -> MethodRouter<App> {
    post(move |State(app): State<App>, request: Request<Body>| {
        call(app, request, Way { operation, door, deployment: None })
    })
}

fn deployed(operation: Operation) -> MethodRouter<App> {
    post(move |State(app): State<App>, Path(model): Path<String>, request: Request<Body>| {
        call(app, request, Way { operation, door: Protocol::OpenAi, deployment: Some(model) })
    })
}

/// What metrics call it.
fn endpoint(operation: Operation) -> &'static str {
    match operation {
        Operation::Image => "image_generations",
        Operation::ImageEdit => "image_edits",
        Operation::Speech => "audio_speech",
        Operation::Transcribe => "audio_transcriptions",
        Operation::Translate => "audio_translations",
        Operation::Moderate => "moderations",
        other => other.as_str(),
    }
}

async fn call(app: App, request: Request<Body>, way: Way) -> Response {
    let (operation, door) = (way.operation, way.door);
    let endpoint = endpoint(operation);
    let (parts, body) = request.into_parts();
    let parsed = match parse::call(&app, &parts, body, way).await {
        Ok(parsed) => parsed,
        Err(error) => {
            app.metrics().failed(endpoint, error.kind());
            return refused(&error, door);
        }
    };
    let parse::Parsed { call, ask, reread } = parsed;
    match app.engine().run(call).await {
        Ok(answer) => self::answer(&app, answer, &ask, endpoint, door, move || reread.read()),
        Err(failure) if door == Protocol::Cohere => {
            app.metrics().failed(endpoint, failure.error.kind());
            let mut response = refused(&failure.error, door);
            set_failure(response.headers_mut(), &failure);
            response
        }
        Err(failure) => {
            app.metrics().failed(endpoint, failure.error.kind());
            render::failure(&failure, &ask)
        }
    }
}

/// An error in the door's shape.
fn refused(error: &Error, door: Protocol) -> Response {
    let mut response = render::error(error);
    if door == Protocol::Cohere {
        let id = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let body = rerank::error_cohere(&shown(error), id).to_string();
        // It has another length now.
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(body);
    }
    response
}

fn answer(
    app: &App,
    answer: Answer,
    ask: &Ask,
    endpoint: &'static str,
    door: Protocol,
    reread: impl FnOnce() -> Result<NeutralRequest>,
) -> Response {
    match answer {
        Answer::Whole { facts, content, summary } => {
            app.metrics().answered(endpoint, &facts, &summary);
            let mut response = match content {
                Content::Passed { status, body } => {
                    json_response(status, Body::from(body), facts.headers.get(header::CONTENT_TYPE).cloned())
                }
                Content::Neutral(neutral) => {
                    match reread().and_then(|req| written(&neutral, &req, &facts, ask, door)) {
                        Ok((kind, body)) => {
                            json_response(StatusCode::OK, Body::from(body), HeaderValue::try_from(kind).ok())
                        }
                        Err(error) => return refused(&error, door),
                    }
                }
            };
            render::add_headers(response.headers_mut(), &facts);
            response
        }
        Answer::Stream { facts, frames } => {
            let mut head = HeaderMap::new();
            render::add_headers(&mut head, &facts);
            let kind = facts.headers.get(header::CONTENT_TYPE).cloned();
            let is_events =
                kind.as_ref().and_then(|kind| kind.to_str().ok()).is_none_or(|kind| kind.contains("event-stream"));
            let mut response = if is_events {
                events::respond(frames, render::Writer::passing(app, ask, endpoint, facts))
            } else {
                let body = Sound { frames, app: app.clone(), endpoint, facts, over: false };
                json_response(StatusCode::OK, Body::new(body), kind)
            };
            response.headers_mut().extend(head);
            response
        }
    }
}

/// An answer in our words as the request wants it: its content type, and the bytes.
fn written(
    neutral: &Neutral,
    req: &NeutralRequest,
    facts: &Facts,
    ask: &Ask,
    door: Protocol,
) -> Result<(String, Vec<u8>)> {
    const EVENTS: &str = "text/event-stream";
    const OBJECT: &str = "application/json";
    let id = facts.inference_id;
    let created = now() as i64;
    let (kind, body) = match (neutral, req) {
        (Neutral::Image(answer), NeutralRequest::Image(req)) if req.stream => {
            (EVENTS, image::render_stream(answer, req.edit, created)?)
        }
        (Neutral::Image(answer), _) => (OBJECT, image::render(answer, created)?),
        (Neutral::Speech(answer), NeutralRequest::Speech(req)) if req.events => (EVENTS, speech::render_events(answer)),
        (Neutral::Speech(answer), _) => (answer.mime.as_str(), speech::render(answer)?),
        (Neutral::Transcribe(answer), NeutralRequest::Transcribe(req)) => said(answer, req)?,
        (Neutral::Moderate(answer), _) => {
            (OBJECT, moderation::render(answer, &format!("modr-{}", id.simple()), &ask.model)?)
        }
        (Neutral::Rerank(answer), _) if door == Protocol::Cohere => {
            (OBJECT, rerank::render_cohere(answer, &id.to_string())?)
        }
        (Neutral::Rerank(answer), _) => (OBJECT, rerank::render(answer, &id.to_string(), &ask.model)?),
        _ => return Err(Error::internal("this door cannot write such an answer")),
    };
    Ok((kind.to_owned(), body))
}

fn said(answer: &TranscribeResponse, req: &TranscribeRequest) -> Result<(&'static str, Vec<u8>)> {
    if req.stream {
        return Ok(("text/event-stream", transcript::render_stream(answer)));
    }
    transcript::render(answer, req.format.unwrap_or_default(), req.translate)
}

/// A sound on its way. Nothing can be said in the middle of it, so an error breaks it off.
struct Sound {
    frames: FrameStream,
    app: App,
    endpoint: &'static str,
    facts: Box<Facts>,
    over: bool,
}

impl HttpBody for Sound {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        while !this.over {
            match std::task::ready!(Pin::new(&mut this.frames).poll_next(cx)) {
                Some(Frame::Passed(bytes)) if bytes.is_empty() => {}
                Some(Frame::Passed(bytes)) => return Poll::Ready(Some(Ok(BodyFrame::data(bytes)))),
                Some(Frame::Events(_)) => {}
                Some(Frame::Error(error)) => {
                    this.over = true;
                    tracing::debug!(%error, "a sound broke off");
                    this.app.metrics().failed(this.endpoint, error.kind());
                    return Poll::Ready(Some(Err(std::io::Error::other(error))));
                }
                Some(Frame::End(summary)) => {
                    this.over = true;
                    this.app.metrics().answered(this.endpoint, &this.facts, &summary);
                }
                None => this.over = true,
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.over
    }
}
