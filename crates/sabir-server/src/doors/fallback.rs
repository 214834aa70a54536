//! The answers to paths that nothing listens on, in the shape of the door that was meant.
//!
//! Invariant: a client library finds its own error in the answer, whatever it asked for.

use axum::{body::Body, http::Request, response::Response};
use http::StatusCode;
use sabir_types::{Error, ErrorKind};

use super::{anthropic, gemini, model_manager, openai, tensorzero};

/// The answer to a path that nothing listens on.
pub async fn unknown(request: Request<Body>) -> Response {
    let message = format!("Route not found: {} {}", request.method(), request.uri().path());
    shaped(&request, &Error::new(ErrorKind::NotFound, message))
}

/// The answer to a method that a path does not take.
pub async fn not_allowed(request: Request<Body>) -> Response {
    let message = format!("Method not allowed: {} {}", request.method(), request.uri().path());
    let mut response = shaped(&request, &Error::bad_request(message));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

fn shaped(request: &Request<Body>, error: &Error) -> Response {
    let path = request.uri().path();
    let has = |part: &str| path.contains(part);
    let says = |header: &str| request.headers().contains_key(header);
    if has("/anthropic/") || has("/v1/messages") || says("anthropic-version") {
        anthropic::error_response(error)
    } else if has("/gemini/") || has("/v1beta/") || says("x-goog-api-key") {
        gemini::error_response(error)
    } else if model_manager::owns(path) {
        model_manager::error_response(error)
    } else if has("/openai/") || has("/v1/") {
        openai::error_response(error)
    } else {
        tensorzero::error_response(error)
    }
}
