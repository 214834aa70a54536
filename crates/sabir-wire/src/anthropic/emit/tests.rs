//! What goes out for requests of other doors, and what comes through from Anthropic's own.

use sabir_types::{
    Block, CacheControl, CallKind, ChatRequest, Effort, Error, ErrorKind, Media, Message, Params, Protocol, Reasoning,
    ResponseFormat, Rest, Role, Schema, Source, Text, Thinking, Tool, ToolCall, ToolChoice, ToolKind, ToolResult,
    Unknown, Value, Warning,
};
use serde_json::json;

use super::*;

const OLD: &str = "claude-3-5-sonnet-20241022";
const HAIKU: &str = "claude-haiku-4-5";
const ADAPTIVE: &str = "claude-opus-4-6";
const NEW: &str = "claude-opus-4-7";

fn ask() -> ChatRequest {
    ChatRequest { messages: vec![Message::user("hi")], ..ChatRequest::default() }
}

fn emit(req: &ChatRequest, model: &str) -> (Value, Vec<String>) {
    let mut warnings: Vec<Warning> = Vec::new();
    let body = chat(req, model, &mut warnings).unwrap();
    (serde_json::from_slice(&body).unwrap(), warnings.into_iter().map(|warning| warning.param).collect())
}

fn refusal(req: &ChatRequest) -> Error {
    chat(req, HAIKU, &mut Vec::new()).unwrap_err()
}

fn function(name: &str) -> Tool {
    let kind = ToolKind::Function { parameters: Some(json!({"properties": {}})), strict: None };
    Tool { name: name.into(), description: None, kind, cache: None }
}

#[test]
fn max_tokens_depends_on_the_model() {
    for (model, most) in [(OLD, 8_192), (HAIKU, 32_000), ("claude-3-haiku-20240307", 4_096), ("MiniMax-M2", 4_096)] {
        assert_eq!(emit(&ask(), model).0["max_tokens"], most, "{model}");
    }
}

#[test]
fn sampling_is_fitted_to_the_model() {
    let params = Params { temperature: Some(1.5), top_p: Some(0.5), top_k: Some(3), ..Params::default() };
    let req = ChatRequest { params, ..ask() };
    let (body, warned) = emit(&req, OLD);
    assert_eq!((&body["temperature"], &body["top_p"], &body["top_k"]), (&json!(1.0), &json!(0.5), &json!(3)));
    assert_eq!(warned, ["temperature"]);
    let (body, warned) = emit(&req, HAIKU);
    assert_eq!((&body["temperature"], body.get("top_p")), (&json!(1.0), None));
    assert_eq!(warned, ["temperature", "top_p"]);
    let (body, warned) = emit(&req, NEW);
    assert!(["temperature", "top_p", "top_k"].iter().all(|name| body.get(*name).is_none()));
    assert_eq!(warned, ["temperature", "top_p", "top_k"]);
}

#[test]
fn what_has_no_place_is_named() {
    let params = Params {
        seed: Some(1),
        presence_penalty: Some(0.1),
        frequency_penalty: Some(0.1),
        logit_bias: json!({"1": 2}).as_object().unwrap().clone(),
        stop: vec![" \n".into(), "END".into()],
        n: Some(1),
        ..Params::default()
    };
    let metadata = json!({"user_id": "u1", "team": "x"}).as_object().unwrap().clone();
    let rest =
        Rest { protocol: Some(Protocol::OpenAi), members: json!({"prediction": {}}).as_object().unwrap().clone() };
    let service_tier = Some("flex".to_owned());
    let (body, warned) = emit(&ChatRequest { params, metadata, rest, service_tier, ..ask() }, HAIKU);
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert_eq!(body["metadata"], json!({"user_id": "u1"}));
    assert!(body.get("prediction").is_none() && body.get("service_tier").is_none());
    assert_eq!(
        warned,
        [
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "logit_bias",
            "prediction",
            "stop",
            "metadata",
            "service_tier"
        ]
    );
}

