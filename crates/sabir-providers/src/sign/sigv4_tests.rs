//! Signatures against AWS's own example, vectors that another implementation made, and time.

use bytes::Bytes;

use super::*;

const SCOPE: Scope<'_> = Scope { region: "us-east-1", service: "bedrock", now: 1_700_000_000 };

fn keys(session_token: Option<&str>) -> Keys {
    Keys {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        session_token: session_token.map(str::to_owned),
    }
}

fn request(url: &str, body: &str) -> HttpRequest {
    http::Request::post(url).header("content-type", "application/json").body(Bytes::from(body.to_owned())).unwrap()
}

/// The example of AWS's guide: `ListUsers` of IAM.
#[test]
fn the_guide_s_example_is_signed_as_there() {
    let mut request = http::Request::get("https://iam.amazonaws.com/?Version=2010-05-08&Action=ListUsers")
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .body(Bytes::new())
        .unwrap();
    let scope = Scope { service: "iam", now: 1_440_938_160, ..SCOPE };
    sign(&mut request, &keys(None), &scope).unwrap();
    assert_eq!(request.headers()["x-amz-date"], "20150830T123600Z");
    assert_eq!(
        request.headers()["authorization"],
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, \
         Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    );
}

#[test]
fn a_path_is_escaped_twice_and_the_host_keeps_its_port() {
    let mut request = request("http://localhost:4566/model/a.b-v1%3A0/converse", "{}");
    request.headers_mut().insert("x-amz-date", HeaderValue::from_static("20231114T221320Z"));
    let (text, names) = canonical(&request).unwrap();
    assert_eq!(names, "content-type;host;x-amz-date");
    assert!(text.starts_with("POST\n/model/a.b-v1%253A0/converse\n\n"), "{text}");
    assert!(text.contains("\nhost:localhost:4566\n"), "{text}");
}

#[test]
fn a_body_and_a_token_change_the_signature() {
    let signed = |body: &str, token: Option<&str>| {
        let mut request = request("https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse", body);
        sign(&mut request, &keys(token), &SCOPE).unwrap();
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        (header("authorization").unwrap(), header("x-amz-security-token"))
    };
    let (plain, none) = signed("{}", None);
    assert_eq!(none, None);
    assert_ne!(plain, signed("{ }", None).0);
    let (temporary, token) = signed("{}", Some("T"));
    assert!(temporary.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"), "{temporary}");
    assert_eq!(token.as_deref(), Some("T"));
}

/// Vectors of the optional corpus, cross-checked with botocore.
#[test]
fn recorded_vectors_are_signed_as_recorded() {
    #[expect(clippy::disallowed_methods, reason = "the corpus is not part of the repository")]
    let Some(root) = std::env::var_os("SABIR_WIRE_CORPUS") else { return };
    let text = std::fs::read(std::path::Path::new(&root).join("bedrock/auth_vector_sigv4.json")).unwrap();
    let all: Value = serde_json::from_slice(&text).unwrap();
    for case in all["cases"].as_array().unwrap() {
        let mut request = request(case["url"].as_str().unwrap(), case["body"].as_str().unwrap());
        sign(&mut request, &keys(case["session_token"].as_str()), &SCOPE).unwrap();
        assert_eq!(canonical(&request).unwrap().0, case["canonical_request"].as_str().unwrap());
        assert_eq!(request.headers()["authorization"], case["authorization"].as_str().unwrap());
    }
}

#[test]
fn times_are_dates() {
    for (now, expected) in [
        (0, "19700101T000000Z"),
        (951_782_400, "20000229T000000Z"),
        (1_709_164_800, "20240229T000000Z"),
        (1_709_251_199, "20240229T235959Z"),
        (1_735_689_599, "20241231T235959Z"),
        (4_107_542_400, "21000301T000000Z"),
    ] {
        assert_eq!(stamp(now), expected);
    }
}

#[test]
fn keys_are_one_credential_and_are_not_shown() {
    for token in [None, Some("t\"t")] {
        let keys = keys(token);
        assert_eq!(Keys::from_secret(&keys.to_secret()), Some(keys.clone()));
        assert_eq!(format!("{keys:?}"), "Keys { .. }");
    }
    assert_eq!(Keys::from_secret(&Secret::new("bedrock-api-key")), None);
    assert_eq!(Keys::from_secret(&Secret::new("{\"access_key_id\":\"a\"}")), None);
}
