//! Answers read and written, requests refused, errors both ways.

use sabir_types::{
    Accumulator, Block, CallKind, ChatResponse, Choice, Delta, Error, ErrorKind, Event, FinishReason, Text, Thinking,
    ToolCall, Usage, Value,
};
use serde_json::json;

use super::{
    decode::{self, ChatStream},
    error, glance, parse,
    render::{self, EventWriter, Face},
};

fn sse(events: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for event in events {
        crate::sse::encode(&mut out, event["type"].as_str(), &event.to_string());
    }
    out
}

fn read(mut stream: ChatStream, bytes: &[u8]) -> sabir_types::Result<ChatResponse> {
    let mut events = Vec::new();
    stream.feed(bytes, &mut events)?;
    stream.finish(&mut events)?;
    let mut all = Accumulator::new();
    events.iter().for_each(|event| all.push(event));
    Ok(all.finish())
}

fn beginning() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": [], "usage":
        {"input_tokens": 5, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 1, "output_tokens": 1}}})
}

fn delta(index: u32, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn start(index: u32, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn stop(index: u32) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn ending(reason: &str) -> [Value; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ]
}

#[test]
fn an_answer_is_read() {
    let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "container": {"id": "c"},
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "text", "text": "hi", "citations": [{"type": "page_location"}]},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a":  1}, "caller": {"type": "direct"}},
            {"type": "server_tool_use", "id": "x", "name": "web_search", "input": {}}],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 1,
            "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}, "service_tier": "standard"}});
    let answer = decode::chat(body.to_string().as_bytes()).unwrap();
    let content = &answer.choices[0].content;
    assert!(matches!(&content[0], Block::Thinking(t) if t.signature.as_deref() == Some("s")));
    assert!(matches!(&content[1], Block::Thinking(t) if t.opaque.as_deref() == Some("d")));
    assert!(matches!(&content[2], Block::Text(t) if t.citations.len() == 1));
    assert!(matches!(&content[3], Block::ToolCall(call) if call.arguments == "{\"a\":1}"));
    assert!(matches!(&content[4], Block::Unknown(u) if u.data["type"] == "server_tool_use"));
    let usage = &answer.usage;
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.reasoning_tokens), (Some(26), Some(9), Some(4)));
    assert_eq!((usage.cache_read_tokens, usage.cache_write_tokens), (Some(20), Some(1)));
    assert_eq!(answer.service_tier.as_deref(), Some("standard"));
    assert_eq!(answer.rest["container"], json!({"id": "c"}));
    assert_eq!(glance::chat(body.to_string().as_bytes()).unwrap().usage, answer.usage);
}

#[test]
fn endings_are_understood() {
    for (word, reason) in [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::StopSequence),
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("tool_use", FinishReason::ToolCalls),
        ("refusal", FinishReason::ContentFilter),
        ("pause_turn", FinishReason::Other),
        ("something_new", FinishReason::Other),
    ] {
        assert_eq!(decode::finish_reason(word), reason, "{word}");
    }
}

#[test]
fn an_error_with_a_success_status_is_an_error() {
    let body = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    assert_eq!(decode::chat(body).unwrap_err().kind(), ErrorKind::Upstream);
    assert_eq!(glance::chat(body).unwrap_err().kind(), ErrorKind::Upstream);
    for garbage in ["<html>", "{}", r#"{"type":"message"}"#, r#"{"content":[{"type":"text"}]}"#] {
        assert_eq!(decode::chat(garbage.as_bytes()).unwrap_err().kind(), ErrorKind::BadUpstream, "{garbage}");
    }
    assert_eq!(glance::chat(b"{}").unwrap_err().kind(), ErrorKind::BadUpstream);
}

