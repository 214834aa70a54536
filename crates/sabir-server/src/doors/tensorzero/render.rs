//! Errors and raw answers as TensorZero's client reads them.
//!
//! Invariant: an error is `{"error": "…"}`; what the provider said about a key is kept back.

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use sabir_engine::{Failure, Summary, call::RawCall};
use sabir_types::{Error, ErrorKind, Map, Value};
use serde_json::json;

use crate::doors::shared::{json_response, shown};

/// Which raw answers the caller asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Raw {
    pub(super) usage: bool,
    pub(super) response: bool,
    pub(super) original: bool,
}

/// The raw answers, as members of an answer.
pub(super) fn raw(summary: &Summary, wanted: Raw) -> Map<String, Value> {
    let mut out = Map::new();
    if wanted.usage {
        let list: Vec<Value> = summary
            .calls
            .iter()
            .filter(|call| !call.failed)
            .filter_map(|call| Some(entry(call, call.raw_usage.clone()?)))
            .collect();
        out.insert("raw_usage".into(), list.into());
    }
    if wanted.response {
        let list: Vec<Value> =
            summary.calls.iter().map(|call| entry(call, call.raw_response.as_str().into())).collect();
        out.insert("raw_response".into(), list.into());
    }
    if wanted.original
        && let Some(last) = summary.calls.last()
    {
        out.insert("original_response".into(), last.raw_response.as_str().into());
    }
    out
}

fn entry(call: &RawCall, data: Value) -> Value {
    json!({
        "model_inference_id": call.id.to_string(),
        "provider_type": call.provider_type,
        "api_type": call.api_type,
        "data": data,
    })
}

/// The answer to a call that came to nothing.
pub(super) fn failure(failure: &Failure, wanted: Raw, error_json: bool) -> Response {
    let error = &failure.error;
    let status = match error.kind() {
        // The gateway's own key for the provider is nothing that the caller got wrong.
        ErrorKind::Authentication | ErrorKind::Permission | ErrorKind::QuotaExceeded if error.upstream().is_some() => {
            StatusCode::BAD_GATEWAY
        }
        ErrorKind::Authentication => StatusCode::BAD_REQUEST,
        _ => status(error),
    };
    let mut body = error_body(error, error_json);
    if failure.attempts.len() > 1 {
        let all: Vec<String> =
            failure.attempts.iter().map(|(provider, error)| format!("{provider}: {}", shown(error))).collect();
        body["error"] = format!("All model providers failed to infer with errors: {}", all.join("\n")).into();
    }
    if wanted.response || wanted.original {
        let list: Vec<Value> =
            failure.calls.iter().map(|call| entry(call, call.raw_response.as_str().into())).collect();
        body["raw_response"] = list.into();
    }
    let mut response = json(status, &body);
    if let Some(wait) = error.retry_after()
        && let Ok(value) = HeaderValue::from_str(&wait.as_secs_f64().ceil().to_string())
    {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

/// An error in this door's shape.
pub(super) fn error(error: &Error, error_json: bool) -> Response {
    json(status(error), &error_body(error, error_json))
}

/// The body of an error.
pub(super) fn error_body(error: &Error, error_json: bool) -> Value {
    let shown = shown(error);
    let message = shown.message();
    if !error_json {
        return json!({"error": message});
    }
    json!({"error": message, "error_json": {variant(error.kind()): {"message": message}}})
}

/// The name of the nearest of TensorZero's error variants.
fn variant(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadRequest | ErrorKind::Unsupported | ErrorKind::TooLarge => "InvalidRequest",
        ErrorKind::Authentication => "ApiKeyMissing",
        ErrorKind::NotFound => "ModelNotFound",
        ErrorKind::RateLimited => "RateLimitExceeded",
        ErrorKind::Timeout => "ModelProviderTimeout",
        ErrorKind::NotImplemented => "NotImplemented",
        ErrorKind::Config => "Config",
        ErrorKind::Internal => "InternalError",
        ErrorKind::Connection | ErrorKind::Cancelled => "InferenceClient",
        _ => "InferenceServer",
    }
}

/// This door's status for each kind.
fn status(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::BadRequest | ErrorKind::ContextLength | ErrorKind::ContentFilter | ErrorKind::Unsupported => {
            StatusCode::BAD_REQUEST
        }
        ErrorKind::Authentication => StatusCode::UNAUTHORIZED,
        ErrorKind::Permission => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Timeout => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::RateLimited | ErrorKind::QuotaExceeded => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Upstream | ErrorKind::BadUpstream | ErrorKind::Connection => StatusCode::BAD_GATEWAY,
        ErrorKind::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    json_response(status, Body::from(body.to_string()), None)
}
