//! One try at one endpoint: encode, send, read the beginning of the answer.
//!
//! Invariant: every try that reached an endpoint leaves one model call in the record, and ends in
//! exactly one verdict for the endpoint's circuit.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::HeaderMap;
use sabir_providers::{Decoder, HttpResponse, Outbound, Script, StepOutcome, Target};
use sabir_types::{
    Accumulator, Error, ErrorKind, Event, Operation, Protocol, Request, Response, Result, Usage, Warning,
};
use sabir_wire::{openai::speech, sse::SseDecoder};
use tokio::time::Instant;

use crate::{
    backoff,
    call::{Call, Content, Frame},
    engine::Engine,
    free_text,
    hide::Hide,
    key,
    outgoing::{Prepared, prepare},
    plan::Endpoint,
    record::{Outcome, Recorder, money},
    transport::{Body, Inbound},
};

/// The largest answer, whole or streamed.
pub(crate) const ANSWER_LIMIT: usize = 256 * 1024 * 1024;
/// The most of a failure's body that is kept.
const FAILURE_LIMIT: usize = 1024 * 1024;

/// What one try came to.
pub(crate) enum Got {
    /// A whole answer. Its model call is closed.
    Whole { headers: HeaderMap, content: Content, outcome: Outcome, warnings: Vec<Warning> },
    /// A stream whose first events are there. Its model call is still open.
    /// `seen` is what the first event of a stream that goes through says of usage.
    Stream { headers: HeaderMap, first: Vec<Frame>, feed: Feed, seen: Option<Box<Usage>>, warnings: Vec<Warning> },
}

/// Where the rest of a stream comes from.
pub(crate) enum Feed {
    /// Events that go through as they are.
    Passed(Body),
    /// Bytes of a sound that go through as they are.
    Raw(Body),
    /// Bytes that are read into events.
    Decoded(Body, Box<dyn Decoder>),
    /// Steps of the built-in provider.
    Script(VecDeque<sabir_providers::Step>),
}

/// How long one try may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    /// For all of a whole answer, or to the first event of a stream.
    pub(crate) answer: Option<Duration>,
    /// What is too late after that, for the error.
    pub(crate) why: Late,
}

/// Which limit it is that ends a try.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Late {
    /// The target's own: how long it is, and for what.
    Target(Duration, &'static str),
    /// The one on the whole call.
    Call(Duration),
}

impl Late {
    fn error(self, endpoint: &Endpoint) -> Error {
        let name = &endpoint.name;
        let message = match self {
            Self::Target(limit, what) => format!("`{name}` took longer than {} ms for {what}", limit.as_millis()),
            Self::Call(limit) => {
                format!("the call took longer than the {} ms that it may take in all (at `{name}`)", limit.as_millis())
            }
        };
        Error::new(ErrorKind::Timeout, message)
    }
}

