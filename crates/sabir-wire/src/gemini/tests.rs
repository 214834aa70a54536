//! The door's side, embeddings and errors; what one side writes the other side reads.

use std::time::Duration;

use sabir_types::{
    Block, CallKind, ChatRequest, ChatResponse, Choice, Delta, EmbedInput, EmbedRequest, EmbedResponse, Error,
    ErrorKind, Event, FinishReason, Protocol, Request, Rest, Thinking, ToolCall, ToolChoice, ToolKind, Usage, Vector,
};
use serde_json::json;

use super::*;

fn read(body: &Value) -> ChatRequest {
    match parse::chat(body.to_string().as_bytes(), "m", false) {
        Ok(Request::Chat(chat)) => *chat,
        other => panic!("expected a request, got {other:?}"),
    }
}

fn written(req: &ChatRequest, model: &str) -> Value {
    let mut warnings = Vec::new();
    let body = emit::chat(req, model, &mut warnings).expect("the request can be written");
    assert_eq!(warnings, []);
    serde_json::from_slice(&body).expect("it is JSON")
}

#[test]
fn a_request_with_everything_comes_back_as_it_was() {
    let body = json!({
        "contents": [
            {"role": "user", "parts": [
                {"text": "look"},
                {"inlineData": {"mimeType": "video/mp4", "data": "AA=="}, "videoMetadata": {"fps": 1}},
                {"fileData": {"mimeType": "application/pdf", "fileUri": "https://h/f"}},
                {"text": "extra", "partMetadata": {"a": 1}}
            ]},
            {"role": "model", "parts": [
                {"text": "hm", "thought": true, "thoughtSignature": "t"},
                {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "s"},
                {"functionCall": {"name": "f", "args": {"a": 2}}},
                {"functionCall": {"id": "x", "name": "g", "args": {}}}
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "f", "response": {"result": "one"}}},
                {"functionResponse": {"name": "f", "response": {"error": "two"}}},
                {"functionResponse": {"id": "x", "name": "g", "response": {"a": {"b": 1}},
                    "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]}}
            ]},
            {"role": "model", "parts": [
                {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "e"},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}
            ]},
            {"role": "user", "parts": [{"text": "so?"}]}
        ],
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "tools": [
            {"functionDeclarations": [
                {"name": "f", "description": "d", "parameters": {
                    "type": "OBJECT", "properties": {"a": {"type": "INTEGER", "nullable": true}}, "required": ["a"]
                }},
                {"name": "g", "parametersJsonSchema": {"type": "object", "additionalProperties": false}},
                {"name": "h", "behavior": "NON_BLOCKING"}
            ]},
            {"googleSearch": {}}
        ],
        "toolConfig": {
            "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]},
            "retrievalConfig": {"languageCode": "de"}
        },
        "generationConfig": {
            "temperature": 0.5, "topP": 0.5, "topK": 3, "maxOutputTokens": 10, "stopSequences": ["x"], "seed": 1,
            "presencePenalty": 0.5, "frequencyPenalty": 0.5, "candidateCount": 1,
            "responseLogprobs": true, "logprobs": 3,
            "responseMimeType": "application/json", "responseSchema": {"type": "OBJECT", "properties": {}},
            "thinkingConfig": {"thinkingLevel": "low", "includeThoughts": true},
            "responseModalities": ["TEXT"],
            "mediaResolution": "MEDIA_RESOLUTION_LOW"
        },
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
        "cachedContent": "cachedContents/c"
    });
    let req = read(&body);
    assert_eq!(written(&req, "gemini-3-flash"), body);
    assert_eq!(req.rest.protocol, Some(Protocol::Gemini));
    assert_eq!(req.tool_choice, Some(ToolChoice::Tool { name: "f".into(), kind: CallKind::Function }));
    let ToolKind::Function { parameters, .. } = &req.tools[0].kind else { panic!("expected a function") };
    assert_eq!(parameters.as_ref().map(|p| &p["properties"]["a"]["type"]), Some(&json!(["integer", "null"])));
    let ids = |at: usize| -> Vec<String> {
        let id = |block: &Block| match block {
            Block::ToolCall(call) => Some(call.id.clone()),
            Block::ToolResult(result) => Some(result.id.clone()),
            _ => None,
        };
        req.messages[at].content.iter().filter_map(id).collect()
    };
    assert_eq!(ids(1), ["gcall_0", "gcall_1", "x"]);
    assert_eq!(ids(1), ids(2), "results without an id find their calls by name and order");
}

