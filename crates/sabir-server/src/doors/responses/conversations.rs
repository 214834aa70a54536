//! Conversations: items that grow with each answer.
//!
//! Invariant: an answer's items join their conversation when the answer is committed, which is
//! before its caller has seen its end; until then their place is held. Items of an answer that
//! failed do not join.

use axum::{
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, Request},
    response::Response,
};
use sabir_engine::tasks::{now_ms, stored};
use sabir_store::state::{Conversation, ConversationItem, State as Store};
use sabir_types::{Error, ErrorKind, Map, Result, Uuid, Value, new_id};
use serde_json::json;

use super::{kept, told};
use crate::{app::App, gate};

/// How many items can be added at once, and how many labels a conversation has.
const ITEMS: usize = 20;
const LABELS: usize = 16;
/// After this an answer that is not there will not come, in milliseconds.
const LOST: i64 = 3_600_000;

/// The id of a conversation.
fn name(id: Uuid) -> String {
    format!("conv_{}", id.simple())
}

/// The conversation of ours that a name stands for.
pub(super) fn id(name: &str) -> Option<Uuid> {
    crate::doors::shared::own_id(name, "conv_")
}

/// A conversation, by its name.
pub(super) async fn find(app: &App, name: &str, caller: Option<&str>) -> Result<Conversation> {
    let missing = || Error::new(ErrorKind::NotFound, format!("no conversation with the id `{name}` is kept here"));
    let id = id(name).ok_or_else(missing)?;
    let found = stored(store(app)?.conversation(id).await)?.ok_or_else(missing)?;
    if caller.is_none() || found.caller.as_deref() == caller { Ok(found) } else { Err(missing()) }
}

/// All items, oldest first; answers that have come meanwhile take their places.
pub(super) async fn items(app: &App, id: Uuid) -> Result<Vec<Value>> {
    let store = store(app)?;
    let mut all = Vec::new();
    for item in stored(store.items(id).await)? {
        let Some(answer) = item.pending else {
            all.push(read(&item)?);
            continue;
        };
        if let Some(items) = arrived(app, answer, &item).await? {
            let rows = items.iter().map(row).collect();
            stored(store.settle_item(id, item.id, rows).await)?;
            all.extend(items);
        }
    }
    Ok(all)
}

/// An item of any conversation of this caller's.
pub(super) async fn item_of(app: &App, item: &str, caller: Option<&str>) -> Result<Option<Value>> {
    let Some(tasks) = app.engine().tasks() else { return Ok(None) };
    let Some((id, found)) = stored(tasks.state().item(item.to_owned()).await)? else { return Ok(None) };
    let conversation = stored(tasks.state().conversation(id).await)?;
    let theirs = conversation.is_some_and(|found| caller.is_none() || found.caller.as_deref() == caller);
    if theirs && found.pending.is_none() { read(&found).map(Some) } else { Ok(None) }
}

/// Holds the place of an answer and of the items that it answers.
pub(super) async fn join(app: &App, conversation: &str, answer: Uuid, own: &[Value]) -> Result<()> {
    let missing =
        || Error::new(ErrorKind::NotFound, format!("no conversation with the id `{conversation}` is kept here"));
    let id = id(conversation).ok_or_else(missing)?;
    let own: Vec<Value> = own.iter().cloned().map(named).collect();
    let held = ConversationItem {
        id: format!("held_{}", answer.simple()),
        pending: Some(answer),
        data: Value::from(own).to_string(),
    };
    if stored(store(app)?.add_items(id, vec![held]).await)? { Ok(()) } else { Err(missing()) }
}

/// What takes the place of an answer; `None` while it is under way.
async fn arrived(app: &App, answer: Uuid, held: &ConversationItem) -> Result<Option<Vec<Value>>> {
    let Some(found) = kept::look(app, answer).await? else {
        let (seconds, _) = answer.get_timestamp().map_or((0, 0), |at| at.to_unix());
        let age = now_ms() - i64::try_from(seconds).unwrap_or_default() * 1000;
        return Ok((age > LOST).then(Vec::new));
    };
    let response = found.response()?;
    match response["status"].as_str() {
        Some("queued" | "in_progress") => Ok(None),
        Some("completed" | "incomplete") => {
            let mut all: Vec<Value> = serde_json::from_str(&held.data).map_err(unreadable)?;
            all.extend(found.output()?.into_iter().map(named));
            Ok(Some(all))
        }
        _ => Ok(Some(Vec::new())),
    }
}

fn store(app: &App) -> Result<&std::sync::Arc<dyn Store>> {
    Ok(app.tasks("conversations")?.state())
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::internal("an item of a conversation cannot be read").with_source(error)
}

fn read(item: &ConversationItem) -> Result<Value> {
    serde_json::from_str(&item.data).map_err(unreadable)
}

fn row(item: &Value) -> ConversationItem {
    let id = item["id"].as_str().unwrap_or_default().to_owned();
    ConversationItem { id, pending: None, data: item.to_string() }
}

/// An item with an id and a type, as every item of a conversation has them.
fn named(mut item: Value) -> Value {
    if let Some(members) = item.as_object_mut() {
        let kind = members.entry("type").or_insert_with(|| "message".into());
        let prefix = match kind.as_str() {
            Some("message") => "msg",
            Some("function_call") => "fc",
            Some("function_call_output") => "fco",
            Some("reasoning") => "rs",
            _ => "item",
        };
        let id = members.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        if id.is_none() {
            members.insert("id".into(), format!("{prefix}_{}", new_id().simple()).into());
        }
        if prefix == "msg" {
            members.entry("status").or_insert_with(|| "completed".into());
            if let Some(Value::String(text)) = members.get("content") {
                let part = if members.get("role").is_some_and(|role| role == "assistant") {
                    json!({"type": "output_text", "text": text, "annotations": []})
                } else {
                    json!({"type": "input_text", "text": text})
                };
                members.insert("content".into(), json!([part]));
            }
        }
    }
    item
}

