//! Answers that nobody waits for.
//!
//! Invariants: such an answer has one id from beginning to end, and its events have numbers without
//! gaps, whichever provider makes it. What a provider is asked does not say that nobody waits, so
//! any provider can make it. After a restart it is made anew.

use std::{pin::Pin, sync::Arc, time::Instant};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body_util::BodyExt;
use sabir_engine::{
    Answer, Frame,
    tasks::{Handler, Outcome, Running, Tasks},
};
use sabir_store::state::{NewTask, Part, PartQuery, TaskRow, TaskState};
use sabir_types::{Error, ErrorKind, Map, Operation, Result, Uuid, Value};
use sabir_wire::{
    responses::render::{self, Frame as Head},
    sse::{SseDecoder, SseEvent},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    ENDPOINT,
    context::Complete,
    kept,
    parse::{self, Ask, FORWARDED},
};
use crate::{
    app::{App, WeakApp},
    doors::{events::FrameWriter, shared::shown},
};

/// The kind of these tasks.
pub(super) const KIND: &str = "response";
/// How many are made at once.
const AT_ONCE: usize = 256;
/// The events that are there before a worker begins: `response.created` and `response.queued`.
const BEFORE: u32 = 2;
/// How many events are read at a time.
const PAGE: u32 = 256;

/// What is kept of a request.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    /// The body, complete.
    body: String,
    model: String,
    stream: bool,
    /// The headers that matter to the call.
    headers: Vec<(String, String)>,
    previous: Option<String>,
    conversation: Option<String>,
    rewrite: bool,
}

/// Queues a request; the answer as it is so far. Its id is the task's.
pub(super) async fn submit(
    app: &App,
    headers: &HeaderMap,
    caller: Option<Arc<str>>,
    complete: &Complete,
) -> Result<TaskRow> {
    let tasks = app.tasks("an answer that nobody waits for")?;
    // What is wrong with it is told now, not later.
    let parsed = parse::call(headers, caller.clone(), complete, Instant::now())?;
    app.engine().config().model(Operation::Chat, &parsed.call.model)?;
    let body = std::str::from_utf8(&complete.body).map_err(|_| Error::bad_request("the body is not UTF-8"))?;
    let kept =
        headers.iter().filter(|(name, _)| FORWARDED.contains(&name.as_str()) || name.as_str().starts_with("x-sabir-"));
    let asked = Asked {
        body: body.to_owned(),
        model: parsed.call.asked,
        stream: parsed.call.stream,
        headers: kept.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect(),
        previous: complete.previous.clone(),
        conversation: complete.conversation.clone(),
        rewrite: complete.rewrite,
    };
    let request =
        serde_json::to_vec(&asked).map_err(|e| Error::internal("a request could not be written").with_source(e))?;
    let mut task = NewTask::new(KIND, request);
    task.caller = caller.map(|caller| caller.to_string());
    if asked.stream {
        let queued = render::pending(&asked.frame(task.id, now_s()), "queued");
        let event = |number: u32, kind: &str| {
            part(number, &json!({"type": kind, "sequence_number": number, "response": queued}))
        };
        task.parts = vec![event(0, "response.created"), event(1, "response.queued")];
    }
    let id = task.id;
    if let Some(conversation) = &complete.conversation {
        super::conversations::join(app, conversation, id, &complete.own).await?;
    }
    tasks.submit(task).await?;
    let row = tasks.get(KIND, id).await?.ok_or_else(|| Error::internal("a task that was queued is gone"))?;
    // A worker may have it by now; what is told is what was done.
    Ok(TaskRow { state: TaskState::Queued, result: None, ..row })
}

fn now_s() -> i64 {
    sabir_engine::tasks::now_ms() / 1000
}

impl Asked {
    fn of(task: &TaskRow) -> Result<Self> {
        serde_json::from_slice(&task.request)
            .map_err(|e| Error::internal(format!("task {} cannot be read", task.id)).with_source(e))
    }

    fn ask(&self, id: Uuid) -> Ask {
        Ask {
            model: self.model.clone(),
            body: Bytes::copy_from_slice(self.body.as_bytes()),
            id: Some(kept::name(id)),
            previous: self.previous.clone(),
            conversation: self.conversation.clone(),
            background: true,
        }
    }

    fn frame(&self, id: Uuid, created: i64) -> Head {
        let ask = self.ask(id);
        Head { id: kept::name(id), created, model: self.model.clone(), maker: None, echo: ask.echo() }
    }

    fn headers(&self) -> HeaderMap {
        let pairs = self.headers.iter();
        pairs
            .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?)))
            .collect()
    }
}