#[test]
fn a_stream_is_read() {
    let mut events = vec![
        beginning(),
        json!({"type": "ping"}),
        start(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "h"})),
        delta(0, json!({"type": "thinking_delta", "thinking": "m"})),
        delta(0, json!({"type": "signature_delta", "signature": "s"})),
        stop(0),
        json!({"type": "something_new", "x": 1}),
        start(1, json!({"type": "text", "text": ""})),
        delta(1, json!({"type": "text_delta", "text": "a"})),
        delta(1, json!({"type": "odd_delta", "text": "?"})),
        delta(1, json!({"type": "citations_delta", "citation": {"n": 1}})),
        stop(1),
        start(2, json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})),
        delta(2, json!({"type": "input_json_delta", "partial_json": "{\"q\":"})),
        delta(2, json!({"type": "input_json_delta", "partial_json": "1}"})),
        stop(2),
        start(3, json!({"type": "tool_use", "id": "t", "name": "f", "input": {}})),
        delta(3, json!({"type": "input_json_delta", "partial_json": ""})),
        stop(3),
    ];
    events.extend(ending("tool_use"));
    let bytes = sse(&events);
    let answer = read(ChatStream::new(), &bytes).unwrap();
    assert_eq!(answer.id.as_deref(), Some("msg_1"));
    let content = &answer.choices[0].content;
    let thought = Thinking { text: Some("hm".into()), signature: Some("s".into()), ..Thinking::default() };
    assert_eq!(content[0], Block::Thinking(thought));
    assert_eq!(content[1], Block::Text(Text { text: "a".into(), citations: vec![json!({"n": 1})], ..Text::default() }));
    assert!(matches!(&content[2], Block::Unknown(unknown) if unknown.data["input"] == json!({"q": 1})));
    assert!(matches!(&content[3], Block::ToolCall(call) if call.arguments == "{}"));
    assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens), (Some(26), Some(9)));
    assert_eq!(answer.choices[0].finish_reason, Some(FinishReason::ToolCalls));

    let half = &bytes[..bytes.len() - sse(&events[events.len() - 1..]).len()];
    assert_eq!(read(ChatStream::new(), half).unwrap_err().kind(), ErrorKind::BadUpstream);
    assert_eq!(read(ChatStream::new(), b"").unwrap_err().kind(), ErrorKind::BadUpstream);
}

#[test]
fn an_error_inside_a_stream_is_an_error() {
    let error = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}});
    let failed = read(ChatStream::new(), &sse(&[beginning(), error.clone()])).unwrap_err();
    assert_eq!((failed.kind(), failed.message()), (ErrorKind::RateLimited, "slow down"));
    assert_eq!(glance::event(None, &error.to_string()).unwrap_err().kind(), ErrorKind::RateLimited);
    assert!(read(ChatStream::new(), b"event: message_start\ndata: {oops\n\n").is_err());
}

#[test]
fn an_answer_in_json_is_unwrapped_in_a_stream() {
    let mut events = vec![
        beginning(),
        start(0, json!({"type": "tool_use", "id": "t", "name": "json_answer", "input": {}})),
        delta(0, json!({"type": "input_json_delta", "partial_json": "{\"a\":"})),
        delta(0, json!({"type": "input_json_delta", "partial_json": "1}"})),
        stop(0),
    ];
    events.extend(ending("tool_use"));
    let answer = read(ChatStream::new().unwrapping_json(), &sse(&events)).unwrap();
    assert_eq!(answer.choices[0].content, [Block::text("{\"a\":1}")]);
    assert_eq!(answer.choices[0].finish_reason, Some(FinishReason::Stop));
    let whole = render::chat(&answer, FACE);
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(whole["stop_reason"], "end_turn");
}

const FACE: Face<'static> = Face { id: "msg_9", model: "mine", provider: Some("openai") };

