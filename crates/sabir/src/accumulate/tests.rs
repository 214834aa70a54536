//! Tests for putting pieces together.

use super::*;

fn whole<K: Pieces>(pieces: &[Value]) -> Value {
    let mut all = Accumulator::<K>::new();
    pieces.iter().for_each(|piece| all.push(piece));
    all.json()
}

fn chunk(delta: Value) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

#[test]
fn texts_grow_and_roles_do_not() {
    let all = whole::<Chat>(&[
        chunk(json!({"role": "assistant", "content": "Hel", "reasoning_content": "h"})),
        chunk(json!({"role": "assistant", "content": "lo", "reasoning_content": "m"})),
        json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": null}),
        json!({"id": "c", "choices": [], "usage": {"prompt_tokens": 1}}),
    ]);
    let expected = json!({
        "id": "c", "object": "chat.completion", "model": "m",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": "Hello", "reasoning_content": "hm"},
            "finish_reason": "stop",
        }],
        "usage": {"prompt_tokens": 1},
    });
    assert_eq!(all, expected);
}

#[test]
fn calls_and_choices_go_by_their_numbers() {
    let all = whole::<Chat>(&[
        json!({"choices": [{"index": 1, "delta": {"content": "b"}}]}),
        chunk(
            json!({"tool_calls": [{"index": 0, "id": "x", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
        ),
        chunk(
            json!({"tool_calls": [{"index": 1, "id": "y", "type": "function", "function": {"name": "g", "arguments": "{}"}}]}),
        ),
        chunk(json!({"tool_calls": [{"index": 0, "id": "", "function": {"arguments": "{\"a\""}}]})),
        chunk(json!({"tool_calls": [{"index": 0, "function": {"name": null, "arguments": ":1}"}}]})),
    ]);
    let calls = json!([
        {"id": "x", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
        {"id": "y", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]);
    assert_eq!(all["choices"][0]["message"]["tool_calls"], calls);
    assert_eq!(all["choices"][0]["message"]["content"], Value::Null);
    assert_eq!(all["choices"][1]["message"]["content"], "b");
}

#[test]
fn log_probabilities_are_joined() {
    let piece = |token: &str| json!({"choices": [{"index": 0, "delta": {}, "logprobs": {"content": [{"token": token}], "refusal": null}}]});
    let all = whole::<Chat>(&[piece("a"), piece("b")]);
    assert_eq!(all["choices"][0]["logprobs"], json!({"content": [{"token": "a"}, {"token": "b"}], "refusal": null}));
}

#[test]
fn blocks_of_an_inference_are_joined() {
    let piece = |content: Value| json!({"inference_id": "i", "content": [content]});
    let all = whole::<Inference>(&[
        piece(json!({"type": "thought", "id": "0", "text": "h"})),
        piece(json!({"type": "thought", "id": "0", "text": "m"})),
        piece(json!({"type": "thought", "id": "0", "text": null, "signature": "s"})),
        piece(json!({"type": "thought", "id": "0", "text": null, "summary_id": "0", "summary_text": "in "})),
        piece(json!({"type": "thought", "id": "0", "text": null, "summary_id": "0", "summary_text": "short"})),
        piece(json!({"type": "text", "id": "1", "text": "Hel"})),
        piece(json!({"type": "tool_call", "id": "x", "raw_name": "f", "raw_arguments": ""})),
        piece(json!({"type": "text", "id": "1", "text": "lo"})),
        piece(json!({"type": "tool_call", "id": "x", "raw_name": "", "raw_arguments": "{\"a\":1}"})),
        json!({"inference_id": "i", "content": [], "usage": {"input_tokens": 1}, "finish_reason": "stop"}),
    ]);
    let expected = json!({
        "inference_id": "i",
        "content": [
            {"type": "thought", "text": "hm", "signature": "s", "summary": [{"type": "summary_text", "text": "in short"}]},
            {"type": "text", "text": "Hello"},
            {"type": "tool_call", "id": "x", "raw_name": "f", "raw_arguments": "{\"a\":1}", "name": "f", "arguments": {"a": 1}},
        ],
        "usage": {"input_tokens": 1}, "finish_reason": "stop",
    });
    assert_eq!(all, expected);
}
