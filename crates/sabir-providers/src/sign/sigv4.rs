//! AWS Signature Version 4.
//!
//! Facts: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv4.html>, checked 2026-11.
//!
//! Invariant: what is signed is what is sent: the signature is made last, over the final body and
//! the headers as they stand.

use std::{collections::BTreeMap, fmt};

use http::{HeaderName, HeaderValue, header};
use ring::{digest, hmac};
use sabir_types::{Error, Map, Result, Secret, Value};

use crate::{HttpRequest, parts};

/// The keys that sign.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Which key it is; this one is sent.
    pub access_key_id: String,
    /// What signs; never sent.
    pub secret_access_key: String,
    /// Goes along with keys that are good for a while only.
    pub session_token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// The keys as one credential.
    pub fn to_secret(&self) -> Secret {
        let mut all = Map::new();
        all.insert("access_key_id".into(), self.access_key_id.as_str().into());
        all.insert("secret_access_key".into(), self.secret_access_key.as_str().into());
        if let Some(token) = &self.session_token {
            all.insert("session_token".into(), token.as_str().into());
        }
        Secret::new(Value::Object(all).to_string())
    }

    /// Takes apart what [`Keys::to_secret`] put together; `None` for anything else.
    pub fn from_secret(secret: &Secret) -> Option<Self> {
        let all: Map<String, Value> = serde_json::from_str(secret.expose()).ok()?;
        let part = |name: &str| all.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        Some(Self {
            access_key_id: part("access_key_id")?,
            secret_access_key: part("secret_access_key")?,
            session_token: part("session_token"),
        })
    }
}

/// Whom a signature is for.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The region.
    pub region: &'a str,
    /// The service's name in signatures, which need not be the host's (`bedrock`).
    pub service: &'a str,
    /// Seconds since 1970.
    pub now: u64,
}

/// Signs a request: adds `x-amz-date`, `x-amz-security-token` and `authorization`.
pub fn sign(request: &mut HttpRequest, keys: &Keys, scope: &Scope<'_>) -> Result<()> {
    let stamp = stamp(scope.now);
    let wrong = || parts::config("the keys for AWS hold characters that no header can carry");
    let headers = request.headers_mut();
    headers.insert("x-amz-date", HeaderValue::try_from(&stamp).map_err(|_| wrong())?);
    headers.remove("x-amz-security-token");
    if let Some(token) = &keys.session_token {
        let mut value = HeaderValue::try_from(token).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert("x-amz-security-token", value);
    }
    let (canonical, names) = canonical(request)?;
    let to_sign = to_sign(&stamp, scope, &canonical);
    let mut key = mac(format!("AWS4{}", keys.secret_access_key).as_bytes(), &stamp[..8]);
    for part in [scope.region, scope.service, "aws4_request"] {
        key = mac(key.as_ref(), part);
    }
    let signature = hex(mac(key.as_ref(), &to_sign).as_ref());
    let Keys { access_key_id, .. } = keys;
    let text = format!(
        "AWS4-HMAC-SHA256 Credential={access_key_id}/{}, SignedHeaders={names}, Signature={signature}",
        place(&stamp, scope)
    );
    let mut value = HeaderValue::try_from(text).map_err(|_| wrong())?;
    value.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, value);
    Ok(())
}

/// The request in the one form that both sides hash, and the names of the headers in it.
fn canonical(request: &HttpRequest) -> Result<(String, String)> {
    let uri = request.uri();
    let authority = uri.authority().ok_or_else(|| parts::config(format!("`{uri}` is not an absolute address")))?;
    let mut signed: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in request.headers() {
        if name == header::CONTENT_TYPE || name == header::HOST || name.as_str().starts_with("x-amz-") {
            let text = value.to_str().map_err(|_| unsigned(name))?;
            let text = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
            let all = signed.entry(name.as_str()).or_default();
            if !all.is_empty() {
                all.push(',');
            }
            all.push_str(&text);
        }
    }
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    signed.entry("host").or_insert_with(|| host.to_owned());
    let mut query: Vec<&str> = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    // The path is escaped a second time: an escape of the address becomes a name with a `%` in it.
    let path: Vec<String> = uri.path().split('/').map(parts::segment).collect();
    let names = signed.keys().copied().collect::<Vec<_>>().join(";");
    let headers: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let body = hash(request.body());
    let text = format!("{}\n{}\n{}\n{headers}\n{names}\n{body}", request.method(), path.join("/"), query.join("&"));
    Ok((text, names))
}

fn to_sign(stamp: &str, scope: &Scope<'_>, canonical: &str) -> String {
    let hash = hash(canonical.as_bytes());
    format!("AWS4-HMAC-SHA256\n{stamp}\n{}\n{hash}", place(stamp, scope))
}

/// Day, region and service.
fn place(stamp: &str, scope: &Scope<'_>) -> String {
    format!("{}/{}/{}/aws4_request", &stamp[..8], scope.region, scope.service)
}

fn unsigned(name: &HeaderName) -> Error {
    parts::config(format!("header `{name}` cannot be signed: it is not plain text"))
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `YYYYMMDDTHHMMSSZ`.
fn stamp(now: u64) -> String {
    let (days, rest) = (now / 86_400, now % 86_400);
    // Days since 1 March of the year 0, in eras of 400 years: leap days then come last.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
#[path = "sigv4_tests.rs"]
mod tests;