#[test]
fn an_answer_of_another_provider_is_written() {
    let foreign = Thinking {
        text: Some("so".into()),
        signature: Some("g".into()),
        id: Some("rs_1".into()),
        ..Thinking::default()
    };
    let call = ToolCall { id: "c".into(), name: "f".into(), arguments: "{\"a\":1.0}".into(), ..ToolCall::default() };
    let answer = ChatResponse {
        choices: vec![Choice {
            content: vec![
                Block::Thinking(foreign.clone()),
                Block::text("hi"),
                Block::ToolCall(call.clone()),
                Block::ToolCall(ToolCall { kind: CallKind::Custom, arguments: "free".into(), ..call.clone() }),
                Block::Refusal { text: "no".into() },
            ],
            finish_reason: Some(FinishReason::ToolCalls),
            raw_finish_reason: Some("tool_calls".into()),
            ..Choice::default()
        }],
        usage: Usage {
            input_tokens: Some(30),
            output_tokens: Some(2),
            cache_read_tokens: Some(10),
            ..Usage::default()
        },
        ..ChatResponse::default()
    };
    let body = render::chat(&answer, FACE);
    let wire: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&wire["id"], &wire["model"], &wire["type"]), (&json!("msg_9"), &json!("mine"), &json!("message")));
    assert_eq!(wire["content"][2], json!({"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1.0}}));
    assert_eq!(wire["content"][3]["input"], json!({"input": "free"}));
    assert_eq!(wire["content"].as_array().map(Vec::len), Some(4));
    assert_eq!(wire["stop_reason"], "tool_use");
    assert_eq!(wire["stop_details"]["explanation"], "no");
    assert_eq!(wire["usage"], json!({"input_tokens": 20, "cache_read_input_tokens": 10, "output_tokens": 2}));

    // The thought finds its provider again when the client sends it back.
    let again = decode::chat(&body).unwrap();
    let sealed = Thinking { provider: Some("openai".into()), ..foreign };
    assert_eq!(again.choices[0].content[0], Block::Thinking(sealed));
}

#[test]
fn a_stream_of_another_provider_is_written() {
    let piece = |block, delta| Event::Delta { choice: 0, block, delta };
    let call = |id: &str, kind| Delta::ToolCall { id: id.into(), name: "f".into(), kind };
    let events = [
        Event::Start { id: None, model: "gpt".into(), created: None },
        Event::Usage(Usage { input_tokens: Some(7), ..Usage::default() }),
        piece(0, Delta::ThinkingId { id: "rs_1".into() }),
        piece(0, Delta::ThinkingSummary { part: 0, text: "one".into() }),
        piece(0, Delta::ThinkingSummary { part: 1, text: "two".into() }),
        piece(0, Delta::Opaque { data: "enc".into() }),
        piece(1, Delta::Opaque { data: "only".into() }),
        piece(2, Delta::Text { text: "hi".into() }),
        piece(3, call("a", CallKind::Function)),
        piece(4, call("b", CallKind::Custom)),
        piece(3, Delta::Arguments { text: "{\"x\":1}".into() }),
        piece(4, Delta::Arguments { text: "fr".into() }),
        piece(4, Delta::Arguments { text: "ee".into() }),
        Event::Finish {
            choice: 0,
            reason: FinishReason::ToolCalls,
            raw: Some("tool_calls".into()),
            stop_sequence: None,
        },
        Event::Usage(Usage { output_tokens: Some(3), ..Usage::default() }),
    ];
    let mut writer = EventWriter::new(FACE);
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.write(event, &mut out));
    writer.finish(&mut out);
    let text = String::from_utf8(out.clone()).unwrap();
    assert!(text.starts_with("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_9\""));
    assert!(text.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
    let (starts, stops) =
        (text.matches("event: content_block_start").count(), text.matches("event: content_block_stop").count());
    assert_eq!((starts, stops), (5, 5));

    let answer = read(ChatStream::new(), &out).unwrap();
    let content = &answer.choices[0].content;
    assert!(matches!(&content[0], Block::Thinking(t) if t.text.as_deref() == Some("one\n\ntwo")));
    assert!(
        matches!(&content[1], Block::Thinking(t) if t.opaque.as_deref().is_some_and(|data| data.starts_with("sabir:")))
    );
    assert_eq!(content[2], Block::text("hi"));
    assert!(matches!(&content[3], Block::ToolCall(call) if call.arguments == "{\"x\":1}"));
    assert!(matches!(&content[4], Block::ToolCall(call) if call.arguments == "{\"input\":\"free\"}"));
    assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens), (Some(7), Some(3)));
    assert_eq!(answer.choices[0].raw_finish_reason.as_deref(), Some("tool_use"));
}

