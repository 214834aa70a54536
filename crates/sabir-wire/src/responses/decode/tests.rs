//! Answers in odd shapes.

use sabir_types::{Accumulator, Block, CallKind, ChatResponse, ErrorKind};
use serde_json::json;

use super::*;

fn sse(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

fn streamed(events: &[Value]) -> sabir_types::Result<ChatResponse> {
    let (mut stream, mut out) = (ChatStream::new(), Vec::new());
    stream.feed(sse(events).as_bytes(), &mut out)?;
    stream.finish(&mut out)?;
    let mut all = Accumulator::new();
    out.iter().for_each(|event| all.push(event));
    Ok(all.finish())
}

fn created() -> Value {
    json!({"type": "response.created", "response": {"id": "resp_1", "model": "m", "created_at": 1.0}})
}

fn answer(output: Value, status: &str, reason: Option<&str>) -> Value {
    let details = reason.map(|reason| json!({"reason": reason}));
    json!({"id": "resp_1", "model": "m", "status": status, "incomplete_details": details, "output": output,
        "usage": {"input_tokens": 1, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0}}})
}

#[test]
fn every_kind_of_item_has_its_block() {
    let body = answer(
        json!([
            {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"type": "message", "content": [
                {"type": "output_text", "text": "a", "annotations": [{"type": "url_citation"}], "logprobs": [{"token": "a"}]},
                {"type": "refusal", "refusal": "no"},
            ]},
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "g", "input": "x"},
        ]),
        "completed",
        None,
    );
    let answer = chat(body.to_string().as_bytes()).unwrap();
    let choice = &answer.choices[0];
    let [
        Block::Thinking(thought),
        Block::Unknown(search),
        Block::Text(text),
        Block::Refusal { .. },
        Block::ToolCall(call),
    ] = &choice.content[..]
    else {
        panic!("{choice:?}")
    };
    assert_eq!((thought.text.as_deref(), search.data["id"].as_str()), (Some("hm"), Some("ws_1")));
    assert_eq!((text.citations.len(), call.kind, call.id.as_str()), (1, CallKind::Custom, "call_1"));
    assert_eq!(choice.logprobs, Some(json!({"content": [{"token": "a"}]})));
    assert_eq!(choice.finish_reason, Some(FinishReason::ToolCalls));
    assert_eq!((answer.usage.cache_read_tokens, answer.usage.cache_write_tokens), (Some(1), Some(0)));
}

#[test]
fn why_it_ended() {
    let text = json!([{"type": "message", "content": [{"type": "output_text", "text": "a"}]}]);
    let refusal = json!([{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]);
    for (body, wanted) in [
        (answer(text.clone(), "completed", None), FinishReason::Stop),
        (answer(text.clone(), "incomplete", Some("max_output_tokens")), FinishReason::Length),
        (answer(text.clone(), "incomplete", Some("content_filter")), FinishReason::ContentFilter),
        (answer(text, "incomplete", Some("other")), FinishReason::Other),
        (answer(refusal, "completed", None), FinishReason::ContentFilter),
    ] {
        let bytes = body.to_string();
        assert_eq!(chat(bytes.as_bytes()).unwrap().choices[0].finish_reason, Some(wanted), "{body}");
        assert_eq!(glance(bytes.as_bytes()).unwrap().finish_reason, Some(wanted), "{body}");
        let kind = if body["status"] == "completed" { "response.completed" } else { "response.incomplete" };
        let events = [created(), json!({"type": kind, "response": body})];
        assert_eq!(streamed(&events).unwrap().choices[0].finish_reason, Some(wanted), "{body}");
    }
}

#[test]
fn what_is_not_told_in_pieces_comes_at_the_end() {
    let call = json!({"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{\"a\":1}"});
    let message = json!({"type": "message", "content": [
        {"type": "output_text", "text": "hello", "annotations": [{"n": 1}, {"n": 2}]},
        {"type": "output_text", "text": "more"},
    ]});
    let thought = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": "e"});
    let last = answer(json!([thought, message, call]), "completed", None);
    let sparse = streamed(&[created(), json!({"type": "response.completed", "response": last})]).unwrap();
    let told = streamed(&[
        created(),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "encrypted_content": "early"}}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "s"}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": thought}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "message", "content": []}}),
        json!({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "hel"}),
        json!({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "lo"}),
        json!({"type": "response.output_text.annotation.added", "output_index": 1, "content_index": 0, "annotation": {"n": 1}}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": message}),
        json!({"type": "response.output_item.added", "output_index": 2, "item": {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": ""}}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{\"a\":1}"}),
        json!({"type": "response.function_call_arguments.done", "output_index": 2, "arguments": "{\"a\":1}"}),
        json!({"type": "response.some_new_event", "output_index": 2}),
        json!({"type": "response.completed", "response": last}),
    ])
    .unwrap();
    assert_eq!(sparse, told);
    assert_eq!(told.choices[0].content.len(), 4);
    assert_eq!(told.choices[0].finish_reason, Some(FinishReason::ToolCalls));
}

#[test]
fn streams_that_fail() {
    for (events, wanted) in [
        (vec![], ErrorKind::BadUpstream),
        (vec![created()], ErrorKind::BadUpstream),
        (
            vec![created(), json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow"})],
            ErrorKind::RateLimited,
        ),
        (
            vec![
                created(),
                json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "x"}}}),
            ],
            ErrorKind::Upstream,
        ),
        (vec![json!({"error": {"message": "no", "code": "insufficient_quota"}})], ErrorKind::QuotaExceeded),
        (vec![json!({"x": 1})], ErrorKind::BadUpstream),
        (
            vec![created(), json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{"})],
            ErrorKind::BadUpstream,
        ),
    ] {
        assert_eq!(streamed(&events).unwrap_err().kind(), wanted, "{events:?}");
        let glanced = events.iter().find_map(|event| glance_event(None, &event.to_string()).err());
        if let Some(error) = glanced {
            assert_eq!(error.kind(), wanted, "{events:?}");
        }
    }
}
