//! The door's other way in: the same calls as JSON over HTTP, where clients go while gRPC is down.
//!
//! Invariants: the same callers are let in, and an answer says the same; what goes wrong with a call
//! is said in its item, and a status is for what never became one.

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use sabir_engine::Frame;
use sabir_types::{Error, ErrorKind, Map, Result, Value};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    ENDPOINT, auth,
    calls::{self, Around, Outcome, Running},
    item::{self, Item, Who},
    proto::{GetTaskStatusResponse, ModelResponseItem},
    render,
    stream::{Timed, Writer},
    tasks,
};
use crate::{
    app::App,
    doors::{
        events::{self, FrameWriter},
        shared,
    },
    gate,
};

/// What ends a stream.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// Its routes, to be mounted at the root.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/invoke", post(invoke))
        .route("/v1/batch-invoke", post(batch_invoke))
        .route("/v1/task-status/{id}", get(task_status))
        .route("/v1/batch-task-status", post(batch_task_status))
}

/// Whether a path is one of this door's.
pub fn owns(path: &str) -> bool {
    let own = ["/v1/invoke", "/v1/batch-invoke", "/v1/batch-task-status"];
    own.iter().any(|own| path.ends_with(own)) || path.contains("/v1/task-status/")
}

async fn invoke(State(app): State<App>, request: Request<Body>) -> Response {
    let (around, object) = match read(&app, request).await {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    let custom_id = item::custom_id(&object);
    let (mut response, headers) =
        match calls::run(&app, Item::read(object, &Who::default()), custom_id, &around, None).await {
            Ok(Outcome::Whole(item, headers)) => (json(StatusCode::OK, &Shown::of(&item)), headers),
            Ok(Outcome::Stream(running)) => {
                let Running { frames, facts, ask, until, headers } = *running;
                let lines = Lines(Writer::new(facts, ask, app));
                (events::respond(Timed::new(frames, until), lines), headers)
            }
            Err(late) => (json(StatusCode::OK, &Shown::of(&late.item())), HeaderMap::new()),
        };
    response.headers_mut().extend(headers);
    named(response, &around)
}

async fn batch_invoke(State(app): State<App>, request: Request<Body>) -> Response {
    let (around, mut object) = match read(&app, request).await {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    let items = match items(&mut object) {
        Ok(items) => items,
        Err(error) => return refused(&app, &error, &around),
    };
    let answers = calls::batch(&app, items, &around).await;
    let result = Batch { request_id: &around.request_id, responses: answers.iter().map(Shown::of).collect() };
    named(json(StatusCode::OK, &Results { results: [result] }), &around)
}

async fn task_status(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let mut around = Around::of(&headers, None);
    let found = async {
        around.caller = auth::admit(&app, &headers).await?;
        let found = tasks::status(&app, &id, around.caller.as_deref()).await?;
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, tasks::missing(&id)))
    };
    match found.await {
        Ok(status) => named(json(StatusCode::OK, &Task::of(&status)), &around),
        Err(error) => refused(&app, &error, &around),
    }
}

async fn batch_task_status(State(app): State<App>, request: Request<Body>) -> Response {
    let (around, mut object) = match read(&app, request).await {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    let found = async {
        let ids = serde_json::from_value(object.remove("task_ids").unwrap_or_default())
            .map_err(|_| Error::bad_request("`task_ids`: expected an array of strings").with_param("task_ids"))?;
        tasks::statuses(&app, ids, around.caller.as_deref()).await
    };
    match found.await {
        Ok(all) => {
            let shown = Statuses { tasks: all.iter().map(Task::of).collect() };
            named(json(StatusCode::OK, &shown), &around)
        }
        Err(error) => refused(&app, &error, &around),
    }
}

/// Lets a caller in, and reads what they sent.
async fn read(app: &App, request: Request<Body>) -> Result<(Around, Map<String, Value>), Response> {
    let (parts, body) = request.into_parts();
    let mut around = Around::of(&parts.headers, None);
    let read = async {
        around.caller = auth::admit(app, &parts.headers).await?;
        let body = gate::read(app, &parts.headers, body).await?;
        serde_json::from_slice(&body).map_err(|error| {
            Error::bad_request(format!("the request's body is not a JSON object: {error}")).with_source(error)
        })
    };
    match read.await {
        Ok(object) => Ok((around, object)),
        Err(error) => Err(refused(app, &error, &around)),
    }
}

/// The items of a batch.
fn items(object: &mut Map<String, Value>) -> Result<Vec<(Option<String>, Result<Item>)>> {
    let who = match object.remove("user_context") {
        None | Some(Value::Null) => Who::default(),
        Some(context) => Who::read(context)?,
    };
    let Some(Value::Array(items)) = object.remove("items") else {
        return Err(Error::bad_request("`items`: expected an array").with_param("items"));
    };
    let read = |item| match item {
        Value::Object(item) => (item::custom_id(&item), Item::read(item, &who)),
        _ => (None, Err(Error::bad_request("`items`: expected objects").with_param("items"))),
    };
    Ok(items.into_iter().map(read).collect())
}

fn refused(app: &App, error: &Error, around: &Around) -> Response {
    app.metrics().failed(ENDPOINT, error.kind());
    named(error_response(error), around)
}

/// An error without a call, in this door's shape.
pub fn error_response(error: &Error) -> Response {
    let item = ModelResponseItem { error: render::message(error), ..ModelResponseItem::default() };
    let status = match error.kind() {
        ErrorKind::Authentication => StatusCode::UNAUTHORIZED,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Timeout => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Connection | ErrorKind::Upstream | ErrorKind::BadUpstream => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    json(status, &Shown::of(&item))
}

fn named(mut response: Response, around: &Around) -> Response {
    shared::set(response.headers_mut(), "x-request-id", &around.request_id);
    response
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    // Its parts are texts and JSON already: there is nothing that could not be written.
    shared::json_response(status, Body::from(serde_json::to_vec(value).unwrap_or_default()), None)
}

/// An item as clients read it.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    content: &'a str,
    usage: Option<&'a RawValue>,
    raw_response: Option<&'a RawValue>,
    error: Option<&'a str>,
    custom_id: Option<&'a str>,
    request_id: Option<&'a str>,
}

impl<'a> Shown<'a> {
    pub(super) fn of(item: &'a ModelResponseItem) -> Self {
        let raw = |text: &'a str| serde_json::from_str(text).ok();
        Self {
            content: &item.content,
            usage: raw(&item.usage),
            raw_response: raw(&item.raw_response),
            error: Some(item.error.as_str()).filter(|error| !error.is_empty()),
            custom_id: item.custom_id.as_deref(),
            request_id: item.request_id.as_deref(),
        }
    }
}

/// A task's status as clients read it.
#[derive(Serialize)]
struct Task<'a> {
    task_id: &'a str,
    provider: &'a str,
    channel: &'a str,
    invoke_type: &'a str,
    model: &'a str,
    status: &'a str,
    created_at: Option<&'a str>,
    completed_at: Option<&'a str>,
    result_data: Option<&'a RawValue>,
    error_message: Option<&'a str>,
}

