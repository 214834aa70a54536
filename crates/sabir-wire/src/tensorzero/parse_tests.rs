//! Tests of the request reader. Invariant: what the client sends with everything set is understood.

use sabir_types::{Block, ErrorKind};

use super::*;

fn refused(body: &str) -> (ErrorKind, String) {
    let error = call(body.as_bytes()).expect_err("refused");
    (error.kind(), error.message().to_owned())
}

#[test]
fn a_request_full_of_nulls_is_read() {
    let it = call(
        br#"{"function_name":null,"model_name":"m","episode_id":null,"input":{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]},
        "stream":null,"params":{"chat_completion":{"temperature":0.5,"max_tokens":3,"json_mode":"strict","stop_sequences":["a"],"seed":null}},
        "variant_name":null,"dryrun":null,"internal":false,"tags":{"k":"v"},"provider_tools":[],"output_schema":{"type":"object"},
        "credentials":{},"cache_options":{"max_age_s":null,"enabled":"off"},"tool_choice":{"specific":"t"},"parallel_tool_calls":true,
        "additional_tools":[{"type":"function","description":"d","parameters":{"type":"object"},"name":"t","strict":false}],
        "extra_body":[],"extra_headers":[],"internal_dynamic_variant_config":null,"from_the_future":1}"#,
    )
    .unwrap();
    assert_eq!(it.model_name.as_deref(), Some("m"));
    assert_eq!(it.request.params.max_tokens, Some(3));
    assert!(matches!(&it.request.response_format, Some(ResponseFormat::Schema(schema)) if schema.strict == Some(true)));
    assert_eq!(it.request.tools[0].name, "t");
    assert_eq!(it.unknown, ["from_the_future"]);
    assert!(it.rest.contains_key("tags") && !it.rest.contains_key("dryrun"));
}

#[test]
fn every_block_is_read() {
    let it = call(
        br#"{"model_name":"m","input":{"system":"s","messages":[{"role":"user","content":[
        {"type":"raw_text","value":"raw"},{"type":"tool_result","name":"n","result":"r","id":"1"},
        {"type":"file","file_type":"url","url":"https://x.y/z.png","mime_type":null},
        {"type":"file","file_type":"base64","source_url":null,"mime_type":"application/pdf","data":"AAAA"},
        {"type":"image","data":"iVBORw0KGgo="},{"type":"unknown","data":{"q":1},"model_name":"m","provider_name":"p"}]},
        {"role":"assistant","content":[{"type":"tool_call","id":"1","raw_name":"n","raw_arguments":"{}","name":null,"arguments":null},
        {"type":"tool_call","id":"2","name":"n","arguments":{"a":1}},{"type":"thought","text":"t","signature":"s"}]},
        {"role":"user","content":"plain"}]}}"#,
    )
    .unwrap();
    let kinds: Vec<_> = it.request.messages[0].content.iter().map(Block::kind).collect();
    assert_eq!(kinds, ["text", "tool result", "image", "file", "image", "unknown"]);
    let kinds: Vec<_> = it.request.messages[1].content.iter().map(Block::kind).collect();
    assert_eq!(kinds, ["tool call", "tool call", "thinking"]);
    assert!(matches!(&it.request.messages[1].content[1], Block::ToolCall(call) if call.arguments == r#"{"a":1}"#));
}

#[test]
fn wrong_requests_are_refused_by_path() {
    let message =
        |block: &str| format!(r#"{{"model_name":"m","input":{{"messages":[{{"role":"user","content":[{block}]}}]}}}}"#);
    for (body, wanted) in [
        ("x".to_owned(), "the body is not valid JSON"),
        (r#"{"model_name":"m"}"#.to_owned(), "input: missing"),
        (r#"{"model_name":5,"input":{"messages":[]}}"#.to_owned(), "model_name: expected a string"),
        (r#"{"input":{"messages":[]}}"#.to_owned(), "input.messages: is empty"),
        (message(r#"{"type":"text"}"#), "input.messages[0].content[0].text: missing"),
        (message(r#"{"type":"wild"}"#), "input.messages[0].content[0].type: no such block"),
        (message(r#"{"type":"text","text":"a","b":1}"#), "input.messages[0].content[0].b: no such member"),
        (message(r#"{"type":"file","data":"!"}"#), "input.messages[0].content[0].data: is not base64"),
        (
            r#"{"params":{"chat_completion":{"warmth":1}},"input":{"messages":[{"role":"user","content":"a"}]}}"#
                .to_owned(),
            "params.chat_completion.warmth: no such parameter",
        ),
    ] {
        let (kind, said) = refused(&body);
        assert_eq!(kind, ErrorKind::BadRequest);
        assert!(said.starts_with(wanted), "{body}: {said}");
    }
    assert_eq!(refused(&message(r#"{"type":"template","name":"x","arguments":{}}"#)).0, ErrorKind::NotImplemented);
}
