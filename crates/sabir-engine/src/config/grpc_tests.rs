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
        "[gateway.grpc]\nbind_address = '127.0.0.1:50051'\nleeway_s = 5\ntls_cert = 'tls/cert.pem'\ntls_key = 'key.pem'\n",
    )
    .gateway
    .grpc;
    assert_eq!(grpc.bind_address.unwrap().port(), 50051);
    assert_eq!(grpc.leeway, Duration::from_secs(5));
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
        ("bind_address = 'here'", "127.0.0.1:50051"),
        ("secrets = []", "secrets"),
    ] {
        let said = bad(&format!("[gateway.grpc]\n{text}\n"));
        assert!(said.contains(wanted) && !said.contains("the secret itself"), "{text}: {said}");
    }
}
