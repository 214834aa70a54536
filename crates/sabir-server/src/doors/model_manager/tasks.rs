//! Calls that nobody waits for: queued, run, kept, and asked for by their id.
//!
//! Invariants: what is wrong with a call is said before it is queued; the same key for the same call
//! of the same caller is one task; after a restart a call that has not ended is made anew.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use ring::digest;
use sabir_engine::tasks::{Handler, Outcome as End, Running, Tasks};
use sabir_store::state::{NewTask, TaskRow, TaskState};
use sabir_types::{Error, ErrorKind, Result, Uuid, Value, Warning};
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    calls::{self, Around, Outcome},
    http::Shown,
    item::Item,
    parse,
    proto::{GetTaskStatusResponse, ModelResponseItem},
    render,
};
use crate::{
    app::{App, WeakApp},
    doors::shared,
};

/// The kind of these tasks.
const KIND: &str = "model_manager";
/// How many run at once.
const AT_ONCE: usize = 64;
/// How long a task is kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// What says that nobody waits.
const FLAG: &str = "enable_async_task";
/// The caller's name for a task that there shall be but one of.
const KEY: &str = "idempotency_key";

/// What is kept of a call.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    item: Item,
    request_id: String,
}

/// Says who runs the tasks.
pub fn handle(tasks: &Arc<Tasks>, app: &WeakApp) {
    tasks.handle(KIND, AT_ONCE, Arc::new(Background(app.clone())));
}

/// Whether nobody waits for this call.
pub(super) fn wants(item: &Item) -> bool {
    item.extra.get(FLAG) == Some(&Value::Bool(true))
}

/// Queues a call; what says where to ask for it.
pub(super) async fn submit(app: &App, mut item: Item, around: &Around) -> Result<(ModelResponseItem, HeaderMap)> {
    let tasks = app.tasks("a call that nobody waits for")?;
    item.extra.remove(FLAG);
    let key = match item.extra.remove(KEY) {
        None | Some(Value::Null) => None,
        Some(Value::String(key)) => Some(key).filter(|key| !key.is_empty()),
        Some(_) => return Err(Error::bad_request(format!("`{KEY}`: expected a string")).with_param(KEY)),
    };
    item.stream = false;
    let (call, ask) = parse::call(app, item.clone(), around)?;
    app.engine().config().model(call.operation, &call.model)?;
    let tags = call.options.tags.clone();
    let asked = Asked { item, request_id: around.request_id.clone() };
    let request =
        serde_json::to_vec(&asked).map_err(|e| Error::internal("a request could not be written").with_source(e))?;
    let mut task = NewTask::new(KIND, request);
    task.caller = around.caller.as_deref().map(str::to_owned);
    task.tags = tags;
    task.expires = Some(sabir_engine::tasks::now_ms().saturating_add(KEPT.as_millis() as i64));
    if let Some(key) = key {
        task.id = keyed(&key, task.caller.as_deref(), &asked.item);
    }
    let id = task.id;
    if !is_there(tasks, id, &asked).await? {
        // Somebody else may have been quicker with the same key.
        if let Err(error) = tasks.submit(task).await
            && !is_there(tasks, id, &asked).await?
        {
            return Err(error);
        }
    }
    let raw_response = json!({"task_id": id.to_string(), "status": "processing"}).to_string();
    let mut headers = HeaderMap::new();
    let left_out = |name: &String| Warning { param: name.clone(), message: "has no effect here".into() };
    shared::set_warnings(&mut headers, &ask.left_out.iter().map(left_out).collect::<Vec<_>>());
    Ok((ModelResponseItem { raw_response, ..render::blank(&ask) }, headers))
}

/// Whether this call was queued before. The same key for another call is an error.
async fn is_there(tasks: &Arc<Tasks>, id: Uuid, asked: &Asked) -> Result<bool> {
    let Some(row) = tasks.get(KIND, id).await? else { return Ok(false) };
    if Asked::of(&row)?.item == asked.item {
        return Ok(true);
    }
    let message = format!("`{KEY}` was given to another call before");
    Err(Error::new(ErrorKind::Conflict, message).with_param(KEY))
}

/// The id of a task that there shall be but one of.
fn keyed(key: &str, caller: Option<&str>, item: &Item) -> Uuid {
    let mut hash = digest::Context::new(&digest::SHA256);
    for part in [caller.unwrap_or_default(), &item.who.org_id, &item.who.user_id, key] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finish().as_ref()[..16]);
    // The form that has room for ids of one's own (RFC 9562).
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Uuid::from_bytes(bytes)
}

/// Where a task stands; nothing if there is none of that name for this caller.
pub(super) async fn status(app: &App, id: &str, caller: Option<&str>) -> Result<Option<GetTaskStatusResponse>> {
    let (Some(tasks), Ok(known)) = (app.engine().tasks(), id.parse()) else { return Ok(None) };
    let Some(row) = tasks.get(KIND, known).await? else { return Ok(None) };
    if !is_theirs(app, row.caller.as_deref(), caller) {
        return Ok(None);
    }
    let asked = Asked::of(&row)?;
    let model = asked.item.extra.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (status, result, error_message) = match row.state {
        TaskState::Queued | TaskState::Running => ("processing", None, String::new()),
        TaskState::Done => ("completed", row.result.as_deref().and_then(result), String::new()),
        TaskState::Cancelled => ("failed", None, "the task was stopped".to_owned()),
        TaskState::Failed => ("failed", None, row.result.as_deref().and_then(why).unwrap_or_else(unsaid)),
    };
    Ok(Some(GetTaskStatusResponse {
        task_id: id.to_owned(),
        provider: asked.item.provider,
        channel: asked.item.channel,
        invoke_type: asked.item.invoke_type,
        model,
        status: status.to_owned(),
        created_at: moment(row.created),
        completed_at: row.ended.map(moment).unwrap_or_default(),
        result_data: result.map(|result| result.to_string()).unwrap_or_default(),
        error_message,
    }))
}

