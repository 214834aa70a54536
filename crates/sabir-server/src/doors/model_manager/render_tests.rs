//! What clients are told.

use sabir_types::{FinishReason, ToolCall, UpstreamError, Usage, new_id};
use serde_json::json;

use super::*;

fn ask(dialect: Dialect) -> Ask {
    Ask {
        dialect,
        media: None,
        model: "m".into(),
        request_id: "r".into(),
        custom_id: Some("c".into()),
        timeout: None,
        left_out: Vec::new(),
        echo: Map::new(),
    }
}

fn facts(provider_type: &'static str) -> Facts {
    Facts {
        inference_id: new_id(),
        episode_id: new_id(),
        variant_name: "m".into(),
        model_name: "m".into(),
        provider_name: "p".into(),
        provider_type,
        headers: http::HeaderMap::new(),
        cached: false,
        warnings: Vec::new(),
        overhead_us: 0,
    }
}

fn answer() -> Content {
    let call = ToolCall { id: "c1".into(), name: "f".into(), arguments: "{}".into(), ..ToolCall::default() };
    let choice = Choice {
        content: vec![Block::text("Hello"), Block::text("."), Block::ToolCall(call)],
        finish_reason: Some(FinishReason::ToolCalls),
        ..Choice::default()
    };
    let chat =
        ChatResponse { id: Some("x".into()), model: "up".into(), choices: vec![choice], ..ChatResponse::default() };
    Content::Neutral(Box::new(Response::Chat(Box::new(chat))))
}

fn summary(raw: &str) -> Summary {
    let call = RawCall {
        id: new_id(),
        provider_type: "openai",
        api_type: "chat_completions",
        raw_response: raw.into(),
        raw_usage: None,
        failed: false,
    };
    let usage = Usage { input_tokens: Some(1), output_tokens: Some(2), ..Usage::default() };
    Summary { usage, cost: Some(0.5), calls: vec![call], ..Summary::default() }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_vendors_own_words_stay_but_for_nulls_that_clients_stumble_over() {
    let raw = json!({"choices": [{"message": null, "finish_reason": "stop"}], "new": {"content": null}});
    let item = whole(&facts("openai"), &answer(), &summary(&raw.to_string()), &ask(Dialect::Chat));
    assert_eq!(json(&item.raw_response), json!({"choices": [{"finish_reason": "stop"}], "new": {"content": null}}));
    assert_eq!((item.content.as_str(), item.error.as_str()), ("Hello.", ""));
    assert_eq!((item.request_id.as_deref(), item.custom_id.as_deref()), (Some("r"), Some("c")));
    let usage = json(&item.usage);
    assert_eq!(usage, json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "total_cost": 0.5}));
}

#[test]
fn whoever_answers_the_raw_answer_is_in_the_callers_words() {
    for (dialect, pointer, wanted) in [
        (Dialect::Chat, "/choices/0/message/tool_calls/0/function/name", "f"),
        (Dialect::Messages, "/content/2/name", "f"),
        (Dialect::Gemini, "/candidates/0/content/parts/2/functionCall/name", "f"),
        (Dialect::Responses, "/output/1/name", "f"),
    ] {
        let item = whole(&facts("dummy"), &answer(), &summary("not JSON"), &ask(dialect));
        let raw = json(&item.raw_response);
        assert_eq!(raw.pointer(pointer), Some(&json!(wanted)), "{dialect:?}: {raw}");
    }
}

#[test]
fn unknown_usage_is_not_zero() {
    assert_eq!(usage(&Summary::default()), "");
}

fn broken(kind: ErrorKind, protocol: Protocol) -> Failure {
    let body = br#"{"error":{"message":"sk-of-the-gateway"}}"#.to_vec();
    let upstream = UpstreamError { status: 400, body, ..UpstreamError::default() };
    Failure {
        error: Error::new(kind, "sk-of-the-gateway").with_upstream(upstream),
        inference_id: new_id(),
        episode_id: new_id(),
        attempts: Vec::new(),
        protocol: Some(protocol),
        headers: http::HeaderMap::new(),
        calls: Vec::new(),
    }
}

#[test]
fn a_vendors_words_about_an_error_come_along_but_not_those_about_a_key() {
    let item = failure(&broken(ErrorKind::BadRequest, Protocol::OpenAi), &ask(Dialect::Chat));
    assert_eq!(item.error, "bad_request: sk-of-the-gateway");
    assert_eq!(json(&item.raw_response)["error"]["message"], "sk-of-the-gateway");
    let item = failure(&broken(ErrorKind::BadRequest, Protocol::Anthropic), &ask(Dialect::Chat));
    assert_eq!(item.raw_response, "");
    let item = failure(&broken(ErrorKind::Authentication, Protocol::OpenAi), &ask(Dialect::Chat));
    assert!(item.error.starts_with("authentication: ") && !item.error.contains("sk-"), "{}", item.error);
    assert_eq!(item.raw_response, "");
}
