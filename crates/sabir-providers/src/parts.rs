//! Parts of requests that several providers build in the same way.
//!
//! Invariant: a name never changes where a request goes, and a credential that goes into a header
//! is marked as one and never part of a message.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use sabir_types::{Error, ErrorKind, Map, Operation, Result, Secret, Value};
use sabir_wire::multipart;

use crate::HttpRequest;

/// Where an operation is in the APIs that have OpenAI's paths.
pub(crate) fn path(operation: Operation) -> Option<&'static str> {
    Some(match operation {
        Operation::Chat => "chat/completions",
        Operation::Embed => "embeddings",
        Operation::Image => "images/generations",
        Operation::ImageEdit => "images/edits",
        Operation::Speech => "audio/speech",
        Operation::Transcribe => "audio/transcriptions",
        Operation::Translate => "audio/translations",
        Operation::Moderate => "moderations",
        Operation::Rerank => "rerank",
        _ => return None,
    })
}

/// That a provider has no such operation.
pub(crate) fn lacks(provider: &str, operation: Operation) -> Error {
    Error::unsupported("model", format!("provider `{provider}` has no {operation}"))
}

/// A name as one segment of a path.
pub(crate) fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => out.push(char::from(byte)),
            // A segment of dots alone would be a step up.
            b'.' if name.bytes().any(|byte| byte != b'.') => out.push('.'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A model's name as one segment of a path: Google's versions come after an `@`, which may stand there.
pub(crate) fn model(name: &str) -> String {
    segment(name).replace("%40", "@")
}

/// A request to that address, without headers and body.
pub(crate) fn request(method: Method, url: &str) -> Result<HttpRequest> {
    let uri: Uri = url.parse().map_err(|e| config(format!("`{url}` is not an address")).with_source(e))?;
    let mut request = http::Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    Ok(request)
}

/// A path with its query, if there is one.
pub(crate) fn with_query(path: &str, query: Option<&str>) -> String {
    match query {
        Some(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}

/// A query without some of its members, the others as they came; `change` gives another text for a
/// member, from its name.
pub(crate) fn query(query: &str, without: &[&str], change: impl Fn(&str) -> Option<String>) -> Option<String> {
    let members = query.split('&').filter_map(|member| {
        let name = member.split('=').next().unwrap_or_default();
        if without.contains(&name) { None } else { Some(change(name).unwrap_or_else(|| member.to_owned())) }
    });
    let all = members.collect::<Vec<_>>().join("&");
    (!all.is_empty()).then_some(all)
}

/// A credential as a header's value, after `prefix`.
pub(crate) fn credential(provider: &str, prefix: &str, key: &Secret) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("{prefix}{}", key.expose()))
        .map_err(|_| config(format!("the key of provider `{provider}` holds characters that no header can carry")))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A setting of the configuration that is a text.
pub(crate) fn option<'t>(options: &'t Map<String, Value>, name: &str) -> Option<&'t str> {
    options.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// A setting that the provider cannot do without.
pub(crate) fn required<'t>(provider: &str, options: &'t Map<String, Value>, name: &str) -> Result<&'t str> {
    option(options, name).ok_or_else(|| config(format!("provider `{provider}` needs `{name}`")))
}

/// A name that becomes part of a host (a region): letters, digits and hyphens.
pub(crate) fn label<'t>(provider: &str, name: &str, text: &'t str) -> Result<&'t str> {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Ok(text);
    }
    Err(config(format!("`{name}` of provider `{provider}` holds characters that no host name has")))
}

/// Says what a body is: forms say so themselves, everything else is JSON.
pub fn set_content_type(headers: &mut HeaderMap, body: &[u8]) {
    let form = multipart::content_type(body).and_then(|kind| HeaderValue::try_from(kind).ok());
    headers.insert(header::CONTENT_TYPE, form.unwrap_or(HeaderValue::from_static("application/json")));
}

/// An error of the configuration.
pub(crate) fn config(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(segment("us.amazon.nova-2-lite-v1:0"), "us.amazon.nova-2-lite-v1%3A0");
        assert_eq!(segment("a/b?c#d%e"), "a%2Fb%3Fc%23d%25e");
        assert_eq!((segment(".."), segment("a..b")), ("%2E%2E".to_owned(), "a..b".to_owned()));
    }

    #[test]
    fn a_region_is_no_host() {
        assert!(label("p", "region", "eu-west-1").is_ok());
        let error = label("p", "region", "evil.example/").unwrap_err();
        assert_eq!(error.message(), "`region` of provider `p` holds characters that no host name has");
    }

    #[test]
    fn a_credential_is_not_shown() {
        let value = credential("p", "Bearer ", &Secret::new("hunter2")).unwrap();
        assert_eq!((value.as_bytes(), format!("{value:?}").as_str()), (&b"Bearer hunter2"[..], "Sensitive"));
        let error = credential("p", "", &Secret::new("hunter\n2")).unwrap_err();
        assert!(!error.message().contains("hunter"), "{error}");
    }
}
