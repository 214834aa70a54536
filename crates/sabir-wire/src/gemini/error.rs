//! Errors on Gemini's wire, read and written.
//!
//! Invariant: the error's own code decides before the HTTP status does, because errors also come
//! inside streams that began with 200; what its details say decides before both.

use std::time::Duration;

use sabir_types::{Error, ErrorKind, Map, UpstreamError, Value};
use serde_json::json;

/// The most bytes of a body that an error keeps.
const KEPT: usize = 16 * 1024;

/// Reads a failure: an answer's body, or what stands in a stream for it (status 200). Some routes
/// wrap the object in a list.
pub fn decode(status: u16, body: &[u8]) -> Error {
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    let envelope = match &parsed {
        Value::Array(list) => list.first().unwrap_or(&Value::Null),
        other => other,
    };
    let detail = envelope.get("error").unwrap_or(&Value::Null);
    let code = detail.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let word = detail.get("status").and_then(Value::as_str);
    let message = detail.as_str().or_else(|| detail.get("message").and_then(Value::as_str)).map(str::trim);
    let facts = Facts::of(detail);
    let real = if status == 200 { code.unwrap_or(status) } else { status };
    let kind =
        if detail.is_null() { by_status(real) } else { classify(real, word, message.unwrap_or_default(), &facts) };
    let message = match (message, word) {
        (Some(message), _) if !message.is_empty() => message.to_owned(),
        (_, Some(word)) => format!("provider answered with `{word}`"),
        _ => unreadable(real, body),
    };
    Error::new(kind, message).with_retry_after(facts.retry_after).with_upstream(UpstreamError {
        status,
        code: facts.reason.map(str::to_owned).or_else(|| code.map(|code| code.to_string())),
        kind: word.map(str::to_owned),
        param: facts.field.map(str::to_owned),
        request_id: facts.request_id.map(str::to_owned),
        content_type: None,
        body: body[..body.len().min(KEPT)].to_vec(),
    })
}

/// Writes a failure for a client of this protocol: status and body.
pub fn render(error: &Error) -> (u16, Vec<u8>) {
    let (status, word) = wire(error.kind());
    (status, object(error, status, word).to_string().into_bytes())
}

/// The error object, as it stands in a body and in a stream.
pub(super) fn body(error: &Error) -> String {
    let (status, word) = wire(error.kind());
    object(error, status, word).to_string()
}

fn object(error: &Error, status: u16, word: &str) -> Value {
    let mut detail = Map::new();
    detail.insert("code".into(), Value::from(status));
    detail.insert("message".into(), Value::from(error.message()));
    detail.insert("status".into(), Value::from(word));
    let mut details = Vec::new();
    if error.kind() == ErrorKind::Authentication {
        details.push(json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}));
    }
    if let Some(field) = error.param() {
        let violation = json!({"field": field, "description": error.message()});
        details.push(json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}));
    }
    if let Some(wait) = error.retry_after() {
        let delay = format!("{}s", wait.as_secs_f64());
        details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}));
    }
    if !details.is_empty() {
        detail.insert("details".into(), Value::from(details));
    }
    json!({"error": detail})
}

/// What an error's details say.
#[derive(Default)]
struct Facts<'a> {
    reason: Option<&'a str>,
    retry_after: Option<Duration>,
    /// A quota of a day or of nothing at all is used up: waiting a little does not help.
    lasting: bool,
    field: Option<&'a str>,
    request_id: Option<&'a str>,
}

impl<'a> Facts<'a> {
    fn of(detail: &'a Value) -> Self {
        let mut facts = Self::default();
        for entry in detail.get("details").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| entry.get(name).and_then(Value::as_str);
            facts.reason = facts.reason.or(text("reason"));
            facts.request_id = facts.request_id.or(text("requestId"));
            if let Some(delay) = text("retryDelay").and_then(seconds) {
                facts.retry_after = Some(delay);
            }
            for violation in entry.get("violations").and_then(Value::as_array).into_iter().flatten() {
                let text = |name: &str| violation.get(name).and_then(Value::as_str);
                facts.lasting |= text("quotaId").is_some_and(|id| id.contains("PerDay"))
                    || text("quotaValue").is_some_and(|value| value == "0");
            }
            let field = entry.get("fieldViolations").and_then(|list| list.get(0)?.get("field")?.as_str());
            facts.field = facts.field.or(field);
        }
        facts
    }
}

