//! Answers that are written.

use sabir_types::{
    Accumulator, CallKind, Choice, Delta, ErrorKind, Event, Media, Protocol, Source, Text, Thinking, ToolCall, Unknown,
};

use super::*;
use crate::{
    responses::decode,
    sse::{SseDecoder, SseEvent},
};

fn frame() -> Frame {
    let request = Map::from_iter([("temperature".to_owned(), json!(0.5)), ("user".to_owned(), Value::Null)]);
    Frame { id: "resp_0a".into(), created: 7, model: "m".into(), maker: Some("anthropic".into()), echo: echo(&request) }
}

fn delta(block: u32, delta: Delta) -> Event {
    Event::Delta { choice: 0, block, delta }
}

fn finish(reason: FinishReason) -> Event {
    Event::Finish { choice: 0, reason, raw: None, stop_sequence: None }
}

/// The written events, by name and data.
fn written(events: &[Event], end: impl FnOnce(&mut EventWriter, &mut Vec<u8>)) -> Vec<(String, Value)> {
    let (mut writer, mut out) = (EventWriter::new(frame()), Vec::new());
    writer.events(events, &mut out);
    end(&mut writer, &mut out);
    let mut all = Vec::new();
    let mut framing = SseDecoder::new();
    framing
        .feed(&out, &mut |event: SseEvent<'_>| {
            let data: Value = serde_json::from_str(event.data).unwrap();
            assert_eq!(data["sequence_number"], all.len());
            all.push((event.event.unwrap().to_owned(), data));
            Ok(())
        })
        .unwrap();
    all
}

fn conversation() -> Vec<Event> {
    let text = |text: &str| Delta::Text { text: text.into() };
    let arguments = |text: &str| Delta::Arguments { text: text.into() };
    let call = |id: &str, kind| Delta::ToolCall { id: id.into(), name: "f".into(), kind };
    vec![
        Event::Start { id: None, model: "x".into(), created: None },
        delta(0, Delta::ThinkingSummary { part: 0, text: "a".into() }),
        delta(0, Delta::ThinkingSummary { part: 1, text: "b".into() }),
        delta(0, Delta::Thinking { text: "hm".into() }),
        delta(0, Delta::Signature { signature: "sig".into() }),
        delta(1, text("he")),
        delta(1, text("llo")),
        delta(1, Delta::Citation { data: json!({"type": "url_citation"}) }),
        delta(2, Delta::Refusal { text: "no".into() }),
        delta(3, call("call_1", CallKind::Function)),
        delta(4, call("call_2", CallKind::Custom)),
        // Pieces of calls may come mixed.
        delta(3, arguments("{}")),
        delta(4, arguments("free")),
        delta(
            5,
            Delta::Unknown {
                block: Unknown {
                    protocol: Some(Protocol::Responses),
                    model: None,
                    provider: None,
                    data: json!({"type": "web_search_call", "id": "ws_1", "status": "completed"}),
                },
            },
        ),
        delta(6, text("bye")),
        finish(FinishReason::ToolCalls),
    ]
}

