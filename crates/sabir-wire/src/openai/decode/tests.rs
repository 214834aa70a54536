//! Tests of the answer readers. Invariant: however a stream is cut, it says the same.

use sabir_types::{Accumulator, Block, ErrorKind, Event, FinishReason, Operation, Value};
use serde_json::json;

use super::*;

const WHOLE: &str = r#"{"id":"c1","object":"chat.completion","created":7,"model":"m-1","choices":[{"index":0,
  "message":{"role":"assistant","content":"hi","refusal":null,"reasoning_content":"hm","annotations":[],
  "tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}],"odd":1},
  "logprobs":null,"finish_reason":"stop"}],
  "usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8,"prompt_tokens_details":{"cached_tokens":2},
  "completion_tokens_details":{"reasoning_tokens":1}},"service_tier":"default","system_fingerprint":"fp"}"#;

const STREAM: &str = concat!(
    ": warm-up\n\n",
    "data: {\"id\":\"c1\",\"created\":7,\"model\":\"m-1\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}}],\"usage\":null}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"h\"}}]}\r\n\r\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"i\"}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"t1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\"\"}}]}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3,\"total_tokens\":8,\"prompt_tokens_details\":{\"cached_tokens\":2},\"completion_tokens_details\":{\"reasoning_tokens\":1}}}\n\n",
    "data: [DONE]\n\n",
);

fn read(text: &str, size: usize) -> Result<Vec<Event>, sabir_types::Error> {
    let (mut stream, mut out) = (ChatStream::new(), Vec::new());
    for piece in text.as_bytes().chunks(size) {
        stream.feed(piece, &mut out)?;
    }
    stream.finish(&mut out)?;
    Ok(out)
}

#[test]
fn a_stream_adds_up_to_the_whole_answer() {
    let mut whole = chat(WHOLE.as_bytes()).unwrap();
    assert_eq!(whole.choices[0].finish_reason, Some(FinishReason::ToolCalls));
    assert_eq!(whole.usage.cache_read_tokens, Some(2));
    assert_eq!(whole.choices[0].rest.keys().collect::<Vec<_>>(), ["odd"]);
    whole.choices[0].rest.clear();
    for size in [1, 2, 3, 7, 64, 100_000] {
        let mut acc = Accumulator::new();
        for event in read(STREAM, size).unwrap() {
            acc.push(&event);
        }
        assert_eq!(acc.finish(), whole, "cut at {size}");
    }
}

#[test]
fn cut_off_streams_are_errors() {
    let cut = &STREAM[..STREAM.find("\"finish_reason\":\"stop\"").unwrap() - 60];
    for text in [cut, "", ": ping\n\n"] {
        let error = read(text, 64).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadUpstream, "{error:?}");
    }
    let without_marker = STREAM.replace("data: [DONE]\n\n", "");
    assert!(read(&without_marker, 64).is_ok());
}

#[test]
fn errors_inside_a_stream_are_errors() {
    let text = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"error\":{\"message\":\"gone\",\"code\":503}}\n\n";
    let error = read(text, 64).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Upstream, "gone"));
}

