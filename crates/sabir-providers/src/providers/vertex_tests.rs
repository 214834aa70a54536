//! Where calls go and who they say they are from; the wire itself is tested with its translators.

use sabir_types::{ChatRequest, Message, Secret};
use serde_json::json;

use super::*;

fn with<T>(options: Value, api_base: Option<&str>, run: impl FnOnce(&Target<'_>) -> T) -> T {
    let key = Secret::new("ya29.token");
    let Value::Object(options) = options else { panic!("an object") };
    run(&Target { model: "gemini-2.5-flash", api_base, key: Some(&key), options: &options, now: 0 })
}

fn head(location: &str, api_base: Option<&str>, stream: bool) -> Result<Parts> {
    with(json!({"project_id": "p", "location": location}), api_base, |to| Vertex.head(Operation::Chat, stream, to))
}

#[test]
fn every_location_has_its_host() {
    let path =
        |location: &str| format!("/v1/projects/p/locations/{location}/publishers/google/models/gemini-2.5-flash");
    for (location, host) in [
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
    ] {
        let parts = head(location, None, false).unwrap();
        assert_eq!(parts.uri.to_string(), format!("https://{host}{}:generateContent", path(location)));
        assert_eq!(parts.headers["authorization"], "Bearer ya29.token");
        assert!(parts.headers["authorization"].is_sensitive());
    }
    let stream = head("global", Some("http://localhost:1/"), true).unwrap();
    assert_eq!(stream.uri.to_string(), format!("http://localhost:1{}:streamGenerateContent?alt=sse", path("global")));
    let beta = head("global", Some("http://localhost:1/v1beta1"), false).unwrap();
    assert!(beta.uri.path().starts_with("/v1beta1/projects/p/"), "{}", beta.uri);
    let error = head("evil.example/", None, false).unwrap_err();
    assert_eq!(error.message(), "`location` of provider `vertex` holds characters that no host name has");
    let error = with(json!({"location": "us"}), None, |to| Vertex.head(Operation::Chat, false, to)).unwrap_err();
    assert_eq!(error.message(), "provider `vertex` needs `project_id`");
}

#[test]
fn a_model_of_one_s_own_is_at_an_endpoint() {
    let options = json!({"project_id": "p", "location": "us-central1", "endpoint_id": "123"});
    let parts = with(options, None, |to| Vertex.head(Operation::Chat, false, to)).unwrap();
    assert_eq!(parts.uri.path(), "/v1/projects/p/locations/us-central1/endpoints/123:generateContent");
}

#[test]
fn a_count_is_asked_for_with_the_request_itself() {
    let whole = json!({"generateContentRequest": {"model": "models/x", "contents": [{"role": "user"}]}});
    for body in [whole, json!({"contents": [{"role": "user"}]})] {
        let request = with(json!({"project_id": "p", "location": "us"}), None, |to| {
            Vertex.count_tokens(body.to_string().as_bytes(), to).unwrap().unwrap()
        });
        assert!(request.uri().path().ends_with("/gemini-2.5-flash:countTokens"));
        assert_eq!(request.body(), br#"{"contents":[{"role":"user"}]}"#.as_slice());
    }
}

/// The service refuses contents without a role.
#[test]
fn every_turn_says_whose_it_is() {
    let messages = vec![Message::user("hi")];
    let req = Request::Chat(Box::new(ChatRequest { messages, ..ChatRequest::default() }));
    let encoded = with(json!({}), None, |to| Vertex.body(&req, to)).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(body["contents"], json!([{"role": "user", "parts": [{"text": "hi"}]}]));
}
