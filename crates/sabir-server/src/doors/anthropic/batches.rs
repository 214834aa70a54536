//! Message batches, run by the gateway over any provider.
//!
//! Invariants: every request of a batch has exactly one result when the batch has ended; the counts
//! tell nothing before that but how many there are.

use std::{collections::HashSet, sync::Arc};

use axum::{
    body::Body,
    extract::{OriginalUri, Path, RawQuery, State},
    http::{HeaderMap, Request},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, StatusCode, header};
use sabir_engine::tasks::{Tasks, now_ms, stored};
use sabir_store::{
    State as Store,
    state::{FileRow, NewTask, PartQuery, TaskQuery, TaskRow, TaskState},
};
use sabir_types::{Error, ErrorKind, Map, Result, Uuid, Value, new_id};
use serde_json::{json, value::RawValue};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::render;
use crate::{
    app::App,
    batches::{Asked, CANCELED, Lines, MESSAGES, MESSAGES_PURPOSE, Progress, Shape},
    doors::shared::{json_response, query, set},
    gate,
};

/// How many requests a batch may have.
const MOST: usize = 100_000;
/// How many batches a page has unless the caller says so, and how many at most.
const PAGE: (u32, u32) = (20, 1000);
/// How many bytes a chunk of a file has about.
const CHUNK: usize = 256 * 1024;
/// How many results are read at a time.
const RESULTS: u32 = 64;

fn name(id: Uuid) -> String {
    format!("msgbatch_{}", id.simple())
}

fn id(name: &str) -> Option<Uuid> {
    crate::doors::shared::own_id(name, "msgbatch_")
}

fn wrong(path: &str, what: &str) -> Error {
    Error::bad_request(format!("{path}: {what}")).with_param(path)
}

fn told(answer: Result<Value>) -> Response {
    match answer {
        Ok(value) => {
            let mut response = json_response(StatusCode::OK, Body::from(value.to_string()), None);
            set(response.headers_mut(), "request-id", &format!("req_{}", new_id().simple()));
            response
        }
        Err(error) => render::error(&error),
    }
}

/// The order of a batch, as far as it is looked at before it is kept.
#[derive(Debug, serde::Deserialize)]
struct Order<'a> {
    #[serde(borrow)]
    requests: Vec<&'a RawValue>,
}

pub(super) async fn create(State(app): State<App>, uri: OriginalUri, request: Request<Body>) -> Response {
    let address = Address::of(&uri, request.headers());
    told(order(&app, request, &address).await)
}

async fn order(app: &App, request: Request<Body>, address: &Address) -> Result<Value> {
    let caller = gate::admit(app, request.headers())?.map(|caller| caller.to_string());
    let tasks = app.tasks("message batches")?;
    let (parts, body) = request.into_parts();
    let bytes = gate::read(app, &parts.headers, body).await?;
    let order: Order<'_> =
        serde_json::from_slice(&bytes).map_err(|e| wrong("requests", &format!("expected a list of requests: {e}")))?;
    if order.requests.is_empty() || order.requests.len() > MOST {
        return Err(wrong("requests", &format!("expected from 1 to {MOST} requests, not {}", order.requests.len())));
    }
    check(&order.requests)?;
    let created = now_ms();
    let mut task = NewTask::new(MESSAGES, Vec::new());
    let file = FileRow {
        id: new_id(),
        name: format!("{}.jsonl", name(task.id)),
        purpose: MESSAGES_PURPOSE.into(),
        caller: caller.clone(),
        bytes: 0,
        created,
        expires: None,
    };
    keep(&**tasks.state(), file.clone(), &order.requests).await?;
    let expiry = i64::try_from(app.engine().config().gateway.batches.expiry.as_millis()).unwrap_or(0);
    let asked = Asked {
        shape: Shape::Anthropic,
        name: name(task.id),
        input: file.id,
        endpoint: "/v1/messages".into(),
        deadline: created + expiry,
        window: String::new(),
        metadata: None,
        keep: None,
    };
    task.request = asked.written()?.into();
    task.caller = caller;
    task.progress = Some(Progress { total: order.requests.len() as u64, ..Progress::default() }.text());
    let id = task.id;
    tasks.submit(task).await?;
    let row = tasks.get(MESSAGES, id).await?;
    shown(&row.ok_or_else(|| Error::internal("a batch that was queued is gone"))?, address)
}

