//! Errors of the OpenAI family: their shapes differ, their meaning is read here.
//!
//! Invariant: the provider's own words are kept beside the kind that they were understood as.

use sabir_types::{Error, ErrorKind, UpstreamError, Value};

/// How much of an error's body is kept.
const KEPT: usize = 64 * 1024;

/// What a provider's codes (or types) of errors mean.
type Codes = &'static [(&'static str, ErrorKind)];

/// Reads an answer with a failure status.
pub fn decode(status: u16, body: &[u8]) -> Error {
    decode_with(status, body, &[])
}

/// The same, with the meaning of the provider's own codes.
pub(super) fn decode_with(status: u16, body: &[u8], codes: Codes) -> Error {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => read(status, &value, body, codes),
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            let start: String = text.trim().chars().take(300).collect();
            let message = if start.is_empty() { format!("HTTP status {status} without a body") } else { start };
            Error::new(by_status(status), message).with_upstream(upstream(status, body))
        }
    }
}

/// Reads an error that came inside a stream or with a success status; `None` if it is not one.
pub fn embedded(value: &Value) -> Option<Error> {
    embedded_with(value, &[])
}

/// The same, with the meaning of the provider's own codes.
pub(super) fn embedded_with(value: &Value, codes: Codes) -> Option<Error> {
    let is_error = value.get("error").is_some_and(|error| !error.is_null())
        || value.get("object").is_some_and(|object| object == "error")
        // MiniMax says with every answer how it went.
        || value.pointer("/base_resp/status_code").is_some_and(|code| *code != 0);
    is_error.then(|| {
        let status = value
            .pointer("/error/code")
            .and_then(status_code)
            // Groq puts a word under `code` and the status beside it.
            .or_else(|| value.pointer("/error/status_code").and_then(status_code))
            .or_else(|| value.get("code").and_then(status_code))
            .unwrap_or(500);
        read(status, value, value.to_string().as_bytes(), codes)
    })
}

fn status_code(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code))
}

/// Reads an error object that is known to be one.
pub(crate) fn object(status: u16, value: &Value, body: &[u8]) -> Error {
    read(status, value, body, &[])
}

fn read(status: u16, value: &Value, body: &[u8], codes: Codes) -> Error {
    // Gemini's compatible surface wraps the object in an array.
    let value = match value {
        Value::Array(list) => list.first().unwrap_or(value),
        _ => value,
    };
    let inner = match value.get("error") {
        Some(error @ Value::Object(_)) => error,
        _ => value,
    };
    let base = value.get("base_resp");
    let message = words(inner, value).unwrap_or_else(|| format!("HTTP status {status}"));
    let mut kept = upstream(status, body);
    kept.code = text(inner.get("code"))
        .or_else(|| text(value.get("code")))
        .or_else(|| text(base.and_then(|base| base.get("status_code"))));
    kept.kind = text(inner.get("type")).or_else(|| text(value.get("error_type")));
    kept.param = text(inner.get("param"));
    let listed = [&kept.code, &kept.kind].into_iter().flatten().find_map(|word| known(word, codes));
    let kind = match listed {
        // A wrong request may be a long one: only the words tell.
        None | Some(ErrorKind::BadRequest) => {
            let status = if listed.is_some() { 400 } else { status };
            kind(status, kept.code.as_deref(), kept.kind.as_deref(), &message)
        }
        Some(kind) => kind,
    };
    let error = Error::new(kind, message);
    let error = match &kept.param {
        Some(param) => error.with_param(param.clone()),
        None => error,
    };
    // Groq: the model wrote a call that it should not have; a second try may go well.
    let again = kept.code.as_deref() == Some("tool_use_failed");
    let error = error.with_upstream(kept);
    if again { error.with_should_retry(true) } else { error }
}

fn known(word: &str, codes: Codes) -> Option<ErrorKind> {
    codes.iter().find(|(code, _)| *code == word).map(|(_, kind)| *kind)
}

fn upstream(status: u16, body: &[u8]) -> UpstreamError {
    UpstreamError { status, body: body[..body.len().min(KEPT)].to_vec(), ..UpstreamError::default() }
}

