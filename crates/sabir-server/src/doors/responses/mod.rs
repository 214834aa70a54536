//! The door of OpenAI's Responses API, at the paths that clients use.
//!
//! Invariant: what is kept is what the ledger holds, and beside it what is not a record of a call:
//! answers that are made in the background, conversations. The door keeps nothing itself.

mod background;
mod context;
mod conversations;
mod kept;
mod other;
mod parse;
mod render;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, Request},
    response::Response,
    routing::{get, post},
};
use http::StatusCode;
use sabir_engine::tasks::Tasks;
use sabir_store::state::TaskRow;
use sabir_types::{Error, Result, Value};
use serde_json::json;

use self::kept::Kept;
use crate::{
    app::{App, WeakApp},
    doors::shared::{json_response, query},
    gate,
};

/// The name of the endpoint in metrics.
const ENDPOINT: &str = "responses";
/// How long a call that was cancelled may take to come to its end.
const ENDING: Duration = Duration::from_secs(5);

/// Its routes, to be mounted at the root.
pub fn routes() -> Router<App> {
    let mut router = Router::new();
    for base in ["/v1", "/openai/v1"] {
        router = router
            .route(&format!("{base}/responses"), post(create))
            .route(&format!("{base}/responses/compact"), post(compact))
            .route(&format!("{base}/responses/input_tokens"), post(input_tokens))
            .route(&format!("{base}/conversations"), post(conversations::create));
    }
    router
}

/// The routes of what is kept: answers and conversations.
pub(super) fn kept_routes() -> Router<App> {
    let mut router = Router::new();
    for base in ["/v1", "/openai/v1"] {
        let (answer, talk) = (format!("{base}/responses/{{id}}"), format!("{base}/conversations/{{id}}"));
        router = router
            .route(&answer, get(retrieve).delete(delete))
            .route(&format!("{answer}/cancel"), post(cancel))
            .route(&format!("{answer}/input_items"), get(input_items))
            .route(&talk, get(conversations::retrieve).post(conversations::update).delete(conversations::delete))
            .route(&format!("{talk}/items"), get(conversations::list).post(conversations::add))
            .route(&format!("{talk}/items/{{item}}"), get(conversations::item).delete(conversations::delete_item));
    }
    router
}

/// Says who makes answers that nobody waits for.
pub fn handle(tasks: &Arc<Tasks>, app: &WeakApp) {
    background::handle(tasks, app);
}

/// What became of a request at first.
enum Begun {
    /// Its caller waits.
    Call(Box<parse::Parsed>),
    /// It is queued.
    Task(Box<TaskRow>),
}

async fn create(State(app): State<App>, request: Request<Body>) -> Response {
    let parse::Parsed { call, ask } = match begin(&app, request).await {
        Ok(Begun::Call(parsed)) => *parsed,
        Ok(Begun::Task(task)) => {
            let first = if background::is_stream(&task) {
                background::follow(&app, &task, 0)
            } else {
                background::response(&task).map(|value| told(Ok(value)))
            };
            return first.unwrap_or_else(|error| render::error(&error));
        }
        Err(error) => {
            app.metrics().failed(ENDPOINT, error.kind());
            return render::error(&error);
        }
    };
    match app.engine().run(call).await {
        Ok(answer) => render::answer(&app, answer, ask),
        Err(failure) => {
            app.metrics().failed(ENDPOINT, failure.error.kind());
            render::failure(&failure)
        }
    }
}

async fn begin(app: &App, request: Request<Body>) -> Result<Begun> {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let (caller, complete) = parse::read(app, &parts, body).await?;
    if complete.background {
        let task = background::submit(app, &parts.headers, caller, &complete).await?;
        return Ok(Begun::Task(Box::new(task)));
    }
    let parsed = parse::call(&parts.headers, caller, &complete, started)?;
    if let Some(conversation) = &complete.conversation {
        conversations::join(app, conversation, parsed.call.id, &complete.own).await?;
    }
    Ok(Begun::Call(Box::new(parsed)))
}

async fn retrieve(
    State(app): State<App>,
    Path(id): Path<String>,
    RawQuery(asked): RawQuery,
    headers: HeaderMap,
) -> Response {
    let found = async {
        let caller = gate::admit(&app, &headers)?;
        let asked = asked.unwrap_or_default();
        let found = kept::find(&app, &id, caller.as_deref()).await?;
        if query(&asked, "stream").as_deref() != Some("true") {
            return Ok(told(Ok(found.response()?)));
        }
        let from = match query(&asked, "starting_after") {
            None => 0,
            Some(number) => number.parse::<u32>().ok().and_then(|number| number.checked_add(1)).ok_or_else(|| {
                Error::bad_request("starting_after: expected the number of an event").with_param("starting_after")
            })?,
        };
        match found {
            Kept::Task(task) => background::follow(&app, &task, from),
            Kept::Row(_) => {
                Err(unsupported("stream", "only answers that are made in the background are streamed again"))
            }
        }
    };
    found.await.unwrap_or_else(|error| render::error(&error))
}

async fn input_items(
    State(app): State<App>,
    Path(id): Path<String>,
    RawQuery(asked): RawQuery,
    headers: HeaderMap,
) -> Response {
    let found = async {
        let caller = gate::admit(&app, &headers)?;
        let found = kept::find(&app, &id, caller.as_deref()).await?;
        kept::page(found.input()?, &asked.unwrap_or_default())
    };
    told(found.await)
}

async fn delete(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let gone = async {
        let caller = gate::admit(&app, &headers)?;
        let found = kept::find(&app, &id, caller.as_deref()).await?;
        kept::remove(&app, &found).await?;
        Ok(json!({"id": id, "object": "response", "deleted": true}))
    };
    told(gone.await)
}

async fn cancel(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let stopped = async {
        let caller = gate::admit(&app, &headers)?;
        let Kept::Task(task) = kept::find(&app, &id, caller.as_deref()).await? else {
            return Err(Error::bad_request("only an answer that is made in the background can be cancelled"));
        };
        let tasks = app.tasks("answers")?;
        tasks.cancel(task.id).await?;
        let task = tasks.wait(task.id, ENDING).await?;
        background::response(&task.ok_or_else(|| Error::internal("a task that was cancelled is gone"))?)
    };
    told(stopped.await)
}

async fn compact(State(app): State<App>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let relayed = async {
        let (caller, complete) = parse::read(&app, &parts, body).await?;
        other::compact(&app, &parts, caller, complete).await
    };
    relayed.await.unwrap_or_else(|error| {
        app.metrics().failed("compact", error.kind());
        render::error(&error)
    })
}

async fn input_tokens(State(app): State<App>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let counted = async {
        let (_, complete) = parse::read(&app, &parts, body).await?;
        other::input_tokens(&app, &parts.headers, complete.body).await
    };
    let counted = counted.await;
    if let Err(error) = &counted {
        app.metrics().failed("input_tokens", error.kind());
    }
    told(counted)
}

fn told(answer: Result<Value>) -> Response {
    match answer {
        Ok(value) => json_response(StatusCode::OK, Body::from(value.to_string()), None),
        Err(error) => render::error(&error),
    }
}

fn unsupported(param: &str, what: &str) -> Error {
    Error::unsupported(param, format!("`{param}`: {what}"))
}
