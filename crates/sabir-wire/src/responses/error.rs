//! Errors that come inside an answer or a stream of the Responses API.
//!
//! Invariant: an answer with a success status that says that it failed is an error, with the
//! provider's own words kept. Errors with a failure status are read by [`crate::openai::error`].

use sabir_types::{Error, ErrorKind, Value};
use serde_json::json;

use crate::openai;

/// The error of an answer whose `status` says that there is no answer; `None` if there is one.
pub fn failed(response: &Value) -> Option<Error> {
    let status = response.get("status").and_then(Value::as_str);
    if let Some(error) = response.get("error").filter(|error| !error.is_null()) {
        return Some(read(error));
    }
    match status {
        Some("failed") => Some(Error::new(ErrorKind::Upstream, "the provider says that it failed, and not why")),
        Some("cancelled") => Some(Error::new(ErrorKind::Upstream, "the provider says that the answer was cancelled")),
        Some(word @ ("queued" | "in_progress")) => {
            Some(Error::bad_upstream(format!("the provider's answer is not there yet: its status is `{word}`")))
        }
        _ => None,
    }
}

/// The error of an `error` event, whose members stand in it or one level below.
pub fn event(data: &Value) -> Error {
    match data.get("error") {
        Some(error) if error.is_object() => read(error),
        _ => read(data),
    }
}

fn read(error: &Value) -> Error {
    let status = match error.get("code").and_then(Value::as_str) {
        Some("rate_limit_exceeded") => 429,
        Some(code) if is_callers(code) => 400,
        _ => 500,
    };
    let value = json!({"error": error});
    openai::error::object(status, &value, value.to_string().as_bytes())
}

/// Whether a code says that the request is to blame.
fn is_callers(code: &str) -> bool {
    code.starts_with("invalid_") || code.ends_with("_policy") || code.contains("image")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_failed_is_an_error() {
        for (response, wanted) in [
            (
                json!({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}}),
                ErrorKind::RateLimited,
            ),
            (json!({"status": "failed", "error": {"code": "server_error", "message": "x"}}), ErrorKind::Upstream),
            (json!({"status": "failed", "error": {"code": "invalid_prompt", "message": "x"}}), ErrorKind::BadRequest),
            (json!({"status": "failed", "error": null}), ErrorKind::Upstream),
            (json!({"status": "cancelled"}), ErrorKind::Upstream),
            (json!({"status": "queued"}), ErrorKind::BadUpstream),
        ] {
            assert_eq!(failed(&response).map(|error| error.kind()), Some(wanted), "{response}");
        }
        assert!(failed(&json!({"status": "incomplete", "error": null})).is_none());
    }

    #[test]
    fn both_shapes_of_an_error_event() {
        let flat = event(&json!({"type": "error", "code": "insufficient_quota", "message": "pay", "param": null}));
        assert_eq!((flat.kind(), flat.message()), (ErrorKind::QuotaExceeded, "pay"));
        let nested = event(&json!({"type": "error", "error": {"code": "context_length_exceeded", "message": "long"}}));
        assert_eq!((nested.kind(), nested.message()), (ErrorKind::ContextLength, "long"));
    }
}
