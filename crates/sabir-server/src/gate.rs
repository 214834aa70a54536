//! What every handler does first: who is calling, and what they sent.
//!
//! Invariant: errors come back as `sabir_types::Error`; each door gives them its own shape.

use std::{io::Read, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt;
use ring::rand::SecureRandom;
use sabir_types::{Error, ErrorKind, Result, Secret, new_id};

use crate::app::App;

/// How much of a body that is too large is read and thrown away, so that the caller, who is still
/// writing, gets to see the answer.
const DRAIN: usize = 256 * 1024 * 1024;
/// How long that may take.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// Who is calling: checks the key (`Authorization: Bearer`, `api-key`, `x-api-key` or
/// `x-goog-api-key`) against the gateway's own. `None` if the gateway asks for none.
pub fn admit(app: &App, headers: &HeaderMap) -> Result<Option<Arc<str>>> {
    admit_with(app, headers, None)
}

/// [`admit`] for a door whose callers may bring the key elsewhere (Google's, in the query).
pub fn admit_with(app: &App, headers: &HeaderMap, elsewhere: Option<&str>) -> Result<Option<Arc<str>>> {
    let config = app.engine().config();
    let keys = &config.gateway.api_keys;
    if keys.is_empty() {
        return Ok(None);
    }
    if let Some(caller) = token(headers).and_then(|given| app.pass().caller(given)) {
        return Ok(caller);
    }
    let Some(given) = token(headers).or(elsewhere) else {
        return Err(Error::new(
            ErrorKind::Authentication,
            "this gateway asks for a key: send it as `Authorization: Bearer KEY`",
        ));
    };
    let found = keys.iter().find(|(_, key)| same(key.expose().as_bytes(), given.as_bytes()));
    match found {
        Some((name, _)) => Ok(Some(name.clone())),
        None => Err(Error::new(ErrorKind::Authentication, "the key is not one of this gateway's")),
    }
}

/// What lets the gateway call itself, in the name of somebody who was admitted before: work that
/// goes on without its caller comes through the same doors. It is new in each process and never
/// leaves it.
#[derive(Debug)]
pub struct Pass(Secret);

impl Default for Pass {
    fn default() -> Self {
        let mut bytes = [0; 32];
        // Without random numbers there would be no TLS either; such a process has a pass that nobody knows all the same.
        if ring::rand::SystemRandom::new().fill(&mut bytes).is_err() {
            bytes[..16].copy_from_slice(new_id().as_bytes());
        }
        Self(Secret::new(format!("inside-{}", hex(&bytes))))
    }
}

impl Pass {
    /// The header that says so.
    pub fn header(&self, caller: Option<&str>) -> HeaderValue {
        let text = format!("Bearer {}.{}", self.0.expose(), hex(caller.unwrap_or_default().as_bytes()));
        let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        value.set_sensitive(true);
        value
    }

    /// In whose name this token calls, if it is ours.
    fn caller(&self, token: &str) -> Option<Option<Arc<str>>> {
        let (own, name) = token.split_once('.')?;
        if !same(own.as_bytes(), self.0.expose().as_bytes()) {
            return None;
        }
        let bytes: Vec<u8> = (0..name.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(name.get(at..at + 2)?, 16).ok())
            .collect::<Option<_>>()?;
        let name = String::from_utf8(bytes).ok()?;
        Some((!name.is_empty()).then(|| name.into()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(value) = text("authorization")
        && let Some((scheme, token)) = value.split_once(' ')
        && scheme.eq_ignore_ascii_case("bearer")
    {
        return Some(token.trim());
    }
    ["api-key", "x-api-key", "x-goog-api-key"].into_iter().find_map(text)
}

/// Compares without telling by its time where the first difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// Reads a request's body: within the limit (413), within the time (408), content encoding undone.
pub async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes> {
    read_within(app, headers, body, usize::MAX).await
}

/// [`read`] for bodies that have a smaller limit than the gateway's.
pub async fn read_within(app: &App, headers: &HeaderMap, mut body: Body, most: usize) -> Result<Bytes> {
    let config = app.engine().config();
    let (limit, time) = (config.gateway.body_limit.min(most), config.gateway.body_timeout);
    let too_large =
        || Error::new(ErrorKind::TooLarge, format!("the request's body is over the limit of {limit} bytes"));
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared > limit) {
        // Who waits to be asked for the body need not send it at all.
        if !headers.contains_key(header::EXPECT) {
            drain(&mut body).await;
        }
        return Err(too_large());
    }
    let whole = collect(&mut body, limit, declared.unwrap_or(0));
    let read = match tokio::time::timeout(time, whole).await {
        Ok(read) => read?,
        Err(_) => {
            let ms = time.as_millis();
            return Err(Error::new(ErrorKind::Timeout, format!("the request's body did not arrive within {ms} ms")));
        }
    };
    let Some(bytes) = read else {
        drain(&mut body).await;
        return Err(too_large());
    };
    match headers.get(header::CONTENT_ENCODING).map(|v| v.as_bytes()) {
        None | Some(b"identity" | b"") => Ok(bytes),
        Some(b"gzip" | b"x-gzip") => inflate(flate2::read::MultiGzDecoder::new(&*bytes), limit, too_large),
        Some(b"deflate") => inflate(flate2::read::ZlibDecoder::new(&*bytes), limit, too_large),
        Some(other) => Err(Error::bad_request(format!(
            "content encoding `{}` is not supported: use gzip, deflate or none",
            String::from_utf8_lossy(other)
        ))),
    }
}

/// The whole body; `None` if it is over the limit.
async fn collect(body: &mut Body, limit: usize, expected: usize) -> Result<Option<Bytes>> {
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Error::bad_request("the request's body broke off").with_source(e))?;
        let Ok(data) = frame.into_data() else { continue };
        if all.len() + first.as_ref().map_or(0, Bytes::len) + data.len() > limit {
            return Ok(None);
        }
        match first.take() {
            None if all.is_empty() => first = Some(data),
            held => {
                all.reserve(expected.saturating_sub(all.len()).max(data.len()));
                if let Some(held) = held {
                    all.extend_from_slice(&held);
                }
                all.extend_from_slice(&data);
            }
        }
    }
    Ok(Some(first.unwrap_or_else(|| all.freeze())))
}

async fn drain(body: &mut Body) {
    let rest = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > DRAIN {
                break;
            }
        }
    };
    // Whether it ends or not, the answer goes out now.
    drop(tokio::time::timeout(DRAIN_TIME, rest).await);
}

fn inflate(reader: impl Read, limit: usize, too_large: impl Fn() -> Error) -> Result<Bytes> {
    let mut out = Vec::new();
    let mut reader = reader.take(limit as u64 + 1);
    reader
        .read_to_end(&mut out)
        .map_err(|e| Error::bad_request("the request's body is not what its content encoding says").with_source(e))?;
    if out.len() > limit { Err(too_large()) } else { Ok(out.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_carries_a_name_and_is_nobody_elses() {
        let (pass, other) = (Pass::default(), Pass::default());
        for name in [None, Some("team"), Some("t\u{e9}am \u{1f980}")] {
            let header = pass.header(name);
            let token = header.to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned();
            assert_eq!(
                pass.caller(&token).map(|name| name.as_deref().map(str::to_owned)),
                Some(name.map(str::to_owned))
            );
            assert_eq!(other.caller(&token), None);
            assert!(!format!("{pass:?}{header:?}").contains(token.split_once('.').unwrap().0));
        }
        for token in ["", ".", "inside-.", "inside-.00"] {
            assert_eq!(pass.caller(token), None);
        }
    }
}
