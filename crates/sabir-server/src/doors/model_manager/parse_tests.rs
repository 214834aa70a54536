//! What an item says, and what becomes of it.

use sabir_types::{ChatRequest, Role};
use serde_json::json;

use super::{super::item::Who, *};

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is not an object"),
    }
}

fn chat(dialect: Dialect, body: Value, stream: bool) -> (Value, ChatRequest) {
    let (bytes, request) = read(dialect, object(body), "m", stream, &mut Vec::new()).unwrap();
    let Request::Chat(chat) = request else { panic!("not a chat") };
    (serde_json::from_slice(&bytes).unwrap(), *chat)
}

#[test]
fn every_dialect_is_read() {
    let messages = json!([{"role": "user", "content": "hi"}]);
    for (dialect, body) in [
        (Dialect::Chat, json!({"model": "m", "messages": messages, "temperature": 1})),
        (Dialect::Responses, json!({"model": "m", "input": "hi", "temperature": 1})),
        (Dialect::Messages, json!({"model": "m", "messages": messages, "max_tokens": 5, "temperature": 1})),
        (Dialect::Gemini, json!({"model": "m", "contents": "hi", "config": {"temperature": 1}})),
    ] {
        for stream in [false, true] {
            let (_, read) = chat(dialect, body.clone(), stream);
            assert_eq!((read.messages[0].role, read.stream), (Role::User, stream), "{dialect:?}");
            assert_eq!(read.messages[0].content[0].as_text(), Some("hi"));
            assert_eq!(read.params.temperature, Some(1.0));
        }
    }
}

#[test]
fn the_envelope_says_whether_it_is_a_stream() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": true,
        "stream_options": {"include_usage": true}});
    let (written, read) = chat(Dialect::Chat, body, false);
    assert!(!read.stream && written["stream"] == false && written.get("stream_options").is_none());
}

#[test]
fn a_request_without_messages_is_refused() {
    let refused = read(Dialect::Chat, object(json!({"model": "m", "messages": []})), "m", false, &mut Vec::new());
    assert!(refused.unwrap_err().message().contains("messages"));
}

#[test]
fn addresses_are_refused_and_the_rest_is_named() {
    let mut left_out = Vec::new();
    let error = refuse(&mut object(json!({"extra_query": {"a": "b"}})), &mut left_out).unwrap_err();
    assert_eq!(error.param(), Some("extra_query"));
    let mut body =
        object(json!({"enable_async_task": false, "callback_url": "x", "idempotency_key": "y", "model": "m"}));
    refuse(&mut body, &mut left_out).unwrap();
    assert_eq!(Value::Object(body), json!({"model": "m"}));
    assert_eq!(left_out, ["callback_url", "idempotency_key"]);
}

#[test]
fn what_is_kept_elsewhere_is_refused_where_nothing_is() {
    for name in ["previous_response_id", "conversation", "prompt"] {
        let mut body = Map::new();
        body.insert(name.into(), "x".into());
        assert_eq!(stateless(&body, false).unwrap_err().param(), Some(name));
        assert!(stateless(&body, true).is_ok());
    }
    for kept in [false, true] {
        assert!(stateless(&object(json!({"background": true})), kept).is_err());
        assert!(stateless(&object(json!({"background": false, "input": "hi"})), kept).is_ok());
    }
}

#[test]
fn headers_and_times_are_checked() {
    let read = headers(Some(json!({"X-User-Ip": "::1"}))).unwrap();
    assert_eq!(read[0].change.name, "x-user-ip");
    for wrong in [json!([]), json!({"a b": "x"}), json!({"a": 1}), json!({"a": "\n"})] {
        assert!(headers(Some(wrong)).unwrap_err().message().contains("extra_headers"));
    }
    assert_eq!(timeout(Some(json!(1.5))).unwrap(), Some(Duration::from_millis(1500)));
    assert_eq!(timeout(None).unwrap(), None);
    for wrong in [json!(-1), json!("soon"), json!(1e300)] {
        assert!(timeout(Some(wrong)).unwrap_err().message().contains("timeout"));
    }
}

#[test]
fn tags_say_who_asked() {
    let who = Who { org_id: "o".into(), user_id: "u".into(), ..Who::default() };
    let item = Item { who, custom_id: Some("c".into()), ..Item::default() };
    let around = Around { request_id: "r".into(), caller: None };
    let tags = tags(&item, &around);
    let tags: Vec<_> = tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("org_id", "o"), ("user_id", "u"), ("request_id", "r"), ("custom_id", "c")]);
}

#[test]
fn what_the_clients_do_to_parameters_is_put_right() {
    for (given, wanted) in [
        (
            json!({"messages": [null, {"role": "user", "content": "hi"}]}),
            json!({"messages": [{"role": "user", "content": "hi"}]}),
        ),
        (json!({"messages": [{"role": "user"}]}), json!({"messages": [{"role": "user", "content": ""}]})),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": []}]}),
            json!({"messages": [{"role": "assistant", "tool_calls": []}]}),
        ),
        (
            json!({"messages": [{"role": "tool", "tool_call_id": "c1"}]}),
            json!({"messages": [{"role": "tool", "tool_call_id": "c1", "content": ""}]}),
        ),
        (
            json!({"messages": [{"role": "user", "content": [null, {"type": "text", "text": "hi"}]}]}),
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}),
        ),
        (json!({"stop": [null, "x"]}), json!({"stop": ["x"]})),
        (json!({"config": {"stop_sequences": ["x", null]}}), json!({"config": {"stop_sequences": ["x"]}})),
        // What a schema says is its own business.
        (
            json!({"tools": [{"parameters": {"enum": ["a", null]}}]}),
            json!({"tools": [{"parameters": {"enum": ["a", null]}}]}),
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_data": "bytes:AQI="}]}]}),
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_data": "AQI="}]}]}),
        ),
        (
            json!({"messages": [{"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "bytes:AQI="}}]}]}),
            json!({"messages": [{"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AQI="}}]}]}),
        ),
    ] {
        let mut body = object(given);
        mend(&mut body);
        assert_eq!(Value::Object(body), wanted);
    }
}

#[test]
fn blank_messages_are_read_in_every_dialect() {
    for dialect in [Dialect::Chat, Dialect::Messages] {
        let mut body = object(json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user"}]}));
        mend(&mut body);
        let (_, request) = read(dialect, body, "m", false, &mut Vec::new()).unwrap();
        let Request::Chat(chat) = request else { panic!("not a chat") };
        assert_eq!(chat.messages.len(), 1, "{dialect:?}");
    }
}
