//! Requests that are read.

use sabir_types::{CallKind, ErrorKind, ResponseFormat, Role, Source, ToolChoice, ToolKind};
use serde_json::json;

use super::*;

fn read(body: &Value) -> ChatRequest {
    match chat(body.to_string().as_bytes()).unwrap() {
        Request::Chat(chat) => *chat,
        other => panic!("{other:?}"),
    }
}

fn refused(body: &Value) -> (ErrorKind, String) {
    let error = chat(body.to_string().as_bytes()).unwrap_err();
    (error.kind(), error.param().unwrap_or_default().to_owned())
}

#[test]
fn a_text_is_a_users_turn() {
    let chat = read(&json!({"model": "m", "input": "hi", "instructions": "be brief", "stream": true}));
    assert_eq!(chat.system, [Block::text("be brief")]);
    assert_eq!(chat.messages, [sabir_types::Message::user("hi")]);
    assert!(chat.stream);
    assert_eq!(chat.rest, Rest { protocol: Some(Protocol::Responses), members: Map::new() });
}

#[test]
fn items_become_turns() {
    let chat = read(&json!({"model": "m", "input": [
        {"role": "developer", "content": "rules"},
        {"role": "user", "content": [
            {"type": "input_text", "text": "see"},
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
            {"type": "input_file", "file_url": "https://x.test/a.pdf"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        ]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": "e"},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}", "status": "completed"},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "g", "input": "free"},
        {"type": "function_call_output", "call_id": "call_1", "output": "one"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "two"}]},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
            {"type": "output_text", "text": "done", "annotations": [{"type": "url_citation", "url": "u"}], "logprobs": []},
        ]},
        {"role": "developer", "content": "now be short"},
        {"role": "user", "content": "more"},
    ]}));
    assert_eq!(chat.system, [Block::text("rules")]);
    let roles: Vec<Role> = chat.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User, Role::Assistant, Role::System, Role::User]);
    let Block::Image(image) = &chat.messages[0].content[1] else { panic!("{:?}", chat.messages[0]) };
    assert_eq!((&image.source, image.mime.as_deref()), (&Source::Base64("AAAA".into()), Some("image/png")));
    assert!(matches!(&chat.messages[0].content[2], Block::File(file) if matches!(file.source, Source::Url(_))));
    assert!(matches!(&chat.messages[0].content[3], Block::Audio(audio) if audio.mime.as_deref() == Some("audio/mpeg")));
    let [Block::Thinking(thought), Block::ToolCall(first), Block::ToolCall(second)] = &chat.messages[1].content[..]
    else {
        panic!("{:?}", chat.messages[1])
    };
    assert_eq!((thought.opaque.as_deref(), &thought.summary[..]), (Some("e"), &["s".to_owned()][..]));
    assert_eq!((first.id.as_str(), second.kind, second.arguments.as_str()), ("call_1", CallKind::Custom, "free"));
    // Both results stand in one turn.
    assert_eq!(chat.messages[2].content.len(), 2);
    assert!(matches!(&chat.messages[3].content[0], Block::Text(text) if text.citations.len() == 1));
}

#[test]
fn settings_have_their_words() {
    let chat = read(&json!({
        "model": "m", "input": "hi", "max_output_tokens": 20, "temperature": 1, "top_logprobs": 2,
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true}},
        "reasoning": {"effort": "high", "summary": "auto", "context": "x"},
        "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
        "tools": [
            {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false},
            {"type": "custom", "name": "g", "format": {"type": "text"}},
            {"type": "web_search", "search_context_size": "low"},
            {"type": "function", "name": "h", "defer_loading": true},
        ],
        "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
        "previous_response_id": "resp_1", "truncation": "auto", "tensorzero::tags": {},
    }));
    assert_eq!((chat.params.max_tokens, chat.params.temperature), (Some(20), Some(1.0)));
    assert_eq!((chat.params.logprobs, chat.params.top_logprobs), (Some(true), Some(2)));
    assert!(matches!(&chat.response_format, Some(ResponseFormat::Schema(schema)) if schema.strict == Some(true)));
    assert_eq!(chat.verbosity.as_deref(), Some("low"));
    let reasoning = chat.reasoning.unwrap();
    assert_eq!((reasoning.effort, reasoning.summary.as_deref()), (Some(Effort::High), Some("auto")));
    assert!(matches!(chat.tools[1].kind, ToolKind::Custom { .. }));
    assert!(
        matches!(&chat.tools[2], tool if tool.name == "web_search" && matches!(tool.kind, ToolKind::Provider { .. }))
    );
    assert!(matches!(chat.tools[3].kind, ToolKind::Provider { protocol: Protocol::Responses, .. }));
    assert_eq!(chat.tool_choice, Some(ToolChoice::Allowed { required: true, names: vec!["f".into()] }));
    assert_eq!(
        Value::Object(chat.rest.members),
        json!({
            "previous_response_id": "resp_1",
            "truncation": "auto",
            "reasoning": {"context": "x"},
            "include": ["reasoning.encrypted_content"],
        })
    );
}

