//! Requests of other doors in this protocol's words.

use sabir_types::{
    Block, CacheControl, CallKind, Effort, ErrorKind, Media, Message, Params, Reasoning, Rest, Role, Schema, Source,
    Thinking, Tool, ToolCall, ToolChoice, ToolKind, ToolResult, Unknown,
};

use super::*;

fn written(req: &ChatRequest) -> (Value, Vec<String>) {
    let mut warnings = Vec::new();
    let body = chat(req, "gpt-5", &mut warnings).unwrap();
    (serde_json::from_slice(&body).unwrap(), warnings.into_iter().map(|warning| warning.param).collect())
}

#[test]
fn a_conversation_becomes_items() {
    let call = ToolCall { id: "call_1".into(), name: "f".into(), arguments: String::new(), ..ToolCall::default() };
    let result = ToolResult { id: "call_1".into(), content: vec![Block::text("sunny")], ..ToolResult::default() };
    let own = Thinking { id: Some("rs_1".into()), opaque: Some("e".into()), ..Thinking::default() };
    let foreign = Thinking { provider: Some("anthropic".into()), signature: Some("s".into()), ..Thinking::default() };
    let picture =
        Media { detail: Some("low".into()), ..Media::new(Source::Base64("AAAA".into()), Some("image/gif".into())) };
    let paper = Media {
        filename: Some("a.pdf".into()),
        ..Media::new(Source::Base64("AAAA".into()), Some("application/pdf".into()))
    };
    let req = ChatRequest {
        system: vec![Block::text("one"), Block::text("two")],
        messages: vec![
            Message::new(Role::User, vec![Block::text("see"), Block::Image(picture), Block::File(paper)]),
            Message::new(
                Role::Assistant,
                vec![Block::Thinking(foreign), Block::Thinking(own), Block::text("let me look"), Block::ToolCall(call)],
            ),
            Message::new(Role::User, vec![Block::ToolResult(result), Block::text("and?")]),
            Message::new(Role::System, vec![Block::text("be short")]),
        ],
        ..ChatRequest::default()
    };
    let (body, warnings) = written(&req);
    assert_eq!(warnings, ["messages.thinking"]);
    assert_eq!(body["instructions"], "one\n\ntwo");
    assert_eq!(
        body["input"],
        json!([
            {"role": "user", "content": [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "data:image/gif;base64,AAAA", "detail": "low"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
            ]},
            {"type": "reasoning", "summary": [], "encrypted_content": "e"},
            {"type": "message", "role": "assistant", "content": "let me look"},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
            {"role": "user", "content": "and?"},
            {"role": "developer", "content": "be short"},
        ])
    );
}

#[test]
fn settings_have_their_places() {
    let function = ToolKind::Function { parameters: None, strict: None };
    let custom =
        ToolKind::Custom { format: Some(json!({"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}})) };
    let search = ToolKind::Provider { protocol: Protocol::Responses, data: json!({"type": "web_search"}) };
    let tool =
        |name: &str, kind| Tool { name: name.into(), description: None, kind, cache: Some(CacheControl { ttl: None }) };
    let req = ChatRequest {
        messages: vec![Message::user("hi")],
        tools: vec![tool("f", function), tool("g", custom), tool("", search)],
        tool_choice: Some(ToolChoice::Tool { name: "g".into(), kind: CallKind::Custom }),
        parallel_tool_calls: Some(false),
        response_format: Some(ResponseFormat::Schema(Schema {
            name: "n".into(),
            description: None,
            schema: json!({"type": "object"}),
            strict: Some(true),
        })),
        params: Params { max_tokens: Some(50), seed: Some(1), logprobs: Some(true), ..Params::default() },
        reasoning: Some(Reasoning {
            effort: Some(Effort::Low),
            summary: Some("summarized".into()),
            ..Reasoning::default()
        }),
        verbosity: Some("low".into()),
        store: Some(false),
        rest: Rest {
            protocol: Some(Protocol::OpenAi),
            members: Map::from_iter([("prediction".to_owned(), json!({}))]),
        },
        ..ChatRequest::default()
    };
    let (body, warnings) = written(&req);
    assert_eq!(warnings, ["seed", "prediction"]);
    assert_eq!(
        body,
        json!({
            "model": "gpt-5",
            "input": [{"role": "user", "content": "hi"}],
            "tools": [
                {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": false},
                {"type": "custom", "name": "g", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
                {"type": "web_search"},
            ],
            "tool_choice": {"type": "custom", "name": "g"},
            "parallel_tool_calls": false,
            "text": {
                "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true},
                "verbosity": "low",
            },
            "max_output_tokens": 50,
            "reasoning": {"effort": "low", "summary": "auto"},
            "store": false,
            "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        })
    );
}

#[test]
fn what_would_change_the_answer_is_refused() {
    let with = |change: &dyn Fn(&mut ChatRequest)| {
        let mut req = ChatRequest { messages: vec![Message::user("hi")], ..ChatRequest::default() };
        change(&mut req);
        let error = chat(&req, "gpt-5", &mut Vec::new()).unwrap_err();
        (error.kind(), error.param().unwrap_or_default().to_owned())
    };
    let unsupported = |param: &str| (ErrorKind::Unsupported, param.to_owned());
    assert_eq!(with(&|req| req.params.stop = vec!["x".into()]), unsupported("stop"));
    assert_eq!(with(&|req| req.params.n = Some(2)), unsupported("n"));
    assert_eq!(with(&|req| req.modalities = vec!["text".into(), "audio".into()]), unsupported("modalities"));
    let block = |block: Block| with(&move |req| req.messages[0].content = vec![block.clone()]);
    let video = Media::new(Source::Url("https://x.test/v".into()), None);
    assert_eq!(block(Block::Video(video)), unsupported("messages[0].content[0]"));
    let foreign =
        Unknown { protocol: Some(Protocol::Anthropic), model: None, provider: None, data: json!({"type": "x"}) };
    assert_eq!(block(Block::Unknown(foreign)), unsupported("messages[0].content[0]"));
}
