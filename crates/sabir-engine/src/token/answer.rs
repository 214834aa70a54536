//! What the services that hand out credentials answer.
//!
//! Invariant: no message holds what was sent or what came back as a credential.

use http::StatusCode;
use sabir_providers::sign::sigv4::Keys;
use sabir_types::{Error, ErrorKind, Result, Secret, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Fresh, aws_role};

/// Reads `access_token` and how long it is good. Some say that in seconds, some as a time, some
/// as text.
pub(super) fn token(status: StatusCode, body: &[u8], now: u64) -> Result<Fresh> {
    if !status.is_success() {
        return Err(failure(status, body));
    }
    let answer = json(body)?;
    let token = answer.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| Error::bad_upstream("the answer has no `access_token`"))?;
    let number = |name: &str| match answer.get(name)? {
        Value::String(text) => text.parse().ok(),
        number => number.as_u64().or_else(|| Some(number.as_f64()? as u64)),
    };
    let lifetime = number("expires_in").or_else(|| Some(number("expires_on")?.saturating_sub(now)));
    // Without a word it is good for a call or two.
    Ok(Fresh { secret: Secret::new(token), lifetime: lifetime.unwrap_or(60) })
}

/// Reads temporary keys for AWS.
pub(super) fn keys(status: StatusCode, body: &[u8], now: u64) -> Result<Fresh> {
    if !status.is_success() {
        return Err(failure(status, body));
    }
    let answer = json(body)?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    temporary(text("AccessKeyId"), text("SecretAccessKey"), text("Token"), text("Expiration"), now)
}

/// Keys that are good until then.
pub(super) fn temporary(
    id: Option<&str>,
    secret: Option<&str>,
    session: Option<&str>,
    end: Option<&str>,
    now: u64,
) -> Result<Fresh> {
    let needed = |part: Option<&str>, name: &str| match part {
        Some(part) if !part.is_empty() => Ok(part.to_owned()),
        _ => Err(Error::bad_upstream(format!("the answer has no `{name}`"))),
    };
    let keys = Keys {
        access_key_id: needed(id, "AccessKeyId")?,
        secret_access_key: needed(secret, "SecretAccessKey")?,
        session_token: session.filter(|text| !text.is_empty()).map(str::to_owned),
    };
    let lifetime = aws_role::lifetime(end.and_then(moment), now);
    Ok(Fresh { secret: keys.to_secret(), lifetime })
}

/// A point in time, as seconds since 1970: written out, or as such a number.
pub(super) fn moment(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    // The tools of AWS once wrote `UTC` in the place of `Z`.
    let text = text.strip_suffix("UTC").map_or_else(|| text.to_owned(), |start| format!("{start}Z"));
    u64::try_from(OffsetDateTime::parse(&text, &Rfc3339).ok()?.unix_timestamp()).ok()
}

/// What a status means.
pub(super) fn kind(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        429 => ErrorKind::RateLimited,
        // A metadata service without an identity says 404.
        400..=499 => ErrorKind::Authentication,
        _ => ErrorKind::Upstream,
    }
}

/// Reads a failure: OAuth's words, or whatever there is.
pub(super) fn failure(status: StatusCode, body: &[u8]) -> Error {
    let kind = kind(status);
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let words: Vec<&str> =
        [text("error").or_else(|| text("code")), text("error_description").or_else(|| text("message"))]
            .into_iter()
            .flatten()
            .collect();
    let mut message = format!("HTTP status {}", status.as_u16());
    for word in words {
        let start: String = word.lines().next().unwrap_or_default().chars().take(300).collect();
        message = format!("{message}: {start}");
    }
    Error::new(kind, message)
}

/// Reads JSON.
pub(super) fn json(body: &[u8]) -> Result<Value> {
    // The parser's own message may quote what it did not understand.
    serde_json::from_slice(body).map_err(|_| Error::bad_upstream("the answer is not JSON"))
}
