//! Whole answers.

use sabir::types::{ChatCompletionRequest, EmbeddingRequest, FeedbackRequest, InferenceRequest, Message, Part};
use serde_json::{Value, json};

use crate::support::{ask, everywhere};

#[test]
fn a_chat_completion() {
    let (text, reason, usage, object) = everywhere(|client| {
        let answer = client.chat(ask("echo")).unwrap();
        assert!(answer.id.len() > 4);
        assert!(answer.created > 1_600_000_000);
        assert_eq!(answer.meta().status(), 200);
        assert_eq!(answer.meta().retries(), 0);
        assert!(answer.request_id().is_some());
        let raw: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(raw["id"], answer.id.as_str());
        assert_eq!(answer.headers()["x-sabir-model"], "echo");
        let usage = answer.usage.clone().unwrap();
        (answer.text(), answer.choices[0].finish_reason.clone(), usage.total_tokens, answer.object.clone())
    });
    assert_eq!((text.as_str(), reason.as_deref(), usage), ("Hello there", Some("stop"), 11));
    assert_eq!(object, "chat.completion");
}

#[test]
fn a_request_can_be_typed() {
    let request = ChatCompletionRequest {
        temperature: Some(0.5),
        ..ChatCompletionRequest::new("echo").system("Be brief.").user("Hi").assistant("Yes?").message(Message {
            role: "user".into(),
            content: Some(sabir::types::Content::Parts(vec![Part::text("typed")])),
            ..Message::default()
        })
    };
    let request = serde_json::to_value(request.with("user", "me")).unwrap();
    assert_eq!(request["user"], "me");
    assert_eq!(request.get("tools"), None);
    assert_eq!(everywhere(|client| client.chat(request.clone()).unwrap().text()), "typed");
}

#[test]
fn a_call_of_a_tool() {
    let tool = json!({"type": "function", "function": {"name": "get_temperature", "parameters": {"type": "object"}}});
    let mut request = ask("tool");
    request["tools"] = json!([tool]);
    let (name, arguments, reason) = everywhere(|client| {
        let answer = client.chat(request.clone()).unwrap();
        let function = answer.choices[0].message.tool_calls[0].function.clone().unwrap();
        (function.name, function.arguments, answer.choices[0].finish_reason.clone())
    });
    assert_eq!(name.as_deref(), Some("get_temperature"));
    let arguments: Value = serde_json::from_str(&arguments).unwrap();
    assert_eq!(arguments, json!({"location": "Brooklyn", "units": "celsius"}));
    assert_eq!(reason.as_deref(), Some("tool_calls"));
}

#[test]
fn embeddings_are_numbers_however_they_travel() {
    let vectors = everywhere(|client| {
        let request = EmbeddingRequest {
            dimensions: Some(8),
            ..EmbeddingRequest::new("vectors", ["one", "two"].into_iter().collect::<sabir::types::EmbeddingInput>())
        };
        let numbers = client.embed(serde_json::to_value(&request).unwrap()).unwrap();
        let request = EmbeddingRequest { encoding_format: Some("base64".into()), ..request };
        let packed = client.embed(serde_json::to_value(&request).unwrap()).unwrap();
        assert_eq!(numbers.data, packed.data);
        assert!(packed.body().windows(13).any(|bytes| bytes == b"\"embedding\":\""));
        numbers.data.iter().map(|item| (item.index, item.embedding.clone())).collect::<Vec<_>>()
    });
    assert_eq!(vectors.len(), 2);
    assert_eq!((vectors[0].1.len(), vectors[1].0), (8, 1));
    assert_ne!(vectors[0].1, vectors[1].1);
}

#[test]
fn models_are_listed_and_found() {
    let names = everywhere(|client| {
        let list = client.models().unwrap();
        assert_eq!(list.object, "list");
        let one = client.model("dummy::any/thing").unwrap();
        assert_eq!((one.id.as_str(), one.object.as_str()), ("dummy::any/thing", "model"));
        list.data.iter().map(|model| model.id.clone()).collect::<Vec<_>>()
    });
    assert!(names.contains(&"echo".to_owned()) && names.contains(&"vectors".to_owned()), "{names:?}");
}

#[test]
fn an_inference_its_feedback_and_its_row() {
    let (text, usage, stored) = everywhere(|client| {
        let request = InferenceRequest::new("echo").system("Be brief.").user("Keep this").tag("team", "a");
        let answer = client.inference(serde_json::to_value(request).unwrap()).unwrap();
        let id = answer.inference_id.as_str();
        let feedback = FeedbackRequest::inference(id, "helpful", true);
        let given = client.feedback(serde_json::to_value(feedback).unwrap()).unwrap();
        assert_eq!(given.feedback_id.len(), 36);
        let all = client.list(json!({"episode_id": answer.episode_id})).unwrap();
        assert_eq!(all.inferences.len(), 1);
        assert_eq!(all.inferences[0], client.get(&[id]).unwrap().inferences[0]);
        let row = all.inferences[0].clone();
        assert_eq!((row.inference_id.as_str(), row.episode_id.as_str()), (id, answer.episode_id.as_str()));
        let liked = json!({"type": "boolean_metric", "metric_name": "helpful", "value": true});
        assert_eq!(client.list(json!({"filters": liked})).unwrap().inferences, all.inferences);
        let usage = answer.usage.clone().unwrap();
        (answer.text(), (usage.input_tokens, usage.output_tokens), (row.input, row.output, row.tags))
    });
    assert_eq!(text, "Keep this");
    assert_eq!(usage, (Some(10), Some(1)));
    assert_eq!(stored.0["system"], "Be brief.");
    assert_eq!(stored.1, Some(json!([{"type": "text", "text": "Keep this"}])));
    assert_eq!(stored.2["team"], "a");
}
