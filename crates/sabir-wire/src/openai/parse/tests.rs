//! Tests of the request reader. Invariant: a wrong request is refused by the path of what is wrong.

use sabir_types::{Block, ErrorKind, ResponseFormat, Role, ToolKind};

use super::*;

fn ok(body: &str) -> ChatRequest {
    match chat(body.as_bytes()).expect("readable") {
        Request::Chat(chat) => *chat,
        other => panic!("not a chat: {other:?}"),
    }
}

fn refused(body: &str) -> String {
    let error = chat(body.as_bytes()).expect_err("refused");
    assert!(matches!(error.kind(), ErrorKind::BadRequest | ErrorKind::Unsupported), "{error:?}");
    error.message().to_owned()
}

#[test]
fn a_tool_loop_reads_as_turns() {
    let chat = ok(r#"{"model":"m","messages":[
        {"role":"developer","content":"be kind"},
        {"role":"user","content":[{"type":"text","text":"weather?"},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}}]},
        {"role":"assistant","content":null,"tool_calls":[
            {"id":"a","type":"function","function":{"name":"w","arguments":"{\"c\":1}"}},
            {"id":"b","type":"function","function":{"name":"w","arguments":""}}]},
        {"role":"tool","tool_call_id":"a","content":"sun"},
        {"role":"tool","tool_call_id":"b","content":[{"type":"text","text":"rain"}]}],
        "tools":[{"type":"function","function":{"name":"w","parameters":{"type":"object"},"strict":true}}],
        "max_tokens":5,"max_completion_tokens":7,"stop":"x","new_thing":{"a":1},"tensorzero::tags":{"a":"b"}}"#);
    assert_eq!(chat.system, vec![Block::text("be kind")]);
    assert_eq!(chat.messages.len(), 3);
    assert_eq!(chat.messages[2].role, Role::User);
    assert!(
        matches!(&chat.messages[2].content[1], Block::ToolResult(result) if result.id == "b" && result.content == [Block::text("rain")])
    );
    assert!(matches!(&chat.messages[0].content[1], Block::Image(media) if media.mime.as_deref() == Some("image/png")));
    assert!(matches!(&chat.tools[0].kind, ToolKind::Function { strict: Some(true), .. }));
    assert_eq!(chat.params.max_tokens, Some(7));
    assert_eq!(chat.params.stop, ["x"]);
    assert_eq!(chat.rest.members.keys().collect::<Vec<_>>(), ["new_thing"]);
}

#[test]
fn old_functions_become_tools() {
    let chat = ok(r#"{"messages":[{"role":"user","content":"x"},
        {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
        {"role":"function","name":"f","content":"1"}],
        "functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"}}"#);
    assert_eq!(chat.tools[0].name, "f");
    assert_eq!(chat.tool_choice, Some(ToolChoice::Tool { name: "f".into(), kind: sabir_types::CallKind::Function }));
    let (Block::ToolCall(call), Block::ToolResult(result)) =
        (&chat.messages[1].content[0], &chat.messages[2].content[0])
    else {
        panic!("{:?}", chat.messages)
    };
    assert_eq!(call.id, result.id);
}

#[test]
fn formats_and_choices_of_unknown_types_are_kept() {
    let chat = ok(r#"{"messages":[{"role":"user","content":"x"}],"response_format":{"type":"grammar","grammar":"g"},
        "tool_choice":{"type":"wild"},"stream_options":{"include_usage":true,"include_obfuscation":false}}"#);
    assert_eq!(chat.stream_usage, Some(true));
    let mut kept: Vec<_> = chat.rest.members.keys().map(String::as_str).collect();
    kept.sort_unstable();
    assert_eq!(kept, ["response_format", "stream_options", "tool_choice"]);
    let chat = ok(r#"{"messages":[{"role":"user","content":"x"}],
        "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}}}"#);
    assert!(matches!(chat.response_format, Some(ResponseFormat::Schema(schema)) if schema.strict == Some(true)));
}

#[test]
fn wrong_requests_are_refused_by_path() {
    let with = |messages: &str| format!(r#"{{"model":"m","messages":{messages}}}"#);
    for (messages, wanted) in [
        (r#"[]"#, "messages: is empty"),
        (r#"[{"content":"x"}]"#, "messages[0].role: missing"),
        (r#"[{"role":"king","content":"x"}]"#, "messages[0].role: expected `system`"),
        (r#"[{"role":"user"}]"#, "messages[0].content: missing"),
        (r#"[{"role":"user","content":5}]"#, "messages[0].content: expected a string or an array of parts, got 5"),
        (r#"[{"role":"user","content":[{"type":"text"}]}]"#, "messages[0].content[0].text: missing"),
        (r#"[{"role":"user","content":[{"type":"text","text":{"a":1}}]}]"#, "messages[0].content[0].text: expected a"),
        (r#"[{"role":"user","content":[{"text":"x"}]}]"#, "messages[0].content[0].type: missing"),
        (
            r#"[{"role":"user","content":"x"},{"role":"tool","tool_call_id":"zz","content":"x"}]"#,
            "messages[1].tool_call_id: no tool call has the id `zz`",
        ),
        (
            r#"[{"role":"assistant","tool_calls":[{"id":"a","type":"function"}]}]"#,
            "messages[0].tool_calls[0].function: missing",
        ),
    ] {
        let said = refused(&with(messages));
        assert!(said.starts_with(wanted), "{messages}\n  said:   {said}\n  wanted: {wanted}");
    }
    assert!(
        refused(r#"{"messages":[{"role":"user","content":"x"}],"temperature":"hot"}"#).starts_with("temperature: ")
    );
    assert!(refused(r#"{"messages":[{"role":"user","content":"x"}],"reasoning_effort":"lots"}"#).contains("`lots`"));
    assert!(refused("nonsense").contains("not valid JSON"));
}

#[test]
fn the_address_of_a_picture_may_stand_alone() {
    let part = |url: &str| {
        format!(r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{url}}}]}}]}}"#)
    };
    let read = |url: &str| super::chat(part(url).as_bytes());
    assert_eq!(read(r#""https://a/b.png""#).unwrap(), read(r#"{"url":"https://a/b.png"}"#).unwrap());
    let error = read("5").unwrap_err();
    assert_eq!(error.param(), Some("messages[0].content[0].image_url"));
    assert!(error.message().contains("expected an object with `url`, got 5"), "{error}");
}
