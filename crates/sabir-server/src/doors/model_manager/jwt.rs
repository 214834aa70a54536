//! The tokens that callers show: JSON Web Tokens, signed with a shared secret.
//!
//! Invariants: only HMAC signatures count, whatever a token says about itself; a token without an
//! end is refused; no message repeats a token or a secret.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use sabir_types::{Map, Secret, Value};

/// Checks a token; the name of the secret that it was signed with. `now` is in seconds since 1970.
pub(super) fn verify(
    token: &str,
    secrets: &[(Arc<str>, Secret)],
    now: u64,
    leeway: u64,
) -> Result<Arc<str>, &'static str> {
    const GARBLED: &str = "the token is not a JSON Web Token";
    let mut parts = token.split('.');
    let (Some(head), Some(claims), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(GARBLED);
    };
    let header = object(head).ok_or(GARBLED)?;
    let algorithm = match header.get("alg").and_then(Value::as_str) {
        Some("HS256") => hmac::HMAC_SHA256,
        Some("HS384") => hmac::HMAC_SHA384,
        Some("HS512") => hmac::HMAC_SHA512,
        _ => return Err("the token is not signed with a shared secret: HS256 is expected"),
    };
    if header.contains_key("crit") {
        return Err("the token has a header `crit`, which is not supported");
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| GARBLED)?;
    let signed = &token.as_bytes()[..head.len() + 1 + claims.len()];
    let signer = secrets.iter().find(|(_, secret)| {
        let key = hmac::Key::new(algorithm, secret.expose().as_bytes());
        hmac::verify(&key, signed, &signature).is_ok()
    });
    let Some((name, _)) = signer else {
        return Err("the token's signature is not right: it was made with another secret");
    };
    let claims = object(claims).ok_or(GARBLED)?;
    let moment = |name: &str| claims.get(name).map(Value::as_f64);
    match moment("exp") {
        None => return Err("the token has no `exp`: it would be good for ever"),
        Some(None) => return Err("the token's `exp` is not a number of seconds"),
        Some(Some(end)) if end + leeway as f64 <= now as f64 => return Err("the token has expired"),
        Some(Some(_)) => {}
    }
    match moment("nbf") {
        Some(None) => Err("the token's `nbf` is not a number of seconds"),
        Some(Some(begin)) if begin > (now + leeway) as f64 => Err("the token is not valid yet"),
        _ => Ok(name.clone()),
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(header: &str, claims: &str, secret: &str) -> String {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes())))
    }

    fn secrets() -> Vec<(Arc<str>, Secret)> {
        vec![("new".into(), Secret::new("s2")), ("old".into(), Secret::new("s1"))]
    }

    const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

    #[test]
    fn every_secret_counts_until_the_end_and_a_little_more() {
        for (secret, name) in [("s1", "old"), ("s2", "new")] {
            let token = sign(HEADER, r#"{"org_id":"o","exp":1000}"#, secret);
            assert_eq!(verify(&token, &secrets(), 1000, 30).unwrap(), name.into());
            assert!(verify(&token, &secrets(), 1030, 30).unwrap_err().contains("expired"));
        }
    }

    #[test]
    fn a_known_token_of_another_library_is_read() {
        // Made with PyJWT 2: jwt.encode({"org_id": "o", "exp": 4102444800}, "s1", algorithm="HS256").
        let token = concat!(
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
            "eyJvcmdfaWQiOiJvIiwiZXhwIjo0MTAyNDQ0ODAwfQ.",
            "WFBRMYgk_UlkYPlpFeRiavYuuIXwsTrb_ad0QZ_76MI"
        );
        assert_eq!(verify(token, &secrets(), 1_800_000_000, 0).unwrap(), "old".into());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let good = r#"{"exp":2000}"#;
        for (token, wanted) in [
            ("abc".to_owned(), "not a JSON Web Token"),
            ("a.b.c".to_owned(), "not a JSON Web Token"),
            (sign(HEADER, good, "s3"), "another secret"),
            (sign(r#"{"alg":"none"}"#, good, "s1"), "HS256 is expected"),
            (sign(r#"{"alg":"RS256"}"#, good, "s1"), "HS256 is expected"),
            (sign(r#"{"alg":"HS256","crit":["x"]}"#, good, "s1"), "`crit`"),
            (sign(HEADER, "{}", "s1"), "no `exp`"),
            (sign(HEADER, r#"{"exp":"soon"}"#, "s1"), "`exp` is not a number"),
            (sign(HEADER, r#"{"exp":2000,"nbf":1500}"#, "s1"), "not valid yet"),
        ] {
            let said = verify(&token, &secrets(), 1000, 30).unwrap_err();
            assert!(said.contains(wanted), "{token}: {said}");
        }
    }
}
