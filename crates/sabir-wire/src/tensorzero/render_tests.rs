//! Tests of the answer writers. Invariant: the members that the client asks for are there.

use sabir_types::{CallKind, Choice};

use super::*;

fn ids() -> Ids {
    Ids { inference_id: Uuid::nil(), episode_id: Uuid::nil(), variant_name: "m".into(), tools: vec!["f".into()] }
}

#[test]
fn calls_are_checked_against_the_tools_that_were_offered() {
    let call = |name: &str, arguments: &str| {
        Block::ToolCall(ToolCall {
            id: "1".into(),
            name: name.into(),
            arguments: arguments.into(),
            ..ToolCall::default()
        })
    };
    let content = vec![call("f", r#"{"a":1}"#), call("f", "nope"), call("g", "{}"), call("f", "")];
    let choice = Choice { content, finish_reason: Some(FinishReason::ToolCalls), ..Choice::default() };
    let response = ChatResponse { choices: vec![choice], ..ChatResponse::default() };
    let value = answer(&ids(), &response, usage(&Usage::default(), None, false), Map::new());
    assert_eq!(value["finish_reason"], "tool_call");
    let content = value["content"].as_array().unwrap();
    assert_eq!(content[0]["arguments"], json!({"a": 1}));
    assert_eq!((&content[1]["arguments"], &content[1]["raw_arguments"]), (&Value::Null, &json!("nope")));
    assert_eq!(content[2]["name"], Value::Null);
    assert_eq!((&content[3]["arguments"], &content[3]["raw_arguments"]), (&json!({}), &json!("{}")));
    assert_eq!(value["usage"], json!({"input_tokens": null, "output_tokens": null, "cost": null}));
}

#[test]
fn usage_and_finish_reason_come_last() {
    let delta = |block, delta| Event::Delta { choice: 0, block, delta };
    let mut writer = ChunkWriter::new(ids());
    let mut out = Vec::new();
    writer.events(
        &[
            delta(0, Delta::Thinking { text: "hm".into() }),
            delta(1, Delta::Text { text: "a".into() }),
            delta(2, Delta::ToolCall { id: "c".into(), name: "f".into(), kind: CallKind::Function }),
            delta(2, Delta::Arguments { text: "{}".into() }),
            Event::Finish { choice: 0, reason: FinishReason::ToolCalls, raw: None, stop_sequence: None },
        ],
        &mut out,
    );
    writer.end(
        usage(&Usage { input_tokens: Some(1), ..Usage::default() }, Some(0.5), false),
        None,
        Map::new(),
        &mut out,
    );
    let text = String::from_utf8(out).unwrap();
    let events: Vec<&str> = text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect();
    assert_eq!(events.len(), 6);
    let chunks: Vec<Value> = events[..5].iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    assert_eq!(chunks[1]["content"], json!([{"type": "text", "id": "1", "text": "a"}]));
    assert_eq!(chunks[3]["content"][0], json!({"type": "tool_call", "id": "c", "raw_name": "", "raw_arguments": "{}"}));
    assert!(chunks[..4].iter().all(|chunk| chunk.get("usage").is_none() && chunk.get("finish_reason").is_none()));
    assert_eq!((&chunks[4]["content"], &chunks[4]["finish_reason"]), (&json!([]), &json!("tool_call")));
    assert_eq!(chunks[4]["usage"]["cost"], 0.5);
    assert_eq!(events[5], "[DONE]");
}

#[test]
fn a_cached_answer_consumed_nothing() {
    let value = usage(&Usage { input_tokens: Some(9), ..Usage::default() }, None, true);
    assert_eq!(value, json!({"input_tokens": 0, "output_tokens": 0, "cost": 0.0}));
}
