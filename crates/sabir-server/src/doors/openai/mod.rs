//! The OpenAI door: chat completions, embeddings, images, audio, moderations, reranking, files, batches and models,
//! at the paths that clients use.
//!
//! Invariant: a path says what is asked for; everything else is in the request.

mod batches;
mod files;
mod media;
mod models;
mod parse;
mod render;

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::Request,
    response::Response,
    routing::{get, post},
};
use sabir_types::{Operation, Protocol};

use crate::app::App;

/// Its routes, to be mounted at the root.
pub fn routes() -> Router<App> {
    let mut router = media::routes()
        .route("/openai/deployments/{model}/chat/completions", post(deployed_chat))
        .route("/openai/deployments/{model}/embeddings", post(deployed_embed));
    for base in ["/v1", "/openai/v1"] {
        router = router
            .route(&format!("{base}/chat/completions"), post(chat))
            .route(&format!("{base}/embeddings"), post(embed))
            .route(&format!("{base}/models"), get(models::list))
            .route(&format!("{base}/models/{{*model}}"), get(models::retrieve));
    }
    router
}

/// The routes of what is kept: files and batches.
pub(super) fn kept_routes() -> Router<App> {
    let mut router = Router::new();
    for base in ["/v1", "/openai/v1"] {
        router = router
            .route(&format!("{base}/files"), get(files::list).post(files::create))
            .route(&format!("{base}/files/{{id}}"), get(files::retrieve).delete(files::delete))
            .route(&format!("{base}/files/{{id}}/content"), get(files::content_of))
            .route(&format!("{base}/batches"), get(batches::list).post(batches::create))
            .route(&format!("{base}/batches/{{id}}"), get(batches::retrieve))
            .route(&format!("{base}/batches/{{id}}/cancel"), post(batches::cancel));
    }
    router
}

async fn chat(State(app): State<App>, request: Request<Body>) -> Response {
    call(app, request, Operation::Chat, None).await
}

async fn embed(State(app): State<App>, request: Request<Body>) -> Response {
    call(app, request, Operation::Embed, None).await
}

async fn deployed_chat(State(app): State<App>, Path(model): Path<String>, request: Request<Body>) -> Response {
    call(app, request, Operation::Chat, Some(model)).await
}

async fn deployed_embed(State(app): State<App>, Path(model): Path<String>, request: Request<Body>) -> Response {
    call(app, request, Operation::Embed, Some(model)).await
}

async fn call(app: App, request: Request<Body>, operation: Operation, deployment: Option<String>) -> Response {
    let endpoint = if operation == Operation::Embed { "embeddings" } else { "chat_completions" };
    let (parts, body) = request.into_parts();
    let way = parse::Way { operation, door: Protocol::OpenAi, deployment };
    let parsed = match parse::call(&app, &parts, body, way).await {
        Ok(parsed) => parsed,
        Err(error) => {
            app.metrics().failed(endpoint, error.kind());
            return render::error(&error);
        }
    };
    let parse::Parsed { call, ask, .. } = parsed;
    match app.engine().run(call).await {
        Ok(answer) => render::answer(&app, answer, ask, endpoint),
        Err(failure) => {
            app.metrics().failed(endpoint, failure.error.kind());
            render::failure(&failure, &ask)
        }
    }
}

pub use render::{add_headers, error as error_response, failure_response};
