//! Webhooks: whether they are from whom they say.
//!
//! Invariant: a payload is only read after its signature was found right, in a time that tells
//! nothing about it; messages hold neither secrets nor signatures.

use std::time::{Duration, SystemTime};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderMap;
use ring::hmac;
use sabir_types::Value;

use crate::{
    call::Surface,
    error::{Error, Result},
    resources::Webhooks,
};

/// How old or new a webhook may be, unless told otherwise.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// Whether a webhook is signed with this secret (`whsec_…`, or the bytes themselves) and not older
/// or newer than `tolerance`. `payload` is the body as it came.
pub fn verify(payload: &[u8], headers: &HeaderMap, secret: &str, tolerance: Duration) -> Result<()> {
    verify_at(payload, headers, secret, tolerance, SystemTime::now())
}

/// The same at another time than now.
pub fn verify_at(
    payload: &[u8],
    headers: &HeaderMap,
    secret: &str,
    tolerance: Duration,
    now: SystemTime,
) -> Result<()> {
    let wrong = |what: &str| Error::Signature(what.to_owned());
    let header = |name: &str| {
        let value = headers.get(name).ok_or_else(|| Error::Signature(format!("the header `{name}` is missing")))?;
        value.to_str().map_err(|_| Error::Signature(format!("the header `{name}` is no text")))
    };
    let (id, stamp, signatures) = (header("webhook-id")?, header("webhook-timestamp")?, header("webhook-signature")?);
    let seconds: u64 = stamp.parse().map_err(|_| wrong("the header `webhook-timestamp` is no number"))?;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    if now.saturating_sub(seconds) > tolerance.as_secs() {
        return Err(wrong("it is too old"));
    }
    if seconds.saturating_sub(now) > tolerance.as_secs() {
        return Err(wrong("it is from the future"));
    }
    let secret = match secret.strip_prefix("whsec_") {
        Some(encoded) => BASE64_STANDARD.decode(encoded).map_err(|_| wrong("the secret is not base64"))?,
        None => secret.as_bytes().to_vec(),
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let mut signed = format!("{id}.{stamp}.").into_bytes();
    signed.extend_from_slice(payload);
    let is_right = |entry: &str| {
        let encoded = entry.strip_prefix("v1,").unwrap_or(entry);
        BASE64_STANDARD.decode(encoded).is_ok_and(|tag| hmac::verify(&key, &signed, &tag).is_ok())
    };
    match signatures.split(' ').any(is_right) {
        true => Ok(()),
        false => Err(wrong("no signature is right")),
    }
}

impl<C: Surface> Webhooks<C> {
    /// The event that a webhook brings, after its signature was found right with the client's
    /// secret. `payload` is the body as it came.
    pub fn event(&self, payload: &[u8], headers: &HeaderMap) -> Result<Value> {
        let secret = self.0.client().settings.webhook_secret.as_deref();
        let secret = secret.ok_or_else(|| Error::Request("the client has no secret for webhooks".to_owned()))?;
        verify(payload, headers, secret, TOLERANCE)?;
        serde_json::from_slice(payload)
            .map_err(|e| Error::Decode { message: e.to_string(), body: payload.to_vec().into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_c2VjcmV0";
    const BODY: &[u8] = br#"{"type":"response.completed"}"#;

    fn headers(stamp: &str, signature: &str) -> HeaderMap {
        let pairs = [("webhook-id", "wh_1"), ("webhook-timestamp", stamp), ("webhook-signature", signature)];
        pairs.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn signature(secret: &[u8], stamp: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let text = format!("wh_1.{stamp}.{}", std::str::from_utf8(BODY).unwrap());
        format!("v1,{}", BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes())))
    }

    fn check(stamp: &str, signature: &str, secret: &str) -> Result<(), String> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        verify_at(BODY, &headers(stamp, signature), secret, TOLERANCE, now).map_err(|e| e.to_string())
    }

    #[test]
    fn one_right_signature_is_enough() {
        let right = signature(b"secret", "1000000");
        check("1000000", &right, SECRET).unwrap();
        check("1000000", &format!("v1,AAAA {right}"), SECRET).unwrap();
        check("1000000", right.strip_prefix("v1,").unwrap(), "secret").unwrap();
        check("999700", &signature(b"secret", "999700"), SECRET).unwrap();
    }

    #[test]
    fn everything_else_is_refused() {
        let right = signature(b"secret", "1000000");
        for (stamp, signature, secret, why) in [
            ("1000000", right.as_str(), "other", "no signature"),
            ("1000000", "v1,AAAA", SECRET, "no signature"),
            ("1000001", right.as_str(), SECRET, "no signature"),
            ("999699", right.as_str(), SECRET, "too old"),
            ("1000301", right.as_str(), SECRET, "future"),
            ("soon", right.as_str(), SECRET, "no number"),
        ] {
            let error = check(stamp, signature, secret).unwrap_err();
            assert!(error.contains(why) && !error.contains(secret), "{error}");
        }
        let error = verify(BODY, &HeaderMap::new(), SECRET, TOLERANCE).unwrap_err();
        assert!(error.to_string().contains("`webhook-id`"), "{error}");
    }
}
