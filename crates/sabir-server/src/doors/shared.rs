//! What every door that speaks a provider's protocol says and reads beside its protocol.
//!
//! Invariant: these headers mean the same at every door.

use std::time::SystemTime;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sabir_engine::{CallOptions, Facts, Failure, call::CacheOptions};
use sabir_types::{Error, ErrorKind, Map, Protocol, Result, Uuid, Value, Warning};
use serde_json::json;

use super::extension::{self, Reader};

/// What a caller says in headers, so that no body has to change: episode, labels, cache.
pub fn from_headers(headers: &HeaderMap, options: &mut CallOptions, episode_id: &mut Option<Uuid>) -> Result<()> {
    let text = |name: &'static str| match headers.get(name) {
        None => Ok(None),
        Some(value) => match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(wrong_header(name, "is not readable text")),
        },
    };
    if let Some(id) = text("x-sabir-episode-id")? {
        *episode_id = Some(extension::episode(id, now()).map_err(|what| wrong_header("x-sabir-episode-id", &what))?);
    }
    if let Some(json) = text("x-sabir-tags")? {
        let tags: Value = serde_json::from_str(json).map_err(|_| wrong_header("x-sabir-tags", "is not JSON"))?;
        let mut members = Map::new();
        members.insert("tags".into(), tags);
        let tags = Reader { prefix: "x-sabir-" }.tags(&members, false)?;
        options.tags.extend(tags);
    }
    if let Some(mode) = text("x-sabir-cache")? {
        let (read, write) = extension::cache_mode(mode)
            .ok_or_else(|| wrong_header("x-sabir-cache", "expected `on`, `off`, `read_only` or `write_only`"))?;
        options.cache = Some(CacheOptions { read, write, max_age_s: None });
    }
    Ok(())
}

fn wrong_header(name: &str, what: &str) -> Error {
    Error::bad_request(format!("header `{name}`: {what}")).with_param(name)
}

/// The caller's headers of these names, for a provider of the same protocol.
pub fn forwarded(headers: &HeaderMap, names: &[&'static str]) -> HeaderMap {
    let mut out = HeaderMap::new();
    for name in names {
        for value in headers.get_all(*name) {
            out.append(HeaderName::from_static(name), value.clone());
        }
    }
    out
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// A JSON answer; `kind` is the content type if it is another one.
pub fn json_response(status: StatusCode, body: Body, kind: Option<HeaderValue>) -> Response {
    let mut response = (status, body).into_response();
    let kind = kind.unwrap_or_else(|| HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Sets a header; a value that no header can carry (a model's name in odd letters) is left out.
pub fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// What the gateway says about every answer.
pub fn set_facts(headers: &mut HeaderMap, facts: &Facts) {
    headers.reserve(12);
    set(headers, "x-sabir-inference-id", &facts.inference_id.to_string());
    set(headers, "x-sabir-episode-id", &facts.episode_id.to_string());
    // A relayed call may name no model.
    if !facts.model_name.is_empty() {
        set(headers, "x-sabir-model", &facts.model_name);
    }
    set(headers, "x-sabir-provider", &facts.provider_name);
    headers.insert("x-sabir-overhead-us", HeaderValue::from(facts.overhead_us));
    if facts.cached {
        headers.insert("x-sabir-cached", HeaderValue::from_static("true"));
    }
    set_warnings(headers, &facts.warnings);
}

/// What was left out, by name.
pub fn set_warnings(headers: &mut HeaderMap, warnings: &[Warning]) {
    if !warnings.is_empty() {
        let list: Vec<Value> = warnings.iter().map(|w| json!({"param": w.param, "message": w.message})).collect();
        set(headers, "x-sabir-warnings", &Value::from(list).to_string());
    }
}

/// What the gateway says about a call that came to nothing.
pub fn set_failure(headers: &mut HeaderMap, failure: &Failure) {
    set(headers, "x-sabir-inference-id", &failure.inference_id.to_string());
    set(headers, "x-sabir-episode-id", &failure.episode_id.to_string());
    set_wait(headers, &failure.error);
}

/// How long to wait, where the error says so.
pub fn set_wait(headers: &mut HeaderMap, error: &Error) {
    let Some(wait) = error.retry_after() else { return };
    if !headers.contains_key(header::RETRY_AFTER) {
        set(headers, "retry-after", &wait.as_secs_f64().ceil().to_string());
    }
    set(headers, "retry-after-ms", &wait.as_millis().to_string());
}

/// The provider's headers that a door's clients read.
pub fn pass_on(headers: &mut HeaderMap, from: &HeaderMap, wanted: impl Fn(&str) -> bool) {
    for (name, value) in from.iter().filter(|(name, _)| wanted(name.as_str())) {
        headers.insert(name.clone(), value.clone());
    }
}

/// An error as callers may see it: a provider that refuses the gateway's key quotes it, if only in part.
pub fn shown(error: &Error) -> Error {
    match error.kind() {
        ErrorKind::Authentication if error.upstream().is_some() => {
            Error::new(ErrorKind::Authentication, "the provider refused the key that the gateway has for it")
        }
        _ => error.clone(),
    }
}

/// The provider's own status and words, if it speaks the door's protocol and they are an error's.
/// What it says about a key is kept back.
pub fn verbatim(error: &Error, protocol: Option<Protocol>, door: Protocol) -> Option<Response> {
    if protocol != Some(door) || matches!(error.kind(), ErrorKind::Authentication | ErrorKind::Permission) {
        return None;
    }
    let upstream = error.upstream()?;
    let status = StatusCode::from_u16(upstream.status).ok().filter(|status| status.as_u16() >= 400)?;
    let body: Map<String, Value> = serde_json::from_slice(&upstream.body).ok()?;
    let error = body.get("error")?;
    // Who stands between may speak otherwise: Google's cloud before Anthropic's models, a proxy.
    let is_own = match door {
        Protocol::Anthropic => body.get("type").is_some_and(|kind| kind == "error") && error.is_object(),
        Protocol::Gemini => error.get("code").is_some_and(Value::is_number),
        _ => true,
    };
    is_own.then(|| json_response(status, Body::from(upstream.body.clone()), None))
}

/// The id that a name of ours holds after its prefix. Those of providers have another length.
pub fn own_id(name: &str, prefix: &str) -> Option<Uuid> {
    let hex = name.strip_prefix(prefix).filter(|hex| hex.len() == 32)?;
    Uuid::try_parse(hex).ok()
}

/// A value of a query string, decoded; the first one counts.
pub fn query(text: &str, name: &str) -> Option<String> {
    text.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key) == name).then(|| decoded(value))
    })
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = text.get(at + 1..at + 3).filter(|_| *byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(hex.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded() {
        assert_eq!(query("alt=sse&key=a%2Bb+c%", "key").as_deref(), Some("a+b c%"));
        assert_eq!(query("alt=sse&k%65y=1&key=2", "key").as_deref(), Some("1"));
        assert_eq!(query("", "key"), None);
    }
}