#[test]
fn what_changes_the_answer_is_refused() {
    let several = Params { n: Some(2), ..Params::default() };
    let logprobs = Params { logprobs: Some(true), ..Params::default() };
    let custom = Tool { kind: ToolKind::Custom { format: None }, ..function("grammar") };
    let google = Tool {
        kind: ToolKind::Provider { protocol: Protocol::Gemini, data: json!({"google_search": {}}) },
        ..function("")
    };
    let unknown = Unknown { protocol: Some(Protocol::OpenAi), model: None, provider: None, data: json!({"type": "x"}) };
    let sound = Block::Audio(Media::new(Source::Base64("AA==".into()), Some("audio/wav".into())));
    let bmp = Block::Image(Media::new(Source::Base64("Qk0=".into()), Some("image/bmp".into())));
    for (req, param) in [
        (ChatRequest { params: several, ..ask() }, "n"),
        (ChatRequest { params: logprobs, ..ask() }, "logprobs"),
        (ChatRequest { modalities: vec!["text".into(), "audio".into()], ..ask() }, "modalities"),
        (ChatRequest { tools: vec![custom], ..ask() }, "tools"),
        (ChatRequest { tools: vec![google], ..ask() }, "tools"),
        (ChatRequest { messages: vec![Message::new(Role::User, vec![sound])], ..ask() }, "messages[0].content"),
        (ChatRequest { messages: vec![Message::new(Role::User, vec![bmp.clone()])], ..ask() }, "messages[0].content"),
        (
            ChatRequest { messages: vec![Message::new(Role::User, vec![Block::Unknown(unknown)])], ..ask() },
            "messages[0].content",
        ),
        (ChatRequest { system: vec![bmp], ..ask() }, "system"),
    ] {
        let error = refusal(&req);
        assert_eq!((error.kind(), error.param()), (ErrorKind::Unsupported, Some(param)), "{error}");
    }
}

#[test]
fn turns_of_one_speaker_are_one_and_results_come_first() {
    let call = |id: &str, arguments: &str| {
        Block::ToolCall(ToolCall {
            id: id.into(),
            name: "f".into(),
            arguments: arguments.into(),
            ..ToolCall::default()
        })
    };
    let result = |id: &str, text: &str, is_error| {
        let content = vec![Block::text(text)];
        Block::ToolResult(ToolResult { id: id.into(), content, is_error, ..ToolResult::default() })
    };
    let messages = vec![
        Message::user("go"),
        Message::new(
            Role::Assistant,
            vec![Block::text(""), call("a:1", ""), call("b", "{\"x\": 1.0}"), call("c", "?")],
        ),
        Message::new(Role::System, vec![Block::text("be brief")]),
        Message::new(Role::User, vec![result("a:1", "one", false)]),
        Message::user("and now?"),
        Message::new(Role::User, vec![result("b", "two", true), result("c", "", false)]),
        Message::assistant("Well, "),
    ];
    let (body, warned) = emit(&ChatRequest { system: vec![Block::text("rules")], messages, ..ask() }, HAIKU);
    assert_eq!(body["system"], json!([{"type": "text", "text": "rules"}, {"type": "text", "text": "be brief"}]));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "a_3a1", "name": "f", "input": {}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {"x": 1.0}},
                {"type": "tool_use", "id": "c", "name": "f", "input": {"input": "?"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a_3a1", "content": "one"},
                {"type": "tool_result", "tool_use_id": "b", "content": "two", "is_error": true},
                {"type": "tool_result", "tool_use_id": "c"},
                {"type": "text", "text": "and now?"}]},
            {"role": "assistant", "content": "Well,"},
        ])
    );
    assert_eq!(warned, ["messages[1].content", "messages[2]"]);
}

#[test]
fn a_request_without_content_is_refused() {
    let error = refusal(&ChatRequest { messages: vec![Message::user(" ")], ..ChatRequest::default() });
    assert_eq!((error.kind(), error.param()), (ErrorKind::BadRequest, Some("messages")));
}