#[test]
fn whole_calls_with_the_same_index_are_told_apart_by_id() {
    let call = |id: &str, name: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":0,\"id\":\"{id}\",\"function\":{{\"name\":\"{name}\",\"arguments\":\"{{}}\"}}}}]}}}}]}}\n\n"
        )
    };
    let text = format!(
        "{}{}data: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"tool_calls\"}}]}}\n\n",
        call("a", "f"),
        call("b", "g")
    );
    let mut acc = Accumulator::new();
    for event in read(&text, 7).unwrap() {
        acc.push(&event);
    }
    let answer = acc.finish();
    let names: Vec<_> = answer.choices[0]
        .content
        .iter()
        .map(|block| match block {
            Block::ToolCall(call) => (call.id.as_str(), call.name.as_str(), call.arguments.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, [("a", "f", "{}"), ("b", "g", "{}")]);
}

#[test]
fn garbage_is_not_an_answer() {
    for body in
        ["", "nope", "[]", "{}", r#"{"choices":[]}"#, r#"{"choices":[{}]}"#, r#"{"object":"error","message":"x"}"#]
    {
        assert!(chat(body.as_bytes()).is_err(), "{body}");
    }
    assert!(glance(Operation::Chat, b"{}").is_err());
    assert!(glance(Operation::Chat, br#"{"error":{"message":"x"}}"#).is_err());
    let seen = glance(Operation::Chat, WHOLE.as_bytes()).unwrap();
    assert_eq!((seen.usage.total(), seen.finish_reason), (Some(8), Some(FinishReason::ToolCalls)));
    assert!(glance_event(" [DONE]").unwrap().done);
}

#[test]
fn xai_counts_thoughts_apart() {
    let raw = serde_json::json!({"prompt_tokens":12,"completion_tokens":1,"total_tokens":241,
        "completion_tokens_details":{"reasoning_tokens":228}});
    assert_eq!(usage(&raw).output_tokens, Some(229));
}

#[test]
fn absurd_figures_do_not_overflow() {
    let most = u64::MAX;
    let raw = serde_json::json!({"prompt_tokens": most, "completion_tokens": most, "total_tokens": most,
        "completion_tokens_details": {"reasoning_tokens": most}});
    assert_eq!(usage(&raw).total(), Some(most));
}

const CAREFUL: Reading = Reading {
    inline_thoughts: true,
    codes: &[("1002", ErrorKind::RateLimited), ("2013", ErrorKind::BadRequest)],
    ..Reading::USUAL
};

#[test]
fn errors_with_a_good_status() {
    let body = |code: u32, message: &str| {
        format!(r#"{{"choices":null,"base_resp":{{"status_code":{code},"status_msg":"{message}"}}}}"#)
    };
    for (code, message, kind) in [
        (1002, "slow down", ErrorKind::RateLimited),
        (2013, "invalid params", ErrorKind::BadRequest),
        (2013, "invalid params, context window exceeds limit", ErrorKind::ContextLength),
        (7, "what", ErrorKind::Upstream),
    ] {
        let body = body(code, message);
        for error in [
            CAREFUL.chat(body.as_bytes()).unwrap_err(),
            CAREFUL.glance(Operation::Chat, body.as_bytes()).unwrap_err(),
            CAREFUL.glance_event(&body).unwrap_err(),
            CAREFUL.stream().feed(format!("data: {body}\n\n").as_bytes(), &mut Vec::new()).unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.message()), (kind, message));
            assert_eq!(error.upstream().unwrap().code, Some(code.to_string()));
        }
    }
    let good =
        r#"{"choices":[{"message":{"content":"x"},"finish_reason":"max_output"}],"base_resp":{"status_code":0}}"#;
    assert_eq!(CAREFUL.chat(good.as_bytes()).unwrap().choices[0].finish_reason, Some(FinishReason::Length));
}

#[test]
fn what_may_be_a_tag_is_not_lost_before_a_call() {
    let call = r#"{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}"#;
    let body = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"<thi\"}}}}]}}\n\n\
         data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{call}]}},\"finish_reason\":\"tool_calls\"}}]}}\n\n"
    );
    let (mut stream, mut out) = (CAREFUL.stream(), Vec::new());
    stream.feed(body.as_bytes(), &mut out).unwrap();
    stream.finish(&mut out).unwrap();
    let mut all = Accumulator::new();
    out.iter().for_each(|event| all.push(event));
    let content = &all.finish().choices[0].content;
    assert_eq!((content[0].as_text(), content[1].kind()), (Some("<thi"), "tool call"));
}

#[test]
fn a_thought_whose_tag_is_in_the_template() {
    let reading = Reading { inline_thoughts: true, unopened: true, ..Reading::USUAL };
    let body = json!({"model": "m", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "Hm.\n</think>\n\nYes."}}]});
    let whole = reading.chat(body.to_string().as_bytes()).unwrap();
    let texts = |content: &[Block]| -> Vec<(&'static str, String)> {
        let text = |block: &Block| match block {
            Block::Thinking(thought) => thought.text.clone().unwrap_or_default(),
            other => other.as_text().unwrap_or_default().to_owned(),
        };
        content.iter().map(|block| (block.kind(), text(block))).collect()
    };
    let expected = [("thinking", "Hm.".to_owned()), ("text", "Yes.".to_owned())];
    assert_eq!(texts(&whole.choices[0].content), expected);
    let piece = |text: &str| json!({"index": 0, "delta": {"content": text}, "finish_reason": null});
    let end = json!({"index": 0, "delta": {}, "finish_reason": "stop"});
    let all = ["Hm.\n</th", "ink>\n\nY", "es."].map(piece).into_iter().chain([end]);
    let all: Vec<Value> = all.map(|choice| json!({"model": "m", "choices": [choice]})).collect();
    assert_eq!(texts(&heard(reading, &all).choices[0].content), expected);
}