/// Tries one endpoint. The model call is opened here; it is closed here unless a stream begins.
pub(crate) async fn attempt(
    engine: &Engine,
    call: &Call,
    prepared: &mut Prepared,
    endpoint: &Endpoint,
    strict: bool,
    limits: Limits,
    recorder: &mut Recorder,
) -> Result<Got> {
    // The credential may have to be fetched: that takes from the same time.
    let deadline = limits.answer.map(|limit| Instant::now() + limit);
    let key = match within(deadline, limits, endpoint, key::get(engine, endpoint, &call.options.credentials)).await {
        Ok(key) => key,
        Err(error) => return Err(fail(recorder, endpoint, endpoint.provider.spec().protocol, error)),
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let to = Target {
        model: &endpoint.upstream_model,
        api_base: endpoint.api_base.as_deref(),
        key: key.secret(),
        options: &endpoint.options,
        now,
    };
    let protocol = endpoint.provider.protocol(call.operation, &to);
    recorder.begin(endpoint, protocol);
    let result = {
        // Pinned here, so that it is not kept once more for each way of waiting.
        let run = std::pin::pin!(async {
            let sent = prepare(call, prepared, endpoint, &to, protocol, strict)?;
            match sent.outbound {
                Outbound::Script(script) => {
                    recorder.sent(script.raw_request.clone().into(), false);
                    play(call, endpoint, script, recorder, sent.warnings).await
                }
                Outbound::Http(request) => {
                    recorder.sent(request.body().clone(), sent.passed);
                    let inbound = engine.transport().send(request, limits.connect).await?;
                    receive(call, prepared, endpoint, &to, inbound, sent.passes, recorder, sent.warnings).await
                }
            }
        });
        within(deadline, limits, endpoint, run).await
    };
    let result = result.map_err(|error| key.judged(engine, error));
    match &result {
        Ok(Got::Whole { outcome, .. }) => recorder.end(outcome),
        Ok(Got::Stream { .. }) => {}
        Err(error) => recorder.end(&Outcome { error: Some(error.clone()), ..Outcome::default() }),
    }
    result
}

/// Waits until the deadline, if there is one.
async fn within<T>(
    deadline: Option<Instant>,
    limits: Limits,
    endpoint: &Endpoint,
    run: impl Future<Output = Result<T>>,
) -> Result<T> {
    match deadline {
        None => run.await,
        Some(deadline) => match tokio::time::timeout_at(deadline, run).await {
            Ok(result) => result,
            Err(_) => Err(limits.why.error(endpoint)),
        },
    }
}

/// A model call that failed before anything was sent.
fn fail(recorder: &mut Recorder, endpoint: &Endpoint, protocol: Protocol, error: Error) -> Error {
    recorder.begin(endpoint, protocol);
    recorder.sent(Bytes::new(), false);
    recorder.end(&Outcome { error: Some(error.clone()), ..Outcome::default() });
    error
}

#[expect(clippy::too_many_arguments, reason = "the parts of one exchange, used once")]
async fn receive(
    call: &Call,
    prepared: &mut Prepared,
    endpoint: &Endpoint,
    to: &Target<'_>,
    inbound: Inbound,
    passed: bool,
    recorder: &mut Recorder,
    warnings: Vec<Warning>,
) -> Result<Got> {
    let Inbound { status, mut headers, mut body } = inbound;
    let hide = Hide::new(to.key);
    if let Some(hide) = &hide {
        hide.headers(&mut headers);
    }
    body.hide(hide);
    let request_id = ["x-request-id", "request-id"].iter().find_map(|name| headers.get(*name)?.to_str().ok());
    recorder.answered(status.as_u16(), request_id.map(str::to_owned));
    let provider = endpoint.provider;
    if !status.is_success() {
        let bytes = body.all(FAILURE_LIMIT).await.unwrap_or_default();
        recorder.received(bytes.clone());
        recorder.keep_headers(&headers);
        let resp = HttpResponse { status, headers, body: bytes };
        let error = provider.error(&resp);
        return Err(backoff::advised(error, &resp.headers, SystemTime::now()));
    }
    if call.stream && call.operation == Operation::Speech && passed && is_sound(&headers) {
        return sound(call, prepared, headers, body, recorder, warnings).await;
    }
    // Pictures and transcripts come whole from a provider that knows no such streams.
    let must_stream = call.stream && call.operation == Operation::Chat;
    if call.stream && is_event_stream(&headers) && (must_stream || passed) {
        return open(call, prepared, endpoint, to, headers, body, passed, recorder, warnings).await;
    }
    let bytes = body.all(ANSWER_LIMIT).await?;
    recorder.received(bytes.clone());
    recorder.first_event();
    if bytes.is_empty() {
        return Err(Error::bad_upstream(format!("`{}` sent an empty answer", endpoint.name)));
    }
    if must_stream {
        // Not a stream: an error in disguise says more than the wrong content type.
        provider.glance(call.operation, &bytes)?;
        let kind = headers.get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("none");
        return Err(Error::bad_upstream(format!(
            "`{}` answered with content type `{kind}` instead of an event stream",
            endpoint.name
        )));
    }
    // A caller that waits for events gets them from the door, which needs to know the answer for that.
    let is_awaited =
        call.stream && matches!(call.operation, Operation::Image | Operation::ImageEdit | Operation::Transcribe);
    if passed && !is_awaited {
        let mut glance = provider.glance(call.operation, &bytes)?;
        if glance.usage == Usage::default() {
            glance.usage = spoken(call, prepared);
        }
        let cost = money(endpoint, &bytes, false, &glance.usage);
        let outcome = Outcome { usage: glance.usage, cost, finish_reason: glance.finish_reason, error: None };
        return Ok(Got::Whole { headers, content: Content::Passed { status, body: bytes }, outcome, warnings });
    }
    let req = prepared.request(&call.source)?;
    let resp = HttpResponse { status, headers, body: bytes };
    let mut answer = provider.decode(req, to, &resp)?;
    free_text::unwrap(&free_text::wrapped(req, provider.spec()), &mut answer);
    let cost = money(endpoint, &resp.body, false, answer.usage());
    let outcome = outcome_of(&answer, cost);
    Ok(Got::Whole { headers: resp.headers, content: Content::Neutral(Box::new(answer)), outcome, warnings })
}

/// What speech costs where the answer cannot say it: the characters of the request.
fn spoken(call: &Call, prepared: &mut Prepared) -> Usage {
    if call.operation != Operation::Speech {
        return Usage::default();
    }
    match prepared.request(&call.source) {
        Ok(Request::Speech(speech)) => speech::characters(speech),
        _ => Usage::default(),
    }
}

fn is_sound(headers: &HeaderMap) -> bool {
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.trim_start().to_ascii_lowercase();
    !["application/json", "text/"].iter().any(|other| kind.starts_with(other))
}

/// Reads a sound up to its first bytes.
async fn sound(
    call: &Call,
    prepared: &mut Prepared,
    headers: HeaderMap,
    mut body: Body,
    recorder: &mut Recorder,
    warnings: Vec<Warning>,
) -> Result<Got> {
    let Some(chunk) = body.chunk().await.transpose()? else {
        return Err(Error::bad_upstream("the provider sent a sound without a byte"));
    };
    recorder.received(chunk.clone());
    recorder.first_event();
    let seen = Some(Box::new(spoken(call, prepared)));
    Ok(Got::Stream { headers, first: vec![Frame::Passed(chunk)], feed: Feed::Raw(body), seen, warnings })
}

pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    match headers.get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()) {
        // Some servers forget it; what comes shows soon enough.
        None => true,
        Some(kind) => {
            let kind = kind.trim_start().to_ascii_lowercase();
            !kind.starts_with("application/json") && !kind.starts_with("text/html")
        }
    }
}