#[test]
fn pictures_and_documents_find_their_form() {
    let media = |source, mime: Option<&str>| Media::new(source, mime.map(str::to_owned));
    let content = vec![
        Block::Image(media(Source::Base64("iVBORw0KGgoAAA".into()), None)),
        Block::Image(media(Source::Base64("AAAA".into()), Some("image/jpg"))),
        Block::Image(media(Source::Url("https://x/y.png".into()), None)),
        Block::File(Media {
            filename: Some("a.pdf".into()),
            ..media(Source::Base64("JVBERi0x".into()), Some("application/pdf"))
        }),
        Block::File(media(Source::Base64("aGk=".into()), Some("text/markdown"))),
        Block::File(media(Source::FileId("file_1".into()), None)),
        Block::Text(Text {
            text: "look".into(),
            cache: Some(CacheControl { ttl: Some("1h".into()) }),
            ..Text::default()
        }),
    ];
    let (body, warned) = emit(&ChatRequest { messages: vec![Message::new(Role::User, content)], ..ask() }, HAIKU);
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAA"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}},
            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
            {"type": "document", "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}},
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
            {"type": "text", "text": "look", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ])
    );
    assert!(warned.is_empty());
}

#[test]
fn only_own_thoughts_go_back() {
    let thought = |provider: &str, signature: Option<&str>| {
        Block::Thinking(Thinking {
            text: Some("hm".into()),
            signature: signature.map(str::to_owned),
            provider: Some(provider.into()),
            ..Thinking::default()
        })
    };
    let hidden = Block::Thinking(Thinking { opaque: Some("xyz".into()), ..Thinking::default() });
    let content =
        vec![thought("anthropic", Some("sig")), hidden, thought("openai", Some("s")), thought("anthropic", None)];
    let messages = vec![Message::user("a"), Message::new(Role::Assistant, content), Message::user("b")];
    let (body, warned) = emit(&ChatRequest { messages, ..ask() }, HAIKU);
    assert_eq!(
        body["messages"][1]["content"],
        json!([{"type": "thinking", "thinking": "hm", "signature": "sig"}, {"type": "redacted_thinking", "data": "xyz"}])
    );
    assert_eq!(warned, ["messages[1].content", "messages[1].content"]);
}

#[test]
fn thinking_is_asked_for_in_the_models_way() {
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let budget = |tokens| Reasoning { budget_tokens: Some(tokens), ..Reasoning::default() };
    let most = |max_tokens| Params { max_tokens: Some(max_tokens), ..Params::default() };
    let go = |reasoning: Reasoning, params: Params, model: &str| {
        let (body, warned) = emit(&ChatRequest { reasoning: Some(reasoning), params, ..ask() }, model);
        (body["thinking"].clone(), body["output_config"]["effort"].clone(), body["max_tokens"].clone(), warned.len())
    };
    let none = Params::default;
    let enabled = |tokens: u64| json!({"type": "enabled", "budget_tokens": tokens});
    assert_eq!(go(effort(Effort::Low), none(), HAIKU), (enabled(2_048), Value::Null, json!(32_000), 0));
    assert_eq!(go(effort(Effort::Low), none(), "claude-3-7-sonnet"), (enabled(2_048), Value::Null, json!(10_240), 0));
    assert_eq!(go(effort(Effort::High), most(4_000), HAIKU), (enabled(3_000), Value::Null, json!(4_000), 0));
    assert_eq!(go(budget(9_000), most(4_000), HAIKU), (enabled(3_000), Value::Null, json!(4_000), 1));
    assert_eq!(go(budget(50_000), none(), HAIKU), (enabled(50_000), Value::Null, json!(58_192), 0));
    assert_eq!(go(effort(Effort::High), most(1_000), HAIKU), (Value::Null, Value::Null, json!(1_000), 1));
    assert_eq!(go(effort(Effort::High), none(), OLD), (Value::Null, Value::Null, json!(8_192), 1));
    assert_eq!(go(effort(Effort::None), none(), HAIKU), (Value::Null, Value::Null, json!(32_000), 0));

    let adaptive = json!({"type": "adaptive"});
    assert_eq!(go(effort(Effort::Xhigh), none(), ADAPTIVE), (adaptive.clone(), json!("high"), json!(32_000), 1));
    assert_eq!(go(budget(2_000), none(), ADAPTIVE), (enabled(2_000), Value::Null, json!(32_000), 0));
    assert_eq!(go(budget(2_000), none(), NEW), (adaptive, json!("low"), json!(32_000), 1));
    let shown = Reasoning { summary: Some("auto".into()), ..effort(Effort::Max) };
    let wire = json!({"type": "adaptive", "display": "summarized"});
    assert_eq!(go(shown, none(), NEW), (wire, json!("max"), json!(32_000), 0));
    assert_eq!(go(budget(0), none(), "claude-sonnet-5").0, json!({"type": "disabled"}));
}