/// A duration of proto JSON: `48s`, `34.4s`.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

fn classify(status: u16, word: Option<&str>, message: &str, facts: &Facts<'_>) -> ErrorKind {
    match facts.reason {
        // These come with 400.
        Some("API_KEY_INVALID" | "API_KEY_EXPIRED" | "ACCESS_TOKEN_EXPIRED" | "CREDENTIALS_MISSING") => {
            return ErrorKind::Authentication;
        }
        Some("BILLING_DISABLED") => return ErrorKind::QuotaExceeded,
        _ => {}
    }
    match word {
        Some("INVALID_ARGUMENT" | "OUT_OF_RANGE") => refused(message),
        Some("FAILED_PRECONDITION") if message.contains("billing") => ErrorKind::QuotaExceeded,
        Some("FAILED_PRECONDITION") => ErrorKind::Permission,
        Some("UNAUTHENTICATED") => ErrorKind::Authentication,
        Some("PERMISSION_DENIED") => ErrorKind::Permission,
        Some("NOT_FOUND") => ErrorKind::NotFound,
        Some("ABORTED" | "ALREADY_EXISTS") => ErrorKind::Conflict,
        Some("RESOURCE_EXHAUSTED") if facts.lasting => ErrorKind::QuotaExceeded,
        Some("RESOURCE_EXHAUSTED") => ErrorKind::RateLimited,
        Some("DEADLINE_EXCEEDED") => ErrorKind::Timeout,
        // It was the provider that gave up, not our caller.
        Some("CANCELLED" | "INTERNAL" | "UNAVAILABLE" | "UNKNOWN" | "DATA_LOSS") => ErrorKind::Upstream,
        Some("UNIMPLEMENTED") => ErrorKind::Unsupported,
        _ if status == 400 => refused(message),
        _ => by_status(status),
    }
}

/// What kind of bad request it is, which only the message tells.
fn refused(message: &str) -> ErrorKind {
    let has = |text: &str| message.contains(text);
    if has("API key not valid")
        || has("API key expired")
        || has("API Key not found")
        || has("authentication credentials")
    {
        ErrorKind::Authentication
    } else if has("exceeds the maximum number of tokens") {
        ErrorKind::ContextLength
    } else if has("Request payload size exceeds the limit") {
        ErrorKind::TooLarge
    } else if has("User location is not supported") {
        ErrorKind::Permission
    } else {
        ErrorKind::BadRequest
    }
}

fn by_status(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Authentication,
        402 => ErrorKind::QuotaExceeded,
        403 => ErrorKind::Permission,
        404 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::Timeout,
        409 => ErrorKind::Conflict,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimited,
        499 => ErrorKind::Upstream,
        400..500 => ErrorKind::BadRequest,
        // A success that holds no answer, or an error object without a word that we know.
        200..400 => ErrorKind::BadUpstream,
        _ => ErrorKind::Upstream,
    }
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

/// The status and word for each kind.
fn wire(kind: ErrorKind) -> (u16, &'static str) {
    match kind {
        ErrorKind::BadRequest
        | ErrorKind::ContextLength
        | ErrorKind::ContentFilter
        | ErrorKind::Unsupported
        | ErrorKind::TooLarge => (400, "INVALID_ARGUMENT"),
        ErrorKind::Authentication => (401, "UNAUTHENTICATED"),
        ErrorKind::Permission => (403, "PERMISSION_DENIED"),
        ErrorKind::NotFound => (404, "NOT_FOUND"),
        ErrorKind::Conflict => (409, "ABORTED"),
        ErrorKind::RateLimited | ErrorKind::QuotaExceeded => (429, "RESOURCE_EXHAUSTED"),
        ErrorKind::Cancelled => (499, "CANCELLED"),
        ErrorKind::NotImplemented => (501, "UNIMPLEMENTED"),
        ErrorKind::Upstream | ErrorKind::BadUpstream | ErrorKind::Connection | ErrorKind::Unavailable => {
            (503, "UNAVAILABLE")
        }
        ErrorKind::Timeout => (504, "DEADLINE_EXCEEDED"),
        _ => (500, "INTERNAL"),
    }
}