fn words(inner: &Value, outer: &Value) -> Option<String> {
    let found = inner.get("message").or_else(|| outer.get("error")).or_else(|| outer.get("detail"));
    let found = found.or_else(|| outer.pointer("/base_resp/status_msg"))?;
    match found {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        // Validation errors come as a list of places and messages.
        other => Some(other.to_string()),
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn kind(status: u16, code: Option<&str>, kind: Option<&str>, message: &str) -> ErrorKind {
    let lower = message.to_lowercase();
    let any = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
    let code = code.unwrap_or_default();
    let kind = kind.unwrap_or_default();
    let is_client = (400..500).contains(&status);
    if code == "context_length_exceeded"
        || (is_client
            && any(&[
                "maximum context length",
                "max context length",
                "model's context length",
                "exceeded model token limit",
                "prompt is too long",
                "context length is only",
                "range of input length should be",
                "max message tokens",
                "must be <= ",
                "exceeds the available context size",
                "context window",
            ]))
    {
        return ErrorKind::ContextLength;
    }
    if matches!(code, "content_filter" | "content_policy_violation" | "data_inspection_failed" | "1301")
        || code.starts_with("SensitiveContentDetected")
        || kind == "content_filter"
    {
        return ErrorKind::ContentFilter;
    }
    if matches!(
        code,
        "insufficient_quota" | "exceeded_current_quota_error" | "Arrearage" | "1113" | "AccountOverdueError"
    ) || matches!(kind, "insufficient_quota" | "exceeded_current_quota_error")
        || status == 402
        || any(&["exceeded your current quota", "insufficient balance"])
    {
        return ErrorKind::QuotaExceeded;
    }
    if status == 429 && any(&["request too large", "tokens per day", "(tpd)", "requests per day", "(rpd)"]) {
        // Waiting a minute does not help: the request is over the limit itself, or the day's is used up.
        return ErrorKind::QuotaExceeded;
    }
    if matches!(code, "invalid_api_key" | "invalid_authentication_error") || any(&["incorrect api key provided"]) {
        return ErrorKind::Authentication;
    }
    if code == "model_not_found" {
        return ErrorKind::NotFound;
    }
    if matches!(code, "rate_limit_exceeded" | "rate_limit_reached_error") {
        return ErrorKind::RateLimited;
    }
    if kind == "overloaded" || kind == "engine_overloaded_error" {
        return ErrorKind::Upstream;
    }
    by_status(status)
}

/// The kind that a status alone stands for.
pub fn by_status(status: u16) -> ErrorKind {
    match status {
        400 | 405 | 406 | 411 | 415 | 422 => ErrorKind::BadRequest,
        401 => ErrorKind::Authentication,
        402 => ErrorKind::QuotaExceeded,
        403 => ErrorKind::Permission,
        404 | 410 => ErrorKind::NotFound,
        408 => ErrorKind::Timeout,
        409 => ErrorKind::Conflict,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimited,
        500.. => ErrorKind::Upstream,
        400..=499 => ErrorKind::BadRequest,
        // A redirect or an informational status is not an answer that we can use.
        _ => ErrorKind::BadUpstream,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(status: u16, body: &str) -> ErrorKind {
        decode(status, body.as_bytes()).kind()
    }

    #[test]
    fn shapes_and_kinds() {
        let openai = |code: &str, message: &str| {
            format!(r#"{{"error":{{"message":"{message}","type":"t","param":null,"code":"{code}"}}}}"#)
        };
        for (status, body, wanted) in [
            (400, openai("context_length_exceeded", "long"), ErrorKind::ContextLength),
            (401, openai("invalid_api_key", "no"), ErrorKind::Authentication),
            (429, openai("rate_limit_exceeded", "slow down"), ErrorKind::RateLimited),
            (429, openai("rate_limit_exceeded", "Request too large: Limit 1, Requested 2"), ErrorKind::QuotaExceeded),
            (429, openai("insufficient_quota", "pay"), ErrorKind::QuotaExceeded),
            (404, openai("model_not_found", "no"), ErrorKind::NotFound),
            (503, "busy".to_owned(), ErrorKind::Upstream),
            (400, r#"{"code":"x","error":"Incorrect API key provided: a"}"#.to_owned(), ErrorKind::Authentication),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 5"}"#.to_owned(),
                ErrorKind::ContextLength,
            ),
            (422, r#"{"detail":[{"loc":["body"],"msg":"extra"}]}"#.to_owned(), ErrorKind::BadRequest),
            (400, openai("null", "prompt too long; exceeded max context length by 5 tokens"), ErrorKind::ContextLength),
            (302, String::new(), ErrorKind::BadUpstream),
        ] {
            assert_eq!(kind_of(status, &body), wanted, "{status} {body}");
        }
        let error = decode(400, openai("x", "words").as_bytes());
        assert_eq!((error.message(), error.upstream().unwrap().code.as_deref()), ("words", Some("x")));
    }

    #[test]
    fn errors_in_disguise() {
        let value = serde_json::json!({"error": {"message": "gone", "code": 502}});
        assert_eq!(embedded(&value).unwrap().kind(), ErrorKind::Upstream);
        let value =
            serde_json::json!({"error": {"message": "bad call", "code": "tool_use_failed", "status_code": 400}});
        let error = embedded(&value).unwrap();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::BadRequest, true));
        assert!(embedded(&serde_json::json!({"choices": [], "error": null})).is_none());
    }
}
