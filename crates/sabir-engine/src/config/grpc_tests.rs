//! The Model Manager door's settings.

use super::{
    super::testing::{bad, good, load},
    *,
};

fn names(grpc: &Grpc) -> Vec<&str> {
    grpc.jwt_secrets.iter().map(|(name, _)| &**name).collect()
}

#[test]
fn nothing_said_means_no_port_and_no_secret() {
    let grpc = good("").gateway.grpc;
    assert!(grpc.bind_address.is_none() && grpc.tls.is_none() && grpc.jwt_secrets.is_empty());
    assert_eq!(grpc.leeway, Duration::from_secs(30));
}

#[test]
fn settings_are_taken_over() {
    let grpc = good(
        "[gateway.grpc]\nbind_address = '127.0.0.1:50051'\nleeway_s = 5\nbatch_concurrency = 2\nmax_concurrent_streams = 3\ntls_cert = 'tls/cert.pem'\ntls_key = 'key.pem'\n",
    )
    .gateway
    .grpc;
    assert_eq!(grpc.bind_address.unwrap().port(), 50051);
    assert_eq!(grpc.leeway, Duration::from_secs(5));
    assert_eq!((grpc.batch_concurrency, grpc.max_concurrent_streams), (2, 3));
    assert_eq!(grpc.tls, Some(("tls/cert.pem".into(), "key.pem".into())));
}

#[test]
fn the_clients_own_variable_counts_once() {
    let env = Env::of([(SECRET_VARIABLE, "s1"), ("BEFORE", "s2")]);
    for (text, wanted) in [
        ("", vec![SECRET_VARIABLE]),
        ("[gateway.grpc]\njwt_secrets = ['env::BEFORE']", vec![SECRET_VARIABLE, "BEFORE"]),
        (
            "[gateway.grpc]\njwt_secrets = ['env::BEFORE', 'env::MODEL_MANAGER_SERVER_JWT_SECRET_KEY']",
            vec![SECRET_VARIABLE, "BEFORE"],
        ),
    ] {
        assert_eq!(names(&load(text, &env).unwrap().gateway.grpc), wanted);
    }
}

#[test]
fn what_is_wrong_has_a_place() {
    for (text, wanted) in [
        ("jwt_secrets = ['env::NOT_SET']", "gateway.grpc.jwt_secrets[0]"),
        ("jwt_secrets = ['the secret itself']", "gateway.grpc.jwt_secrets[0]"),
        ("jwt_secrets = ['none']", "gateway.grpc.jwt_secrets[0]"),
        ("jwt_secrets = 'env::X'", "expected an array"),
        ("tls_cert = 'cert.pem'", "gateway.grpc: missing key `tls_key`"),
        ("tls_key = 'key.pem'", "gateway.grpc: missing key `tls_cert`"),
        ("jwt_keys = ['env::NOT_SET']", "gateway.grpc.jwt_keys[0]"),
        ("jwks_url = 'keys.json'", "https://issuer.example"),
        ("jwt_issuer = 1", "gateway.grpc.jwt_issuer"),
        ("jwt_audience = [1]", "gateway.grpc.jwt_audience[0]"),
        ("bind_address = 'here'", "127.0.0.1:50051"),
        ("secrets = []", "secrets"),
    ] {
        let said = bad(&format!("[gateway.grpc]\n{text}\n"));
        assert!(said.contains(wanted) && !said.contains("the secret itself"), "{text}: {said}");
    }
}

#[test]
fn public_keys_and_secrets_are_not_mixed_up() {
    let public = r#"{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    let private = format!("-----BEGIN {} KEY-----\nAAAA\n", "PRIVATE");
    let env = Env::of([("JWK", public), ("PEM", pem), ("PRIVATE", &private)]);
    let grpc = load("[gateway.grpc]\njwt_keys = ['env::JWK']", &env).unwrap().gateway.grpc;
    let [(name, key)] = &grpc.jwt_keys[..] else { panic!("{grpc:?}") };
    assert_eq!((&**name, key.id()), ("JWK", Some("k")));
    assert!(grpc.takes_tokens() && grpc.jwt_secrets.is_empty());
    for (text, wanted) in [
        ("jwt_secrets = ['env::PEM']", "gateway.grpc.jwt_secrets[0]: is a public key"),
        ("jwt_keys = ['env::PRIVATE']", "gateway.grpc.jwt_keys[0]: `PRIVATE` is a private key"),
        ("jwt_keys = ['env::PEM']", "gateway.grpc.jwt_keys[0]: `PEM`"),
    ] {
        let said = load(&format!("[gateway.grpc]\n{text}"), &env).unwrap_err().to_string();
        assert!(said.contains(wanted), "{said}");
    }
    let said = load("", &Env::of([(SECRET_VARIABLE, pem)])).unwrap_err().to_string();
    assert!(said.contains(SECRET_VARIABLE) && said.contains("public key"), "{said}");
}

#[test]
fn an_issuer_is_named() {
    let config = good(
        "[gateway.grpc]\njwks_url = 'https://issuer.example/jwks'\njwt_issuer = 'https://issuer.example'\njwt_audience = ['a', 'b']\n",
    );
    let grpc = &config.gateway.grpc;
    assert_eq!(grpc.jwks_url.as_deref(), Some("https://issuer.example/jwks"));
    assert_eq!(
        (&grpc.jwt_issuers[..], &grpc.jwt_audiences[..]),
        (&["https://issuer.example".to_owned()][..], &["a".to_owned(), "b".to_owned()][..])
    );
    assert!(config.notes.is_empty() && grpc.takes_tokens());
    let notes = good("[gateway.grpc]\njwks_url = 'http://issuer.example/jwks'\n").notes;
    let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
    assert!(
        notes.iter().any(|note| note.contains("TLS")) && notes.iter().any(|note| note.contains("jwt_audience")),
        "{notes:?}"
    );
}
