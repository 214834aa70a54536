//! A client of OpenAI's Responses that keeps the conversation itself.

use serde_json::{Value, json};

use super::{
    super::talk::{LIMIT, PICTURE, Said, Talk, Turn, end, parameters, schema},
    arguments,
};

pub(super) fn body(model: &str, talk: &Talk, stream: bool) -> Value {
    let mut input = Vec::new();
    for turn in &talk.turns {
        match turn {
            Turn::User(said) => input.push(json!({"role": "user", "content": said})),
            Turn::Picture(said) => {
                let url = format!("data:image/png;base64,{PICTURE}");
                let parts = json!([{"type": "input_text", "text": said}, {"type": "input_image", "image_url": url, "detail": "auto"}]);
                input.push(json!({"role": "user", "content": parts}));
            }
            Turn::Assistant(said) => input.push(json!({"role": "assistant", "content": said})),
            Turn::Echo(items) => input.extend(items.as_array().unwrap().clone()),
            Turn::Results(results) => input.extend(
                results
                    .iter()
                    .map(|(id, _, said)| json!({"type": "function_call_output", "call_id": id, "output": said})),
            ),
        }
    }
    let mut body = json!({"model": model, "input": input, "store": false});
    if let Some(said) = talk.system {
        body["instructions"] = said.into();
    }
    if !talk.tools.is_empty() {
        let tool = |name: &&str| json!({"type": "function", "name": name, "parameters": parameters(), "strict": false});
        body["tools"] = talk.tools.iter().map(tool).collect();
    }
    if talk.schema {
        let format = json!({"type": "json_schema", "name": "knots", "schema": schema(), "strict": true});
        body["text"] = json!({"format": format});
    }
    if talk.limit {
        body["max_output_tokens"] = LIMIT.into();
    }
    if talk.effort {
        body["reasoning"] = json!({"effort": "medium", "summary": "auto"});
        body["include"] = json!(["reasoning.encrypted_content"]);
    }
    if stream {
        body["stream"] = true.into();
    }
    body
}

pub(super) fn whole(answer: &Value) -> Said {
    let mut said =
        Said { end: end(answer["status"].as_str().unwrap()), raw: answer["output"].clone(), ..Said::default() };
    for item in answer["output"].as_array().unwrap() {
        match item["type"].as_str().unwrap() {
            "message" => {
                for part in item["content"].as_array().unwrap() {
                    said.text.push_str(part["text"].as_str().unwrap());
                }
            }
            "reasoning" => {
                let parts = item["summary"].as_array().into_iter().chain(item["content"].as_array()).flatten();
                parts.for_each(|part| said.thought.push_str(part["text"].as_str().unwrap()));
            }
            "function_call" => {
                let text = |name: &str| item[name].as_str().unwrap().to_owned();
                said.calls.push((text("call_id"), text("name"), arguments(&text("arguments"))));
                said.end = "calls";
            }
            other => panic!("an unknown item: {other}"),
        }
    }
    said
}

/// Puts the pieces together and holds them against the answer that the last event repeats.
pub(super) fn stream(events: &[Value]) -> Said {
    let (mut text, mut thought) = (String::new(), String::new());
    let mut calls: Vec<(u64, String)> = Vec::new();
    let mut last = None;
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], at, "{event}");
        let piece = || event["delta"].as_str().unwrap();
        match event["type"].as_str().unwrap() {
            "response.output_text.delta" => text.push_str(piece()),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => thought.push_str(piece()),
            "response.function_call_arguments.delta" => {
                let index = event["output_index"].as_u64().unwrap();
                match calls.iter_mut().find(|(at, _)| *at == index) {
                    Some((_, arguments)) => arguments.push_str(piece()),
                    None => calls.push((index, piece().to_owned())),
                }
            }
            "response.completed" | "response.incomplete" => last = Some(&event["response"]),
            "response.failed" | "error" => panic!("{event}"),
            _ => {}
        }
    }
    let said = whole(last.expect("a last event"));
    assert_eq!((&text, &thought), (&said.text, &said.thought));
    let told: Vec<Value> = calls.iter().map(|(_, text)| arguments(text)).collect();
    assert_eq!(told, said.calls.iter().map(|(_, _, arguments)| arguments.clone()).collect::<Vec<_>>());
    said
}
