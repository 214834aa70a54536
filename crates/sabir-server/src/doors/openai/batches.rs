//! Batches, run by the gateway over any provider.
//!
//! Invariant: what is wrong with an order is told at once, what is wrong with a request in it by
//! its line.

use axum::{
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, Request},
    response::Response,
};
use sabir_engine::tasks::{Tasks, now_ms, stored};
use sabir_store::state::{NewTask, TaskQuery, TaskRow, TaskState};
use sabir_types::{Error, ErrorKind, Map, Result, Uuid, Value};
use serde_json::json;

use super::{
    files::{self, after, limit, page, told, wrong},
    parse::admitted,
};
use crate::{
    app::App,
    batches::{Asked, BATCH, Progress, Shape, Stage},
    gate,
};

/// Where the requests of a batch may go.
const ENDPOINTS: [&str; 6] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/images/generations",
    "/v1/moderations",
    "/v1/responses",
];
/// How many batches a page has unless the caller says so, and how many at most.
const PAGE: (u32, u32) = (20, 100);
/// How many labels a batch may have.
const LABELS: usize = 16;

fn name(id: Uuid) -> String {
    format!("batch_{}", id.simple())
}

fn id(name: &str) -> Option<Uuid> {
    crate::doors::shared::own_id(name, "batch_")
}

pub(super) async fn create(State(app): State<App>, request: Request<Body>) -> Response {
    told(order(&app, request).await)
}

async fn order(app: &App, request: Request<Body>) -> Result<Value> {
    let caller = admitted(app, request.headers())?;
    let tasks = app.tasks("batches")?;
    let (parts, body) = request.into_parts();
    let bytes = gate::read(app, &parts.headers, body).await?;
    let members: Map<String, Value> = serde_json::from_slice(&bytes)
        .map_err(|e| Error::bad_request(format!("the body is not a JSON object: {e}")))?;
    let text = |name: &str| match members.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        None | Some(Value::Null) => Err(wrong(name, "it is missing")),
        Some(_) => Err(wrong(name, "expected a string")),
    };
    const KNOWN: [&str; 5] = ["input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"];
    if let Some(name) = members.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(wrong(name, "no such member of a batch is known"));
    }
    let endpoint = text("endpoint")?;
    if !ENDPOINTS.contains(&endpoint.as_str()) {
        let known = ENDPOINTS.map(|word| format!("`{word}`")).join(", ");
        return Err(wrong("endpoint", &format!("expected one of {known}")));
    }
    let window = text("completion_window")?;
    if window != "24h" {
        return Err(wrong("completion_window", "expected `24h`"));
    }
    let input = text("input_file_id")?;
    let file = files::find(app, &input, caller.as_deref()).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => wrong("input_file_id", error.message()),
        _ => error,
    })?;
    if file.purpose != "batch" {
        let what = format!("the file is for `{}`: upload it with the purpose `batch`", file.purpose);
        return Err(wrong("input_file_id", &what));
    }
    let mut task = NewTask::new(BATCH, Vec::new());
    let asked = Asked {
        shape: Shape::OpenAi,
        name: name(task.id),
        input: file.id,
        endpoint,
        deadline: now_ms() + i64::try_from(app.engine().config().gateway.batches.expiry.as_millis()).unwrap_or(0),
        window,
        metadata: metadata(&members)?,
        keep: keep(&members)?,
    };
    task.request = asked.written()?.into();
    task.caller = caller.map(|caller| caller.to_string());
    let id = task.id;
    tasks.submit(task).await?;
    let row = tasks.get(BATCH, id).await?;
    shown(&row.ok_or_else(|| Error::internal("a batch that was queued is gone"))?)
}

fn metadata(members: &Map<String, Value>) -> Result<Option<Map<String, Value>>> {
    match members.get("metadata") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) if map.len() > LABELS => {
            Err(wrong("metadata", &format!("no more than {LABELS} labels")))
        }
        Some(Value::Object(map)) if map.values().all(Value::is_string) => Ok(Some(map.clone())),
        Some(_) => Err(wrong("metadata", "expected an object of strings")),
    }
}

fn keep(members: &Map<String, Value>) -> Result<Option<i64>> {
    let name = "output_expires_after";
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(given) if given["anchor"] == "created_at" && given["seconds"].is_i64() => {
            files::expiry(given["seconds"].as_i64().unwrap_or_default(), &format!("{name}.seconds")).map(Some)
        }
        Some(_) => Err(wrong(name, "expected `anchor` with `created_at`, and `seconds`")),
    }
}

