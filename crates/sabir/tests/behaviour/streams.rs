//! Answers piece by piece.

use std::time::Instant;

use sabir::Error;
use serde_json::{Value, json};

use crate::support::{PATIENCE, ask, everywhere};

#[test]
fn a_stream_makes_the_whole_answer() {
    let (pieces, text, reason, usage) = everywhere(|client| {
        let mut request = ask("echo");
        request["stream_options"] = json!({"include_usage": true});
        let (pieces, whole) = client.chat_stream(request).unwrap();
        let said: String = pieces.iter().map(sabir::types::ChatCompletionChunk::text).collect();
        assert_eq!(said, whole.text());
        assert_eq!(pieces[0].id, whole.id);
        assert_eq!(whole.object, "chat.completion");
        assert_eq!(whole.choices[0].message.role, "assistant");
        (pieces.len(), said, whole.choices[0].finish_reason.clone(), whole.usage.unwrap().prompt_tokens)
    });
    assert!(pieces >= 3, "{pieces} pieces");
    assert_eq!((text.as_str(), reason.as_deref(), usage), ("Hello there", Some("stop"), 10));
}

#[test]
fn a_streamed_call_is_the_one_that_comes_whole() {
    let tool = json!({"type": "function", "function": {"name": "get_temperature", "parameters": {"type": "object"}}});
    let mut request = ask("tool");
    request["tools"] = json!([tool]);
    everywhere(|client| {
        let whole = client.chat(request.clone()).unwrap().into_inner().choices;
        let (_, joined) = client.chat_stream(request.clone()).unwrap();
        let of = |choice: &sabir::types::Choice| {
            let function = choice.message.tool_calls[0].function.clone().unwrap();
            let arguments: Value = serde_json::from_str(&function.arguments).unwrap();
            (function.name, arguments, choice.finish_reason.clone())
        };
        assert_eq!(of(&joined.choices[0]), of(&whole[0]));
        of(&whole[0])
    });
}

#[test]
fn a_streamed_inference_is_the_one_that_comes_whole() {
    for model in ["echo", "thinker", "tool"] {
        everywhere(|client| {
            let request = json!({
                "model_name": model,
                "input": {"messages": [{"role": "user", "content": "Hello there"}]},
                "additional_tools": [{"name": "get_temperature", "description": "", "parameters": {"type": "object"}}],
            });
            let whole = client.inference(request.clone()).unwrap().into_inner();
            let (pieces, mut joined) = client.inference_stream(request).unwrap();
            assert_eq!(joined.inference_id, pieces[0].inference_id);
            let mut whole_content = whole.content.clone();
            // The provider names each call anew, and streams other words than it answers.
            for block in whole_content.iter_mut().chain(&mut joined.content) {
                block.id = None;
                if model != "echo" && block.kind != "tool_call" {
                    block.text = None;
                }
                if block.kind == "tool_call" {
                    block.raw_arguments = block.arguments.as_ref().map(Value::to_string);
                }
            }
            assert_eq!(joined.content, whole_content, "{model}");
            assert_eq!(joined.finish_reason, whole.finish_reason);
            assert!(joined.usage.is_some());
            joined.content
        });
    }
}

#[test]
fn an_error_within_a_stream_is_an_error() {
    let kinds = everywhere(|client| {
        let chat = client.chat_stream(ask("dummy::fatal_stream_error")).unwrap_err();
        let Error::Stream { message, body } = &chat else { panic!("{chat:?}") };
        assert!(body.get("error").is_some());
        let inference = client.inference_stream(json!({
            "model_name": "dummy::fatal_stream_error",
            "input": {"messages": [{"role": "user", "content": "Hello"}]},
        }));
        let Err(Error::Stream { message: other, .. }) = inference else { panic!("{inference:?}") };
        (message.clone(), other)
    });
    assert!(!kinds.0.is_empty() && !kinds.1.is_empty());
}

#[test]
fn who_leaves_a_stream_ends_the_call() {
    everywhere(|client| {
        let began = Instant::now();
        let id = client.leave(ask("trickle"));
        // The row is written when the call is over; the whole of it would take minutes.
        loop {
            let rows = client.get(&[&id]).unwrap().into_inner().inferences;
            if let [row] = rows.as_slice() {
                assert_eq!(row.inference_id, id);
                break;
            }
            assert!(began.elapsed() < PATIENCE, "the call did not end");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    });
}