fn shown(conversation: &Conversation) -> Result<Value> {
    let metadata: Value = serde_json::from_str(&conversation.metadata).map_err(unreadable)?;
    Ok(json!({
        "id": name(conversation.id),
        "object": "conversation",
        "created_at": conversation.created / 1000,
        "metadata": metadata,
    }))
}

/// A body that may be left out.
async fn body(app: &App, request: Request<Body>) -> Result<Map<String, Value>> {
    let (parts, body) = request.into_parts();
    let bytes = gate::read(app, &parts.headers, body).await?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(&bytes).map_err(|e| Error::bad_request(format!("the body is not a JSON object: {e}")))
}

/// Labels, checked.
pub(super) fn metadata(members: &Map<String, Value>) -> Result<String> {
    let wrong = |what: &str| Error::bad_request(format!("metadata: {what}")).with_param("metadata");
    match members.get("metadata") {
        None | Some(Value::Null) => Ok("{}".into()),
        Some(Value::Object(map)) if map.len() > LABELS => Err(wrong(&format!("no more than {LABELS} labels"))),
        Some(Value::Object(map)) if map.values().all(Value::is_string) => Ok(Value::Object(map.clone()).to_string()),
        Some(_) => Err(wrong("expected an object of strings")),
    }
}

fn new_items(members: &Map<String, Value>) -> Result<Vec<Value>> {
    let wrong = |what: &str| Error::bad_request(format!("items: {what}")).with_param("items");
    match members.get("items") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) if items.len() > ITEMS => Err(wrong(&format!("no more than {ITEMS} at once"))),
        Some(Value::Array(items)) if items.iter().all(Value::is_object) => {
            Ok(items.iter().cloned().map(named).collect())
        }
        Some(_) => Err(wrong("expected a list of items")),
    }
}

pub(super) async fn create(State(app): State<App>, request: Request<Body>) -> Response {
    let made = async {
        let caller = gate::admit(&app, request.headers())?;
        let members = body(&app, request).await?;
        let conversation = Conversation {
            id: new_id(),
            caller: caller.map(|caller| caller.to_string()),
            created: now_ms(),
            metadata: metadata(&members)?,
        };
        let items = new_items(&members)?.iter().map(row).collect();
        stored(store(&app)?.add_conversation(conversation.clone(), items).await)?;
        shown(&conversation)
    };
    told(made.await)
}

pub(super) async fn retrieve(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let found = async {
        let caller = gate::admit(&app, &headers)?;
        shown(&find(&app, &name, caller.as_deref()).await?)
    };
    told(found.await)
}

pub(super) async fn update(State(app): State<App>, Path(name): Path<String>, request: Request<Body>) -> Response {
    let changed = async {
        let caller = gate::admit(&app, request.headers())?;
        let mut found = find(&app, &name, caller.as_deref()).await?;
        found.metadata = metadata(&body(&app, request).await?)?;
        stored(store(&app)?.set_metadata(found.id, found.metadata.clone()).await)?;
        shown(&found)
    };
    told(changed.await)
}

pub(super) async fn delete(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let gone = async {
        let caller = gate::admit(&app, &headers)?;
        let found = find(&app, &name, caller.as_deref()).await?;
        stored(store(&app)?.delete_conversation(found.id).await)?;
        Ok(json!({"id": name, "object": "conversation.deleted", "deleted": true}))
    };
    told(gone.await)
}

pub(super) async fn list(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(asked): RawQuery,
    headers: HeaderMap,
) -> Response {
    let found = async {
        let caller = gate::admit(&app, &headers)?;
        let found = find(&app, &name, caller.as_deref()).await?;
        kept::page(items(&app, found.id).await?, &asked.unwrap_or_default())
    };
    told(found.await)
}

pub(super) async fn add(State(app): State<App>, Path(name): Path<String>, request: Request<Body>) -> Response {
    let added = async {
        let caller = gate::admit(&app, request.headers())?;
        let found = find(&app, &name, caller.as_deref()).await?;
        let items = new_items(&body(&app, request).await?)?;
        if items.is_empty() {
            return Err(Error::bad_request("items: expected a list of items").with_param("items"));
        }
        stored(store(&app)?.add_items(found.id, items.iter().map(row).collect()).await)?;
        kept::page(items, "order=asc&limit=100")
    };
    told(added.await)
}

pub(super) async fn item(
    State(app): State<App>,
    Path((name, item)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let found = async {
        let caller = gate::admit(&app, &headers)?;
        let found = find(&app, &name, caller.as_deref()).await?;
        let items = items(&app, found.id).await?;
        items.into_iter().find(|one| one["id"] == item.as_str()).ok_or_else(|| no_item(&name, &item))
    };
    told(found.await)
}

pub(super) async fn delete_item(
    State(app): State<App>,
    Path((name, item)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let gone = async {
        let caller = gate::admit(&app, &headers)?;
        let found = find(&app, &name, caller.as_deref()).await?;
        // Answers that have come are items now.
        items(&app, found.id).await?;
        if item.starts_with("held_") || !stored(store(&app)?.delete_item(found.id, item.clone()).await)? {
            return Err(no_item(&name, &item));
        }
        shown(&found)
    };
    told(gone.await)
}

fn no_item(conversation: &str, item: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("the conversation `{conversation}` has no item `{item}`"))
}
