//! Requests as Converse wants them.

use sabir_types::{Block, Message, Params, Role, Schema, ToolCall, ToolResult};
use sabir_types::{CacheControl, CallKind, Effort, Media, Reasoning, Source, Text, Thinking, Tool, ToolKind};

use super::*;

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const OLD_CLAUDE: &str = "anthropic.claude-3-haiku-20240307-v1:0";

fn write(req: &ChatRequest, model: &str) -> (Value, Vec<String>) {
    let mut warnings = Vec::new();
    let body = chat(req, model, &mut warnings).unwrap();
    (serde_json::from_slice(&body).unwrap(), warnings.into_iter().map(|warning| warning.param).collect())
}

fn asked(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

fn tool(name: &str) -> Tool {
    let kind = ToolKind::Function { parameters: None, strict: None };
    Tool { name: name.into(), description: Some(String::new()), kind, cache: None }
}

fn call() -> Message {
    let call = ToolCall { id: "c:1".into(), name: "tide".into(), arguments: "{\"h\":1}".into(), ..ToolCall::default() };
    Message::new(Role::Assistant, vec![Block::ToolCall(call)])
}

#[test]
fn a_plain_request_is_plain() {
    let params = Params { temperature: Some(0.5), max_tokens: Some(10), stop: vec!["END".into()], ..Params::default() };
    let system =
        vec![Block::Text(Text { text: "short".into(), cache: Some(CacheControl { ttl: None }), ..Text::default() })];
    let req = ChatRequest { system, params, stream: true, ..asked(vec![Message::user("hi")]) };
    let expected = json!({
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "system": [{"text": "short"}, {"cachePoint": {"type": "default"}}],
        "inferenceConfig": {"maxTokens": 10, "temperature": 0.5, "stopSequences": ["END"]},
    });
    assert_eq!(write(&req, CLAUDE), (expected, vec![]));
}

#[test]
fn turns_alternate_and_results_come_first() {
    let result =
        ToolResult { id: "c:1".into(), content: vec![Block::text("low")], is_error: true, ..ToolResult::default() };
    let req = asked(vec![
        Message::user("when?"),
        Message::user(" "),
        call(),
        Message::user("go on"),
        Message::new(Role::User, vec![Block::ToolResult(result)]),
        Message::new(Role::System, vec![Block::text("be brief")]),
    ]);
    let (body, warnings) = write(&req, CLAUDE);
    let expected = json!([
        {"role": "user", "content": [{"text": "when?"}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c_3a1", "name": "tide", "input": {"h": 1}}}]},
        {"role": "user", "content": [
            {"toolResult": {"toolUseId": "c_3a1", "content": [{"text": "low"}], "status": "error"}},
            {"text": "go on"},
        ]},
    ]);
    assert_eq!((&body["messages"], &body["system"]), (&expected, &json!([{"text": "be brief"}])));
    // The API wants the tools of a conversation with calls.
    let named = json!({"tools": [{"toolSpec": {"name": "tide", "inputSchema": {"json": {"type": "object"}}}}]});
    assert_eq!(body["toolConfig"], named);
    assert_eq!(warnings, ["messages[1]", "messages[5]", "tools"]);
    let error = chat(&asked(vec![Message::user("")]), CLAUDE, &mut Vec::new()).unwrap_err();
    assert_eq!(error.param(), Some("messages"));
}

#[test]
fn every_choice_has_its_word() {
    let with = |choice| {
        let tools = vec![tool("a"), tool("b")];
        write(&ChatRequest { tools, tool_choice: choice, ..asked(vec![Message::user("hi")]) }, CLAUDE).0["toolConfig"]
            .take()
    };
    let spec =
        |name: &str| json!({"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object", "properties": {}}}}});
    let both = json!([spec("a"), spec("b")]);
    assert_eq!(with(None), json!({"tools": both}));
    assert_eq!(with(Some(ToolChoice::None)), Value::Null);
    assert_eq!(with(Some(ToolChoice::Auto)), json!({"tools": both, "toolChoice": {"auto": {}}}));
    assert_eq!(with(Some(ToolChoice::Required)), json!({"tools": both, "toolChoice": {"any": {}}}));
    let one = ToolChoice::Tool { name: "b".into(), kind: CallKind::Function };
    assert_eq!(with(Some(one)), json!({"tools": both, "toolChoice": {"tool": {"name": "b"}}}));
    let some = ToolChoice::Allowed { required: true, names: vec!["b".into()] };
    assert_eq!(with(Some(some)), json!({"tools": [spec("b")], "toolChoice": {"any": {}}}));
}