#[test]
fn thinking_and_sampling_or_a_forced_call_do_not_meet() {
    let reasoning = Some(Reasoning { effort: Some(Effort::Low), ..Reasoning::default() });
    let params = Params { temperature: Some(0.2), top_k: Some(4), top_p: Some(0.99), ..Params::default() };
    let (body, warned) = emit(&ChatRequest { reasoning: reasoning.clone(), params, ..ask() }, HAIKU);
    assert_eq!((body.get("temperature"), body.get("top_k"), &body["top_p"]), (None, None, &json!(0.99)));
    assert_eq!(warned, ["temperature", "top_k"]);

    let tools = vec![function("f")];
    let forced = ChatRequest { reasoning, tools, tool_choice: Some(ToolChoice::Required), ..ask() };
    let (body, warned) = emit(&forced, HAIKU);
    assert_eq!((body.get("thinking"), &body["tool_choice"]), (None, &json!({"type": "any"})));
    assert_eq!(warned, ["reasoning_effort"]);
}

#[test]
fn choices_among_tools() {
    let choose = |tool_choice: Option<ToolChoice>, parallel_tool_calls| {
        let tools = vec![function("f"), function("g")];
        emit(&ChatRequest { tools, tool_choice, parallel_tool_calls, ..ask() }, HAIKU).0
    };
    let body = choose(None, None);
    assert_eq!(body["tools"][0], json!({"name": "f", "input_schema": {"type": "object", "properties": {}}}));
    assert_eq!(body.get("tool_choice"), None);
    let off = json!({"type": "auto", "disable_parallel_tool_use": true});
    assert_eq!(choose(None, Some(false))["tool_choice"], off);
    assert_eq!(choose(Some(ToolChoice::None), Some(false))["tool_choice"], json!({"type": "none"}));
    let one = ToolChoice::Tool { name: "g".into(), kind: CallKind::Function };
    assert_eq!(choose(Some(one), Some(true))["tool_choice"], json!({"type": "tool", "name": "g"}));
    let body = choose(Some(ToolChoice::Allowed { required: true, names: vec!["g".into()] }), None);
    assert_eq!((&body["tool_choice"], &body["tools"][0]["name"]), (&json!({"type": "any"}), &json!("g")));
    assert_eq!(body["tools"].as_array().map(Vec::len), Some(1));
    let error = refusal(&ChatRequest { tool_choice: Some(ToolChoice::Required), ..ask() });
    assert_eq!(error.kind(), ErrorKind::BadRequest);
}

