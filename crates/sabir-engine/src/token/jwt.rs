//! Signed claims (JWT with RS256), as a service account identifies itself.
//!
//! RS256 is here and not with the other signatures: only the engine exchanges claims for tokens,
//! and `ring`, which the TLS stack brings, needs a source of randomness for the arithmetic around
//! the key, although the signature itself is always the same.
//!
//! Invariant: a key never shows itself, and nothing of it is part of a message.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use sabir_types::{Error, Result};

/// A private RSA key.
pub(super) struct Signer(RsaKeyPair);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(***)")
    }
}

impl Signer {
    /// Reads a key in PEM (PKCS#8 or PKCS#1).
    pub(super) fn from_pem(pem: &str) -> Result<Self, &'static str> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| "is not a key in PEM")?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err("is not an RSA key"),
        };
        key.map(Self).map_err(|_| "is not an RSA key of a usual size")
    }

    /// Header and claims, signed.
    pub(super) fn sign(&self, header: &str, claims: &str) -> Result<String> {
        let mut text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| Error::internal("the claims of a service account could not be signed"))?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(text)
    }
}
