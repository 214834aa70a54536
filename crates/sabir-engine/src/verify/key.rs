//! One public key, in PEM or as a JSON Web Key.
//!
//! Facts: RFC 7517, RFC 7518 (RSA and curves), RFC 8037 (Ed25519).
//!
//! Invariant: a key knows its family, and a scheme of another family never succeeds with it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};
use sabir_types::{Map, Value};

use super::der;

/// How a token is signed with a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RSA, PKCS#1 1.5, SHA-256.
    Rs256,
    /// RSA, PKCS#1 1.5, SHA-384.
    Rs384,
    /// RSA, PKCS#1 1.5, SHA-512.
    Rs512,
    /// RSA, PSS, SHA-256.
    Ps256,
    /// RSA, PSS, SHA-384.
    Ps384,
    /// RSA, PSS, SHA-512.
    Ps512,
    /// The curve P-256, SHA-256.
    Es256,
    /// The curve P-384, SHA-384.
    Es384,
    /// The curve Ed25519.
    EdDsa,
}

impl Scheme {
    /// The scheme that a token calls so.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Its issuer's name for it.
    id: Option<String>,
    /// The one scheme that its issuer uses it with, if it says so.
    only: Option<Scheme>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The same as one value, as PEM has it.
    RsaWhole(Vec<u8>),
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// Reads one or several keys: PEM (`PUBLIC KEY`), a JSON Web Key, or a set of them.
    pub fn read(text: &str) -> Result<Vec<Self>, &'static str> {
        let text = text.trim();
        if text.contains("PRIVATE KEY-----") {
            return Err("is a private key: the public one is needed here");
        }
        if text.starts_with('{') {
            let value: Map<String, Value> = serde_json::from_str(text).map_err(|_| "is not JSON")?;
            let keys = match value.get("keys") {
                Some(_) => Self::set(&value)?,
                None => Self::from_jwk(&value).into_iter().collect(),
            };
            return match keys.is_empty() {
                true => Err("has no key that signatures can be checked with: RSA, P-256, P-384 or Ed25519 is expected"),
                false => Ok(keys),
            };
        }
        let keys: Result<Vec<_>, _> = SubjectPublicKeyInfoDer::pem_slice_iter(text.as_bytes()).collect();
        let keys = keys.map_err(|_| "is broken PEM")?;
        if keys.is_empty() {
            return Err("has no public key: PEM with `BEGIN PUBLIC KEY`, or a JSON Web Key is expected");
        }
        let kind = "is a key of a kind that is not supported: RSA, P-256, P-384 or Ed25519 is expected";
        keys.iter().map(|key| Self::from_der(key).ok_or(kind)).collect()
    }

    /// The keys of a set that are of use here; there may be others in it.
    pub fn set(set: &Map<String, Value>) -> Result<Vec<Self>, &'static str> {
        let Some(Value::Array(keys)) = set.get("keys") else { return Err("is not a set of keys") };
        Ok(keys.iter().filter_map(|key| Self::from_jwk(key.as_object()?)).collect())
    }

    fn from_der(der: &[u8]) -> Option<Self> {
        const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
        const CURVE: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
        const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
        const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
        const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
        let parts = der::public_key(der)?;
        let key = parts.key.to_vec();
        let material = match (parts.algorithm, parts.curve) {
            (RSA, _) => Material::RsaWhole(key),
            (CURVE, Some(P256)) => Material::P256(key),
            (CURVE, Some(P384)) => Material::P384(key),
            (ED25519, _) => Material::Ed25519(key),
            _ => return None,
        };
        Some(Self { id: None, only: None, material })
    }

    /// A key of a set; nothing if it is not for signatures, or of a kind that is not known.
    fn from_jwk(key: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        if text("use").is_some_and(|kind| kind != "sig") {
            return None;
        }
        let allows = |operations: &Value| operations.as_array().is_some_and(|all| all.iter().any(|op| op == "verify"));
        if key.get("key_ops").is_some_and(|operations| !allows(operations)) {
            return None;
        }
        // An uncompressed point.
        let point = || Some([&[4][..], &bytes("x")?, &bytes("y")?].concat());
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => Material::Rsa { n: number(&bytes("n")?), e: number(&bytes("e")?) },
            ("EC", Some("P-256")) => Material::P256(point()?),
            ("EC", Some("P-384")) => Material::P384(point()?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x")?),
            // A shared secret among them is for nobody: everybody can read it.
            _ => return None,
        };
        let only = match text("alg") {
            Some(name) => Some(Scheme::named(name)?),
            None => None,
        };
        Some(Self { id: text("kid").map(str::to_owned), only, material })
    }

    /// Its issuer's name for it.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether a token that names this key may mean this one: a key without a name may be anybody's.
    pub fn may_be(&self, id: Option<&str>) -> bool {
        match (self.id(), id) {
            (Some(own), Some(id)) => own == id,
            _ => true,
        }
    }

    /// Whether the holder of the private key signed this, by this scheme.
    pub fn verifies(&self, scheme: Scheme, signed: &[u8], signature: &[u8]) -> bool {
        if self.only.is_some_and(|only| only != scheme) {
            return false;
        }
        let whole = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(signed, signature).is_ok()
        };
        match (&self.material, scheme) {
            (Material::RsaWhole(key), scheme) => rsa(scheme).is_some_and(|parameters| whole(parameters, key)),
            (Material::Rsa { n, e }, scheme) => rsa(scheme).is_some_and(|parameters| {
                signature::RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature).is_ok()
            }),
            (Material::P256(key), Scheme::Es256) => whole(&signature::ECDSA_P256_SHA256_FIXED, key),
            (Material::P384(key), Scheme::Es384) => whole(&signature::ECDSA_P384_SHA384_FIXED, key),
            (Material::Ed25519(key), Scheme::EdDsa) => whole(&signature::ED25519, key),
            _ => false,
        }
    }
}

/// What RSA is told by a scheme; nothing if the scheme is another family's. Keys of less than 2048 bits do not count.
fn rsa(scheme: Scheme) -> Option<&'static signature::RsaParameters> {
    Some(match scheme {
        Scheme::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Scheme::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Scheme::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Scheme::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Scheme::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Scheme::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Scheme::Es256 | Scheme::Es384 | Scheme::EdDsa => return None,
    })
}

/// A number without the zeros that some write before it.
fn number(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|digit| *digit == 0).collect()
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
