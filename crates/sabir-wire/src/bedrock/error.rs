//! Errors of Bedrock: a class, in a header or as an event's name, and a message.
//!
//! Invariant: the class decides before the status does, and what a message is known to mean decides
//! before both.

use sabir_types::{Error, ErrorKind, UpstreamError, Value};

/// How much of an error's body is kept.
const KEPT: usize = 16 * 1024;

/// Reads an answer with a failure status; `class` is the header `x-amzn-errortype`.
pub fn decode(status: u16, class: Option<&str>, body: &[u8]) -> Error {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let class = class.or_else(|| text("__type"));
    // The header goes on with an address, the member begins with a name space.
    let class = class
        .map(|class| class.split(':').next().unwrap_or(class))
        .map(|class| class.rsplit('#').next().unwrap_or(class).trim());
    let message = text("message").or_else(|| text("Message")).map_or_else(
        || {
            let start: String = String::from_utf8_lossy(body).trim().chars().take(300).collect();
            if start.is_empty() { format!("HTTP status {status} without a body") } else { start }
        },
        str::to_owned,
    );
    let kind = kind(class, Some(status), &message);
    Error::new(kind, message).with_upstream(UpstreamError {
        status,
        kind: class.map(str::to_owned),
        body: body[..body.len().min(KEPT)].to_vec(),
        ..UpstreamError::default()
    })
}

/// Reads an exception that came inside a stream.
pub fn exception(class: &str, payload: &[u8]) -> Error {
    let value: Value = serde_json::from_slice(payload).unwrap_or_default();
    let text = value.get("message").or_else(|| value.get("Message")).and_then(Value::as_str);
    let message = text.filter(|text| !text.is_empty()).map_or_else(|| class.to_owned(), str::to_owned);
    Error::new(kind(Some(class), None, &message), message).with_upstream(UpstreamError {
        status: 200,
        kind: Some(class.to_owned()),
        body: payload[..payload.len().min(KEPT)].to_vec(),
        ..UpstreamError::default()
    })
}

fn kind(class: Option<&str>, status: Option<u16>, message: &str) -> ErrorKind {
    let lower = message.to_lowercase();
    let any = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
    // Streams write the first letter small.
    let class = class.unwrap_or_default().to_ascii_lowercase();
    match class.trim_end_matches("exception") {
        "validation" if any(CONTEXT) => ErrorKind::ContextLength,
        "validation" if any(&["model identifier is invalid"]) => ErrorKind::NotFound,
        "validation" => ErrorKind::BadRequest,
        "accessdenied" => ErrorKind::Permission,
        "unrecognizedclient"
        | "invalidsignature"
        | "expiredtoken"
        | "missingauthenticationtoken"
        | "incompletesignature"
        | "invalidclienttokenid" => ErrorKind::Authentication,
        "resourcenotfound" => ErrorKind::NotFound,
        "throttling" if any(&["per day"]) => ErrorKind::QuotaExceeded,
        "throttling" | "modelnotready" => ErrorKind::RateLimited,
        "servicequotaexceeded" => ErrorKind::QuotaExceeded,
        "modeltimeout" => ErrorKind::Timeout,
        "modelerror" | "modelstreamerror" | "internalserver" | "serviceunavailable" => ErrorKind::Upstream,
        _ => match status {
            Some(400 | 413) if any(CONTEXT) => ErrorKind::ContextLength,
            Some(400) if any(&["model identifier is invalid"]) => ErrorKind::NotFound,
            Some(401) => ErrorKind::Authentication,
            // An API key that is not known is refused without a class.
            Some(403) if any(&["api key", "security token", "authentication failed"]) => ErrorKind::Authentication,
            Some(403) => ErrorKind::Permission,
            Some(404) => ErrorKind::NotFound,
            Some(408) => ErrorKind::Timeout,
            Some(429) => ErrorKind::RateLimited,
            Some(400..=499) => ErrorKind::BadRequest,
            _ => ErrorKind::Upstream,
        },
    }
}

/// How models say that there is too much.
const CONTEXT: &[&str] = &[
    "input tokens exceeded",
    "input is too long",
    "prompt is too long",
    "too many input tokens",
    "maximum context length",
    "exceed context limit",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, class: Option<&str>, message: &str) -> (ErrorKind, bool) {
        let error = decode(status, class, format!(r#"{{"message":"{message}"}}"#).as_bytes());
        assert_eq!(error.message(), message);
        (error.kind(), error.is_retryable())
    }

    #[test]
    fn the_class_says_what_it_is() {
        let class = |name: &str| format!("{name}:http://internal.amazon.com/coral/com.amazon.bedrock/");
        for (status, name, message, expected) in [
            (400, "ValidationException", "no", ErrorKind::BadRequest),
            (400, "ValidationException", "Input is too long for requested model.", ErrorKind::ContextLength),
            (403, "ExpiredTokenException", "expired", ErrorKind::Authentication),
            (403, "AccessDeniedException", "no access", ErrorKind::Permission),
            (404, "ResourceNotFoundException", "no model", ErrorKind::NotFound),
            (429, "ThrottlingException", "Too many requests", ErrorKind::RateLimited),
            (429, "ThrottlingException", "Too many tokens per day", ErrorKind::QuotaExceeded),
            (424, "ModelErrorException", "oh", ErrorKind::Upstream),
            (503, "ServiceUnavailableException", "oh", ErrorKind::Upstream),
        ] {
            assert_eq!(read(status, Some(&class(name)), message).0, expected, "{name}");
        }
        assert_eq!(read(400, None, "The provided model identifier is invalid.").0, ErrorKind::NotFound);
        assert!(read(503, None, "oh").1);
    }

    #[test]
    fn a_stream_writes_classes_small() {
        let error = exception("throttlingException", br#"{"message":"slow down"}"#);
        assert_eq!((error.kind(), error.message()), (ErrorKind::RateLimited, "slow down"));
        assert_eq!(exception("modelStreamErrorException", b"").message(), "modelStreamErrorException");
    }

    #[test]
    fn what_is_no_json_is_told_as_it_is() {
        assert_eq!(decode(502, None, b" bad gateway ").message(), "bad gateway");
        let error = decode(403, None, br#"{"__type":"com.amazon#UnrecognizedClientException","Message":"m"}"#);
        assert_eq!((error.kind(), error.message()), (ErrorKind::Authentication, "m"));
    }
}