#[test]
fn tools_of_the_provider_go_through_and_strict_ones_are_fitted() {
    let data = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 2});
    let search = ToolKind::Provider { protocol: Protocol::Anthropic, data: data.clone() };
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}});
    let strict = ToolKind::Function { parameters: Some(schema.clone()), strict: Some(true) };
    let tools = vec![Tool { kind: search, ..function("web_search") }, Tool { kind: strict, ..function("f") }];
    let req = ChatRequest { tools, ..ask() };
    let (body, warned) = emit(&req, HAIKU);
    assert_eq!(body["tools"][0], data);
    assert_eq!(body["tools"][1]["strict"], true);
    assert_eq!(body["tools"][1]["input_schema"]["additionalProperties"], false);
    assert_eq!(warned, ["tools"]);
    let (body, warned) = emit(&req, OLD);
    assert_eq!((body["tools"][1].get("strict"), &body["tools"][1]["input_schema"]), (None, &schema));
    assert_eq!(warned, ["tools"]);
}

#[test]
fn json_is_asked_for_natively_or_by_a_tool() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let format = ResponseFormat::Schema(Schema {
        name: "x".into(),
        description: Some("an x".into()),
        schema: schema.clone(),
        strict: Some(true),
    });
    let req = ChatRequest { response_format: Some(format), ..ask() };
    let (body, _) = emit(&req, HAIKU);
    assert_eq!(body["output_config"], json!({"format": {"type": "json_schema", "schema": schema}}));
    assert!(body.get("tools").is_none() && !wraps_json(&req, HAIKU));

    let (body, _) = emit(&req, OLD);
    assert_eq!(body["tools"], json!([{"name": "json_answer", "description": "an x", "input_schema": schema}]));
    let forced = json!({"type": "tool", "name": "json_answer", "disable_parallel_tool_use": true});
    assert_eq!(body["tool_choice"], forced);
    assert!(wraps_json(&req, OLD));

    let mut req = ChatRequest { response_format: Some(ResponseFormat::Json), tools: vec![function("f")], ..ask() };
    let (body, _) = emit(&req, HAIKU);
    assert_eq!(body["tool_choice"], json!({"type": "any"}));
    assert_eq!(body["tools"][1]["name"], "json_answer");
    assert!(wraps_json(&req, HAIKU));
    req.tool_choice = Some(ToolChoice::Required);
    let (body, _) = emit(&req, HAIKU);
    assert_eq!(body["tools"].as_array().map(Vec::len), Some(1));
    assert!(!wraps_json(&req, HAIKU));
    req.tool_choice = None;
    req.tools = vec![function("json_answer")];
    assert_eq!(refusal(&req).param(), Some("tools"));
}

#[test]
fn own_requests_come_through_as_they_were() {
    let recorded = json!({
        "model": "claude-opus-4-7",
        "max_tokens": 77,
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": " "},
                {"type": "search_result", "source": "x", "title": "t", "content": [{"type": "text", "text": "r"}]},
                {"type": "document", "source": {"type": "content", "content": "c"}, "citations": {"enabled": true}}]},
            {"role": "user", "content": "again"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "", "signature": "s1"},
                {"type": "tool_use", "id": "a:b", "name": "f", "input": {"big": 12345678901234567890_u64}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a:b", "is_error": true, "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/x", "data": "AA=="}}]}]},
        ],
        "tools": [
            {"name": "f", "input_schema": {"type": "object"}, "strict": true, "defer_loading": true,
                "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "bash_20250124", "name": "bash"}],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": false},
        "thinking": {"type": "adaptive", "display": "omitted", "extra": 1},
        "output_config": {"effort": "ultra", "format": {"type": "json_schema", "schema": {"minimum": 1}}, "more": 2},
        "temperature": 0.5, "top_p": 0.25, "top_k": 3,
        "stop_sequences": [" "],
        "metadata": {"user_id": "u", "team": "t"},
        "service_tier": "odd",
        "stream": true,
        "container": {"id": "c1"},
        "cache_control": {"type": "ephemeral"},
    });
    let read = crate::anthropic::parse::chat(recorded.to_string().as_bytes()).unwrap();
    let (body, warned) = emit(&read, "claude-opus-4-7");
    assert_eq!(body, recorded);
    assert_eq!(warned, Vec::<String>::new());
}