/// What can be told before anything is run; the rest is each request's own result.
fn check(requests: &[&RawValue]) -> Result<()> {
    let mut ids = HashSet::new();
    for (at, request) in requests.iter().enumerate() {
        let path = |name: &str| format!("requests.{at}.{name}");
        let members: Map<String, Value> =
            serde_json::from_str(request.get()).map_err(|_| wrong(&format!("requests.{at}"), "expected an object"))?;
        let Some(id) = members.get("custom_id").and_then(Value::as_str) else {
            return Err(wrong(&path("custom_id"), "expected a string"));
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if id.is_empty() || id.len() > 64 || !id.chars().all(plain) {
            return Err(wrong(&path("custom_id"), "expected up to 64 letters, digits, `_` and `-`"));
        }
        if !ids.insert(id.to_owned()) {
            return Err(wrong(&path("custom_id"), &format!("another request of this batch has the id `{id}`")));
        }
        let Some(params) = members.get("params").and_then(Value::as_object) else {
            return Err(wrong(&path("params"), "expected an object"));
        };
        if params.get("stream") == Some(&Value::Bool(true)) {
            return Err(wrong(&path("params.stream"), "a batch has no streams"));
        }
        if !params.get("model").is_some_and(Value::is_string) {
            return Err(wrong(&path("params.model"), "expected the name of a model"));
        }
    }
    Ok(())
}

/// Keeps the requests as lines.
async fn keep(state: &dyn Store, mut file: FileRow, requests: &[&RawValue]) -> Result<()> {
    stored(state.begin_file(file.clone()).await)?;
    let (mut chunk, mut number) = (BytesMut::new(), 0);
    for request in requests {
        // A line end within JSON stands between its members only.
        chunk.extend(request.get().bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        chunk.extend_from_slice(b"\n");
        if chunk.len() >= CHUNK {
            file.bytes += chunk.len() as u64;
            stored(state.write_chunk(file.id, number, chunk.split().freeze()).await)?;
            number += 1;
        }
    }
    file.bytes += chunk.len() as u64;
    stored(state.write_chunk(file.id, number, chunk.freeze()).await)?;
    stored(state.finish_file(file).await)
}

/// Where the caller found this door.
struct Address {
    origin: String,
    path: String,
}

impl Address {
    fn of(OriginalUri(uri): &OriginalUri, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let scheme = text("x-forwarded-proto").filter(|scheme| matches!(*scheme, "http" | "https")).unwrap_or("http");
        let host = text("host").or_else(|| uri.authority().map(http::uri::Authority::as_str)).unwrap_or_default();
        let path = uri.path();
        let end = path.find("/messages/batches").map_or(path.len(), |at| at + "/messages/batches".len());
        let origin = if host.is_empty() { String::new() } else { format!("{scheme}://{host}") };
        Self { origin, path: path[..end].to_owned() }
    }
}

fn moment(ms: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(ms / 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339).unwrap_or_default()
}

fn shown(task: &TaskRow, address: &Address) -> Result<Value> {
    let asked = Asked::of(task)?;
    let mut progress = Progress::of(task.progress.as_deref());
    let status = match task.state {
        state if state.is_end() => "ended",
        _ if task.cancelling => "canceling",
        _ => "in_progress",
    };
    let is_end = task.state.is_end();
    if never_began(task, &progress) {
        progress.canceled = progress.total;
    }
    let counted = progress.succeeded + progress.errored + progress.expired + progress.canceled;
    let count = |number: u64| if is_end { number } else { 0 };
    let url = format!("{}{}/{}/results", address.origin, address.path, asked.name);
    let cancelled = progress.cancelling_at.map(|at| at * 1000).or(task.ended);
    Ok(json!({
        "id": asked.name,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": {
            "processing": if is_end { progress.total.saturating_sub(counted) } else { progress.total },
            "succeeded": count(progress.succeeded),
            "errored": count(progress.errored),
            "canceled": count(progress.canceled),
            "expired": count(progress.expired),
        },
        "created_at": moment(task.created),
        "expires_at": moment(asked.deadline),
        "ended_at": task.ended.map(moment),
        "cancel_initiated_at": if task.cancelling { Some(moment(cancelled.unwrap_or_else(now_ms))) } else { None },
        "archived_at": null,
        "results_url": if is_end { Some(url) } else { None },
    }))
}

/// Whether a batch was cancelled before anything of it was looked at.
fn never_began(task: &TaskRow, progress: &Progress) -> bool {
    task.state == TaskState::Cancelled && progress.in_progress_at.is_none()
}

async fn find<'a>(app: &'a App, name: &str, headers: &HeaderMap) -> Result<(&'a Arc<Tasks>, TaskRow)> {
    let caller = gate::admit(app, headers)?;
    let missing = || Error::new(ErrorKind::NotFound, format!("no message batch with the id `{name}` is kept here"));
    let tasks = app.tasks("message batches")?;
    let task = tasks.get(MESSAGES, id(name).ok_or_else(missing)?).await?.ok_or_else(missing)?;
    if caller.is_none() || task.caller.as_deref() == caller.as_deref() { Ok((tasks, task)) } else { Err(missing()) }
}

pub(super) async fn retrieve(
    State(app): State<App>,
    uri: OriginalUri,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let found = async { shown(&find(&app, &name, &headers).await?.1, &Address::of(&uri, &headers)) };
    told(found.await)
}

