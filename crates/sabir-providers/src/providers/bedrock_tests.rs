//! Where calls go and who they say they are from; the wire itself is tested with its translators.

use http::{HeaderMap, StatusCode};
use sabir_types::{ErrorKind, Map, Secret, Value};

use super::*;

const ARN: &str = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4";

fn with<T>(region: &str, model: &str, base: Option<&str>, key: &Secret, run: impl FnOnce(&Target<'_>) -> T) -> T {
    let options: Map<String, Value> = [("region".to_owned(), region.into())].into_iter().collect();
    run(&Target { model, api_base: base, key: Some(key), options: &options, now: 1_700_000_000 })
}

fn keys() -> Secret {
    Keys { access_key_id: "AKID".into(), secret_access_key: "secret".into(), session_token: Some("t".into()) }
        .to_secret()
}

#[test]
fn the_model_is_one_segment() {
    let url = |region: &str, model: &str, base: Option<&str>, stream| {
        with(region, model, base, &keys(), |to| {
            Bedrock.head(Operation::Chat, stream, to).map(|head| head.uri.to_string())
        })
    };
    let nova = "amazon.nova-2-lite-v1:0";
    let expected = "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-2-lite-v1%3A0/converse";
    assert_eq!(url("us-east-1", nova, None, false).unwrap(), expected);
    assert_eq!(
        url("cn-north-1", nova, None, true).unwrap(),
        "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/model/amazon.nova-2-lite-v1%3A0/converse-stream"
    );
    assert_eq!(
        url("us-east-1", ARN, Some("http://localhost:1/"), false).unwrap(),
        "http://localhost:1/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3A\
         inference-profile%2Fus.anthropic.claude-sonnet-4/converse"
    );
    assert!(url("evil.example/", nova, None, false).is_err());
}

#[test]
fn keys_sign_and_a_bearer_key_is_sent() {
    let sent = |key: &Secret| {
        with("us-east-1", "m", None, key, |to| {
            let head = Bedrock.head(Operation::Chat, false, to).unwrap();
            let mut request = HttpRequest::from_parts(head, Bytes::from_static(b"{}"));
            Bedrock.sign(&mut request, to).unwrap();
            let text = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            (text("authorization").unwrap(), text("x-amz-date"), text("x-amz-security-token"))
        })
    };
    let bearer = ("Bearer bedrock-api-key".to_owned(), None, None);
    assert_eq!(sent(&Secret::new("bedrock-api-key")), bearer);
    let (signature, date, token) = sent(&keys());
    assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=AKID/20231114/us-east-1/bedrock/aws4_request"));
    assert_eq!((date.as_deref(), token.as_deref()), (Some("20231114T221320Z"), Some("t")));
    assert!(!signature.contains("secret"));
}

#[test]
fn the_class_of_an_error_is_in_a_header() {
    let mut headers = HeaderMap::new();
    let class = "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/";
    headers.insert("x-amzn-errortype", HeaderValue::from_static(class));
    headers.insert("x-amzn-requestid", HeaderValue::from_static("r-1"));
    let body = Bytes::from_static(b"{\"message\":\"Too many requests\"}");
    let error = Bedrock.error(&HttpResponse { status: StatusCode::TOO_MANY_REQUESTS, headers, body });
    let upstream = error.upstream().unwrap();
    assert_eq!((error.kind(), upstream.kind.as_deref()), (ErrorKind::RateLimited, Some("ThrottlingException")));
    assert_eq!(upstream.request_id.as_deref(), Some("r-1"));
}
