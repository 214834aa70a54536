//! What requests of other doors become, what is refused and what is only named.

use sabir_types::{
    AudioOut, Block, CacheControl, CallKind, Effort, ErrorKind, Media, Message, Reasoning, ResponseFormat, Rest,
    Schema, Source, Text, Thinking, ToolCall, ToolResult, Unknown,
};

use super::*;

fn ask(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

fn hi() -> ChatRequest {
    ask(vec![Message::user("hi")])
}

fn write(req: &ChatRequest, model: &str) -> (Value, Vec<String>) {
    let mut warnings = Vec::new();
    let body = chat(req, model, &mut warnings).expect("the request can be written");
    let body = serde_json::from_slice(&body).expect("it is JSON");
    (body, warnings.into_iter().map(|warning| warning.param).collect())
}

fn refused(req: &ChatRequest) -> (ErrorKind, String) {
    let error = chat(req, "gemini-2.5-flash", &mut Vec::new()).expect_err("it cannot be written");
    (error.kind(), error.param().unwrap_or_default().to_owned())
}

fn call(id: &str, name: &str, arguments: &str) -> Block {
    let (id, name, arguments) = (id.to_owned(), name.to_owned(), arguments.to_owned());
    Block::ToolCall(ToolCall { id, name, arguments, ..ToolCall::default() })
}

fn result(id: &str, text: &str) -> Block {
    Block::ToolResult(ToolResult { id: id.into(), content: vec![Block::text(text)], ..ToolResult::default() })
}

#[test]
fn results_find_the_names_and_the_order_of_their_calls() {
    let req = ask(vec![
        Message::user("?"),
        Message::new(Role::Assistant, vec![call("a", "f", ""), call("b", "g", r#"{"x":1}"#)]),
        Message::new(Role::User, vec![result("b", "two")]),
        Message::new(Role::User, vec![result("a", r#"{"one":1}"#)]),
        Message::user("and?"),
    ]);
    let (body, warnings) = write(&req, "gemini-2.5-flash");
    assert_eq!(warnings, [""; 0]);
    assert_eq!(
        body["contents"],
        json!([
            {"role": "user", "parts": [{"text": "?"}]},
            {"role": "model", "parts": [
                {"functionCall": {"id": "a", "name": "f", "args": {}}},
                {"functionCall": {"id": "b", "name": "g", "args": {"x": 1}}}
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "a", "name": "f", "response": {"one": 1}}},
                {"functionResponse": {"id": "b", "name": "g", "response": {"result": "two"}}},
                {"text": "and?"}
            ]}
        ])
    );
}

#[test]
fn results_that_failed_and_results_with_pictures() {
    let picture = Block::Image(Media::new(Source::Base64("AA==".into()), Some("image/png".into())));
    let failed = ToolResult { is_error: true, ..tool_result("a", vec![Block::text("no")]) };
    let shown = tool_result("b", vec![picture]);
    let req = ask(vec![
        Message::new(Role::Assistant, vec![call("a", "f", "{}"), call("b", "g", "{}")]),
        Message::new(Role::User, vec![Block::ToolResult(failed), Block::ToolResult(shown)]),
    ]);
    let inline = json!({"inlineData": {"mimeType": "image/png", "data": "AA=="}});
    let (body, _) = write(&req, "gemini-2.5-flash");
    let parts = &body["contents"][1]["parts"];
    assert_eq!(parts[0]["functionResponse"]["response"], json!({"error": "no"}));
    assert_eq!(parts[2], inline, "older models see it beside the result");
    let (body, _) = write(&req, "gemini-3-flash");
    assert_eq!(body["contents"][1]["parts"][1]["functionResponse"]["parts"], json!([inline]));
}

fn tool_result(id: &str, content: Vec<Block>) -> ToolResult {
    ToolResult { id: id.into(), content, ..ToolResult::default() }
}

#[test]
fn a_result_without_a_call_is_refused() {
    assert_eq!(
        refused(&ask(vec![Message::new(Role::User, vec![result("x", "y")])])),
        (ErrorKind::BadRequest, "messages".into())
    );
}

#[test]
fn signatures_go_back_on_their_parts_and_foreign_calls_get_the_stand_in() {
    let text = Block::Text(Text { text: "t".into(), signature: Some("s1".into()), ..Text::default() });
    let thought = Thinking { text: Some("hm".into()), signature: Some("s2".into()), ..Thinking::default() };
    let foreign = Thinking { provider: Some("anthropic".into()), ..thought.clone() };
    let empty = Block::Text(Text { signature: Some("s3".into()), ..Text::default() });
    let blocks = vec![
        Block::Thinking(thought),
        text,
        empty,
        Block::Thinking(foreign),
        call("a", "f", "{}"),
        call("b", "f", "{}"),
    ];
    let req = ask(vec![Message::user("?"), Message::new(Role::Assistant, blocks)]);
    let (body, warnings) = write(&req, "gemini-3-pro-preview");
    assert_eq!(warnings, ["messages.thinking"]);
    let parts = &body["contents"][1]["parts"];
    assert_eq!(parts[0], json!({"text": "hm", "thought": true, "thoughtSignature": "s2"}));
    assert_eq!(parts[1], json!({"text": "t", "thoughtSignature": "s1"}));
    assert_eq!(parts[2], json!({"text": "", "thoughtSignature": "s3"}));
    assert_eq!(parts[3]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(parts[4].get("thoughtSignature"), None);
    let (body, _) = write(&req, "gemini-2.5-pro");
    assert_eq!(body["contents"][1]["parts"][3].get("thoughtSignature"), None);
}

#[test]
fn instructions_stand_at_the_front_and_empty_texts_nowhere() {
    let mut req = ask(vec![
        Message::user("a"),
        Message::new(Role::System, vec![Block::text("two")]),
        Message::new(Role::Assistant, vec![Block::text("")]),
        Message::new(Role::User, vec![Block::text(""), Block::text("b")]),
    ]);
    req.system = vec![Block::text("one")];
    let (body, warnings) = write(&req, "m");
    assert_eq!(body["systemInstruction"], json!({"parts": [{"text": "one"}, {"text": "two"}]}));
    assert_eq!(
        body["contents"],
        json!([
            {"role": "user", "parts": [{"text": "a"}]},
            {"role": "user", "parts": [{"text": "b"}]}
        ])
    );
    assert_eq!(warnings, ["messages.role"]);
}

#[test]
fn media_by_bytes_by_address_and_by_file() {
    let media = |source, mime: Option<&str>| Media::new(source, mime.map(str::to_owned));
    let req = ask(vec![Message::new(
        Role::User,
        vec![
            Block::Image(media(Source::Url("https://h/a.png".into()), None)),
            Block::Audio(media(Source::Base64("AA==".into()), Some("audio/wav"))),
            Block::File(media(Source::FileId("files/x1".into()), Some("application/pdf"))),
            Block::File(media(Source::Text("hi".into()), None)),
        ],
    )]);
    let (body, _) = write(&req, "m");
    assert_eq!(
        body["contents"][0]["parts"],
        json!([
            {"fileData": {"fileUri": "https://h/a.png"}},
            {"inlineData": {"mimeType": "audio/wav", "data": "AA=="}},
            {"fileData": {
                "mimeType": "application/pdf",
                "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x1"
            }},
            {"inlineData": {"mimeType": "text/plain", "data": "aGk="}}
        ])
    );
    let nameless = Block::Image(media(Source::Base64("AA==".into()), None));
    let req = ask(vec![Message::new(Role::User, vec![nameless])]);
    assert_eq!(refused(&req), (ErrorKind::Unsupported, "messages".into()));
}

fn function(name: &str, parameters: Value, strict: Option<bool>) -> Tool {
    let kind = ToolKind::Function { parameters: Some(parameters), strict };
    Tool { name: name.into(), description: Some("d".into()), kind, cache: None }
}

#[test]
fn tools_and_choices() {
    let search = ToolKind::Provider { protocol: Protocol::Gemini, data: json!({"googleSearch": {}}) };
    let mut req = hi();
    req.tools = vec![
        function("plain", json!({"type": "object", "properties": {"a": {"type": "string"}}}), None),
        Tool { name: String::new(), description: None, kind: search, cache: None },
        function("closed", json!({"type": "object", "additionalProperties": false}), Some(true)),
    ];
    req.tool_choice = Some(ToolChoice::Tool { name: "plain".into(), kind: CallKind::Function });
    let (body, warnings) = write(&req, "m");
    assert_eq!(warnings, ["tools.strict"]);
    assert_eq!(
        body["tools"],
        json!([
            {"functionDeclarations": [
                {"name": "plain", "description": "d",
                 "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}},
                {"name": "closed", "description": "d",
                 "parametersJsonSchema": {"type": "object", "additionalProperties": false}}
            ]},
            {"googleSearch": {}}
        ])
    );
    let names = || vec!["a".to_owned(), "b".to_owned()];
    for (choice, config) in [
        (ToolChoice::None, json!({"mode": "NONE"})),
        (ToolChoice::Auto, json!({"mode": "AUTO"})),
        (ToolChoice::Required, json!({"mode": "ANY"})),
        (
            ToolChoice::Tool { name: "a".into(), kind: CallKind::Function },
            json!({"mode": "ANY", "allowedFunctionNames": ["a"]}),
        ),
        (
            ToolChoice::Allowed { required: true, names: names() },
            json!({"mode": "ANY", "allowedFunctionNames": ["a", "b"]}),
        ),
        (
            ToolChoice::Allowed { required: false, names: names() },
            json!({"mode": "VALIDATED", "allowedFunctionNames": ["a", "b"]}),
        ),
    ] {
        req.tool_choice = Some(choice);
        assert_eq!(write(&req, "m").0["toolConfig"]["functionCallingConfig"], config);
    }
    let alone = ChatRequest { tool_choice: Some(ToolChoice::Auto), ..hi() };
    assert_eq!(write(&alone, "m").0.get("toolConfig"), None);
}

#[test]
fn sampling_and_form() {
    let mut req = hi();
    req.params = serde_json::from_value(json!({
        "temperature": 0.5, "top_p": 0.9, "top_k": 4, "max_tokens": 9, "stop": ["x"], "seed": 7,
        "presence_penalty": 1.0, "frequency_penalty": -1.0, "logprobs": true, "top_logprobs": 2, "n": 2
    }))
    .expect("parameters");
    req.modalities = vec!["text".into(), "image".into()];
    req.response_format = Some(ResponseFormat::Schema(Schema {
        name: "n".into(),
        description: Some("why".into()),
        schema: json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {}}}),
        strict: Some(true),
    }));
    let (body, _) = write(&req, "m");
    assert_eq!(
        body["generationConfig"],
        json!({
            "temperature": 0.5, "topP": 0.9, "topK": 4, "maxOutputTokens": 9, "stopSequences": ["x"], "seed": 7,
            "presencePenalty": 1.0, "frequencyPenalty": -1.0, "candidateCount": 2, "responseLogprobs": true, "logprobs": 2,
            "responseMimeType": "application/json",
            "responseJsonSchema": {
                "type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {}}, "description": "why"
            },
            "responseModalities": ["TEXT", "IMAGE"]
        })
    );
    req.response_format = Some(ResponseFormat::Json);
    assert_eq!(write(&req, "m").0["generationConfig"]["responseMimeType"], "application/json");
    let voice = |format: &str| AudioOut { voice: json!("Kore"), format: format.into() };
    let spoken = ChatRequest { audio: Some(voice("pcm16")), ..hi() };
    let speech = &write(&spoken, "m").0["generationConfig"]["speechConfig"];
    assert_eq!(speech["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"], "Kore");
    assert_eq!(refused(&ChatRequest { audio: Some(voice("mp3")), ..hi() }).1, "audio.format");
}

#[test]
fn thinking_by_level_or_by_budget() {
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let budget = Reasoning { budget_tokens: Some(64), ..Reasoning::default() };
    let both = Reasoning { effort: Some(Effort::Low), ..budget.clone() };
    let shown = Reasoning { summary: Some("auto".into()), ..Reasoning::default() };
    let adaptive = Reasoning { adaptive: true, summary: Some("omitted".into()), ..Reasoning::default() };
    for (model, reasoning, config, warned) in [
        ("gemini-3-flash", effort(Effort::High), json!({"thinkingLevel": "high"}), false),
        ("gemini-3-flash", effort(Effort::Max), json!({"thinkingLevel": "high"}), true),
        ("gemini-3-flash", effort(Effort::None), json!({"thinkingLevel": "minimal"}), true),
        ("gemini-3-flash", budget.clone(), json!({"thinkingBudget": 64}), false),
        ("gemini-3-flash", both.clone(), json!({"thinkingLevel": "low"}), true),
        ("gemini-2.5-flash", effort(Effort::None), json!({"thinkingBudget": 0}), false),
        ("gemini-2.5-flash", effort(Effort::Medium), json!({"thinkingBudget": 8192}), false),
        ("gemini-2.5-flash", both, json!({"thinkingBudget": 64}), true),
        ("gemini-2.5-flash", shown, json!({"includeThoughts": true}), false),
        ("gemini-2.5-flash", adaptive.clone(), json!({"thinkingBudget": -1, "includeThoughts": false}), false),
        ("gemini-3-flash", adaptive, json!({"includeThoughts": false}), false),
    ] {
        let req = ChatRequest { reasoning: Some(reasoning), ..hi() };
        let (body, warnings) = write(&req, model);
        assert_eq!(body["generationConfig"]["thinkingConfig"], config, "{model}");
        assert_eq!(!warnings.is_empty(), warned, "{model} {config}: {warnings:?}");
    }
}

#[test]
fn what_cannot_be_carried_is_refused_by_name() {
    let mut bias = hi();
    bias.params.logit_bias.insert("1".into(), json!(2));
    let mut stops = hi();
    stops.params.stop = vec!["x".to_owned(); 6];
    let mut seed = hi();
    seed.params.seed = Some(1 << 40);
    let mut custom = hi();
    let kind = ToolKind::Custom { format: None };
    custom.tools = vec![Tool { name: "t".into(), description: None, kind, cache: None }];
    let mut theirs = hi();
    let kind = ToolKind::Provider { protocol: Protocol::Anthropic, data: json!({}) };
    theirs.tools = vec![Tool { name: "t".into(), description: None, kind, cache: None }];
    let unknown = Unknown { protocol: Some(Protocol::OpenAi), model: None, provider: None, data: json!({}) };
    let block = ask(vec![Message::new(Role::User, vec![Block::Unknown(unknown)])]);
    let broken = ask(vec![Message::new(Role::Assistant, vec![call("a", "f", "{\"x\":")])]);
    for (req, param) in [
        (bias, "logit_bias"),
        (stops, "stop"),
        (seed, "seed"),
        (custom, "tools"),
        (theirs, "tools"),
        (block, "messages"),
        (broken, "messages"),
    ] {
        assert_eq!(refused(&req), (ErrorKind::Unsupported, param.to_owned()));
    }
}

#[test]
fn what_is_left_out_is_named_once() {
    let marked = |text: &str| {
        let cache = Some(CacheControl { ttl: None });
        Block::Text(Text { text: text.into(), cache, ..Text::default() })
    };
    let mut req = ask(vec![Message::new(Role::User, vec![marked("a"), marked("b")])]);
    req.parallel_tool_calls = Some(false);
    req.user = Some("u".into());
    req.store = Some(true);
    req.prompt_cache_key = Some("k".into());
    req.verbosity = Some("low".into());
    req.service_tier = Some("flex".into());
    req.metadata.insert("a".into(), json!("b"));
    req.rest =
        Rest { protocol: Some(Protocol::OpenAi), members: Map::from_iter([("prediction".to_owned(), json!({}))]) };
    let (body, warnings) = write(&req, "m");
    assert_eq!(body, json!({"contents": [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}]}));
    assert_eq!(
        warnings,
        [
            "cache_control",
            "parallel_tool_calls",
            "service_tier",
            "verbosity",
            "metadata",
            "user",
            "store",
            "prompt_cache_key",
            "prediction"
        ]
    );
}
