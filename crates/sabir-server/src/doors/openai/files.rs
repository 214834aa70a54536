//! Files, kept by the gateway.
//!
//! Invariants: a file is never held whole, neither on its way in nor out; one that did not arrive
//! whole is not there; nobody sees another caller's.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, Request},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderValue, StatusCode, header};
use multer::{Field, Multipart};
use sabir_engine::tasks::{now_ms, stored};
use sabir_store::{
    State as Store,
    state::{FileQuery, FileRow},
};
use sabir_types::{Error, ErrorKind, Result, Uuid, Value, new_id};
use serde_json::json;

use super::{parse::admitted, render};
use crate::{
    app::App,
    batches::MESSAGES_PURPOSE,
    doors::shared::{json_response, query},
};

/// What a file may be for.
const PURPOSES: [&str; 6] = ["assistants", "batch", "evals", "fine-tune", "user_data", "vision"];
/// How many bytes a chunk has.
const CHUNK: usize = 256 * 1024;
/// How many files a page has at most, which is also how many it usually has.
const PAGE: u32 = 10_000;
/// How long a caller may send nothing in the middle of a file.
const SILENCE: Duration = Duration::from_secs(60);
/// After how many seconds a file may expire.
const EXPIRY: std::ops::RangeInclusive<i64> = 3_600..=2_592_000;

/// The name of a file.
pub(super) fn name(id: Uuid) -> String {
    format!("file-{}", id.simple())
}

/// The file of ours that a name stands for.
pub(super) fn id(name: &str) -> Option<Uuid> {
    crate::doors::shared::own_id(name, "file-")
}

/// A file, by its name.
pub(super) async fn find(app: &App, name: &str, caller: Option<&str>) -> Result<FileRow> {
    let missing = || Error::new(ErrorKind::NotFound, format!("no file with the id `{name}` is kept here"));
    let id = id(name).ok_or_else(missing)?;
    let found = stored(store(app)?.file(id).await)?.ok_or_else(missing)?;
    let is_theirs = found.purpose != MESSAGES_PURPOSE && (caller.is_none() || found.caller.as_deref() == caller);
    if is_theirs { Ok(found) } else { Err(missing()) }
}

fn store(app: &App) -> Result<&std::sync::Arc<dyn Store>> {
    Ok(app.tasks("files")?.state())
}

fn shown(file: &FileRow) -> Value {
    let mut out = json!({
        "id": name(file.id),
        "object": "file",
        "bytes": file.bytes,
        "created_at": file.created / 1000,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": null,
    });
    if let Some(expires) = file.expires {
        out["expires_at"] = (expires / 1000).into();
    }
    out
}

/// An answer that no call stands behind.
pub(super) fn told(answer: Result<Value>) -> Response {
    match answer {
        Ok(value) => {
            let mut response = json_response(StatusCode::OK, Body::from(value.to_string()), None);
            render::give_request_id(&mut response);
            response
        }
        Err(error) => render::error(&error),
    }
}

pub(super) async fn create(State(app): State<App>, request: Request<Body>) -> Response {
    told(upload(&app, request).await)
}

/// Takes a file in, chunk by chunk.
async fn upload(app: &App, request: Request<Body>) -> Result<Value> {
    let caller = admitted(app, request.headers())?;
    let state = store(app)?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(|_| {
        Error::bad_request("a file comes as `multipart/form-data`, with its boundary in the content type")
    })?;
    let mut file = FileRow {
        id: new_id(),
        name: String::new(),
        purpose: String::new(),
        caller: caller.map(|caller| caller.to_string()),
        bytes: 0,
        created: now_ms(),
        expires: None,
    };
    stored(state.begin_file(file.clone()).await)?;
    let form = Multipart::new(request.into_body().into_data_stream(), boundary);
    let limit = app.engine().config().gateway.batches.file_limit;
    let read = read(&**state, form, &mut file, limit).await;
    if let Err(error) = read {
        // What came of it is of no use to anybody.
        stored(state.delete_file(file.id).await)?;
        return Err(error);
    }
    stored(state.finish_file(file.clone()).await)?;
    Ok(shown(&file))
}