/// Reads a stream up to its first event, so that a failure there can still go elsewhere.
#[expect(clippy::too_many_arguments, reason = "the parts of one exchange, used once")]
async fn open(
    call: &Call,
    prepared: &mut Prepared,
    endpoint: &Endpoint,
    to: &Target<'_>,
    headers: HeaderMap,
    mut body: Body,
    passed: bool,
    recorder: &mut Recorder,
    warnings: Vec<Warning>,
) -> Result<Got> {
    let provider = endpoint.provider;
    let over = || Error::bad_upstream(format!("`{}` ended its stream before the first event", endpoint.name));
    if passed {
        let mut framing = framing(call.operation);
        let mut seen = None;
        let mut first = Vec::new();
        while seen.is_none() {
            let Some(chunk) = body.chunk().await.transpose()? else {
                let mut look =
                    |event: sabir_wire::sse::SseEvent<'_>| provider.glance_event(event.event, event.data).map(drop);
                framing.finish(&mut look)?;
                return Err(over());
            };
            recorder.received(chunk.clone());
            let mut look = |event: sabir_wire::sse::SseEvent<'_>| {
                if seen.is_none() {
                    seen = Some(Box::new(provider.glance_event(event.event, event.data)?.usage));
                }
                Ok(())
            };
            framing.feed(&chunk, &mut look)?;
            first.push(Frame::Passed(chunk));
        }
        recorder.first_event();
        return Ok(Got::Stream { headers, first, feed: Feed::Passed(body), seen, warnings });
    }
    let req = prepared.request(&call.source)?;
    let names = free_text::wrapped(req, provider.spec());
    let mut decoder = free_text::unwrapping(names, provider.decoder(req, to));
    let mut events = Vec::new();
    while !events.iter().any(counts) {
        let Some(chunk) = body.chunk().await.transpose()? else {
            decoder.finish(&mut events)?;
            if events.is_empty() {
                return Err(over());
            }
            break;
        };
        recorder.received(chunk.clone());
        if let Err(error) = decoder.feed(&chunk, &mut events) {
            if events.iter().any(counts) {
                // Something came before it: the caller gets that, then the error.
                recorder.first_event();
                let first = vec![Frame::Events(events), Frame::Error(error)];
                let feed = Feed::Decoded(body, decoder);
                return Ok(Got::Stream { headers, first, feed, seen: None, warnings });
            }
            return Err(error);
        }
    }
    recorder.first_event();
    let (first, feed) = (vec![Frame::Events(events)], Feed::Decoded(body, decoder));
    Ok(Got::Stream { headers, first, feed, seen: None, warnings })
}