#[test]
fn snake_case_is_read_as_well() {
    let req = read(&json!({
        "contents": {"parts": {"inline_data": {"mime_type": "image/png", "data": "AA=="}}},
        "system_instruction": {"parts": {"text": "s"}},
        "generation_config": {"max_output_tokens": 5, "top_k": 40.0},
        "tool_config": {"function_calling_config": {"mode": "VALIDATED"}},
        "safety_settings": []
    }));
    assert!(matches!(&req.messages[0].content[0], Block::Image(media) if media.mime.as_deref() == Some("image/png")));
    assert_eq!(req.system, [Block::text("s")]);
    assert_eq!((req.params.max_tokens, req.params.top_k), (Some(5), Some(40)));
    assert_eq!(req.tool_choice, None, "there is no word for it without names");
    assert_eq!(req.rest.members["toolConfig"], json!({"functionCallingConfig": {"mode": "VALIDATED"}}));
    assert_eq!(written(&req, "m")["toolConfig"], json!({"functionCallingConfig": {"mode": "VALIDATED"}}));
}

#[test]
fn wrong_requests_are_refused_by_name() {
    let contents = json!([{"parts": [{"text": "x"}]}]);
    for (body, param) in [
        (json!({}), "contents"),
        (json!({"contents": []}), "contents"),
        (json!({"contents": [{"role": "assistant", "parts": []}]}), "contents"),
        (json!({"contents": contents, "generationConfig": {"topK": 1.5}}), "generationConfig.topK"),
        (json!({"contents": contents, "generationConfig": {"temperature": "hot"}}), "generationConfig.temperature"),
        (json!({"contents": contents, "generationConfig": []}), "generationConfig"),
        (json!({"contents": contents, "tools": [{"functionDeclarations": [{}]}]}), "tools"),
    ] {
        let error = parse::chat(body.to_string().as_bytes(), "m", false).expect_err("it is wrong");
        assert_eq!((error.kind(), error.param()), (ErrorKind::BadRequest, Some(param)), "{body}");
    }
    assert!(parse::chat(b"[]", "m", false).is_err());
}

#[test]
fn answers_of_other_providers_are_written_with_their_thoughts_packed() {
    let thought = Thinking {
        text: Some("hm".into()),
        signature: Some("theirs".into()),
        provider: Some("anthropic".into()),
        ..Thinking::default()
    };
    let call = |arguments: &str, kind| {
        Block::ToolCall(ToolCall {
            id: "c".into(),
            name: "f".into(),
            arguments: arguments.into(),
            kind,
            ..ToolCall::default()
        })
    };
    let answer = ChatResponse {
        id: Some("r".into()),
        model: "m".into(),
        choices: vec![Choice {
            content: vec![
                Block::Thinking(thought.clone()),
                call("", CallKind::Function),
                call("{broken", CallKind::Function),
                call("free", CallKind::Custom),
            ],
            finish_reason: Some(FinishReason::ToolCalls),
            raw_finish_reason: Some("tool_use".into()),
            ..Choice::default()
        }],
        usage: Usage { input_tokens: Some(2), output_tokens: Some(5), reasoning_tokens: Some(3), ..Usage::default() },
        ..ChatResponse::default()
    };
    let body: Value = serde_json::from_slice(&render::chat(&answer)).expect("it is JSON");
    assert_eq!(
        body,
        json!({
            "candidates": [{
                "content": {"parts": [
                    {"text": "hm", "thought": true, "thoughtSignature": seal::seal(&thought)},
                    {"functionCall": {"id": "c", "name": "f", "args": {}}},
                    {"functionCall": {"id": "c", "name": "f", "args": {"input": "{broken"}}},
                    {"functionCall": {"id": "c", "name": "f", "args": {"input": "free"}}}
                ], "role": "model"},
                "finishReason": "STOP",
                "index": 0
            }],
            "usageMetadata": {
                "promptTokenCount": 2, "candidatesTokenCount": 2, "thoughtsTokenCount": 3, "totalTokenCount": 7
            },
            "modelVersion": "m",
            "responseId": "r"
        })
    );
}

#[test]
fn written_events_read_back() {
    let delta = |block, delta| Event::Delta { choice: 0, block, delta };
    let events = [
        Event::Start { id: Some("r".into()), model: "m".into(), created: None },
        delta(0, Delta::Thinking { text: "hm".into() }),
        delta(1, Delta::Text { text: "a\nb".into() }),
        delta(2, Delta::ToolCall { id: "c".into(), name: "f".into(), kind: CallKind::Function }),
        delta(2, Delta::Arguments { text: "{\"x\"".into() }),
        delta(2, Delta::Arguments { text: ":1}".into() }),
        delta(2, Delta::Signature { signature: "s".into() }),
        Event::Usage(Usage { input_tokens: Some(1), output_tokens: Some(2), ..Usage::default() }),
        Event::Finish { choice: 0, reason: FinishReason::ToolCalls, raw: None, stop_sequence: None },
    ];
    let (mut writer, mut out) = (render::EventWriter::new(None), Vec::new());
    events.iter().for_each(|event| writer.push(event, &mut out));
    writer.finish(&mut out);
    let (mut stream, mut again) = (decode::ChatStream::new(), Vec::new());
    stream.feed(&out, &mut again).expect("the stream can be read");
    stream.finish(&mut again).expect("it is whole");
    let sum = |events: &[Event]| {
        let mut all = sabir_types::Accumulator::new();
        events.iter().for_each(|event| all.push(event));
        let mut answer = all.finish();
        answer.usage.raw = None;
        answer.choices[0].raw_finish_reason = None;
        answer
    };
    assert_eq!(sum(&again), sum(&events));
    let mut failed = decode::ChatStream::new();
    let mut out = Vec::new();
    writer.error(&Error::new(ErrorKind::RateLimited, "slow down"), &mut out);
    let error = failed.feed(&out, &mut again).expect_err("it is an error");
    assert_eq!((error.kind(), error.message()), (ErrorKind::RateLimited, "slow down"));
}