pub(super) async fn list(
    State(app): State<App>,
    uri: OriginalUri,
    RawQuery(asked): RawQuery,
    headers: HeaderMap,
) -> Response {
    let found = async {
        let caller = gate::admit(&app, &headers)?;
        let asked = asked.unwrap_or_default();
        let limit = match query(&asked, "limit") {
            None => PAGE.0,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=PAGE.1).contains(limit))
                .ok_or_else(|| wrong("limit", &format!("expected a number from 1 to {}", PAGE.1)))?,
        };
        let cursor = |member: &str| {
            let given = query(&asked, member);
            given.map(|name| id(&name).ok_or_else(|| wrong(member, "no batch has that id"))).transpose()
        };
        let (after, before) = (cursor("after_id")?, cursor("before_id")?);
        if after.is_some() && before.is_some() {
            return Err(wrong("before_id", "`after_id` and `before_id` exclude each other"));
        }
        let wanted = TaskQuery {
            kind: Some(MESSAGES.into()),
            caller: caller.map(|caller| caller.to_string()),
            after,
            before,
            limit: Some(limit + 1),
            ..TaskQuery::default()
        };
        let mut rows = stored(app.tasks("message batches")?.state().tasks(wanted).await)?;
        let more = rows.len() > limit as usize;
        // Of a page before something, the one too many is the first.
        if more && before.is_some() {
            rows.remove(0);
        }
        rows.truncate(limit as usize);
        let address = Address::of(&uri, &headers);
        let data: Vec<Value> = rows.iter().map(|row| shown(row, &address)).collect::<Result<_>>()?;
        let end = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
        Ok(json!({"first_id": end(data.first()), "last_id": end(data.last()), "has_more": more, "data": data}))
    };
    told(found.await)
}

pub(super) async fn cancel(
    State(app): State<App>,
    uri: OriginalUri,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let stopped = async {
        let (tasks, task) = find(&app, &name, &headers).await?;
        tasks.cancel(task.id).await?;
        let task = tasks.get(MESSAGES, task.id).await?;
        let task = task.ok_or_else(|| Error::internal("a batch that was cancelled is gone"))?;
        shown(&task, &Address::of(&uri, &headers))
    };
    told(stopped.await)
}

pub(super) async fn delete(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let gone = async {
        let (tasks, task) = find(&app, &name, &headers).await?;
        if !task.state.is_end() {
            let message = format!("the batch `{name}` is still in progress: cancel it first");
            return Err(Error::bad_request(message));
        }
        stored(tasks.state().delete_file(Asked::of(&task)?.input).await)?;
        tasks.delete(task.id).await?;
        Ok(json!({"id": name, "type": "message_batch_deleted"}))
    };
    told(gone.await)
}

pub(super) async fn results(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let found = async {
        let (tasks, task) = find(&app, &name, &headers).await?;
        if !task.state.is_end() {
            let message = format!("the batch `{name}` has not ended: there are no results yet");
            return Err(Error::bad_request(message));
        }
        Ok((tasks.state().clone(), task))
    };
    let (state, task) = match found.await {
        Ok(found) => found,
        Err(error) => return render::error(&error),
    };
    let body = if never_began(&task, &Progress::of(task.progress.as_deref())) {
        match Asked::of(&task) {
            Ok(asked) => Body::from_stream(none_began(state, asked.input)),
            Err(error) => return render::error(&error),
        }
    } else {
        Body::from_stream(kept(state, task.id))
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-jsonl"));
    set(response.headers_mut(), "request-id", &format!("req_{}", new_id().simple()));
    response
}

type Piece = std::io::Result<Bytes>;

/// The results, page by page.
fn kept(state: Arc<dyn Store>, id: Uuid) -> impl futures_core::Stream<Item = Piece> {
    futures_util::stream::unfold(Some((state, 0)), move |at| async move {
        let (state, from) = at?;
        let query = PartQuery { from, limit: Some(RESULTS), without_data: false };
        match stored(state.parts(id, query).await) {
            Ok(parts) => {
                let next = parts.last()?.number + 1;
                let mut bytes = BytesMut::new();
                for part in &parts {
                    bytes.extend_from_slice(&part.data);
                    bytes.extend_from_slice(b"\n");
                }
                Some((Ok(bytes.freeze()), Some((state, next))))
            }
            Err(error) => Some((Err(std::io::Error::other(error)), None)),
        }
    })
}

/// The results of a batch of which nothing was begun.
fn none_began(state: Arc<dyn Store>, input: Uuid) -> impl futures_core::Stream<Item = Piece> {
    let lines = Lines::new(state, input);
    futures_util::stream::unfold(Some(lines), |lines| async move {
        let mut lines = lines?;
        match lines.next().await {
            Ok(line) => {
                let members: Map<String, Value> = serde_json::from_slice(&line?.1).unwrap_or_default();
                let result = json!({"custom_id": members.get("custom_id"), "result": {"type": CANCELED}});
                Some((Ok(Bytes::from(format!("{result}\n"))), Some(lines)))
            }
            Err(error) => Some((Err(std::io::Error::other(error)), None)),
        }
    })
}