async fn read(state: &dyn Store, mut form: Multipart<'_>, file: &mut FileRow, limit: u64) -> Result<()> {
    let (mut found, mut anchor, mut seconds) = (false, None, None);
    while let Some(mut field) = waited(form.next_field()).await? {
        match field.name().unwrap_or_default() {
            "file" => {
                if std::mem::replace(&mut found, true) {
                    return Err(wrong("file", "only one file at a time"));
                }
                file.name = field.file_name().unwrap_or("upload").to_owned();
                content(state, &mut field, file, limit).await?;
            }
            "purpose" => file.purpose = text("purpose", field).await?,
            "expires_after[anchor]" => anchor = Some(text("expires_after[anchor]", field).await?),
            "expires_after[seconds]" => seconds = Some(text("expires_after[seconds]", field).await?),
            other => return Err(wrong(other, "no such member: a file has `file`, `purpose` and `expires_after`")),
        }
    }
    if !found {
        return Err(wrong("file", "it is missing"));
    }
    if file.purpose.is_empty() {
        return Err(wrong("purpose", "it is missing"));
    }
    if !PURPOSES.contains(&file.purpose.as_str()) {
        return Err(wrong(
            "purpose",
            &format!("expected one of {}", PURPOSES.map(|word| format!("`{word}`")).join(", ")),
        ));
    }
    match (anchor.as_deref(), seconds) {
        (None, None) => {}
        (Some("created_at"), Some(seconds)) => {
            let seconds = seconds.parse().ok().and_then(|seconds: i64| expiry(seconds, "expires_after[seconds]").ok());
            let seconds =
                seconds.ok_or_else(|| wrong("expires_after[seconds]", "expected a number from 3600 to 2592000"))?;
            file.expires = Some(file.created + seconds * 1000);
        }
        _ => return Err(wrong("expires_after", "expected `anchor` with `created_at`, and `seconds`")),
    }
    Ok(())
}

/// After how many seconds something expires, checked.
pub(super) fn expiry(seconds: i64, param: &str) -> Result<i64> {
    if EXPIRY.contains(&seconds) {
        return Ok(seconds);
    }
    Err(wrong(param, &format!("expected a number from {} to {}", EXPIRY.start(), EXPIRY.end())))
}

pub(super) fn wrong(param: &str, what: &str) -> Error {
    Error::bad_request(format!("{param}: {what}")).with_param(param)
}

/// What comes of a form, unless its sender falls silent.
async fn waited<T>(next: impl Future<Output = multer::Result<T>>) -> Result<T> {
    match tokio::time::timeout(SILENCE, next).await {
        Ok(read) => read.map_err(|e| Error::bad_request(format!("the form cannot be read: {e}"))),
        Err(_) => {
            let message = format!("nothing of the file came for {} s", SILENCE.as_secs());
            Err(Error::new(ErrorKind::Timeout, message))
        }
    }
}

async fn text(name: &str, mut field: Field<'_>) -> Result<String> {
    let mut all = Vec::new();
    while let Some(more) = waited(field.chunk()).await? {
        all.extend_from_slice(&more);
        if all.len() > 1024 {
            return Err(wrong(name, "it is too long"));
        }
    }
    String::from_utf8(all).map_err(|_| wrong(name, "expected a text"))
}

