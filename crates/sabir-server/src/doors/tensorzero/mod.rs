//! The TensorZero door, at the root: inference, feedback, listings, status.

mod feedback;
mod inference;
mod listing;
mod render;

use axum::{
    Router,
    body::Body,
    extract::State,
    response::Response,
    routing::{any, get, post},
};
use http::StatusCode;
use sabir_types::{Error, ErrorKind};
use serde_json::json;

use crate::app::App;

/// Paths of what comes later: known, and refused by name.
const LATER: [(&str, &str); 7] = [
    ("/batch_inference", "batch inference"),
    ("/batch_inference/{*rest}", "batch inference"),
    ("/v1/datasets/{*rest}", "datasets"),
    ("/workflow_evaluation_run", "workflow evaluations"),
    ("/workflow_evaluation_run/{*rest}", "workflow evaluations"),
    ("/experimental_optimization_workflow", "optimization"),
    ("/internal/{*rest}", "evaluations and internal endpoints"),
];

/// Its routes, to be mounted at the root.
pub fn routes() -> Router<App> {
    let mut router = Router::new()
        .route("/inference", post(inference::handle))
        .route("/feedback", post(feedback::handle))
        .route("/v1/inferences/list_inferences", post(listing::list))
        .route("/v1/inferences/get_inferences", post(listing::get))
        .route("/status", get(status))
        .route("/health", get(health))
        .route("/metrics", get(metrics));
    for (path, what) in LATER {
        router = router.route(path, any(move || async move { later(what) }));
    }
    router
}

fn later(what: &str) -> Response {
    render::error(&Error::new(ErrorKind::NotImplemented, format!("{what}: not supported yet")), false)
}

async fn status(State(app): State<App>) -> Response {
    let hash = app.engine().config().hash.clone();
    let body = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "config_hash": hash});
    render::json(StatusCode::OK, &body)
}

async fn health(State(app): State<App>) -> Response {
    let ledger = match app.engine().ledger() {
        None => Ok(()),
        Some(ledger) => ledger.health().await,
    };
    if let Err(error) = &ledger {
        tracing::error!(%error, "the ledger is not healthy");
    }
    let (status, word) = match ledger {
        Ok(()) => (StatusCode::OK, "ok"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "error"),
    };
    render::json(status, &json!({"gateway": "ok", "ledger": word}))
}

async fn metrics(State(app): State<App>) -> Response {
    let mut response = Response::new(Body::from(app.metrics().render()));
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}

/// An error in this door's shape.
pub fn error_response(error: &Error) -> Response {
    render::error(error, false)
}
