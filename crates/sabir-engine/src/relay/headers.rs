//! Which headers go through, in both directions.
//!
//! Invariant: what concerns one connection only, and whatever may be a credential, stays here.

use std::collections::HashSet;

use http::{HeaderMap, HeaderName, header};

use crate::outgoing;

/// What concerns one connection only (RFC 9110, 7.6.1, and what is older than that).
const HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// What is meant for this gateway: its address, its keys, how the body gets here, who is before it.
const OURS: [&str; 16] = [
    "host",
    "content-length",
    "expect",
    "accept-encoding",
    "cookie",
    "authorization",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "x-amz-security-token",
    "x-goog-iam-authorization-token",
    "forwarded",
    "via",
    "x-real-ip",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
];
/// What an answer says about the provider's own host, or about a body as it was on its way here.
const THEIRS: [&str; 5] = ["content-length", "content-encoding", "set-cookie", "alt-svc", "strict-transport-security"];
/// Members of a query that are credentials.
const SECRET: [&str; 4] = ["key", "api_key", "api-key", "access_token"];

/// Adds the caller's headers to the provider's own, which stay.
pub(super) fn request(from: &HeaderMap, to: &mut HeaderMap) {
    let dropped = of_connection(from);
    let mut special = HeaderMap::new();
    let own: HashSet<HeaderName> = to.keys().cloned().collect();
    for (name, value) in from {
        let text = name.as_str();
        if HOP.contains(&text)
            || OURS.contains(&text)
            || dropped.contains(text)
            || text.starts_with("x-forwarded-")
            || text.starts_with("x-sabir-")
        {
            continue;
        }
        if text.starts_with("anthropic-") {
            special.insert(name.clone(), value.clone());
        } else if !own.contains(name) {
            to.append(name.clone(), value.clone());
        }
    }
    outgoing::forward(&special, to);
}

/// Takes out of an answer's headers what is not for the caller.
pub(super) fn answer(headers: &mut HeaderMap) {
    for name in of_connection(headers) {
        headers.remove(name.as_str());
    }
    for name in HOP.iter().chain(&THEIRS) {
        headers.remove(*name);
    }
}

/// The names that `Connection` lists.
fn of_connection(headers: &HeaderMap) -> HashSet<String> {
    let values = headers.get_all(header::CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// A query without credentials.
pub(super) fn shown_query(query: &str) -> Option<String> {
    let members = query.split('&').filter(|member| {
        let name = decoded(member.split('=').next().unwrap_or_default());
        !SECRET.contains(&name.as_str())
    });
    let all = members.collect::<Vec<_>>().join("&");
    (!all.is_empty()).then_some(all)
}

/// A path or a part of one as it is meant, with what is percent-encoded undone.
pub fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let hex = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(hex.unwrap_or(*byte));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_connections_own_headers_and_credentials_stay_here() {
        let from = headers(&[
            ("connection", "close, X-Odd"),
            ("x-odd", "1"),
            ("host", "gateway"),
            ("cookie", "c"),
            ("authorization", "Bearer caller"),
            ("api-key", "caller"),
            ("x-sabir-tags", "{}"),
            ("x-forwarded-for", "10.0.0.1"),
            ("openai-beta", "assistants=v2"),
            ("openai-organization", "the-callers"),
            ("x-stainless-lang", "python"),
        ]);
        let mut to = headers(&[("authorization", "Bearer ours"), ("openai-organization", "ours")]);
        request(&from, &mut to);
        let mut names: Vec<_> = to.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        names.sort();
        assert_eq!(
            names,
            [
                "authorization: Bearer ours",
                "openai-beta: assistants=v2",
                "openai-organization: ours",
                "x-stainless-lang: python"
            ]
        );
    }

    #[test]
    fn headers_that_are_there_twice_stay_so() {
        let mut from = headers(&[("x-a", "1")]);
        from.append("x-a", HeaderValue::from_static("2"));
        let mut to = HeaderMap::new();
        request(&from, &mut to);
        assert_eq!(to.get_all("x-a").iter().count(), 2);
    }

    #[test]
    fn a_query_is_shown_without_keys() {
        assert_eq!(shown_query("a[]=1&k%65y=secret&b=2").as_deref(), Some("a[]=1&b=2"));
        assert_eq!(shown_query("key=secret"), None);
    }
}
