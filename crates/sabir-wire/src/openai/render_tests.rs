//! Tests of the answer writers. Invariant: what is written, our own reader reads back.

use sabir_types::{Accumulator, Text, Thinking};

use super::*;
use crate::openai::decode;

fn frame() -> Frame {
    Frame { id: "x".into(), created: 5, model: "m".into(), legacy_functions: false, maker: None, extra: Map::new() }
}

fn events() -> Vec<Event> {
    let delta = |block, delta| Event::Delta { choice: 0, block, delta };
    vec![
        Event::Start { id: Some("p".into()), model: "pm".into(), created: None },
        delta(0, Delta::Thinking { text: "hm".into() }),
        delta(1, Delta::Text { text: "h\"i".into() }),
        delta(2, Delta::ToolCall { id: "a".into(), name: "f".into(), kind: CallKind::Function }),
        delta(2, Delta::Arguments { text: "{\"x\":".into() }),
        delta(2, Delta::Arguments { text: "1}".into() }),
        delta(3, Delta::ToolCall { id: "b".into(), name: "g".into(), kind: CallKind::Function }),
        Event::Finish { choice: 0, reason: FinishReason::ToolCalls, raw: None, stop_sequence: None },
    ]
}

fn write(usage_wanted: bool, frame: Frame) -> String {
    let mut writer = ChunkWriter::new(frame, usage_wanted);
    let mut out = Vec::new();
    writer.events(&events(), &mut out);
    let usage = Usage { input_tokens: Some(3), output_tokens: Some(4), ..Usage::default() };
    writer.end(&usage, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_written_stream_reads_back() {
    let text = write(true, frame());
    let mut stream = decode::ChatStream::new();
    let (mut read, mut acc) = (Vec::new(), Accumulator::new());
    stream.feed(text.as_bytes(), &mut read).unwrap();
    stream.finish(&mut read).unwrap();
    read.iter().for_each(|event| acc.push(event));
    let answer = acc.finish();
    assert_eq!(answer.usage.total(), Some(7));
    assert_eq!(
        answer.choices[0].content,
        [
            Block::Thinking(Thinking { text: Some("hm".into()), ..Thinking::default() }),
            Block::Text(Text { text: "h\"i".into(), ..Text::default() }),
            Block::ToolCall(ToolCall {
                id: "a".into(),
                name: "f".into(),
                arguments: "{\"x\":1}".into(),
                ..ToolCall::default()
            }),
            Block::ToolCall(ToolCall {
                id: "b".into(),
                name: "g".into(),
                arguments: "{}".into(),
                ..ToolCall::default()
            }),
        ]
    );
}

#[test]
fn clients_get_what_they_can_take() {
    let text = write(false, frame());
    assert_eq!(text.matches("\"role\"").count(), 1);
    assert!(!text.contains("\"content\":null") && !text.contains("usage") && !text.contains("event:"), "{text}");
    assert!(text.ends_with("data: [DONE]\n\n"));
    for line in text.lines().filter(|line| !line.is_empty() && !line.ends_with("[DONE]")) {
        let chunk: Value = serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!((&chunk["object"], &chunk["id"]), (&json!("chat.completion.chunk"), &json!("x")));
    }
    let text = write(true, frame());
    let last = text.lines().rev().nth(3).unwrap();
    let last: Value = serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(7)));
    assert_eq!(text.matches("\"usage\":null").count(), text.matches("data: {").count() - 1);
}

#[test]
fn legacy_callers_get_a_function_call() {
    let frame = Frame { legacy_functions: true, ..frame() };
    let text = write(false, frame.clone());
    assert!(text.contains("\"function_call\":{\"name\":\"f\"") && text.contains("\"finish_reason\":\"function_call\""));
    assert!(!text.contains("tool_calls"));
    let mut acc = Accumulator::new();
    events().iter().for_each(|event| acc.push(event));
    let whole: Value = serde_json::from_slice(&chat(acc.snapshot(), &frame)).unwrap();
    assert_eq!(whole["choices"][0]["message"]["function_call"]["arguments"], "{\"x\":1}");
}

#[test]
fn a_written_answer_reads_back() {
    let mut acc = Accumulator::new();
    events().iter().for_each(|event| acc.push(event));
    let answer = acc.finish();
    let again = decode::chat(&chat(&answer, &frame())).unwrap();
    assert_eq!(again.choices[0].content.len(), 4);
    assert_eq!(again.choices[0].finish_reason, Some(FinishReason::ToolCalls));
}

#[test]
fn errors_have_all_four_members() {
    let value = error(&Error::unsupported("seed", "no seed"));
    assert_eq!(
        value,
        json!({"error": {"message": "no seed", "type": "invalid_request_error", "param": "seed", "code": "unsupported_parameter"}})
    );
}