#[test]
fn what_cannot_be_understood_is_named() {
    for (body, kind, param) in [
        (json!({"model": "m"}), ErrorKind::BadRequest, "input"),
        (json!({"input": []}), ErrorKind::BadRequest, "input"),
        (json!({"input": 5}), ErrorKind::BadRequest, "input"),
        (json!({"input": [5]}), ErrorKind::BadRequest, "input[0]"),
        (json!({"input": [{"role": "wizard", "content": "x"}]}), ErrorKind::BadRequest, "input[0].role"),
        (json!({"input": [{"role": "user"}]}), ErrorKind::BadRequest, "input[0].content"),
        (json!({"input": [{"type": "item_reference", "id": "msg_1"}]}), ErrorKind::Unsupported, "input[0]"),
        (json!({"input": [{"id": "msg_1"}]}), ErrorKind::Unsupported, "input[0]"),
        (
            json!({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}),
            ErrorKind::BadRequest,
            "input[0].call_id",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}),
            ErrorKind::BadRequest,
            "input[0].content[0]",
        ),
        (json!({"input": "x", "temperature": "hot"}), ErrorKind::BadRequest, "temperature"),
        (json!({"input": "x", "reasoning": {"effort": "huge"}}), ErrorKind::BadRequest, "reasoning.effort"),
        (json!({"input": "x", "tool_choice": "any"}), ErrorKind::BadRequest, "tool_choice"),
        (json!({"input": "x", "tools": [{"type": "function"}]}), ErrorKind::BadRequest, "tools[0].name"),
    ] {
        assert_eq!(refused(&body), (kind, param.to_owned()), "{body}");
    }
    // What the server keeps may hold the call.
    read(&json!({
        "previous_response_id": "resp_1",
        "input": [{"type": "function_call_output", "call_id": "c", "output": "x"}],
    }));
}

#[test]
fn a_phase_stays_with_its_words() {
    let said = |text: &str, phase: &str| json!({"role": "assistant", "phase": phase, "content": [{"type": "output_text", "text": text}]});
    let thought = json!({"type": "reasoning", "summary": [], "encrypted_content": "e"});
    let chat = read(&json!({"model": "m", "input": [
        {"role": "user", "content": "hi"}, thought, said("a", "commentary"), thought, said("b", "final_answer"), said("c", "final_answer"),
    ]}));
    let phases: Vec<_> =
        chat.messages.iter().map(|message| message.rest.get("phase").and_then(Value::as_str)).collect();
    assert_eq!(phases, [None, Some("commentary"), Some("final_answer")]);
    assert_eq!(chat.messages[1].content.len(), 3);
    let mut warnings = Vec::new();
    let body = crate::responses::emit::chat(&chat, "m", &mut warnings).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let kinds: Vec<_> = body["input"].as_array().unwrap().iter().map(|item| (&item["type"], &item["phase"])).collect();
    let (message, reasoning) = (&json!("message"), &json!("reasoning"));
    assert_eq!(
        kinds,
        [
            (&Value::Null, &Value::Null),
            (reasoning, &Value::Null),
            (message, &json!("commentary")),
            (reasoning, &Value::Null),
            (message, &json!("final_answer")),
        ]
    );
    assert!(warnings.is_empty(), "{warnings:?}");
}