/// A batch as its caller reads it.
fn shown(task: &TaskRow) -> Result<Value> {
    let asked = Asked::of(task)?;
    let progress = Progress::of(task.progress.as_deref());
    let status = match task.state {
        TaskState::Failed => "failed",
        TaskState::Cancelled => "cancelled",
        TaskState::Done if progress.late => "expired",
        TaskState::Done => "completed",
        _ if task.cancelling => "cancelling",
        TaskState::Queued | TaskState::Running => match progress.stage {
            Stage::Validating => "validating",
            Stage::InProgress => "in_progress",
            Stage::Finalizing | Stage::Finalized => "finalizing",
        },
    };
    let ended = task.ended.map(|at| at / 1000);
    let at = |wanted: &str| if status == wanted { ended } else { None };
    let errors = (!progress.errors.is_empty()).then(|| json!({"object": "list", "data": progress.errors}));
    let [input, cached, output, reasoning] = progress.tokens;
    Ok(json!({
        "id": asked.name,
        "object": "batch",
        "endpoint": asked.endpoint,
        "model": progress.model,
        "errors": errors,
        "input_file_id": files::name(asked.input),
        "completion_window": asked.window,
        "status": status,
        "output_file_id": progress.output_file.filter(|_| task.state.is_end()).map(files::name),
        "error_file_id": progress.error_file.filter(|_| task.state.is_end()).map(files::name),
        "created_at": task.created / 1000,
        "in_progress_at": progress.in_progress_at,
        "expires_at": asked.deadline / 1000,
        "finalizing_at": progress.finalizing_at,
        "completed_at": at("completed"),
        "failed_at": at("failed"),
        "expired_at": at("expired"),
        "cancelling_at": progress.cancelling_at.or(at("cancelled")),
        "cancelled_at": at("cancelled"),
        "request_counts": {
            "total": progress.total,
            "completed": progress.succeeded,
            "failed": progress.errored + progress.expired,
        },
        "usage": {
            "input_tokens": input,
            "input_tokens_details": {"cached_tokens": cached},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": input + output,
        },
        "metadata": asked.metadata,
    }))
}

async fn find<'a>(app: &'a App, name: &str, headers: &HeaderMap) -> Result<(&'a std::sync::Arc<Tasks>, TaskRow)> {
    let caller = admitted(app, headers)?;
    let missing = || Error::new(ErrorKind::NotFound, format!("no batch with the id `{name}` is kept here"));
    let tasks = app.tasks("batches")?;
    let task = tasks.get(BATCH, id(name).ok_or_else(missing)?).await?.ok_or_else(missing)?;
    if caller.is_none() || task.caller.as_deref() == caller.as_deref() { Ok((tasks, task)) } else { Err(missing()) }
}

pub(super) async fn retrieve(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let found = async { shown(&find(&app, &name, &headers).await?.1) };
    told(found.await)
}

pub(super) async fn list(State(app): State<App>, RawQuery(asked): RawQuery, headers: HeaderMap) -> Response {
    let found = async {
        let caller = admitted(&app, &headers)?;
        let asked = asked.unwrap_or_default();
        let limit = limit(&asked, PAGE.0, PAGE.1)?;
        let wanted = TaskQuery {
            kind: Some(BATCH.into()),
            caller: caller.map(|caller| caller.to_string()),
            after: after(&asked, id)?,
            limit: Some(limit + 1),
            ..TaskQuery::default()
        };
        let rows = stored(app.tasks("batches")?.state().tasks(wanted).await)?;
        Ok(page(rows.iter().map(shown).collect::<Result<_>>()?, limit))
    };
    told(found.await)
}

pub(super) async fn cancel(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let stopped = async {
        let (tasks, task) = find(&app, &name, &headers).await?;
        if matches!(task.state, TaskState::Done | TaskState::Failed) {
            let status = shown(&task)?["status"].take();
            let message = format!("a batch with the status {status} cannot be cancelled");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        tasks.cancel(task.id).await?;
        let task = tasks.get(BATCH, task.id).await?;
        shown(&task.ok_or_else(|| Error::internal("a batch that was cancelled is gone"))?)
    };
    told(stopped.await)
}
