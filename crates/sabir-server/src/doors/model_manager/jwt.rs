//! The tokens that callers show: JSON Web Tokens, signed with a shared secret or a private key.
//!
//! Invariants: what a token says of its own signature chooses among the means of that kind only: a
//! secret never checks what says that it was signed with a private key, and a public key is never a
//! secret; a token without an end is refused; no message repeats a token or a secret.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use sabir_engine::{
    config::Grpc,
    verify::{PublicKey, Scheme},
};
use sabir_types::{Map, Value};

/// A token as it was shown: nothing of it is sure yet.
#[derive(Debug)]
pub(super) struct Token<'a> {
    signed: &'a [u8],
    signature: Vec<u8>,
    how: How,
    /// The key's name.
    id: Option<String>,
    claims: Map<String, Value>,
}

/// How it says that it was signed.
#[derive(Debug)]
enum How {
    /// With a shared secret.
    Shared(hmac::Algorithm),
    /// With a private key.
    Private(Scheme),
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    pub(super) fn read(token: &'a str) -> Result<Self, &'static str> {
        const GARBLED: &str = "the token is not a JSON Web Token";
        let mut parts = token.split('.');
        let (Some(head), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(GARBLED);
        };
        let header = object(head).ok_or(GARBLED)?;
        let how = match header.get("alg").and_then(Value::as_str) {
            Some("HS256") => How::Shared(hmac::HMAC_SHA256),
            Some("HS384") => How::Shared(hmac::HMAC_SHA384),
            Some("HS512") => How::Shared(hmac::HMAC_SHA512),
            name => match name.and_then(Scheme::named) {
                Some(scheme) => How::Private(scheme),
                None => return Err("the token is not signed in a way that counts: HS256, RS256 or ES256 is expected"),
            },
        };
        if header.contains_key("crit") {
            return Err("the token has a header `crit`, which is not supported");
        }
        Ok(Self {
            signed: &token.as_bytes()[..head.len() + 1 + claims.len()],
            signature: URL_SAFE_NO_PAD.decode(signature).map_err(|_| GARBLED)?,
            how,
            id: header.get("kid").and_then(Value::as_str).map(str::to_owned),
            claims: object(claims).ok_or(GARBLED)?,
        })
    }

    /// Whether an issuer's keys may be what it needs, and the name of the one.
    pub(super) fn issuers_key(&self) -> Option<Option<&str>> {
        matches!(self.how, How::Private(_)).then_some(self.id.as_deref())
    }

    /// The name of the secret or key that it was signed with.
    pub(super) fn signer(&self, settings: &Grpc) -> Result<Arc<str>, &'static str> {
        match &self.how {
            How::Shared(_) if settings.jwt_secrets.is_empty() => Err(
                "the token is signed with a shared secret, and this gateway has none: it takes private keys' signatures",
            ),
            How::Shared(algorithm) => {
                let signer = settings.jwt_secrets.iter().find(|(_, secret)| {
                    let key = hmac::Key::new(*algorithm, secret.expose().as_bytes());
                    hmac::verify(&key, self.signed, &self.signature).is_ok()
                });
                signer
                    .map(|(name, _)| name.clone())
                    .ok_or("the token's signature is not right: it was made with another secret")
            }
            How::Private(_) if settings.jwt_keys.is_empty() && settings.jwks_url.is_none() => {
                Err("the token is not signed with a shared secret: HS256 is expected")
            }
            How::Private(_) => {
                let signer = settings.jwt_keys.iter().find(|(_, key)| self.was_signed_for(key));
                signer
                    .map(|(name, _)| name.clone())
                    .ok_or("the token's signature is not right: it was made with another key, or for another algorithm")
            }
        }
    }

    /// Whether it was signed with the private half of this key.
    pub(super) fn was_signed_for(&self, key: &PublicKey) -> bool {
        match self.how {
            How::Shared(_) => false,
            How::Private(scheme) => {
                key.may_be(self.id.as_deref()) && key.verifies(scheme, self.signed, &self.signature)
            }
        }
    }

    /// Checks what it says of itself. `now` is in seconds since 1970.
    pub(super) fn check(&self, settings: &Grpc, now: u64) -> Result<(), &'static str> {
        let leeway = settings.leeway.as_secs();
        let moment = |name: &str| self.claims.get(name).map(Value::as_f64);
        match moment("exp") {
            None => return Err("the token has no `exp`: it would be good for ever"),
            Some(None) => return Err("the token's `exp` is not a number of seconds"),
            Some(Some(end)) if end + leeway as f64 <= now as f64 => return Err("the token has expired"),
            Some(Some(_)) => {}
        }
        match moment("nbf") {
            Some(None) => return Err("the token's `nbf` is not a number of seconds"),
            Some(Some(begin)) if begin > (now + leeway) as f64 => return Err("the token is not valid yet"),
            _ => {}
        }
        let names = |claim: &str, wanted: &[String]| match self.claims.get(claim) {
            Some(Value::String(name)) => wanted.contains(name),
            Some(Value::Array(names)) if claim == "aud" => {
                names.iter().filter_map(Value::as_str).any(|name| wanted.iter().any(|wanted| wanted == name))
            }
            _ => false,
        };
        if !settings.jwt_issuers.is_empty() && !names("iss", &settings.jwt_issuers) {
            return Err("the token's `iss` is not an issuer that counts here");
        }
        if !settings.jwt_audiences.is_empty() && !names("aud", &settings.jwt_audiences) {
            return Err("the token's `aud` does not name this gateway");
        }
        Ok(())
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;
