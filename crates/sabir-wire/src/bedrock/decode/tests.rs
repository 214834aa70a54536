//! Answers, whole and in frames.

use sabir_types::{Accumulator, Block, ErrorKind, Event};
use serde_json::{Value, json};

use super::*;
use crate::{
    anthropic::JSON_TOOL,
    event_stream::{self, HeaderValue},
};

fn frame(out: &mut Vec<u8>, kind: &str, name: &str, payload: &Value) {
    let word = if kind == "event" { ":event-type" } else { ":exception-type" };
    let headers = [(":message-type", HeaderValue::String(kind)), (word, HeaderValue::String(name))];
    event_stream::encode(out, &headers, payload.to_string().as_bytes()).unwrap();
}

fn call(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (event, payload) in [
        ("messageStart", json!({"role": "assistant", "p": "abc"})),
        ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "hm"}}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "s"}}})),
        ("contentBlockStop", json!({"contentBlockIndex": 0})),
        ("contentBlockStart", json!({"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": name}}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": "{\"a\""}}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": ":1}"}}})),
        ("contentBlockStop", json!({"contentBlockIndex": 1})),
        ("messageStop", json!({"stopReason": "tool_use"})),
        ("metadata", json!({"usage": {"inputTokens": 3, "outputTokens": 4, "cacheReadInputTokens": 10}})),
    ] {
        frame(&mut out, "event", event, &payload);
    }
    out
}

fn read(bytes: &[u8], unwrap: bool) -> (Vec<Event>, sabir_types::Result<()>) {
    let mut stream = ChatStream::new("m", unwrap);
    let mut events = Vec::new();
    let fed = stream.feed(bytes, &mut events);
    (events, fed.and_then(|()| stream.finish()))
}

fn sum(events: &[Event]) -> sabir_types::ChatResponse {
    let mut all = Accumulator::new();
    events.iter().for_each(|event| all.push(event));
    all.finish()
}

#[test]
fn a_stream_is_what_the_whole_answer_would_be() {
    let (events, outcome) = read(&call("tide"), false);
    outcome.unwrap();
    let whole = json!({
        "output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
            {"toolUse": {"toolUseId": "t", "name": "tide", "input": {"a": 1}}},
        ]}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 3, "outputTokens": 4, "cacheReadInputTokens": 10},
        "metrics": {"latencyMs": 1},
    });
    let whole = chat(whole.to_string().as_bytes(), "m", false).unwrap();
    let streamed = sum(&events);
    assert_eq!(whole.usage.input_tokens, Some(13));
    assert_eq!(whole.choices[0].finish_reason, Some(FinishReason::ToolCalls));
    assert_eq!((&streamed.usage, streamed.choices[0].finish_reason), (&whole.usage, whole.choices[0].finish_reason));
    assert_eq!(
        (streamed.choices[0].content[1].clone(), &streamed.model),
        (whole.choices[0].content[1].clone(), &whole.model)
    );
    let Block::Thinking(thought) = &streamed.choices[0].content[0] else { panic!("a thought") };
    assert_eq!((thought.text.as_deref(), thought.signature.as_deref()), (Some("hm"), Some("s")));
}

#[test]
fn an_answer_in_json_by_a_tool_comes_back_as_text() {
    let (events, outcome) = read(&call(JSON_TOOL), true);
    outcome.unwrap();
    let answer = sum(&events);
    assert_eq!(answer.choices[0].content[1], Block::text("{\"a\":1}"));
    assert_eq!(answer.choices[0].finish_reason, Some(FinishReason::Stop));
    let whole = json!({
        "output": {"message": {"content": [{"toolUse": {"toolUseId": "t", "name": JSON_TOOL, "input": {"a": 1}}}]}},
        "stopReason": "tool_use",
    });
    let whole = chat(whole.to_string().as_bytes(), "m", true).unwrap();
    assert_eq!(whole.choices[0].content, [Block::text("{\"a\":1}")]);
    assert_eq!(whole.choices[0].finish_reason, Some(FinishReason::Stop));
}

#[test]
fn a_stream_that_breaks_off_is_no_short_answer() {
    let bytes = call("tide");
    let mut most = Vec::new();
    frame(&mut most, "event", "messageStart", &json!({"role": "assistant"}));
    assert_eq!(read(&most, false).1.unwrap_err().kind(), ErrorKind::BadUpstream);
    assert_eq!(read(&bytes[..bytes.len() - 200], false).1.unwrap_err().kind(), ErrorKind::BadUpstream);
    assert_eq!(read(&[], false).1.unwrap_err().message(), "the provider's stream ended before it began");
    frame(&mut most, "exception", "throttlingException", &json!({"message": "slow down"}));
    let error = read(&most, false).1.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::RateLimited, "slow down"));
}

#[test]
fn other_blocks_are_kept() {
    let whole = json!({
        "output": {"message": {"content": [
            {"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": [{"title": "t"}]}},
            {"reasoningContent": {"redactedContent": "AA=="}},
            {"image": {"format": "png", "source": {"bytes": "AA=="}}},
            {"novelty": 1},
        ]}},
        "stopReason": "guardrail_intervened",
        "trace": {"guardrail": {}},
    });
    let answer = chat(whole.to_string().as_bytes(), "m", false).unwrap();
    let kinds: Vec<_> = answer.choices[0].content.iter().map(Block::kind).collect();
    assert_eq!(kinds, ["text", "thinking", "image", "unknown"]);
    assert_eq!(answer.choices[0].finish_reason, Some(FinishReason::ContentFilter));
    assert!(answer.rest.contains_key("trace"));
    assert!(chat(b"{}", "m", false).is_err());
}