#[test]
fn thinking_is_asked_for_in_the_maker_s_words() {
    let with = |effort: Effort, model: &str| {
        let reasoning = Some(Reasoning { effort: Some(effort), ..Reasoning::default() });
        let params = Params { temperature: Some(0.3), top_k: Some(5), ..Params::default() };
        let (body, warnings) = write(&ChatRequest { reasoning, params, ..asked(vec![Message::user("hi")]) }, model);
        (body["additionalModelRequestFields"].clone(), warnings)
    };
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 2048}, "top_k": 5});
    assert_eq!(with(Effort::Low, CLAUDE), (thinking, vec!["temperature".to_owned()]));
    let (adaptive, _) = with(Effort::High, "anthropic.claude-opus-4-6-v1");
    assert_eq!(adaptive, json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}, "top_k": 5}));
    let nova =
        json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}, "inferenceConfig": {"topK": 5}});
    assert_eq!(with(Effort::Medium, "us.amazon.nova-2-lite-v1:0"), (nova, vec![]));
    let (open, warnings) = with(Effort::Minimal, "openai.gpt-oss-20b-1:0");
    assert_eq!((open, warnings), (json!({"reasoning_effort": "low"}), vec!["top_k".to_owned()]));
    let (none, warnings) = with(Effort::High, "meta.llama3-70b-instruct-v1:0");
    assert_eq!((none, warnings), (Value::Null, vec!["reasoning_effort".to_owned(), "top_k".to_owned()]));
}

#[test]
fn thoughts_go_back_to_who_can_check_them() {
    let thought = |provider: &str, signature: Option<&str>| {
        Block::Thinking(Thinking {
            text: Some("hm".into()),
            signature: signature.map(str::to_owned),
            provider: Some(provider.into()),
            ..Thinking::default()
        })
    };
    let said = |block: Block, model: &str| {
        let messages = vec![Message::user("a"), Message::new(Role::Assistant, vec![block, Block::text("b")])];
        let (body, warnings) = write(&asked(messages), model);
        (body["messages"][1]["content"].as_array().unwrap().len(), warnings.len())
    };
    assert_eq!(said(thought("bedrock", Some("s")), CLAUDE), (2, 0));
    assert_eq!(said(thought("anthropic", Some("s")), CLAUDE), (2, 0));
    assert_eq!(said(thought("anthropic", Some("s")), "amazon.nova-pro-v1:0"), (1, 1));
    assert_eq!(said(thought("deepseek", Some("s")), CLAUDE), (1, 1));
    assert_eq!(said(thought("bedrock", None), CLAUDE), (1, 1));
}

#[test]
fn a_schema_is_a_form_or_a_tool() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let wanted = Schema { name: "s".into(), description: None, schema: schema.clone(), strict: Some(true) };
    let req = ChatRequest { response_format: Some(ResponseFormat::Schema(wanted)), ..asked(vec![Message::user("hi")]) };
    let (body, _) = write(&req, CLAUDE);
    let structure = json!({"jsonSchema": {"name": "s", "schema": schema.to_string()}});
    assert_eq!(body["outputConfig"], json!({"textFormat": {"type": "json_schema", "structure": structure}}));
    assert!(!wraps_json(&req, CLAUDE) && wraps_json(&req, OLD_CLAUDE));
    let (body, _) = write(&req, OLD_CLAUDE);
    assert_eq!(body["toolConfig"]["toolChoice"], json!({"tool": {"name": JSON_TOOL}}));
    assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"], schema);
    assert_eq!(body.get("outputConfig"), None);
}

#[test]
fn media_are_bytes_or_objects_of_s3() {
    let sent = |block: Block| {
        let req = asked(vec![Message::new(Role::User, vec![Block::text("see"), block])]);
        let mut warnings = Vec::new();
        chat(&req, CLAUDE, &mut warnings)
            .map(|body| serde_json::from_slice::<Value>(&body).unwrap()["messages"][0]["content"][1].take())
            .map_err(|error| error.message().to_owned())
    };
    let media = |source, mime: Option<&str>| Media::new(source, mime.map(str::to_owned));
    let bytes = || Source::Base64("iVBORw0KGgo=".into());
    assert_eq!(
        sent(Block::Image(media(bytes(), None))).unwrap(),
        json!({"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}})
    );
    assert_eq!(
        sent(Block::Video(media(Source::Url("s3://b/v".into()), Some("video/quicktime")))).unwrap(),
        json!({"video": {"format": "mov", "source": {"s3Location": {"uri": "s3://b/v"}}}})
    );
    let file = Media { filename: Some("a_b.notes.md".into()), ..media(Source::Text("hi".into()), None) };
    assert_eq!(
        sent(Block::File(file)).unwrap(),
        json!({"document": {"format": "md", "name": "a b notes", "source": {"bytes": "aGk="}}})
    );
    assert_eq!(
        sent(Block::Image(media(Source::Url("https://h/p.png".into()), None))).unwrap_err(),
        "Converse fetches no picture from an address: send its bytes"
    );
    assert_eq!(
        sent(Block::File(media(bytes(), Some("application/zip")))).unwrap_err(),
        "Converse takes no documents of type `application/zip`"
    );
}

#[test]
fn what_there_is_no_word_for_is_named() {
    let mut req = asked(vec![Message::user("hi")]);
    req.rest = sabir_types::Rest {
        protocol: Some(Protocol::OpenAi),
        members: [("odd".to_owned(), json!(1))].into_iter().collect(),
    };
    req.user = Some("u".into());
    req.params.temperature = Some(1.5);
    req.metadata.insert("a".into(), "b".into());
    let (body, warnings) = write(&req, "amazon.nova-lite-v1:0");
    assert_eq!(warnings, ["temperature", "user", "odd"]);
    assert_eq!((&body["inferenceConfig"]["temperature"], &body["requestMetadata"]), (&json!(1.0), &json!({"a": "b"})));
}