/// What cuts a stream into events: those of pictures are as long as these.
pub(crate) fn framing(operation: Operation) -> SseDecoder {
    match operation {
        Operation::Chat => SseDecoder::new(),
        _ => SseDecoder::with_limit(ANSWER_LIMIT),
    }
}

/// Whether an event is part of the answer rather than an announcement of it.
fn counts(event: &Event) -> bool {
    matches!(event, Event::Delta { .. } | Event::Finish { .. } | Event::Logprobs { .. })
}

/// Plays a script of the built-in provider.
async fn play(
    call: &Call,
    endpoint: &Endpoint,
    script: Script,
    recorder: &mut Recorder,
    warnings: Vec<Warning>,
) -> Result<Got> {
    recorder.answered(200, None);
    recorder.received(script.raw_response.clone().into());
    let mut steps = VecDeque::from(script.steps);
    if call.stream && call.operation == Operation::Chat {
        let first = loop {
            let Some(step) = steps.pop_front() else {
                return Err(Error::bad_upstream("the script ended before its first event"));
            };
            pause(step.wait).await;
            match step.outcome? {
                StepOutcome::Events(events) if events.is_empty() => {}
                StepOutcome::Events(events) => break events,
                StepOutcome::Whole(_) => return Err(Error::internal("a script streams a whole answer")),
            }
        };
        recorder.first_event();
        let (headers, first, feed) = (HeaderMap::new(), vec![Frame::Events(first)], Feed::Script(steps));
        return Ok(Got::Stream { headers, first, feed, seen: None, warnings });
    }
    let mut answer = Accumulator::new();
    let mut whole = None;
    for step in steps {
        pause(step.wait).await;
        recorder.first_event();
        match step.outcome? {
            StepOutcome::Events(events) => events.iter().for_each(|event| answer.push(event)),
            StepOutcome::Whole(response) => whole = Some(*response),
        }
    }
    let answer = whole.unwrap_or_else(|| Response::Chat(Box::new(answer.finish())));
    // What the ledger keeps as the raw answer is the same for every model; the figures are in the usage.
    let figures = answer.usage().raw.as_ref().map(|raw| serde_json::json!({ "usage": raw }).to_string());
    let cost = money(endpoint, &figures.unwrap_or_default().into(), false, answer.usage());
    let outcome = outcome_of(&answer, cost);
    let content = Content::Neutral(Box::new(answer));
    Ok(Got::Whole { headers: HeaderMap::new(), content, outcome, warnings })
}

pub(crate) async fn pause(wait: Duration) {
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
}

/// What the record needs of an answer.
pub(crate) fn outcome_of(answer: &Response, cost: Option<f64>) -> Outcome {
    let finish_reason = match answer {
        Response::Chat(chat) => chat.choices.first().and_then(|choice| choice.finish_reason),
        _ => None,
    };
    Outcome { usage: answer.usage().clone(), cost, finish_reason, error: None }
}