/// The members of the request.
pub(super) fn request(task: &TaskRow) -> Result<Map<String, Value>> {
    serde_json::from_str(&Asked::of(task)?.body)
        .map_err(|e| Error::internal(format!("task {} cannot be read", task.id)).with_source(e))
}

/// The answer as it is so far.
pub(super) fn response(task: &TaskRow) -> Result<Value> {
    let asked = Asked::of(task)?;
    let frame = asked.frame(task.id, task.created / 1000);
    let status = match task.state {
        _ if task.result.is_some() => {
            let result = task.result.as_deref().unwrap_or_default();
            return serde_json::from_slice(result)
                .map_err(|e| Error::internal(format!("task {} cannot be read", task.id)).with_source(e));
        }
        TaskState::Done | TaskState::Failed => {
            return Ok(render::failed(&Error::internal("the answer could not be made"), &frame));
        }
        TaskState::Cancelled => "cancelled",
        _ if task.cancelling => "cancelled",
        TaskState::Running => "in_progress",
        TaskState::Queued => "queued",
    };
    Ok(render::pending(&frame, status))
}

/// The inferences that were made for it, one for each attempt.
pub(super) fn inferences(task: &TaskRow) -> Vec<Uuid> {
    let progress: Value = task.progress.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let ids = progress["inference_ids"].as_array().into_iter().flatten();
    ids.filter_map(|id| id.as_str()?.parse().ok()).collect()
}

/// Runs these tasks.
pub(super) fn handle(tasks: &Arc<Tasks>, app: &WeakApp) {
    tasks.handle(KIND, AT_ONCE, Arc::new(Background(app.clone())));
}

struct Background(WeakApp);

impl Handler for Background {
    fn run(&self, task: Running) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>> {
        Box::pin(async move {
            let Some(app) = self.0.upgrade() else { return Outcome::GiveBack };
            let made = tokio::select! {
                made = make(&app, &task) => made,
                // Dropping the call is what ends it at the provider.
                () = task.cancelled().cancelled() => Err(Error::new(ErrorKind::Cancelled, "cancelled")),
            };
            let stopped = |status| {
                let asked = Asked::of(&task.task).ok()?;
                let frame = asked.frame(task.task.id, task.task.created / 1000);
                Some(Bytes::from(render::pending(&frame, status).to_string()))
            };
            match made {
                Ok(response) => {
                    let result = response.to_string();
                    if response["status"] == "failed" { Outcome::failed(result) } else { Outcome::done(result) }
                }
                Err(_) if task.cancelled().is_cancelled() => Outcome::cancelled(stopped("cancelled")),
                Err(error) => {
                    let failed = Asked::of(&task.task).map(|asked| {
                        let frame = asked.frame(task.task.id, task.task.created / 1000);
                        render::failed(&shown(&error), &frame).to_string()
                    });
                    Outcome::failed(failed.unwrap_or_default())
                }
            }
        })
    }
}

/// Makes the answer; an error is what becomes a failed one.
async fn make(app: &App, task: &Running) -> Result<Value> {
    let row = &task.task;
    let asked = Asked::of(row)?;
    // An earlier attempt's events are not this one's.
    task.cut(BEFORE).await?;
    let complete = Complete {
        body: Bytes::copy_from_slice(asked.body.as_bytes()),
        previous: asked.previous.clone(),
        conversation: asked.conversation.clone(),
        rewrite: asked.rewrite,
        background: true,
        ..Complete::default()
    };
    let caller = row.caller.as_deref().map(Arc::from);
    let mut parsed = parse::call(&asked.headers(), caller, &complete, Instant::now())?;
    parsed.ask.id = Some(kept::name(row.id));
    parsed.call.options.tags.push(("sabir::response_id".into(), kept::name(row.id)));
    let mut calls = inferences(row);
    calls.push(parsed.call.id);
    let calls: Vec<String> = calls.iter().map(Uuid::to_string).collect();
    task.progress(json!({"inference_ids": calls}).to_string()).await?;
    let answer = app.engine().run(parsed.call).await;
    match answer {
        Err(failure) => {
            app.metrics().failed(ENDPOINT, failure.error.kind());
            let frame = asked.frame(row.id, row.created / 1000);
            let response = render::failed(&shown(&failure.error), &frame);
            if asked.stream {
                let event = json!({"type": "response.failed", "sequence_number": BEFORE, "response": response});
                task.write(vec![part(BEFORE, &event)], None).await?;
            }
            Ok(response)
        }
        Ok(answer @ Answer::Whole { .. }) => {
            let written = super::render::answer(app, answer, parsed.ask);
            let body = written.into_body().collect().await.map_err(|e| Error::internal(e.to_string()))?.to_bytes();
            let mut response: Value = serde_json::from_slice(&body)
                .map_err(|e| Error::bad_upstream("an answer is not JSON").with_source(e))?;
            own(&mut response, row.id);
            Ok(response)
        }
        Ok(Answer::Stream { facts, mut frames }) => {
            let mut writer = super::render::Writer::new(app, facts, parsed.ask);
            let mut events = Events { id: row.id, next: BEFORE, last: None, parts: Vec::new() };
            let mut framing = SseDecoder::new();
            while let Some(frame) = frames.next().await {
                let is_end = matches!(frame, Frame::End(_));
                let bytes = writer.frame(frame);
                framing.feed(&bytes, &mut |event| events.take(event))?;
                if is_end {
                    framing.finish(&mut |event| events.take(event))?;
                }
                if !events.parts.is_empty() {
                    task.write(std::mem::take(&mut events.parts), None).await?;
                }
            }
            if let Some(response) = events.last {
                return Ok(response);
            }
            let error = Error::bad_upstream("the answer ended before its end");
            let response = render::failed(&error, &asked.frame(row.id, row.created / 1000));
            let event = json!({"type": "response.failed", "sequence_number": events.next, "response": response});
            task.write(vec![part(events.next, &event)], None).await?;
            Ok(response)
        }
    }
}

