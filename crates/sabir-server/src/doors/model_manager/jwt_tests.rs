//! Tokens that are let in, and tokens that are not.

use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use sabir_types::Secret;
use serde_json::json;

use super::*;

fn sign_with(header: &str, claims: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(sign(text.as_bytes())))
}

fn sign(header: &str, claims: &str, secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    sign_with(header, claims, |text| hmac::sign(&key, text).as_ref().to_vec())
}

fn settings() -> Grpc {
    let secrets = [("new", "s2"), ("old", "s1")];
    let jwt_secrets = secrets.map(|(name, secret)| (Arc::from(name), Secret::new(secret))).into();
    Grpc { jwt_secrets, ..Grpc::default() }
}

fn verify(token: &str, settings: &Grpc, now: u64) -> Result<Arc<str>, &'static str> {
    let token = Token::read(token)?;
    let name = token.signer(settings)?;
    token.check(settings, now)?;
    Ok(name)
}

/// A curve's key, for signing and as the configuration has it.
fn curve(id: Option<&str>) -> (EcdsaKeyPair, PublicKey) {
    let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let mut jwk = json!({"kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)});
    if let Some(id) = id {
        jwk["kid"] = id.into();
    }
    let key = PublicKey::read(&jwk.to_string()).unwrap().remove(0);
    (pair, key)
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const GOOD: &str = r#"{"exp":2000}"#;

#[test]
fn every_secret_counts_until_the_end_and_a_little_more() {
    for (secret, name) in [("s1", "old"), ("s2", "new")] {
        let token = sign(HEADER, r#"{"org_id":"o","exp":1000}"#, secret);
        assert_eq!(verify(&token, &settings(), 1000).unwrap(), name.into());
        assert!(verify(&token, &settings(), 1030).unwrap_err().contains("expired"));
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
    assert_eq!(verify(token, &settings(), 1_800_000_000).unwrap(), "old".into());
}

#[test]
fn what_is_wrong_is_said() {
    for (token, wanted) in [
        ("abc".to_owned(), "not a JSON Web Token"),
        ("a.b.c".to_owned(), "not a JSON Web Token"),
        (sign(HEADER, GOOD, "s3"), "another secret"),
        (sign(r#"{"alg":"none"}"#, GOOD, "s1"), "HS256"),
        (sign(r#"{"alg":"RS256"}"#, GOOD, "s1"), "HS256 is expected"),
        (sign(r#"{"alg":"HS256","crit":["x"]}"#, GOOD, "s1"), "`crit`"),
        (sign(HEADER, "{}", "s1"), "no `exp`"),
        (sign(HEADER, r#"{"exp":"soon"}"#, "s1"), "`exp` is not a number"),
        (sign(HEADER, r#"{"exp":2000,"nbf":1500}"#, "s1"), "not valid yet"),
    ] {
        let said = verify(&token, &settings(), 1000).unwrap_err();
        assert!(said.contains(wanted), "{token}: {said}");
    }
}

#[test]
fn a_private_keys_signature_counts_where_its_public_key_is_known() {
    let (pair, key) = curve(Some("k1"));
    let (_, other) = curve(None);
    let settings = Grpc { jwt_keys: vec![("other".into(), other), ("mine".into(), key)], ..settings() };
    let es256 =
        |header: &str| sign_with(header, GOOD, |text| pair.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec());
    for header in [r#"{"alg":"ES256"}"#, r#"{"alg":"ES256","kid":"k1"}"#] {
        assert_eq!(verify(&es256(header), &settings, 1000).unwrap(), "mine".into());
    }
    // Secrets count beside it.
    assert_eq!(verify(&sign(HEADER, GOOD, "s1"), &settings, 1000).unwrap(), "old".into());
    for header in [
        r#"{"alg":"ES256","kid":"k2"}"#,
        r#"{"alg":"ES384"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"EdDSA"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"es256"}"#,
        r#"{"alg":"none"}"#,
    ] {
        assert!(verify(&es256(header), &settings, 1000).is_err(), "{header}");
    }
}

#[test]
fn a_public_key_is_never_a_secret() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let text = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
    let key = PublicKey::read(&text).unwrap().remove(0);
    let settings = Grpc { jwt_keys: vec![("mine".into(), key)], ..Grpc::default() };
    let eddsa = |header| sign_with(header, GOOD, |text| pair.sign(text).as_ref().to_vec());
    assert!(verify(&eddsa(r#"{"alg":"EdDSA"}"#), &settings, 1000).is_ok());
    // Everybody knows the key and could make these.
    for secret in [text.as_bytes(), x.as_bytes(), pair.public_key().as_ref()] {
        for header in [HEADER, r#"{"alg":"EdDSA"}"#, r#"{"alg":"ES256"}"#] {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            let token = sign_with(header, GOOD, |text| hmac::sign(&key, text).as_ref().to_vec());
            assert!(verify(&token, &settings, 1000).is_err());
        }
    }
}

#[test]
fn issuer_and_audience_are_checked_where_they_are_asked_for() {
    let strict =
        Grpc { jwt_issuers: vec!["one".into(), "two".into()], jwt_audiences: vec!["sabir".into()], ..settings() };
    for (claims, wanted) in [
        (r#"{"exp":2000,"iss":"one","aud":"sabir"}"#, Ok(())),
        (r#"{"exp":2000,"iss":"two","aud":["other","sabir"]}"#, Ok(())),
        (r#"{"exp":2000,"aud":"sabir"}"#, Err("`iss`")),
        (r#"{"exp":2000,"iss":"three","aud":"sabir"}"#, Err("`iss`")),
        (r#"{"exp":2000,"iss":["one"],"aud":"sabir"}"#, Err("`iss`")),
        (r#"{"exp":2000,"iss":"one"}"#, Err("`aud`")),
        (r#"{"exp":2000,"iss":"one","aud":"other"}"#, Err("`aud`")),
        (r#"{"exp":2000,"iss":"one","aud":[]}"#, Err("`aud`")),
    ] {
        let token = sign(HEADER, claims, "s1");
        assert!(verify(&token, &settings(), 1000).is_ok(), "nobody asked");
        match (verify(&token, &strict, 1000), wanted) {
            (Ok(_), Ok(())) => {}
            (Err(said), Err(wanted)) if said.contains(wanted) => {}
            (said, wanted) => panic!("{claims}: {said:?}, not {wanted:?}"),
        }
    }
}