/// Why there is no such task.
pub(super) fn missing(id: &str) -> String {
    format!("no task `{id}`")
}

/// What several tasks are, one that is not there included.
pub(super) async fn statuses(app: &App, ids: Vec<String>, caller: Option<&str>) -> Result<Vec<GetTaskStatusResponse>> {
    let mut all = Vec::with_capacity(ids.len());
    for task_id in ids {
        all.push(match status(app, &task_id, caller).await? {
            Some(status) => status,
            None => GetTaskStatusResponse {
                error_message: missing(&task_id),
                status: "failed".to_owned(),
                task_id,
                ..GetTaskStatusResponse::default()
            },
        });
    }
    Ok(all)
}

/// Whether a task is this caller's. Tokens are signed by the application that all its users share, so
/// what one of them queued another may ask for; a key's tasks are for this key only.
fn is_theirs(app: &App, owner: Option<&str>, caller: Option<&str>) -> bool {
    let config = app.engine().config();
    let is_key =
        |name: Option<&str>| name.is_some_and(|name| config.gateway.api_keys.iter().any(|(key, _)| **key == *name));
    owner == caller || !is_key(owner) && !is_key(caller)
}

/// A result as clients read it: where the first file is, and all that the call said.
fn result(kept: &[u8]) -> Option<Value> {
    let mut metadata: Value = serde_json::from_slice(kept).ok()?;
    let address = metadata["content"].as_str().and_then(|text| text.lines().next());
    let address = address.filter(|line| line.contains("://") && !line.contains(' ')).map(str::to_owned);
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.shift_remove("error");
    }
    Some(json!({"gcs_uri": address, "metadata": metadata}))
}

fn why(kept: &[u8]) -> Option<String> {
    let item: Value = serde_json::from_slice(kept).ok()?;
    item["error"].as_str().map(str::to_owned)
}

fn unsaid() -> String {
    "internal: the call could not be made".to_owned()
}

fn moment(millis: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok();
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

impl Asked {
    fn of(row: &TaskRow) -> Result<Self> {
        serde_json::from_slice(&row.request)
            .map_err(|e| Error::internal(format!("task {} cannot be read", row.id)).with_source(e))
    }
}

struct Background(WeakApp);

impl Handler for Background {
    fn run(&self, task: Running) -> Pin<Box<dyn Future<Output = End> + Send + '_>> {
        Box::pin(async move {
            let Some(app) = self.0.upgrade() else { return End::GiveBack };
            tokio::select! {
                end = make(&app, &task.task) => end,
                // Dropping the call is what ends it at the provider.
                () = task.cancelled().cancelled() => End::cancelled(None),
            }
        })
    }
}

async fn make(app: &App, row: &TaskRow) -> End {
    let asked = match Asked::of(row) {
        Ok(asked) => asked,
        Err(error) => return End::failed(json!({"error": render::message(&error)}).to_string()),
    };
    let around = Around { request_id: asked.request_id, caller: row.caller.as_deref().map(Arc::from) };
    let custom_id = asked.item.custom_id.clone();
    let item = match Box::pin(calls::run(app, Ok(asked.item), custom_id, &around, None)).await {
        Ok(Outcome::Whole(item, _)) => *item,
        Ok(Outcome::Stream(running)) => render::failed(&Error::internal("a task got a stream"), &running.ask),
        Err(late) => late.item(),
    };
    let kept = Bytes::from(serde_json::to_vec(&Shown::of(&item)).unwrap_or_default());
    if item.error.is_empty() { End::done(kept) } else { End::failed(kept) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_one_task_of_one_caller() {
        let item = Item::default();
        let id = keyed("k", Some("a"), &item);
        assert_eq!(id, keyed("k", Some("a"), &item));
        assert_eq!(id.get_version_num(), 8);
        let mut other = item.clone();
        other.who.user_id = "u".into();
        for another in [
            keyed("k", Some("b"), &item),
            keyed("k", None, &item),
            keyed("l", Some("a"), &item),
            keyed("k", Some("a"), &other),
        ] {
            assert_ne!(id, another);
        }
    }

    #[test]
    fn a_result_says_where_its_file_is() {
        for (content, wanted) in [
            ("gs://bucket/a.png\ngs://bucket/b.png", json!("gs://bucket/a.png")),
            ("https://x.example/a.png", json!("https://x.example/a.png")),
            ("data:image/png;base64,AAAA", Value::Null),
            ("See https://x.example for more.", Value::Null),
            ("", Value::Null),
        ] {
            let kept = json!({"content": content, "error": null, "usage": {"total_tokens": 1}}).to_string();
            let shown = result(kept.as_bytes()).unwrap();
            assert_eq!(
                shown,
                json!({"gcs_uri": wanted, "metadata": {"content": content, "usage": {"total_tokens": 1}}})
            );
        }
        assert_eq!(why(br#"{"error": "timeout: x"}"#).as_deref(), Some("timeout: x"));
    }

    #[test]
    fn moments_are_readable() {
        assert_eq!(moment(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
    }
}
