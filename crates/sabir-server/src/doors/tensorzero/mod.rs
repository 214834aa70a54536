//! The TensorZero door, at the root: inference, feedback, listings, status.

mod feedback;
mod inference;
mod listing;
mod render;

use axum::{
    Router,
    body::Body,
    extract::State,
    http::Request,
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

/// The answer to a path that nothing listens on.
pub async fn unknown(request: Request<Body>) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    let error = Error::new(ErrorKind::NotFound, format!("Route not found: {method} {path}"));
    if path.contains("/openai/") || path.contains("/v1/") {
        return super::openai::error_response(&error);
    }
    render::error(&error, false)
}

/// The answer to a method that a path does not take.
pub async fn not_allowed(request: Request<Body>) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    let message = format!("Method not allowed: {method} {path}");
    let error = Error::bad_request(message.clone());
    let mut response = if path.contains("/openai/") || path.contains("/v1/") {
        super::openai::error_response(&error)
    } else {
        render::json(StatusCode::METHOD_NOT_ALLOWED, &json!({"error": message}))
    };
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}