impl<'a> Task<'a> {
    fn of(status: &'a GetTaskStatusResponse) -> Self {
        let said = |text: &'a String| Some(text.as_str()).filter(|text| !text.is_empty());
        Self {
            task_id: &status.task_id,
            provider: &status.provider,
            channel: &status.channel,
            invoke_type: &status.invoke_type,
            model: &status.model,
            status: &status.status,
            created_at: said(&status.created_at),
            completed_at: said(&status.completed_at),
            result_data: serde_json::from_str(&status.result_data).ok(),
            error_message: said(&status.error_message),
        }
    }
}

#[derive(Serialize)]
struct Statuses<'a> {
    tasks: Vec<Task<'a>>,
}

#[derive(Serialize)]
struct Results<'a> {
    results: [Batch<'a>; 1],
}

#[derive(Serialize)]
struct Batch<'a> {
    request_id: &'a str,
    responses: Vec<Shown<'a>>,
}

/// Writes items as events.
struct Lines(Writer);

impl FrameWriter for Lines {
    fn frame(&mut self, frame: Frame) -> Bytes {
        let is_end = matches!(frame, Frame::End(_));
        self.0.frame(frame);
        let mut out = Vec::new();
        while let Some(item) = self.0.next() {
            out.extend_from_slice(b"data: ");
            out.extend(serde_json::to_vec(&Shown::of(&item)).unwrap_or_default());
            out.extend_from_slice(b"\n\n");
        }
        if is_end {
            out.extend_from_slice(DONE);
        }
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_item_is_shown_with_its_objects() {
        let item = ModelResponseItem {
            content: "hi".into(),
            usage: r#"{"total_tokens":3}"#.into(),
            custom_id: Some("q".into()),
            ..ModelResponseItem::default()
        };
        assert_eq!(
            serde_json::to_value(Shown::of(&item)).unwrap(),
            json!({"content": "hi", "usage": {"total_tokens": 3}, "raw_response": null, "error": null,
                "custom_id": "q", "request_id": null})
        );
    }

    #[test]
    fn the_items_of_a_batch_fail_one_by_one() {
        let Value::Object(mut batch) = json!({
            "user_context": {"org_id": "o"},
            "items": [{"custom_id": "a", "model": "m"}, {"custom_id": "b", "priority": "high"}, 1,
                {"user_context": {"org_id": "p"}}],
        }) else {
            panic!("not an object")
        };
        let items = items(&mut batch).unwrap();
        let [(a, first), (b, second), (None, third), (None, fourth)] = &items[..] else { panic!("{items:?}") };
        assert_eq!((a.as_deref(), b.as_deref()), (Some("a"), Some("b")));
        assert_eq!(first.as_ref().unwrap().who.org_id, "o");
        assert_eq!(second.as_ref().unwrap_err().param(), Some("priority"));
        assert!(third.is_err());
        assert_eq!(fourth.as_ref().unwrap().who.org_id, "p");
    }

    #[test]
    fn a_batch_without_items_is_refused() {
        assert_eq!(super::items(&mut Map::new()).unwrap_err().param(), Some("items"));
    }
}
