//! What answers become, whole and streamed.

use sabir_types::{Accumulator, CallKind, Delta, ErrorKind, Event, Protocol, Usage};
use serde_json::json;

use super::*;

fn answer(body: &Value) -> ChatResponse {
    chat(body.to_string().as_bytes()).expect("an answer")
}

fn sse(chunks: &[Value]) -> Vec<u8> {
    chunks.iter().flat_map(|chunk| format!("data: {chunk}\r\n\r\n").into_bytes()).collect()
}

/// The events, and how the stream ended; the same however it is cut.
fn play(bytes: &[u8]) -> (Vec<Event>, Result<()>) {
    let run = |size: usize| {
        let (mut stream, mut out) = (ChatStream::new(), Vec::new());
        let fed = bytes.chunks(size).try_for_each(|piece| stream.feed(piece, &mut out));
        let ended = fed.and_then(|()| stream.finish(&mut out));
        (out, ended)
    };
    let whole = run(bytes.len().max(1));
    for size in [1, 2, 3, 7, 64] {
        let (events, ended) = run(size);
        assert_eq!(events, whole.0, "cut every {size} bytes");
        assert_eq!(format!("{ended:?}"), format!("{:?}", whole.1), "cut every {size} bytes");
    }
    whole
}

fn text(text: &str) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}]})
}

fn sum(events: &[Event]) -> ChatResponse {
    let mut all = Accumulator::new();
    events.iter().for_each(|event| all.push(event));
    all.finish()
}

