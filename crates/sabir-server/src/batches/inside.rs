//! The gateway as its own caller.
//!
//! Invariant: a request goes through the door that anybody's would, in the name of the one who
//! asked for it, and carries no key.

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use sabir_types::{Error, Result, Value};
use tower::ServiceExt;

use crate::{app::App, serve};

/// Calls the gateway in somebody's name.
#[derive(Debug, Clone)]
pub(super) struct Inside {
    router: Router,
    base: String,
    pass: HeaderValue,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Inside {
    pub(super) fn new(app: &App, caller: Option<&str>) -> Self {
        Self {
            router: serve::router(app.clone()),
            base: app.engine().config().gateway.base_path.clone(),
            pass: app.pass().header(caller),
        }
    }

    /// Posts a body with these labels.
    pub(super) async fn post(&self, path: &str, body: Bytes, tags: &[(&str, &str)]) -> Result<Answered> {
        let tags: serde_json::Map<String, Value> =
            tags.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        let request = Request::post(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, self.pass.clone())
            .header("x-sabir-tags", ascii(&Value::Object(tags).to_string()))
            .header("anthropic-version", "2023-06-01")
            .body(Body::from(body))
            .map_err(|e| Error::internal(format!("`{path}` cannot be asked")).with_source(e))?;
        let response = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|e| Error::internal(format!("an answer broke off: {e}")))?.to_bytes();
        Ok(Answered { status: parts.status, headers: parts.headers, body })
    }
}

impl Answered {
    /// The id of the request.
    pub(super) fn request_id(&self) -> &str {
        let id = |name: &str| self.headers.get(name)?.to_str().ok();
        id("x-request-id").or_else(|| id("request-id")).unwrap_or_default()
    }

    /// How long to wait before asking again, in milliseconds, if that may help.
    pub(super) fn retry(&self, attempt: u32) -> Option<u64> {
        if self.headers.get("x-should-retry").is_some_and(|value| value == "false") {
            return None;
        }
        if !matches!(self.status.as_u16(), 408 | 409 | 429 | 500..) || self.status == StatusCode::NOT_IMPLEMENTED {
            return None;
        }
        let number = |name: &str| self.headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
        let said = number("retry-after-ms").or_else(|| number("retry-after").map(|seconds| seconds * 1000));
        Some(said.unwrap_or_else(|| 500 << attempt.min(7)).min(120_000))
    }
}

/// JSON in letters that a header can carry.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, headers: &[(&'static str, &'static str)]) -> Answered {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Answered { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::new() }
    }

    #[test]
    fn only_what_may_pass_is_asked_again() {
        for status in [200, 400, 401, 404, 501] {
            assert_eq!(answered(status, &[]).retry(0), None, "{status}");
        }
        for status in [408, 409, 429, 500, 502, 503, 529] {
            assert_eq!(answered(status, &[]).retry(2), Some(2_000), "{status}");
        }
        assert_eq!(answered(429, &[("x-should-retry", "false")]).retry(0), None);
        assert_eq!(answered(429, &[("retry-after", "3")]).retry(0), Some(3_000));
        assert_eq!(answered(429, &[("retry-after", "3"), ("retry-after-ms", "40")]).retry(0), Some(40));
        assert_eq!(answered(429, &[("retry-after", "86400")]).retry(0), Some(120_000));
    }

    #[test]
    fn labels_fit_into_a_header() {
        assert_eq!(ascii("{\"a\":\"\u{e9}\u{1f980}\"}"), r#"{"a":"\u00e9\ud83e\udd80"}"#);
    }
}