#[test]
fn wrong_requests_are_refused_by_place() {
    let user = json!([{"role": "user", "content": "x"}]);
    for (body, param) in [
        (json!({"messages": []}), "messages"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages.0.role"),
        (json!({"messages": [{"role": "user"}]}), "messages.0"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}),
            "messages.0.content.0.text",
        ),
        (json!({"messages": user, "max_tokens": "x"}), "max_tokens"),
        (json!({"messages": user, "tools": [{"description": "x"}]}), "tools.0"),
        (json!({"messages": user, "tool_choice": {"type": "some"}}), "tool_choice.type"),
        (json!({"messages": user, "system": [{"type": "image", "source": {"type": "url", "url": "u"}}]}), "system.0"),
    ] {
        let error = parse::chat(body.to_string().as_bytes()).unwrap_err();
        assert_eq!((error.kind(), error.param()), (ErrorKind::BadRequest, Some(param)), "{error}");
    }
    assert_eq!(parse::chat(b"{").unwrap_err().kind(), ErrorKind::BadRequest);
}

#[test]
fn errors_are_read() {
    let body = |kind: &str, message: &str| {
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).to_string()
    };
    let invalid = "invalid_request_error";
    for (status, kind, message, expected) in [
        (400, invalid, "messages: wrong", ErrorKind::BadRequest),
        (400, invalid, "prompt is too long: 9 tokens > 8 maximum", ErrorKind::ContextLength),
        (400, invalid, "input length and `max_tokens` exceed context limit: 1 + 2 > 2", ErrorKind::ContextLength),
        (400, invalid, "Your credit balance is too low to go on", ErrorKind::QuotaExceeded),
        (401, "authentication_error", "invalid x-api-key", ErrorKind::Authentication),
        (402, "billing_error", "pay", ErrorKind::QuotaExceeded),
        (403, "permission_error", "no", ErrorKind::Permission),
        (404, "not_found_error", "model: x", ErrorKind::NotFound),
        (413, "request_too_large", "big", ErrorKind::TooLarge),
        (429, "rate_limit_error", "slow", ErrorKind::RateLimited),
        (500, "api_error", "oops", ErrorKind::Upstream),
        (504, "timeout_error", "late", ErrorKind::Timeout),
        (529, "overloaded_error", "Overloaded", ErrorKind::Upstream),
    ] {
        let error = error::decode(status, body(kind, message).as_bytes());
        assert_eq!((error.kind(), error.message()), (expected, message));
        assert_eq!(error.upstream().and_then(|upstream| upstream.request_id.as_deref()), Some("req_1"));
    }
    let error = error::decode(502, b"<html>bad gateway");
    assert_eq!((error.kind(), error.message()), (ErrorKind::Upstream, "provider answered 502: <html>bad gateway"));
    assert_eq!(error::decode(408, b"").message(), "provider answered 408 without a body");
}

#[test]
fn errors_are_written() {
    let error = Error::unsupported("n", "only one answer");
    let (status, body) = render::error(&error, None);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(status, 400);
    let expected =
        json!({"type": "error", "error": {"type": "invalid_request_error", "message": "n: only one answer"}});
    assert_eq!(body, expected);
    let mut out = Vec::new();
    EventWriter::new(FACE).error(&Error::new(ErrorKind::RateLimited, "slow"), None, &mut out);
    assert!(out.starts_with(b"event: error\ndata: {\"type\":\"error\""));
    assert_eq!(read(ChatStream::new(), &out).unwrap_err().kind(), ErrorKind::RateLimited);
}
