//! Errors on Anthropic's wire, read and written.
//!
//! Invariant: the error's `type` decides before the status does, because errors also come inside
//! streams that began with 200.

use std::borrow::Cow;

use sabir_types::{Error, ErrorKind, UpstreamError};
use serde::{Deserialize, Serialize};

/// The most bytes of a body that an error keeps.
const KEPT: usize = 16 * 1024;

/// Reads a failure: the answer's body, or the data of an `error` event (status 200).
pub fn decode(status: u16, body: &[u8]) -> Error {
    let parsed: Option<Envelope<'_>> = serde_json::from_slice(body).ok();
    let (detail, request_id) = match parsed {
        Some(envelope) => (Some(envelope.error), envelope.request_id),
        None => (None, None),
    };
    let (kind, message) = match detail {
        Some(Detail::Object { kind, message }) => (kind, message),
        Some(Detail::Text(text)) => (None, Some(text)),
        None => (None, None),
    };
    let message = match message {
        Some(message) if !message.trim().is_empty() => message.into_owned(),
        _ => match &kind {
            Some(kind) => format!("provider answered with `{kind}`"),
            None => unreadable(status, body),
        },
    };
    Error::new(classify(status, kind.as_deref(), &message), message).with_upstream(UpstreamError {
        status,
        code: None,
        kind: kind.map(Cow::into_owned),
        param: None,
        request_id: request_id.map(Cow::into_owned),
        content_type: None,
        body: body[..body.len().min(KEPT)].to_vec(),
    })
}

/// Writes a failure for a client of this protocol: status and body. `request_id` is what the client
/// can name the call by; without one, it is the provider's own.
pub fn render(error: &Error, request_id: Option<&str>) -> (u16, Vec<u8>) {
    let (status, _) = wire(error);
    (status, body(error, request_id))
}

/// The error object alone, as it stands in a stream's `error` event and in a body.
pub(super) fn body(error: &Error, request_id: Option<&str>) -> Vec<u8> {
    let (_, kind) = wire(error);
    let message = match error.param() {
        Some(param) if !error.message().contains(&format!("`{param}`")) => {
            Cow::Owned(format!("{param}: {}", error.message()))
        }
        _ => Cow::Borrowed(error.message()),
    };
    let envelope = Outgoing {
        kind: "error",
        error: OutgoingDetail {
            kind,
            message: &message,
            details: error.code().map(|error_code| Details { error_code }),
        },
        request_id: request_id.or_else(|| error.upstream()?.request_id.as_deref()),
    };
    serde_json::to_vec(&envelope).unwrap_or_default()
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    error: Detail<'a>,
    #[serde(borrow)]
    request_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Detail<'a> {
    Object {
        #[serde(rename = "type", borrow, default)]
        kind: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        message: Option<Cow<'a, str>>,
    },
    Text(#[serde(borrow)] Cow<'a, str>),
}

#[derive(Serialize)]
struct Outgoing<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: OutgoingDetail<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct OutgoingDetail<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Serialize)]
struct Details {
    error_code: &'static str,
}

fn unreadable(status: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(200)]);
    let text = text.trim();
    if text.is_empty() {
        format!("provider answered {status} without a body")
    } else {
        format!("provider answered {status}: {text}")
    }
}

fn classify(status: u16, kind: Option<&str>, message: &str) -> ErrorKind {
    match kind {
        Some("invalid_request_error") => match status {
            // Compatible servers say `invalid_request_error` for more than Anthropic does.
            401 => ErrorKind::Authentication,
            403 => ErrorKind::Permission,
            404 => ErrorKind::NotFound,
            413 => ErrorKind::TooLarge,
            429 => ErrorKind::RateLimited,
            _ => refused(message),
        },
        Some("authentication_error") => ErrorKind::Authentication,
        Some("billing_error") => ErrorKind::QuotaExceeded,
        Some("permission_error") => ErrorKind::Permission,
        Some("not_found_error") => ErrorKind::NotFound,
        Some("request_too_large") => ErrorKind::TooLarge,
        Some("rate_limit_error") => ErrorKind::RateLimited,
        Some("timeout_error") => ErrorKind::Timeout,
        Some("api_error" | "overloaded_error") => ErrorKind::Upstream,
        _ => match status {
            401 => ErrorKind::Authentication,
            402 => ErrorKind::QuotaExceeded,
            403 => ErrorKind::Permission,
            404 => ErrorKind::NotFound,
            408 | 504 => ErrorKind::Timeout,
            409 => ErrorKind::Conflict,
            413 => ErrorKind::TooLarge,
            429 => ErrorKind::RateLimited,
            400..500 => refused(message),
            // An `error` event of a type that we do not know: the provider failed, that much is sure.
            _ => ErrorKind::Upstream,
        },
    }
}

/// What kind of bad request it is, which only the message tells.
fn refused(message: &str) -> ErrorKind {
    if message.starts_with("prompt is too long") || message.contains("exceed context limit") {
        ErrorKind::ContextLength
    } else if message.contains("credit balance is too low") {
        ErrorKind::QuotaExceeded
    } else if message.contains("blocked by content filtering policy") {
        ErrorKind::ContentFilter
    } else {
        ErrorKind::BadRequest
    }
}

/// The status and type for each kind. Quota has a status of its own here (402), which clients do not retry.
fn wire(error: &Error) -> (u16, &'static str) {
    match error.kind() {
        ErrorKind::BadRequest | ErrorKind::ContextLength | ErrorKind::ContentFilter | ErrorKind::Unsupported => {
            (400, "invalid_request_error")
        }
        ErrorKind::Authentication => (401, "authentication_error"),
        ErrorKind::QuotaExceeded => (402, "billing_error"),
        ErrorKind::Permission => (403, "permission_error"),
        ErrorKind::NotFound => (404, "not_found_error"),
        ErrorKind::Conflict => (409, "invalid_request_error"),
        ErrorKind::TooLarge => (413, "request_too_large"),
        ErrorKind::RateLimited => (429, "rate_limit_error"),
        ErrorKind::Cancelled => (499, "api_error"),
        ErrorKind::NotImplemented => (501, "api_error"),
        ErrorKind::BadUpstream | ErrorKind::Connection => (502, "api_error"),
        ErrorKind::Unavailable => (503, "overloaded_error"),
        ErrorKind::Timeout => (504, "timeout_error"),
        ErrorKind::Upstream => match error.upstream().map(|upstream| (upstream.status, upstream.kind.as_deref())) {
            Some((503 | 529, _) | (_, Some("overloaded_error"))) => (529, "overloaded_error"),
            _ => (502, "api_error"),
        },
        _ => (500, "api_error"),
    }
}