#[test]
fn every_item_is_announced_and_closed() {
    let all = written(&conversation(), |writer, out| writer.end(&Usage::default(), out));
    let names: Vec<&str> = all.iter().map(|(name, _)| name.strip_prefix("response.").unwrap_or(name)).collect();
    assert_eq!(
        names,
        [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "content_part.added",
            "reasoning_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "reasoning_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.annotation.added",
            "output_text.done",
            "content_part.done",
            "content_part.added",
            "refusal.delta",
            "refusal.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "output_item.added",
            "function_call_arguments.delta",
            "custom_tool_call_input.delta",
            "output_item.added",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "function_call_arguments.done",
            "output_item.done",
            "custom_tool_call_input.done",
            "output_item.done",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
    );
    // What was announced under an index is complete under the same, and stands there at the end.
    let last = &all.last().unwrap().1["response"];
    for (name, data) in &all {
        if name == "response.output_item.done" {
            let at = data["output_index"].as_u64().unwrap() as usize;
            assert_eq!(data["item"], last["output"][at]);
            let begun =
                all.iter().find(|(name, other)| name == "response.output_item.added" && other["output_index"] == at);
            assert_eq!(begun.unwrap().1["item"]["id"], data["item"]["id"]);
        }
    }
    assert_eq!(
        (&last["status"], &last["temperature"], &last["user"]),
        (&json!("completed"), &json!(0.5), &Value::Null)
    );
}

#[test]
fn a_stream_ends_with_what_the_whole_would_be() {
    let events = conversation();
    let mut all = Accumulator::new();
    events.iter().for_each(|event| all.push(event));
    let answer = all.finish();
    let whole = response(&answer, &frame());
    let last = written(&events, |writer, out| writer.end(&answer.usage, out)).pop().unwrap().1;
    assert_eq!(last["response"], whole);
    // And the signature of the thought comes back when the client sends it.
    let again = decode::chat(whole.to_string().as_bytes()).unwrap();
    let Block::Thinking(thought) = &again.choices[0].content[0] else { panic!("{again:?}") };
    assert_eq!((thought.signature.as_deref(), thought.provider.as_deref()), (Some("sig"), Some("anthropic")));
}

#[test]
fn an_answer_that_was_cut_says_so() {
    let text = |reason| {
        let content = vec![Block::Text(Text { text: "a".into(), ..Text::default() })];
        let choice = Choice { content, finish_reason: Some(reason), ..Choice::default() };
        response(&ChatResponse { choices: vec![choice], ..ChatResponse::default() }, &frame())
    };
    let long = text(FinishReason::Length);
    assert_eq!(
        (&long["status"], &long["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    assert_eq!(long["output"][0]["status"], "incomplete");
    assert_eq!(text(FinishReason::ContentFilter)["incomplete_details"]["reason"], "content_filter");
    assert_eq!(text(FinishReason::StopSequence)["status"], "completed");
    let events = [delta(0, Delta::Text { text: "a".into() }), finish(FinishReason::Length)];
    let (name, last) = written(&events, |writer, out| writer.end(&Usage::default(), out)).pop().unwrap();
    assert_eq!((name.as_str(), &last["response"]), ("response.incomplete", &long));
}

#[test]
fn an_error_ends_the_stream_in_both_shapes() {
    let error = Error::new(ErrorKind::RateLimited, "slow down");
    let events = [delta(0, Delta::Text { text: "a".into() })];
    let all = written(&events, |writer, out| writer.error(&error, out));
    let [.., (first, said), (second, failed)] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((first.as_str(), second.as_str()), ("error", "response.failed"));
    assert_eq!((&said["message"], &said["error"]["message"]), (&json!("slow down"), &json!("slow down")));
    assert_eq!(failed["response"]["error"], json!({"code": "rate_limit_exceeded", "message": "slow down"}));
    assert_eq!(failed["response"]["id"], "resp_0a");
}

#[test]
fn blocks_without_a_word_are_not_lost() {
    let picture = Media::new(Source::Base64("AAAA".into()), Some("image/png".into()));
    let foreign =
        Unknown { protocol: Some(Protocol::Anthropic), model: None, provider: None, data: json!({"type": "x"}) };
    let content = vec![
        Block::Image(picture),
        Block::Unknown(foreign),
        Block::Thinking(Thinking { opaque: Some("e".into()), provider: Some("openai".into()), ..Thinking::default() }),
        Block::ToolCall(ToolCall { id: "c".into(), name: "f".into(), ..ToolCall::default() }),
    ];
    let choice = Choice { content, ..Choice::default() };
    let out = response(&ChatResponse { choices: vec![choice], ..ChatResponse::default() }, &frame());
    assert_eq!(
        (&out["output"][0]["type"], &out["output"][0]["result"]),
        (&json!("image_generation_call"), &json!("AAAA"))
    );
    assert_eq!(out["sabir_blocks"], json!([{"type": "x"}]));
    assert_eq!(out["output"][1]["encrypted_content"], "e");
    assert_eq!(out["output"][2]["arguments"], "{}");
}
