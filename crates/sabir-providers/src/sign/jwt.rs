//! JSON Web Tokens, signed with a shared secret (HS256).
//!
//! Invariant: the same claims, secret and time give the same token.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use sabir_types::Value;
use serde_json::json;

/// How long a token lives, in milliseconds.
const LIFE: u64 = 210_000;

/// The token that stands for a key of the form `id.secret`; any other key stands for itself.
///
/// A key with two dots is a token already. The times in the token are milliseconds.
pub(crate) fn of_key(key: &str, now: u64) -> Cow<'_, str> {
    let parts = key.split_once('.').filter(|(id, secret)| {
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
        is_part(id) && is_part(secret)
    });
    let Some((id, secret)) = parts else { return Cow::Borrowed(key) };
    let now = now.saturating_mul(1000);
    let header = json!({"alg": "HS256", "sign_type": "SIGN", "typ": "JWT"});
    let claims = json!({"api_key": id, "exp": now.saturating_add(LIFE), "timestamp": now});
    Cow::Owned(hs256(&header, &claims, secret.as_bytes()))
}

fn hs256(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_two_parts_becomes_a_token() {
        // Computed by another implementation of HMAC-SHA256.
        let token = "eyJhbGciOiJIUzI1NiIsInNpZ25fdHlwZSI6IlNJR04iLCJ0eXAiOiJKV1QifQ.\
                     eyJhcGlfa2V5IjoibGlnaHRob3VzZSIsImV4cCI6MTgwMDAwMDIxMDAwMCwidGltZXN0YW1wIjoxODAwMDAwMDAwMDAwfQ.\
                     7XTJe0e6eu9ByGZZJ6zZGwpBZEvyRcwoTVCKGEM0VPc";
        assert_eq!(of_key("lighthouse.harbour7", 1_800_000_000), token);
    }

    #[test]
    fn other_keys_stay() {
        for key in ["plain", "a.b.c", ".secret", "id.", "sk-1.x"] {
            assert_eq!(of_key(key, 1), key);
        }
    }
}
