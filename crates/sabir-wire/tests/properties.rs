//! Properties of the wire's readers, on inputs that are made up piece by piece.
//!
//! Invariant: the pieces are the words of the protocols, so that the inputs get far; what is
//! asserted stands in the bodies of the fuzz targets.

#[cfg(test)]
#[path = "../../../fuzz/src/wire.rs"]
pub mod wire;

use proptest::prelude::*;
use sabir_wire::event_stream::{self, HeaderValue};
use serde_json::{Map, Value, json};

/// Bytes of a text stream: words of its framing, line ends of every kind, letters of every length.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        8 => prop::sample::select(vec![
            "data:", "data: ", "event: ", "id: ", "retry: 5", ":", "\n", "\n\n", "\r", "\r\n", "\r\n\r\n", "\u{feff}",
            "{\"a\":1}", "[DONE]", "é", "🗼", " ", "\0", "x",
        ])
        .prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
        1 => "[a-z ]{0,90}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

/// Frames of an event stream, some of them damaged.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let frame = ("[a-z:-]{1,12}", "[a-z]{0,12}", any::<i32>(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(
        |(name, value, number, payload)| {
            let mut out = Vec::new();
            let headers = [(name.as_str(), HeaderValue::String(&value)), ("n", HeaderValue::Int(number))];
            // A name and a value within the format's limits make a frame.
            event_stream::encode(&mut out, &headers, &payload).map_or_else(|_| Vec::new(), |()| out)
        },
    );
    let damage = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    (prop::collection::vec(frame, 0..5), damage).prop_map(|(frames, damage)| {
        let mut bytes = frames.concat();
        if let (Some((at, byte)), false) = (damage, bytes.is_empty()) {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

/// In what pieces the bytes come.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..20_usize, 1..6)
}

/// JSON whose members have names that the protocols know.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        words().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((words(), inner), 0..6).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

fn words() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "model",
        "messages",
        "role",
        "user",
        "assistant",
        "system",
        "tool",
        "content",
        "type",
        "text",
        "image_url",
        "url",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "id",
        "index",
        "tools",
        "tool_choice",
        "auto",
        "n",
        "stream",
        "stream_options",
        "include_usage",
        "input",
        "choices",
        "delta",
        "finish_reason",
        "stop",
        "usage",
        "prompt_tokens",
        "error",
        "message",
        "code",
        "reasoning",
        "thinking",
        "refusal",
        "contents",
        "parts",
        "functionCall",
        "functionResponse",
        "args",
        "candidates",
        "finishReason",
        "content_block",
        "message_start",
        "content_block_delta",
        "content_block_start",
        "message_delta",
        "tool_use",
        "tool_result",
        "input_schema",
        "data:image/png;base64,AAAA",
        "{\"a\":1}",
        "model_name",
        "max_tokens",
        "generationConfig",
        "logprobs",
    ])
}

/// A request with the right frame and whatever content.
fn request(frame: fn(Vec<Value>, Map<String, Value>) -> Value) -> impl Strategy<Value = Vec<u8>> {
    (prop::collection::vec(json(), 1..4), json()).prop_map(move |(parts, more)| {
        let more = if let Value::Object(more) = more { more } else { Map::new() };
        frame(parts, more).to_string().into_bytes()
    })
}

fn openai(parts: Vec<Value>, more: Map<String, Value>) -> Value {
    with(json!({"model": "m", "messages": [{"role": "user", "content": parts}]}), more)
}

fn anthropic(parts: Vec<Value>, more: Map<String, Value>) -> Value {
    with(json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": parts}]}), more)
}

fn gemini(parts: Vec<Value>, more: Map<String, Value>) -> Value {
    with(json!({"contents": [{"role": "user", "parts": parts}]}), more)
}

fn with(mut frame: Value, more: Map<String, Value>) -> Value {
    for (name, value) in more {
        frame[name] = value;
    }
    frame
}

/// A stream of events that look like an answer's.
fn events(frame: fn(Value) -> Value) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((json(), any::<bool>()), 0..6).prop_map(move |events| {
        let mut out: String = events
            .into_iter()
            .map(|(value, framed)| format!("data: {}\n\n", if framed { frame(value) } else { value }))
            .collect();
        out.push_str("data: [DONE]\n\n");
        out.into_bytes()
    })
}

fn openai_chunk(delta: Value) -> Value {
    json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta}]})
}

fn anthropic_delta(delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": 0, "delta": delta})
}

fn gemini_candidate(part: Value) -> Value {
    json!({"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]})
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sse_does_not_care_how_it_is_cut(bytes in text(), sizes in sizes()) {
        wire::sse_in(&bytes, &sizes);
    }

    #[test]
    fn ndjson_does_not_care_how_it_is_cut(bytes in text(), sizes in sizes()) {
        wire::ndjson_in(&bytes, &sizes);
    }

    #[test]
    fn event_streams_do_not_care_how_they_are_cut(bytes in frames(), sizes in sizes()) {
        wire::event_stream_in(&bytes, &sizes);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (_, target) in wire::TARGETS {
            target(&bytes);
        }
    }

    #[test]
    fn any_json_is_read_or_refused(value in json()) {
        let bytes = value.to_string().into_bytes();
        for (_, target) in wire::TARGETS {
            target(&bytes);
        }
    }

    #[test]
    fn a_look_and_a_reading_of_openai_agree(bytes in request(openai)) {
        wire::openai_peek(&bytes);
        wire::openai_parse(&bytes);
    }

    #[test]
    fn requests_of_anthropic_settle(bytes in request(anthropic)) {
        wire::anthropic_parse(&bytes);
    }

    #[test]
    fn requests_of_gemini_settle(bytes in request(gemini)) {
        wire::gemini_parse(&bytes);
    }

    #[test]
    fn streams_of_openai_are_read_or_refused(bytes in events(openai_chunk)) {
        wire::openai_stream(&bytes);
    }

    #[test]
    fn streams_of_anthropic_are_read_or_refused(bytes in events(anthropic_delta)) {
        wire::anthropic_stream(&bytes);
    }

    #[test]
    fn streams_of_gemini_are_read_or_refused(bytes in events(gemini_candidate)) {
        wire::gemini_stream(&bytes);
    }
}
