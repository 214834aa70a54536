//! Tests of the built-in provider. Invariant: streamed or not, a model gives the answers that are documented.

use sabir_types::{Accumulator, Map, Message};

use super::*;

fn script(model: &str, stream: bool, options: Value) -> Script {
    let options: Map<String, Value> = options.as_object().cloned().unwrap_or_default();
    let to = Target { model, api_base: None, key: None, options: &options, now: 0 };
    let chat = ChatRequest { messages: vec![Message::user("a b c")], stream, ..ChatRequest::default() };
    match PROVIDER.encode(&Request::Chat(Box::new(chat)), &to).unwrap().0 {
        Outbound::Script(script) => script,
        Outbound::Http(_) => panic!("no network is needed"),
    }
}

fn answer(script: &Script) -> ChatResponse {
    let mut acc = Accumulator::new();
    for step in &script.steps {
        if let Ok(StepOutcome::Events(events)) = &step.outcome {
            events.iter().for_each(|event| acc.push(event));
        }
    }
    acc.finish()
}

#[test]
fn echo_says_the_last_words_streamed_and_whole() {
    for stream in [false, true] {
        let answer = answer(&script("echo", stream, Value::Null));
        assert_eq!(answer.choices[0].content, [Block::text("a b c")]);
        assert_eq!(answer.usage.total(), Some(11));
    }
}

#[test]
fn streams_have_the_documented_pieces() {
    let wally = script("good", true, Value::Null);
    assert_eq!(wally.steps.len(), 18);
    assert_eq!(answer(&wally).usage.output_tokens, Some(16));
    let tool = answer(&script("tool", true, Value::Null));
    assert!(
        matches!(&tool.choices[0].content[0], Block::ToolCall(call) if call.arguments == r#"{"location":"Brooklyn","units":"celsius"}"#)
    );
    assert_eq!(tool.choices[0].finish_reason, Some(FinishReason::ToolCalls));
    let failing = script("err_in_stream", true, Value::Null);
    assert_eq!(failing.steps.iter().filter(|step| step.outcome.is_err()).count(), 1);
    assert!(script("fatal_stream_error", true, Value::Null).steps.last().unwrap().outcome.is_err());
}

#[test]
fn speed_can_be_set() {
    let slow = script("good", true, json!({"delay_ms": 250, "tokens_per_second": 4}));
    assert_eq!(slow.steps[0].wait, Duration::from_millis(250));
    assert_eq!((slow.steps[1].wait, slow.steps[2].wait), (Duration::ZERO, Duration::from_millis(250)));
    assert_eq!(script("slow", false, Value::Null).steps[0].wait, Duration::from_secs(5));
}

#[test]
fn errors_are_errors() {
    assert!(script("error", false, Value::Null).steps[0].outcome.is_err());
    assert!(script("test_key", false, Value::Null).steps[0].outcome.is_err());
}

#[test]
fn vectors_are_deterministic_and_of_length_one() {
    let v = vector(seed(b"x"), 64);
    assert_eq!(v, vector(seed(b"x"), 64));
    assert_ne!(v, vector(seed(b"y"), 64));
    assert!((v.iter().map(|n| n * n).sum::<f32>() - 1.0).abs() < 1e-4);
}