#[test]
fn parts_become_blocks() {
    let body = json!({
        "candidates": [{
            "content": {"role": "model", "parts": [
                {"text": "hm", "thought": true},
                {"text": "", "thoughtSignature": "s"},
                {"text": ""},
                {"inlineData": {"mimeType": "image/png", "data": "AA=="}, "thoughtSignature": "i"},
                {"executableCode": {"language": "PYTHON", "code": "1"}},
                {"functionCall": {"name": "f", "args": {"a": [1]}}, "thoughtSignature": "c"},
                {"functionCall": {"id": "theirs", "name": "f"}}
            ]},
            "finishReason": "STOP",
            "safetyRatings": [],
            "groundingMetadata": {"webSearchQueries": ["q"]}
        }],
        "usageMetadata": {
            "promptTokenCount": 10, "toolUsePromptTokenCount": 2, "cachedContentTokenCount": 4,
            "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 20, "serviceTier": "flex",
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}, {"modality": "AUDIO", "tokenCount": 2}]
        },
        "modelVersion": "models/m-1",
        "responseId": "r"
    });
    let answer = answer(&body);
    assert_eq!((answer.id.as_deref(), answer.model.as_str()), (Some("r"), "m-1"));
    assert_eq!(answer.service_tier.as_deref(), Some("flex"));
    let choice = &answer.choices[0];
    assert_eq!(choice.finish_reason, Some(FinishReason::ToolCalls));
    assert_eq!(choice.raw_finish_reason.as_deref(), Some("STOP"));
    assert_eq!(choice.rest.keys().collect::<Vec<_>>(), ["safetyRatings"]);
    let kinds: Vec<_> = choice.content.iter().map(Block::kind).collect();
    assert_eq!(kinds, ["thinking", "text", "image", "unknown", "tool call", "tool call"]);
    let Block::Text(signed) = &choice.content[1] else { panic!("expected text") };
    assert_eq!(signed.signature.as_deref(), Some("s"));
    assert_eq!(signed.citations, [json!({"groundingMetadata": {"webSearchQueries": ["q"]}})]);
    let Block::Image(image) = &choice.content[2] else { panic!("expected an image") };
    assert_eq!(image.rest["thoughtSignature"], "i");
    assert!(matches!(&choice.content[3], Block::Unknown(block) if block.protocol == Some(Protocol::Gemini)));
    let Block::ToolCall(call) = &choice.content[4] else { panic!("expected a call") };
    assert_eq!((call.id.as_str(), call.arguments.as_str()), ("gcall_r_0_0", r#"{"a":[1]}"#));
    assert_eq!(call.signature.as_deref(), Some("c"));
    let Block::ToolCall(call) = &choice.content[5] else { panic!("expected a call") };
    assert_eq!((call.id.as_str(), call.arguments.as_str()), ("theirs", "{}"));
    let usage = Usage { raw: None, ..answer.usage };
    let expected = Usage {
        input_tokens: Some(12),
        output_tokens: Some(8),
        cache_read_tokens: Some(4),
        reasoning_tokens: Some(3),
        input_audio_tokens: Some(2),
        ..Usage::default()
    };
    assert_eq!(usage, expected);
}

#[test]
fn reasons_why_an_answer_ended() {
    for (reason, expected) in [
        ("STOP", FinishReason::Stop),
        ("MAX_TOKENS", FinishReason::Length),
        ("SAFETY", FinishReason::ContentFilter),
        ("PROHIBITED_CONTENT", FinishReason::ContentFilter),
        ("IMAGE_SAFETY", FinishReason::ContentFilter),
        ("MALFORMED_FUNCTION_CALL", FinishReason::Other),
        ("SOMETHING_NEW", FinishReason::Other),
    ] {
        let answer = answer(&json!({"candidates": [{"content": {}, "finishReason": reason}]}));
        assert_eq!(answer.choices[0].finish_reason, Some(expected), "{reason}");
        assert_eq!(answer.choices[0].raw_finish_reason.as_deref(), Some(reason));
        let (events, ended) = play(&sse(&[json!({"candidates": [{"finishReason": reason}]})]));
        assert!(ended.is_ok());
        assert_eq!(sum(&events).choices[0].finish_reason, Some(expected), "{reason}");
    }
}

#[test]
fn a_prompt_that_was_blocked_is_filtered() {
    let body = json!({"promptFeedback": {"blockReason": "OTHER"}, "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4}});
    let whole = answer(&body);
    assert_eq!(whole.choices[0].finish_reason, Some(FinishReason::ContentFilter));
    assert_eq!(whole.choices[0].raw_finish_reason.as_deref(), Some("OTHER"));
    assert_eq!(whole.usage.output_tokens, Some(0));
    let (events, ended) = play(&sse(&[body]));
    assert!(ended.is_ok());
    assert_eq!(sum(&events).choices[0].finish_reason, Some(FinishReason::ContentFilter));
}

#[test]
fn bodies_that_are_no_answer() {
    for (body, kind) in [
        ("{}", ErrorKind::BadUpstream),
        ("[]", ErrorKind::BadUpstream),
        ("<html>", ErrorKind::BadUpstream),
        (r#"{"candidates": []}"#, ErrorKind::BadUpstream),
        (r#"{"error": {"code": 503, "message": "m", "status": "UNAVAILABLE"}}"#, ErrorKind::Upstream),
        (r#"[{"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}}]"#, ErrorKind::RateLimited),
    ] {
        assert_eq!(chat(body.as_bytes()).expect_err("no answer").kind(), kind, "{body}");
    }
}

#[test]
fn pieces_of_words_add_up_and_signed_ones_stand_alone() {
    let part = |part: Value| json!({"candidates": [{"content": {"parts": [part]}}]});
    let (events, ended) = play(&sse(&[
        part(json!({"text": "h", "thought": true})),
        part(json!({"text": "m", "thought": true})),
        text("a"),
        text("b"),
        part(json!({"text": "c", "thoughtSignature": "s"})),
        text("d"),
        text(""),
        json!({"candidates": [{"finishReason": "STOP", "citationMetadata": {"citationSources": [{"uri": "u"}]}}]}),
    ]));
    assert!(ended.is_ok());
    let content = &sum(&events).choices[0].content;
    assert!(matches!(&content[0], Block::Thinking(thought) if thought.text.as_deref() == Some("hm")));
    let texts: Vec<_> = content[1..].iter().filter_map(Block::as_text).collect();
    assert_eq!(texts, ["ab", "c", "d"]);
    assert!(matches!(&content[2], Block::Text(text) if text.signature.as_deref() == Some("s")));
    assert!(matches!(&content[3], Block::Text(text) if text.citations.len() == 1));
}

#[test]
fn calls_come_whole_or_in_pieces() {
    let parts = |parts: Value| json!({"candidates": [{"content": {"parts": parts}}], "responseId": "r"});
    let (events, ended) = play(&sse(&[
        parts(json!([{"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "s"}])),
        parts(json!([{"functionCall": {"name": "g", "willContinue": true}}])),
        parts(json!([{"functionCall": {"willContinue": true, "partialArgs": [
            {"jsonPath": "$.x", "stringValue": "Ber", "willContinue": true}]}}])),
        parts(json!([{"functionCall": {"willContinue": true, "partialArgs": [
            {"jsonPath": "$.x", "stringValue": "lin"}]}}])),
        parts(json!([{"functionCall": {}}])),
        json!({"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}]}),
    ]));
    assert!(ended.is_ok());
    let delta = |block, delta| Event::Delta { choice: 0, block, delta };
    let begin = |id: &str, name: &str| Delta::ToolCall { id: id.into(), name: name.into(), kind: CallKind::Function };
    assert_eq!(
        events,
        [
            Event::Start { id: Some("r".into()), model: String::new(), created: None },
            delta(0, begin("gcall_r_0_0", "f")),
            delta(0, Delta::Signature { signature: "s".into() }),
            delta(0, Delta::Arguments { text: r#"{"a":1}"#.into() }),
            delta(1, begin("gcall_r_0_1", "g")),
            delta(1, Delta::Arguments { text: r#"{"x":"Berlin"}"#.into() }),
            Event::Finish { choice: 0, reason: FinishReason::ToolCalls, raw: Some("STOP".into()), stop_sequence: None },
        ]
    );
}

#[test]
fn usage_is_the_last_word_and_reasons_may_repeat() {
    let chunk = |text: &str, tokens: u64| {
        json!({
            "candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": tokens, "serviceTier": "standard"}
        })
    };
    let (events, ended) = play(&sse(&[chunk("a", 1), chunk("b", 2), chunk("c", 2)]));
    assert!(ended.is_ok());
    let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, Event::Finish { .. })), 1);
    assert_eq!(count(|event| matches!(event, Event::Usage(_))), 2);
    assert_eq!(count(|event| matches!(event, Event::Meta { .. })), 1);
    let answer = sum(&events);
    assert_eq!(answer.usage.output_tokens, Some(2));
    assert_eq!(answer.choices[0].content[0].as_text(), Some("abc"));
}

#[test]
fn several_answers_at_once() {
    let chunk = |index: u32, reason: Option<&str>| json!({"candidates": [{"index": index, "content": {"parts": [{"text": index.to_string()}]}, "finishReason": reason}]});
    let (events, ended) = play(&sse(&[chunk(0, None), chunk(1, Some("STOP")), chunk(0, Some("MAX_TOKENS"))]));
    assert!(ended.is_ok());
    let answer = sum(&events);
    assert_eq!(answer.choices[0].content[0].as_text(), Some("00"));
    assert_eq!(answer.choices[0].finish_reason, Some(FinishReason::Length));
    assert_eq!(answer.choices[1].finish_reason, Some(FinishReason::Stop));
    let (_, ended) = play(&sse(&[chunk(0, None), chunk(1, Some("STOP"))]));
    assert_eq!(ended.expect_err("the first did not end").kind(), ErrorKind::BadUpstream);
}

#[test]
fn streams_that_fail() {
    let error = json!({"error": {"code": 499, "message": "m", "status": "CANCELLED"}});
    let mut framed = sse(&[text("a")]);
    let mut bare = framed.clone();
    framed.extend(sse(std::slice::from_ref(&error)));
    bare.extend(format!("{error:#}").into_bytes());
    let mut half = bare.clone();
    half.truncate(half.len() - 4);
    let mut garbage = sse(&[text("a")]);
    garbage.extend_from_slice(b"data: {nonsense\n\n");
    for (bytes, kind, events) in [
        (framed, ErrorKind::Upstream, 2),
        (bare, ErrorKind::Upstream, 2),
        (half, ErrorKind::BadUpstream, 2),
        (garbage, ErrorKind::BadUpstream, 2),
        (sse(&[text("a")]), ErrorKind::BadUpstream, 2),
        (Vec::new(), ErrorKind::BadUpstream, 0),
    ] {
        let (out, ended) = play(&bytes);
        assert_eq!(ended.expect_err("it failed").kind(), kind, "{}", String::from_utf8_lossy(&bytes));
        assert_eq!(out.len(), events, "what came before the failure is handed out");
    }
}

#[test]
fn log_probabilities_take_openais_form() {
    let result = json!({
        "chosenCandidates": [{"token": "a", "tokenId": 1, "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "b", "logProbability": -1.5}]}]
    });
    let candidate = json!({"candidates": [{"finishReason": "STOP", "logprobsResult": result}]});
    let expected = json!({"content": [{
        "token": "a", "logprob": -0.5, "bytes": [97],
        "top_logprobs": [{"token": "b", "logprob": -1.5, "bytes": [98]}]
    }]});
    assert_eq!(answer(&candidate).choices[0].logprobs, Some(expected.clone()));
    let (events, _) = play(&sse(&[candidate]));
    assert_eq!(sum(&events).choices[0].logprobs, Some(expected));
}