/// What a stream of these events adds up to.
fn heard(reading: Reading, events: &[Value]) -> sabir_types::ChatResponse {
    let (mut stream, mut out) = (reading.stream(), Vec::new());
    let bytes: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    stream.feed(bytes.as_bytes(), &mut out).unwrap();
    stream.finish(&mut out).unwrap();
    let mut all = Accumulator::new();
    out.iter().for_each(|event| all.push(event));
    all.finish()
}

#[test]
fn sources_beside_the_choices_become_citations_of_the_text() {
    let sources = json!([{"title": "T", "url": "https://a"}, {"url": "https://b"}]);
    let expected = [
        json!({"type": "url_citation", "url_citation": {"url": "https://a", "title": "T"}}),
        json!({"type": "url_citation", "url_citation": {"url": "https://b"}}),
    ];
    let citations = |answer: &sabir_types::ChatResponse| match &answer.choices[0].content[..] {
        [Block::Text(text)] => text.citations.clone(),
        other => panic!("{other:?}"),
    };
    let body = json!({"model": "m", "search_results": sources, "citations": ["https://a", "https://b"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}]});
    assert_eq!(citations(&Reading::USUAL.chat(body.to_string().as_bytes()).unwrap()), expected);
    let event = |text: &str, end: Option<&str>| {
        json!({"model": "m", "search_results": sources, "citations": ["https://a", "https://b"],
            "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": end}]})
    };
    assert_eq!(citations(&heard(Reading::USUAL, &[event("x", None), event("y", Some("stop"))])), expected);
    let plain = json!({"model": "m", "citations": ["https://a"],
        "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]});
    let cited = citations(&heard(Reading::USUAL, &[plain]));
    assert_eq!(cited, [json!({"type": "url_citation", "url_citation": {"url": "https://a"}})]);
}

#[test]
fn what_was_kept_back_ends_as_filtered() {
    let filtered = Some(FinishReason::ContentFilter);
    let body = json!({"model": "m", "output_sensitive": true,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}]});
    assert_eq!(Reading::USUAL.chat(body.to_string().as_bytes()).unwrap().choices[0].finish_reason, filtered);
    let event = |end: Option<&str>, sensitive: bool| {
        json!({"model": "m", "output_sensitive": sensitive,
            "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": end}]})
    };
    let answer = heard(Reading::USUAL, &[event(None, false), event(Some("stop"), true)]);
    assert_eq!(answer.choices[0].finish_reason, filtered);
    let answer = heard(Reading::USUAL, &[event(None, false), event(Some("stop"), false)]);
    assert_eq!(answer.choices[0].finish_reason, Some(FinishReason::Stop));
}

#[test]
fn hidden_thoughts_of_a_stream_are_put_together() {
    let piece =
        |details: Value| json!({"model": "m", "choices": [{"index": 0, "delta": details, "finish_reason": null}]});
    let events = [
        piece(
            json!({"reasoning": "It ", "reasoning_details": [{"type": "reasoning.text", "text": "It ", "index": 0}]}),
        ),
        piece(
            json!({"reasoning": "greets.", "reasoning_details": [{"type": "reasoning.text", "text": "greets.", "index": 0}]}),
        ),
        piece(
            json!({"reasoning_details": [{"type": "reasoning.text", "signature": "sig", "index": 0, "format": null}]}),
        ),
        piece(json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "AA", "index": 1}]})),
        piece(json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "BB", "index": 1}]})),
        piece(json!({"content": "Ahoy."})),
        json!({"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
    ];
    let answer = heard(Reading::USUAL, &events);
    let [Block::Thinking(thought), Block::Text(_)] = &answer.choices[0].content[..] else { panic!("{answer:?}") };
    assert_eq!(thought.text.as_deref(), Some("It greets."));
    let kept: Value = serde_json::from_str(thought.opaque.as_deref().unwrap()).unwrap();
    let expected = json!([
        {"type": "reasoning.text", "text": "It greets.", "index": 0, "signature": "sig"},
        {"type": "reasoning.encrypted", "data": "AABB", "index": 1},
    ]);
    assert_eq!(kept, expected);
    // Plain words alone are in the thought already.
    let plain = heard(Reading::USUAL, &[&events[..2], &events[5..]].concat());
    let Block::Thinking(thought) = &plain.choices[0].content[0] else { panic!("{plain:?}") };
    assert_eq!((thought.text.as_deref(), thought.opaque.as_deref()), (Some("It greets."), None));
}