async fn content(state: &dyn Store, field: &mut Field<'_>, file: &mut FileRow, limit: u64) -> Result<()> {
    let (mut held, mut number) = (BytesMut::new(), 0);
    loop {
        let more = waited(field.chunk()).await?;
        if let Some(more) = &more {
            file.bytes += more.len() as u64;
            if file.bytes > limit {
                let message = format!("the file is over the limit of {limit} bytes");
                return Err(Error::new(ErrorKind::TooLarge, message).with_param("file"));
            }
            held.extend_from_slice(more);
        }
        while held.len() >= CHUNK || (more.is_none() && !held.is_empty()) {
            let chunk = held.split_to(held.len().min(CHUNK)).freeze();
            stored(state.write_chunk(file.id, number, chunk).await)?;
            number += 1;
        }
        if more.is_none() {
            return Ok(());
        }
    }
}

pub(super) async fn list(State(app): State<App>, RawQuery(asked): RawQuery, headers: HeaderMap) -> Response {
    let found = async {
        let caller = admitted(&app, &headers)?;
        let asked = asked.unwrap_or_default();
        let limit = limit(&asked, PAGE, PAGE)?;
        let ascending = match query(&asked, "order").as_deref() {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(_) => return Err(wrong("order", "expected `asc` or `desc`")),
        };
        let wanted = FileQuery {
            purpose: query(&asked, "purpose"),
            caller: caller.map(|caller| caller.to_string()),
            after: after(&asked, id)?,
            ascending,
            limit: Some(limit + 1),
        };
        if wanted.purpose.as_deref() == Some(MESSAGES_PURPOSE) {
            return Ok(page(Vec::new(), limit));
        }
        let files = stored(store(&app)?.files(wanted).await)?;
        Ok(page(files.iter().filter(|file| file.purpose != MESSAGES_PURPOSE).map(shown).collect(), limit))
    };
    told(found.await)
}

/// `limit` of a listing.
pub(super) fn limit(asked: &str, usual: u32, most: u32) -> Result<u32> {
    match query(asked, "limit") {
        None => Ok(usual),
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=most).contains(limit))
            .ok_or_else(|| wrong("limit", &format!("expected a number from 1 to {most}"))),
    }
}

/// `after` of a listing.
pub(super) fn after(asked: &str, id: impl Fn(&str) -> Option<Uuid>) -> Result<Option<Uuid>> {
    query(asked, "after").map(|name| id(&name).ok_or_else(|| wrong("after", "nothing here has that id"))).transpose()
}

/// A list object of up to `limit` things; one more says that there are more.
pub(super) fn page(mut data: Vec<Value>, limit: u32) -> Value {
    let more = data.len() > limit as usize;
    data.truncate(limit as usize);
    let end = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    json!({"object": "list", "first_id": end(data.first()), "last_id": end(data.last()), "has_more": more, "data": data})
}

pub(super) async fn retrieve(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let found = async {
        let caller = admitted(&app, &headers)?;
        find(&app, &name, caller.as_deref()).await.map(|file| shown(&file))
    };
    told(found.await)
}

pub(super) async fn delete(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let gone = async {
        let caller = admitted(&app, &headers)?;
        let file = find(&app, &name, caller.as_deref()).await?;
        stored(store(&app)?.delete_file(file.id).await)?;
        Ok(json!({"id": name, "object": "file", "deleted": true}))
    };
    told(gone.await)
}

pub(super) async fn content_of(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let found = async {
        let caller = admitted(&app, &headers)?;
        let file = find(&app, &name, caller.as_deref()).await?;
        Ok::<_, Error>((file, store(&app)?.clone()))
    };
    let (file, state) = match found.await {
        Ok(found) => found,
        Err(error) => return render::error(&error),
    };
    let id = file.id;
    let chunks = futures_util::stream::unfold((state, 0), move |(state, number)| async move {
        let chunk: Result<Option<Bytes>> = stored(state.chunk(id, number).await);
        // Who reads a file that is deleted meanwhile notices by its length.
        chunk.transpose().map(|chunk| (chunk.map_err(std::io::Error::other), (state, number + 1)))
    });
    let mut response = Response::new(Body::from_stream(chunks.fuse()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.bytes));
    render::give_request_id(&mut response);
    response
}
