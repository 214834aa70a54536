//! The door of OpenAI's Responses: answers and what is kept of them, at the paths that clients use.
//!
//! Invariant: what is kept is what the ledger holds; the door keeps nothing itself. Nothing is
//! done in the background, and nothing is deleted.

mod kept;
mod parse;
mod render;

use axum::{
    Router,
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, Request},
    response::Response,
    routing::{get, post},
};
use http::StatusCode;
use sabir_types::{Error, Result, Value};

use crate::{
    app::App,
    doors::shared::{json_response, query},
    gate,
};

/// The name of the endpoint in metrics.
const ENDPOINT: &str = "responses";

/// Its routes, to be mounted at the root.
pub fn routes() -> Router<App> {
    let mut router = Router::new();
    for base in ["/v1/responses", "/openai/v1/responses"] {
        router = router
            .route(base, post(create))
            .route(&format!("{base}/compact"), post(compact))
            .route(&format!("{base}/input_tokens"), post(input_tokens))
            .route(&format!("{base}/{{id}}"), get(retrieve).delete(delete))
            .route(&format!("{base}/{{id}}/cancel"), post(cancel))
            .route(&format!("{base}/{{id}}/input_items"), get(input_items));
    }
    router
}

async fn create(State(app): State<App>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let parse::Parsed { call, ask } = match parse::call(&app, &parts, body).await {
        Ok(parsed) => parsed,
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

async fn retrieve(
    State(app): State<App>,
    Path(id): Path<String>,
    RawQuery(asked): RawQuery,
    headers: HeaderMap,
) -> Response {
    let found = async {
        let caller = gate::admit(&app, &headers)?;
        if query(&asked.unwrap_or_default(), "stream").is_some_and(|word| word == "true") {
            return Err(unsupported("stream", "an answer that is kept is not streamed again: ask for it whole"));
        }
        kept::response(&kept::find(&app, &id, caller.as_deref()).await?)
    };
    told(found.await)
}

async fn input_items(
    State(app): State<App>,
    Path(id): Path<String>,
    RawQuery(asked): RawQuery,
    headers: HeaderMap,
) -> Response {
    let found = async {
        let caller = gate::admit(&app, &headers)?;
        let record = kept::find(&app, &id, caller.as_deref()).await?;
        kept::page(kept::input(&record)?, &asked.unwrap_or_default())
    };
    told(found.await)
}

async fn delete(State(app): State<App>, headers: HeaderMap) -> Response {
    refused(&app, &headers, "an answer cannot be deleted: the ledger only adds rows, it never takes one away")
}

async fn cancel(State(app): State<App>, headers: HeaderMap) -> Response {
    refused(&app, &headers, "there is nothing to cancel: no answer is made in the background")
}

async fn compact(State(app): State<App>, headers: HeaderMap) -> Response {
    refused(&app, &headers, "conversations are not compacted here")
}

async fn input_tokens(State(app): State<App>, headers: HeaderMap) -> Response {
    refused(&app, &headers, "the tokens of a request are not counted here")
}

fn refused(app: &App, headers: &HeaderMap, why: &str) -> Response {
    match gate::admit(app, headers) {
        Ok(_) => render::error(&Error::new(sabir_types::ErrorKind::Unsupported, why)),
        Err(error) => render::error(&error),
    }
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
