//! What each kind of key accepts, and that it accepts nothing else.

use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, KeyPair,
    },
};
use serde_json::json;

use super::*;

const SIGNED: &[u8] = b"header.claims";
const ALL: [(&str, Scheme); 9] = [
    ("RS256", Scheme::Rs256),
    ("RS384", Scheme::Rs384),
    ("RS512", Scheme::Rs512),
    ("PS256", Scheme::Ps256),
    ("PS384", Scheme::Ps384),
    ("PS512", Scheme::Ps512),
    ("ES256", Scheme::Es256),
    ("ES384", Scheme::Es384),
    ("EdDSA", Scheme::EdDsa),
];

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Made by another library: a public key, and signatures of [`SIGNED`].
fn rsa_vector() -> Value {
    serde_json::from_str(include_str!("rsa_vector.json")).unwrap()
}

fn curve(name: &str, algorithm: &'static EcdsaSigningAlgorithm) -> (Value, Vec<u8>) {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    let signature = pair.sign(&random, SIGNED).unwrap().as_ref().to_vec();
    (json!({"kty": "EC", "crv": name, "x": encode(x), "y": encode(y)}), signature)
}

fn edwards() -> (Value, Vec<u8>, Vec<u8>) {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let x = pair.public_key().as_ref().to_vec();
    (json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&x)}), pair.sign(SIGNED).as_ref().to_vec(), x)
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}

fn one(text: &str) -> PublicKey {
    let [key] = &PublicKey::read(text).unwrap()[..] else { panic!("not one key") };
    key.clone()
}

#[test]
fn each_key_takes_its_own_schemes_only() {
    let vector = rsa_vector();
    let text = |name: &str| vector[name].as_str().unwrap();
    let rsa = json!({"kty": "RSA", "n": text("n"), "e": text("e")});
    let padded = json!({"kty": "RSA", "n": encode(&[&[0], &*URL_SAFE_NO_PAD.decode(text("n")).unwrap()].concat()), "e": text("e")});
    let (p256, es256) = curve("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING);
    let (p384, es384) = curve("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING);
    let (ed25519, eddsa, _) = edwards();
    let decoded = |name: &str| URL_SAFE_NO_PAD.decode(text(name)).unwrap();
    for (key, signature, right) in [
        (rsa.to_string(), decoded("RS256"), Scheme::Rs256),
        (rsa.to_string(), decoded("PS256"), Scheme::Ps256),
        (padded.to_string(), decoded("RS256"), Scheme::Rs256),
        (text("pem").to_owned(), decoded("RS256"), Scheme::Rs256),
        (text("pem").to_owned(), decoded("PS256"), Scheme::Ps256),
        (p256.to_string(), es256, Scheme::Es256),
        (p384.to_string(), es384, Scheme::Es384),
        (ed25519.to_string(), eddsa, Scheme::EdDsa),
    ] {
        let key = one(&key);
        for (name, scheme) in ALL {
            assert_eq!(Scheme::named(name), Some(scheme));
            assert_eq!(key.verifies(scheme, SIGNED, &signature), scheme == right, "{key:?} {name}");
        }
        assert!(!key.verifies(right, b"header.others", &signature));
        assert!(!key.verifies(right, SIGNED, b""));
    }
}

#[test]
fn pem_of_every_kind_is_read() {
    let (jwk, es256) = curve("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let head = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
        0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
    ];
    let p256 = pem(&[&head[..], &bytes("x"), &bytes("y")].concat());
    let (_, eddsa, x) = edwards();
    let head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let ed25519 = pem(&[&head[..], &x].concat());
    // Several in one file.
    let keys = PublicKey::read(&format!("{p256}{ed25519}")).unwrap();
    assert!(keys[0].verifies(Scheme::Es256, SIGNED, &es256) && keys[1].verifies(Scheme::EdDsa, SIGNED, &eddsa));
    assert_eq!(keys.len(), 2);
}

#[test]
fn a_key_that_says_its_scheme_keeps_to_it() {
    let vector = rsa_vector();
    let signature = URL_SAFE_NO_PAD.decode(vector["RS256"].as_str().unwrap()).unwrap();
    for (name, wanted) in [("RS256", true), ("PS256", false)] {
        let key = json!({"kty": "RSA", "n": vector["n"], "e": vector["e"], "alg": name});
        assert_eq!(one(&key.to_string()).verifies(Scheme::Rs256, SIGNED, &signature), wanted);
    }
}

#[test]
fn short_keys_do_not_count() {
    let vector = rsa_vector();
    let key = one(&json!({"kty": "RSA", "n": vector["small"], "e": vector["e"]}).to_string());
    let signature = URL_SAFE_NO_PAD.decode(vector["small_RS256"].as_str().unwrap()).unwrap();
    assert!(!key.verifies(Scheme::Rs256, SIGNED, &signature));
}

#[test]
fn a_set_holds_what_is_of_use() {
    let (good, _) = curve("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING);
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let set = json!({"keys": [
        with("kid", "a".into()),
        with("use", "enc".into()),
        with("key_ops", json!(["encrypt"])),
        with("alg", "ECDH-ES".into()),
        with("crv", "secp256k1".into()),
        with("y", "!".into()),
        json!({"kty": "oct", "k": encode(b"a secret"), "kid": "shared"}),
        "nothing",
        with("key_ops", json!(["verify"])),
    ]});
    let keys = PublicKey::read(&set.to_string()).unwrap();
    assert_eq!(keys.iter().map(PublicKey::id).collect::<Vec<_>>(), [Some("a"), None]);
    assert!(keys[0].may_be(Some("a")) && keys[0].may_be(None) && !keys[0].may_be(Some("b")));
    assert!(keys[1].may_be(Some("b")));
}

#[test]
fn what_is_no_key_is_said() {
    let private = format!("-----BEGIN {} KEY-----\nAAAA\n", "PRIVATE");
    for (text, wanted) in [
        ("", "no public key"),
        ("a secret", "no public key"),
        (&private, "private"),
        ("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n", "broken PEM"),
        (&pem(&[0x30, 0x00]), "kind that is not supported"),
        ("{", "not JSON"),
        ("{}", "has no key"),
        (r#"{"keys": {}}"#, "not a set"),
        (r#"{"keys": []}"#, "has no key"),
        (r#"{"kty": "oct", "k": "AAAA"}"#, "has no key"),
    ] {
        assert!(PublicKey::read(text).unwrap_err().contains(wanted), "{text}");
    }
}