#[test]
fn thoughts_of_others_come_back_whole_after_a_stream() {
    let delta = |block, delta| Event::Delta { choice: 0, block, delta };
    let events = [
        delta(0, Delta::Thinking { text: "let me ".into() }),
        delta(0, Delta::Thinking { text: "see".into() }),
        delta(0, Delta::Signature { signature: "abc".into() }),
        delta(1, Delta::Opaque { data: "dark".into() }),
        delta(2, Delta::Text { text: "ok".into() }),
        Event::Finish { choice: 0, reason: FinishReason::Stop, raw: None, stop_sequence: None },
    ];
    let (mut writer, mut out) = (render::EventWriter::new(Some("anthropic")), Vec::new());
    events.iter().for_each(|event| writer.push(event, &mut out));
    writer.finish(&mut out);
    let mut parts = Vec::new();
    for data in String::from_utf8(out).unwrap().split("\n\n").filter_map(|event| event.strip_prefix("data: ")) {
        let chunk: Value = serde_json::from_str(data).unwrap();
        parts.extend(chunk["candidates"][0]["content"]["parts"].as_array().into_iter().flatten().cloned());
    }
    let again = read(&json!({"contents": [{"role": "model", "parts": parts}]}));
    let thought = Thinking { provider: Some("anthropic".into()), ..Thinking::default() };
    assert_eq!(
        again.messages[0].content,
        [
            Block::Thinking(Thinking {
                text: Some("let me see".into()),
                signature: Some("abc".into()),
                ..thought.clone()
            }),
            Block::Thinking(Thinking { opaque: Some("dark".into()), ..thought }),
            Block::text("ok"),
        ]
    );
}

#[test]
fn errors_by_what_they_say() {
    let error = |code: u16, status: &str, message: &str, details: Value| {
        let body = json!({"error": {"code": code, "status": status, "message": message, "details": details}});
        error::decode(code, body.to_string().as_bytes())
    };
    let reason = |reason: &str| json!([{"reason": reason}]);
    let quota = |id: &str| json!([{"violations": [{"quotaId": id}]}, {"retryDelay": "1.5s"}]);
    for (code, status, message, details, kind) in [
        (400, "INVALID_ARGUMENT", "m", reason("API_KEY_INVALID"), ErrorKind::Authentication),
        (400, "INVALID_ARGUMENT", "Invalid value", json!([]), ErrorKind::BadRequest),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            json!([]),
            ErrorKind::ContextLength,
        ),
        (400, "FAILED_PRECONDITION", "User location is not supported", json!([]), ErrorKind::Permission),
        (401, "UNAUTHENTICATED", "m", json!([]), ErrorKind::Authentication),
        (403, "PERMISSION_DENIED", "m", json!([]), ErrorKind::Permission),
        (404, "NOT_FOUND", "m", json!([]), ErrorKind::NotFound),
        (429, "RESOURCE_EXHAUSTED", "m", quota("RequestsPerMinute"), ErrorKind::RateLimited),
        (429, "RESOURCE_EXHAUSTED", "m", quota("RequestsPerDayPerProject"), ErrorKind::QuotaExceeded),
        (499, "CANCELLED", "m", json!([]), ErrorKind::Upstream),
        (500, "INTERNAL", "m", json!([]), ErrorKind::Upstream),
        (503, "UNAVAILABLE", "m", json!([]), ErrorKind::Upstream),
        (504, "DEADLINE_EXCEEDED", "m", json!([]), ErrorKind::Timeout),
    ] {
        let error = error(code, status, message, details);
        assert_eq!(error.kind(), kind, "{code} {status}");
        assert_eq!(error.message(), message);
        let wait = (code == 429).then(|| Duration::from_millis(1500));
        assert_eq!(error.retry_after(), wait);
        let upstream = error.upstream().expect("the provider's words");
        assert_eq!((upstream.status, upstream.kind.as_deref()), (code, Some(status)));
    }
    assert_eq!(error::decode(502, b"<html>bad gateway</html>").kind(), ErrorKind::Upstream);
    assert_eq!(error::decode(429, b"").message(), "provider answered 429 without a body");
}

