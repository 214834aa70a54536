//! `POST /inference`
//!
//! Invariant: a call names a model; functions, and what hangs on them, are refused by name.

use std::time::Instant;

use axum::{
    body::Body,
    extract::State,
    http::{Request, request::Parts},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use sabir_engine::{Answer, Call, Content, Facts, Frame, Source, Summary};
use sabir_types::{Error, ErrorKind, Map, Operation, Protocol, Result, Value, new_id};
use sabir_wire::tensorzero::{
    parse,
    render::{self as words, Ids},
};

use super::render::{self, Raw};
use crate::{
    app::App,
    doors::{
        events::{self, FrameWriter},
        extension::Reader,
        shared::now,
    },
    gate,
};

const ENDPOINT: &str = "inference";
/// How the path of a member is written here: as it is.
pub(super) const READER: Reader<'static> = Reader { prefix: "" };

/// What the answer has to look like.
#[derive(Clone, Default)]
struct Ask {
    raw: Raw,
    aggregated: bool,
    tools: Vec<String>,
    unknown: Vec<String>,
}

pub(super) async fn handle(State(app): State<App>, request: Request<Body>) -> Response {
    let error_json = app.engine().config().gateway.error_json;
    let (parts, body) = request.into_parts();
    let (call, ask) = match prepare(&app, &parts, body).await {
        Ok(prepared) => prepared,
        Err(error) => {
            app.metrics().failed(ENDPOINT, error.kind());
            return render::error(&error, error_json);
        }
    };
    match app.engine().run(call).await {
        Ok(Answer::Whole { facts, content, summary }) => {
            app.metrics().answered(ENDPOINT, &facts, &summary);
            whole(&facts, &content, &summary, &ask).unwrap_or_else(|error| render::error(&error, error_json))
        }
        Ok(Answer::Stream { facts, frames }) => {
            let head = facts.clone();
            let chunks = words::ChunkWriter::new(ids(&facts, &ask));
            let unknown = ask.unknown.clone();
            let mut response = events::respond(frames, Writer { chunks, ask, app, facts, error_json });
            headers(&mut response, &head, &unknown);
            response
        }
        Err(failure) => {
            app.metrics().failed(ENDPOINT, failure.error.kind());
            render::failure(&failure, ask.raw, error_json)
        }
    }
}

async fn prepare(app: &App, parts: &Parts, body: Body) -> Result<(Call, Ask)> {
    let started = Instant::now();
    let caller = gate::admit(app, &parts.headers)?;
    let body = gate::read(app, &parts.headers, body).await?;
    let mut it = parse::call(&body)?;
    let members = std::mem::take(&mut it.rest);
    let asked = target(app, &it)?;
    READER.refuse_later(&members, &["include_aggregated_response"])?;
    let aggregated = READER.flag(&members, "include_aggregated_response")?;
    if aggregated && !it.request.stream {
        let message = "include_aggregated_response: needs `stream: true`";
        return Err(Error::bad_request(message).with_param("include_aggregated_response"));
    }
    let mut options = READER.options(&members)?;
    options.include_answer = aggregated;
    let model = asked.strip_prefix("tensorzero::model_name::").unwrap_or(&asked).to_owned();
    let episode_id = READER.episode(&members, now())?.unwrap_or_else(new_id);
    let ask = Ask {
        raw: Raw {
            usage: READER.flag(&members, "include_raw_usage")?,
            response: READER.flag(&members, "include_raw_response")?,
            original: READER.flag(&members, "include_original_response")?,
        },
        aggregated,
        tools: it.request.tools.iter().map(|tool| tool.name.clone()).collect(),
        unknown: it.unknown,
    };
    if !ask.unknown.is_empty() {
        tracing::debug!(members = ?ask.unknown, "members that nobody knows were left out");
    }
    let stream = it.request.stream;
    let call = Call {
        id: new_id(),
        episode_id,
        started,
        door: Protocol::TensorZero,
        operation: Operation::Chat,
        asked,
        model,
        stream,
        source: Source::Neutral { body, request: Box::new(sabir_types::Request::Chat(it.request)) },
        caller,
        options,
    };
    Ok((call, ask))
}

/// The model that is called.
fn target(app: &App, it: &parse::Inference) -> Result<String> {
    match (&it.function_name, &it.model_name) {
        (None, Some(model)) => {
            if it.variant_name.is_some() {
                let message = "variant_name: needs a function, and this call names a model";
                return Err(Error::bad_request(message).with_param("variant_name"));
            }
            Ok(model.clone())
        }
        (Some(function), None) => {
            if app.engine().config().functions.iter().any(|known| known == function) {
                let message = format!("functions are not supported yet (function `{function}`): name a model");
                return Err(Error::new(ErrorKind::NotImplemented, message).with_param("function_name"));
            }
            let message = format!("Unknown function: {function}");
            Err(Error::new(ErrorKind::NotFound, message).with_param("function_name"))
        }
        (Some(_), Some(_)) => {
            Err(Error::bad_request("Only one of `function_name` or `model_name` can be provided, not both"))
        }
        (None, None) => Err(Error::bad_request("Either `function_name` or `model_name` must be provided")),
    }
}

fn ids(facts: &Facts, ask: &Ask) -> Ids {
    Ids {
        inference_id: facts.inference_id,
        episode_id: facts.episode_id,
        variant_name: facts.variant_name.clone(),
        tools: ask.tools.clone(),
    }
}

fn whole(facts: &Facts, content: &Content, summary: &Summary, ask: &Ask) -> Result<Response> {
    let chat = match content {
        Content::Neutral(response) => match &**response {
            sabir_types::Response::Chat(chat) => chat,
            _ => return Err(Error::internal("this door cannot write such an answer")),
        },
        Content::Passed { .. } => return Err(Error::internal("no provider speaks this door's protocol")),
    };
    let usage = words::usage(&summary.usage, summary.cost, facts.cached);
    let body = words::answer(&ids(facts, ask), chat, usage, render::raw(summary, ask.raw));
    let mut response = render::json(StatusCode::OK, &body);
    headers(&mut response, facts, &ask.unknown);
    Ok(response)
}

/// What did not fit into the body: names that were left out.
fn headers(response: &mut Response, facts: &Facts, unknown: &[String]) {
    let mut all: Vec<Value> = facts
        .warnings
        .iter()
        .map(|warning| serde_json::json!({"param": warning.param, "message": warning.message}))
        .collect();
    all.extend(unknown.iter().map(|name| serde_json::json!({"param": name, "message": "no such member: left out"})));
    if all.is_empty() {
        return;
    }
    if let Ok(value) = HeaderValue::from_str(&Value::from(all).to_string()) {
        response.headers_mut().insert("x-sabir-warnings", value);
    }
}

struct Writer {
    chunks: words::ChunkWriter,
    ask: Ask,
    app: App,
    facts: Box<Facts>,
    error_json: bool,
}

impl FrameWriter for Writer {
    fn frame(&mut self, frame: Frame) -> Bytes {
        let mut out = Vec::new();
        match frame {
            // No provider speaks this door's protocol: nothing can pass.
            Frame::Passed(bytes) => return bytes,
            Frame::Events(events) => self.chunks.events(&events, &mut out),
            Frame::Error(error) => words::write(&render::error_body(&error, self.error_json), &mut out),
            Frame::End(summary) => {
                self.app.metrics().answered(ENDPOINT, &self.facts, &summary);
                let mut extra = render::raw(&summary, self.ask.raw);
                if self.ask.aggregated
                    && let Some(answer) = &summary.answer
                    && let sabir_types::Response::Chat(chat) = &**answer
                {
                    let usage = words::usage(&summary.usage, summary.cost, self.facts.cached);
                    let whole = words::answer(&ids(&self.facts, &self.ask), chat, usage, Map::new());
                    extra.insert("aggregated_response".into(), whole);
                }
                let usage = words::usage(&summary.usage, summary.cost, self.facts.cached);
                self.chunks.end(usage, summary.finish_reason, extra, &mut out);
            }
        }
        out.into()
    }
}