/// Makes an answer ours, for one that a provider wrote.
fn own(response: &mut Value, id: Uuid) {
    response["id"] = kept::name(id).into();
    response["background"] = true.into();
}

/// The events of an answer, as they are kept.
struct Events {
    id: Uuid,
    next: u32,
    /// The answer in the event that ended it.
    last: Option<Value>,
    parts: Vec<Part>,
}

impl Events {
    fn take(&mut self, event: SseEvent<'_>) -> Result<()> {
        let mut data: Value =
            serde_json::from_str(event.data).map_err(|e| Error::bad_upstream("an event is not JSON").with_source(e))?;
        let kind = data["type"].as_str().unwrap_or_default().to_owned();
        // Both were said when it was queued.
        if matches!(kind.as_str(), "response.created" | "response.queued") {
            return Ok(());
        }
        data["sequence_number"] = self.next.into();
        if data.get("response").is_some_and(Value::is_object) {
            own(&mut data["response"], self.id);
            if matches!(kind.as_str(), "response.completed" | "response.incomplete" | "response.failed") {
                self.last = Some(data["response"].clone());
            }
        }
        self.parts.push(part(self.next, &data));
        self.next += 1;
        Ok(())
    }
}

fn part(number: u32, data: &Value) -> Part {
    let kind = data["type"].as_str().unwrap_or("message");
    Part { number, label: kind.to_owned(), data: format!("event: {kind}\ndata: {data}\n\n").into() }
}

/// Whether the answer was asked for as a stream.
pub(super) fn is_stream(task: &TaskRow) -> bool {
    Asked::of(task).is_ok_and(|asked| asked.stream)
}

/// The events of an answer from this number on, also those that are still to come.
pub(super) fn follow(app: &App, task: &TaskRow, from: u32) -> Result<Response> {
    if !is_stream(task) {
        let message = "`stream`: the answer was not asked for as a stream, so there are no events of it";
        return Err(Error::bad_request(message).with_param("stream"));
    }
    let tasks = app.tasks("events")?.clone();
    let changes = tasks.watch();
    let id = task.id;
    let stream = futures_util::stream::unfold(
        (tasks, changes, from, false),
        move |(tasks, mut changes, from, over)| async move {
            if over {
                return None;
            }
            let silent = Instant::now();
            loop {
                // The state first: what is written after it was read is found with the next look.
                let state = match tasks.get(KIND, id).await {
                    Ok(task) => task.map(|task| task.state),
                    Err(error) => return Some((broken(&error), (tasks, changes, from, true))),
                };
                let query = PartQuery { from, limit: Some(PAGE), without_data: false };
                let parts = match sabir_engine::tasks::stored(tasks.state().parts(id, query).await) {
                    Ok(parts) => parts,
                    Err(error) => return Some((broken(&error), (tasks, changes, from, true))),
                };
                if let Some(last) = parts.last() {
                    let next = last.number + 1;
                    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.data.iter().copied()).collect();
                    return Some((Ok(Bytes::from(bytes)), (tasks, changes, next, false)));
                }
                if state.is_none_or(TaskState::is_end) {
                    return None;
                }
                if silent.elapsed() >= super::super::events::SILENCE {
                    return Some((Ok(Bytes::from_static(b": keep-alive\n\n")), (tasks, changes, from, false)));
                }
                changes.next().await;
            }
        },
    );
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The last words of a stream that cannot go on.
fn broken(error: &Error) -> std::result::Result<Bytes, std::convert::Infallible> {
    let mut out = Vec::new();
    render::error_event(error, &mut out);
    Ok(out.into())
}
