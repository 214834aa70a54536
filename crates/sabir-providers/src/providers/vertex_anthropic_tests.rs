//! Where calls go, what becomes of the model, and whose errors they are.

use http::{HeaderMap, StatusCode};
use sabir_types::{ChatRequest, ErrorKind, Message, Secret};
use serde_json::json;

use super::*;

fn with<T>(run: impl FnOnce(&Target<'_>) -> T) -> T {
    let key = Secret::new("ya29.token");
    let options = json!({"project_id": "p", "location": "europe-west1", "beta": "context-1m"});
    let Value::Object(options) = options else { panic!("an object") };
    run(&Target { model: "claude-sonnet-4-5@20250929", api_base: None, key: Some(&key), options: &options, now: 0 })
}

#[test]
fn the_model_stands_in_the_url_and_the_version_in_the_body() {
    let messages = vec![Message::user("hi")];
    let req = Request::Chat(Box::new(ChatRequest { messages, stream: true, ..ChatRequest::default() }));
    let parts = with(|to| VertexAnthropic.head(Operation::Chat, true, to)).unwrap();
    let base = "https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1";
    let url = |model: &str, method: &str| format!("{base}/publishers/anthropic/models/{model}:{method}");
    assert_eq!(parts.uri.to_string(), url("claude-sonnet-4-5@20250929", "streamRawPredict"));
    assert_eq!(
        (&parts.headers["authorization"], &parts.headers["anthropic-beta"]),
        (&"Bearer ya29.token".parse().unwrap(), &"context-1m".parse().unwrap())
    );
    let whole = with(|to| VertexAnthropic.head(Operation::Chat, false, to)).unwrap();
    assert_eq!(whole.uri.to_string(), url("claude-sonnet-4-5@20250929", "rawPredict"));
    let encoded = with(|to| VertexAnthropic.body(&req, to)).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!((body.get("model"), &body["anthropic_version"], &body["stream"]), (None, &json!(VERSION), &json!(true)));
    assert_eq!(body["messages"][0]["role"], "user");
    let count = with(|to| VertexAnthropic.count_tokens(br#"{"model":"mine","messages":[]}"#, to)).unwrap().unwrap();
    assert_eq!(count.uri().to_string(), url("count-tokens", "rawPredict"));
    let body: Value = serde_json::from_slice(count.body()).unwrap();
    assert_eq!(body["model"], "claude-sonnet-4-5@20250929");
}

#[test]
fn errors_are_google_s_or_anthropic_s() {
    let error = |status: u16, body: Value| {
        let body = Bytes::from(body.to_string());
        let status = StatusCode::from_u16(status).unwrap();
        let error = VertexAnthropic.error(&HttpResponse { status, headers: HeaderMap::new(), body });
        (error.kind(), error.message().to_owned())
    };
    let google = json!({"error": {"code": 404, "message": "Publisher Model not found.", "status": "NOT_FOUND"}});
    let expected = (ErrorKind::NotFound, "Publisher Model not found.".to_owned());
    assert_eq!(error(404, json!([google])), expected);
    assert_eq!(error(404, google), expected);
    let anthropic = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}});
    assert_eq!(error(400, anthropic), (ErrorKind::BadRequest, "no".to_owned()));
}
