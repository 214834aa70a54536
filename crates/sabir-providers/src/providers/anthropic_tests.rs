//! What goes to Anthropic and what comes back, as HTTP.

use http::{HeaderMap, StatusCode};
use sabir_types::{Block, FinishReason, Map, Message, ResponseFormat, Secret};
use serde_json::json;

use super::*;
use crate::Outbound;

fn target<'a>(key: &'a Secret, options: &'a Map<String, Value>) -> Target<'a> {
    Target { model: "claude-haiku-4-5", api_base: None, key: Some(key), options, now: 0 }
}

fn ask(format: Option<ResponseFormat>) -> Request {
    let messages = vec![Message::user("hi")];
    Request::Chat(Box::new(ChatRequest { messages, response_format: format, ..ChatRequest::default() }))
}

fn answer(status: u16, body: &Value) -> HttpResponse {
    let body = Bytes::from(serde_json::to_vec(body).unwrap());
    let mut headers = HeaderMap::new();
    headers.insert("request-id", HeaderValue::from_static("req_header"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    HttpResponse { status: StatusCode::from_u16(status).unwrap(), headers, body }
}

#[test]
fn a_call_goes_to_messages_with_key_version_and_betas() {
    let (key, mut options) = (Secret::new("sk-secret"), Map::new());
    options.insert("beta".to_owned(), json!(["a-1", "b-2"]));
    let to = Target { api_base: Some("http://localhost:1/v1/"), ..target(&key, &options) };
    let (Outbound::Http(request), warnings) = Anthropic.encode(&ask(None), &to).unwrap() else { unreachable!() };
    assert_eq!(
        (request.method(), request.uri().to_string().as_str()),
        (&Method::POST, "http://localhost:1/v1/messages")
    );
    let header = |name: &str| request.headers()[name].to_str().unwrap();
    assert_eq!(header("x-api-key"), "sk-secret");
    assert_eq!(header("anthropic-version"), "2023-06-01");
    assert_eq!(header("anthropic-beta"), "a-1,b-2");
    assert_eq!(header("content-type"), "application/json");
    assert!(!format!("{request:?}").contains("sk-secret"));
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(
        body,
        json!({"model": "claude-haiku-4-5", "max_tokens": 32000, "messages": [{"role": "user", "content": "hi"}]})
    );
    assert!(warnings.is_empty());
}

#[test]
fn a_beta_that_is_no_name_is_a_fault_of_the_configuration() {
    let (key, mut options) = (Secret::new("k"), Map::new());
    options.insert("beta".to_owned(), json!([1]));
    let error = Anthropic.head(Operation::Chat, false, &target(&key, &options)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let error = Anthropic.head(Operation::Embed, false, &target(&key, &Map::new())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn an_answer_in_json_by_a_tool_comes_back_as_text() {
    let (key, options) = (Secret::new("k"), Map::new());
    let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5",
        "content": [{"type": "tool_use", "id": "toolu_1", "name": "json_answer", "input": {"a": 1}}],
        "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 3, "output_tokens": 4}});
    let to = target(&key, &options);
    let read = Anthropic.decode(&ask(Some(ResponseFormat::Json)), &to, &answer(200, &body)).unwrap();
    let Response::Chat(read) = read else { unreachable!() };
    assert_eq!(read.choices[0].content, [Block::text("{\"a\":1}")]);
    assert_eq!(read.choices[0].finish_reason, Some(FinishReason::Stop));
    let Response::Chat(read) = Anthropic.decode(&ask(None), &to, &answer(200, &body)).unwrap() else { unreachable!() };
    assert!(matches!(&read.choices[0].content[..], [Block::ToolCall(call)] if call.name == "json_answer"));
    let seen = Anthropic.glance(Operation::Chat, &answer(200, &body).body).unwrap();
    assert_eq!((seen.usage.total(), seen.finish_reason), (Some(7), Some(FinishReason::ToolCalls)));
}

#[test]
fn errors_know_their_request() {
    let body = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let error = Anthropic.error(&answer(529, &body));
    assert_eq!(error.kind(), ErrorKind::Upstream);
    let upstream = error.upstream().unwrap();
    assert_eq!(upstream.request_id.as_deref(), Some("req_header"));
    assert_eq!(upstream.content_type.as_deref(), Some("application/json"));
    assert_eq!(upstream.status, 529);
}

#[test]
fn models_are_listed() {
    let (key, options) = (Secret::new("k"), Map::new());
    let request = Anthropic.models(&target(&key, &options)).unwrap().unwrap();
    assert_eq!(request.uri(), "https://api.anthropic.com/v1/models?limit=1000");
    let names = Anthropic.model_names(br#"{"data":[{"id":"claude-a"},{"id":"claude-b"}]}"#).unwrap();
    assert_eq!(names, ["claude-a", "claude-b"]);
    assert!(Anthropic.model_names(b"{}").is_err());
}
