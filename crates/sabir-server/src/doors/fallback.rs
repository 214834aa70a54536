//! Paths that nothing listens on: a provider's, which are passed through, and the others.
//!
//! Invariant: a client library finds its own error in the answer, whatever it asked for.

use axum::{body::Body, extract::State, http::Request, response::Response};
use http::StatusCode;
use sabir_types::{Error, ErrorKind};

use super::{
    model_manager,
    pass_through::{self, Way},
    tensorzero,
};
use crate::app::App;

/// The answer to a path that nothing listens on.
pub async fn unknown(State(app): State<App>, request: Request<Body>) -> Response {
    match way(&request) {
        // Without anywhere to go only a model's name in a body could help.
        Some(way) if !pass_through::may_go(&app, &request, way.family) => {
            let error = app.engine().config().pass_through.upstream(way.family).err();
            let why = error.map_or_else(String::new, |error| format!(": {}", error.message()));
            let message = format!("Route not found: {} {}{why}", request.method(), request.uri().path());
            pass_through::shaped(way.family, &Error::new(ErrorKind::NotFound, message))
        }
        Some(way) => pass_through::relay(&app, request, way).await,
        None => {
            let message = format!("Route not found: {} {}", request.method(), request.uri().path());
            shaped(&request, &Error::new(ErrorKind::NotFound, message))
        }
    }
}

/// The answer to a method that a path does not take here; the provider's own API may take it.
pub async fn not_allowed(State(app): State<App>, request: Request<Body>) -> Response {
    let is_websocket = pass_through::is_websocket(request.headers());
    let way = way(&request);
    if let Some(way) = way.filter(|way| is_websocket || app.engine().config().pass_through.is_open(way.family)) {
        return pass_through::relay(&app, request, way).await;
    }
    let message = format!("Method not allowed: {} {}", request.method(), request.uri().path());
    let mut response = shaped(&request, &Error::bad_request(message));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// The family of providers that a path is meant for, if none of the gateway's own doors is.
fn way(request: &Request<Body>) -> Option<Way> {
    let path = request.uri().path();
    if model_manager::owns(path) { None } else { Way::of(path, request.headers()) }
}

fn shaped(request: &Request<Body>, error: &Error) -> Response {
    let path = request.uri().path();
    match way(request) {
        Some(way) => pass_through::shaped(way.family, error),
        None if model_manager::owns(path) => model_manager::error_response(error),
        None => tensorzero::error_response(error),
    }
}