#[test]
fn errors_read_back_as_the_same_kind() {
    for kind in [
        ErrorKind::BadRequest,
        ErrorKind::Authentication,
        ErrorKind::Permission,
        ErrorKind::NotFound,
        ErrorKind::RateLimited,
        ErrorKind::Upstream,
        ErrorKind::Timeout,
    ] {
        let wait = Some(Duration::from_secs(3));
        let (status, body) = error::render(&Error::new(kind, "why").with_param("contents").with_retry_after(wait));
        let error = error::decode(status, &body);
        assert_eq!((error.kind(), error.message(), error.retry_after()), (kind, "why", wait));
        assert_eq!(error.upstream().and_then(|upstream| upstream.param.as_deref()), Some("contents"));
    }
}

fn embed_request(input: EmbedInput) -> EmbedRequest {
    EmbedRequest { input, dimensions: Some(2), format: None, user: None, rest: Rest::default() }
}

#[test]
fn embeddings_one_and_several() {
    let one = json!({
        "model": "models/e", "content": {"parts": [{"text": "a"}]}, "outputDimensionality": 2, "taskType": "CLUSTERING"
    });
    let several = json!({"requests": [one, one]});
    for (body, batch) in [(&one, false), (&several, true)] {
        let req = embed::parse(body.to_string().as_bytes()).expect("a request");
        assert_eq!((embed::is_batch(&req), req.input.len()), (batch, if batch { 2 } else { 1 }));
        let again = embed::emit(&req, "e", &mut Vec::new()).expect("it can be written");
        assert_eq!(&serde_json::from_slice::<Value>(&again).expect("JSON"), body);
    }
    let mut mixed = several.clone();
    mixed["requests"][1]["taskType"] = json!("OTHER");
    assert_eq!(embed::parse(mixed.to_string().as_bytes()).expect_err("they differ").kind(), ErrorKind::Unsupported);
    let tokens = embed_request(EmbedInput::Tokens(vec![1]));
    assert_eq!(embed::emit(&tokens, "e", &mut Vec::new()).expect_err("no texts").param(), Some("input"));
    let mut warnings = Vec::new();
    let named = EmbedRequest { user: Some("u".into()), ..embed_request(EmbedInput::Text("a".into())) };
    embed::emit(&named, "e", &mut warnings).expect("it can be written");
    assert_eq!(warnings[0].param, "user");
}

#[test]
fn vectors_there_and_back() {
    let body = br#"{"embeddings":[{"values":[0.5,-0.1]},{"values":[1.0,2.0]}],"usageMetadata":{"promptTokenCount":3}}"#;
    let answer = embed::decode(body, "models/e").expect("vectors");
    assert_eq!((answer.model.as_str(), answer.usage.input_tokens), ("e", Some(3)));
    assert_eq!(answer.vectors[0], Vector::Floats(vec![0.5, -0.1]));
    assert_eq!(embed::render(&answer, true).expect("it can be written"), body);
    let base64 = Vector::Base64("AAAAPwAAgD8=".into());
    let one = EmbedResponse { vectors: vec![base64], usage: Usage::default(), ..answer };
    assert_eq!(embed::render(&one, false).expect("it can be written"), br#"{"embedding":{"values":[0.5,1.0]}}"#);
    assert!(embed::decode(br#"{"error":{"code":500,"message":"m"}}"#, "e").is_err());
    assert!(glance::embeddings(b"{}").is_err());
    assert_eq!(glance::embeddings(body).expect("vectors").usage.input_tokens, Some(3));
}

#[test]
fn a_glance_sees_usage_and_the_end() {
    let call = br#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]},"finishReason":"STOP"}],
        "usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}"#;
    let seen = glance::chat(call).expect("an answer");
    assert_eq!((seen.usage.total(), seen.finish_reason), (Some(3), Some(FinishReason::ToolCalls)));
    let blocked = glance::chat(br#"{"promptFeedback":{"blockReason":"SAFETY"}}"#).expect("an answer");
    assert_eq!(blocked.finish_reason, Some(FinishReason::ContentFilter));
    assert_eq!(
        glance::event(r#"{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}"#).ok(),
        Some(Default::default())
    );
    for body in ["{}", "[]", "x", r#"{"error":{"code":503,"status":"UNAVAILABLE"}}"#] {
        assert!(glance::chat(body.as_bytes()).is_err(), "{body}");
    }
    assert!(glance::names_model(br#"{"model":"m"}"#) && !glance::names_model(br#"{"contents":["model"]}"#));
}
