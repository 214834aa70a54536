//! An upstream that speaks OpenAI's Responses.

use serde_json::{Value, json};

use super::{limit, list, openai, streams, text};
use crate::{
    matrix::talk::{Reply, pieces},
    mock::{Step, json as whole},
};

pub(super) fn understands(body: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(body["instructions"].as_str().map(|said| format!("system: {said}")));
    if let Some(said) = body["input"].as_str() {
        lines.push(format!("user: {said}"));
    }
    let mut calls = Vec::new();
    for item in list(&body["input"]) {
        match item["type"].as_str().unwrap_or("message") {
            "message" => {
                let role = text(&item["role"]);
                let role = if role == "developer" { "system" } else { role };
                if let Some(said) = item["content"].as_str() {
                    lines.push(format!("{role}: {said}"));
                }
                for part in list(&item["content"]) {
                    match text(&part["type"]) {
                        "input_image" => {
                            let url = text(&part["image_url"]).strip_prefix("data:").unwrap();
                            lines.push(format!("image: {}", url.replace(";base64,", " ")));
                        }
                        "input_text" | "output_text" => lines.push(format!("{role}: {}", text(&part["text"]))),
                        other => panic!("an unknown part: {other}"),
                    }
                }
            }
            "function_call" => {
                calls.push(text(&item["call_id"]).to_owned());
                let arguments: Value = serde_json::from_str(text(&item["arguments"])).unwrap();
                lines.push(format!("call: {} {arguments}", text(&item["name"])));
            }
            "function_call_output" => {
                let id = text(&item["call_id"]);
                assert!(calls.iter().any(|call| call == id), "a result of no call: {id}");
                lines.push(format!("result: {}", text(&item["output"])));
            }
            "reasoning" => lines.push("thought back".to_owned()),
            other => panic!("an unknown item: {other}"),
        }
    }
    lines.extend(list(&body["tools"]).iter().map(|tool| format!("tool: {}", text(&tool["name"]))));
    lines.extend(limit(&body["max_output_tokens"]));
    if !body["reasoning"].is_null() {
        lines.push("thinks".to_owned());
    }
    lines
}

fn message(said: &str, status: &str) -> Value {
    let part = json!({"type": "output_text", "text": said, "annotations": []});
    json!({"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": [part]})
}

fn response(output: &[Value], status: &str) -> Value {
    let details = (status == "incomplete").then(|| json!({"reason": "max_output_tokens"}));
    json!({"id": "resp_1", "object": "response", "created_at": 1_700_000_000, "model": "up-1", "status": status,
        "incomplete_details": details, "error": null, "output": output, "usage": {"input_tokens": 7,
        "output_tokens": 3, "total_tokens": 10}})
}

pub(super) fn answers(body: &Value, reply: &Reply) -> Vec<Step> {
    let (output, status) = match reply {
        Reply::Text(said) | Reply::Stopped(said) => (vec![message(said, "completed")], "completed"),
        Reply::Cut(said) => (vec![message(said, "incomplete")], "incomplete"),
        Reply::Thought(thought, said) => {
            let summary = json!([{"type": "summary_text", "text": thought}]);
            let thought =
                json!({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "c2VhbA=="});
            (vec![thought, message(said, "completed")], "completed")
        }
        Reply::Calls(made) => {
            let call = |(index, (name, arguments)): (usize, &(&str, &str))| {
                json!({"type": "function_call", "id": format!("fc_{index}"), "call_id": format!("call_{index}"),
                    "name": name, "arguments": arguments, "status": "completed"})
            };
            (made.iter().enumerate().map(call).collect(), "completed")
        }
        // Errors are those of chat completions.
        Reply::Fail(_) => return openai::answers(body, reply),
    };
    if body["stream"] != true {
        return vec![whole(200, response(&output, status).to_string())];
    }
    let mut events = String::new();
    let mut number = 0;
    let mut event = |kind: &str, mut value: Value| {
        value["type"] = kind.into();
        value["sequence_number"] = number.into();
        number += 1;
        events.push_str(&format!("event: {kind}\ndata: {value}\n\n"));
    };
    event("response.created", json!({"response": response(&[], "in_progress")}));
    for (at, item) in output.iter().enumerate() {
        let mut begun = item.clone();
        match text(&item["type"]) {
            "message" => {
                begun["content"] = json!([]);
                begun["status"] = "in_progress".into();
                event("response.output_item.added", json!({"output_index": at, "item": begun}));
                let place = json!({"output_index": at, "content_index": 0, "item_id": "msg_1"});
                let with = |name: &str, value: Value| {
                    let mut place = place.clone();
                    place[name] = value;
                    place
                };
                let part = json!({"type": "output_text", "text": "", "annotations": []});
                event("response.content_part.added", with("part", part));
                let said = text(&item["content"][0]["text"]);
                for piece in pieces(said) {
                    event("response.output_text.delta", with("delta", piece.into()));
                }
                event("response.output_text.done", with("text", said.into()));
                event("response.content_part.done", with("part", item["content"][0].clone()));
            }
            "reasoning" => {
                begun["summary"] = json!([]);
                event("response.output_item.added", json!({"output_index": at, "item": begun}));
                let place = json!({"output_index": at, "summary_index": 0, "item_id": "rs_1"});
                let mut added = place.clone();
                added["part"] = json!({"type": "summary_text", "text": ""});
                event("response.reasoning_summary_part.added", added);
                for piece in pieces(text(&item["summary"][0]["text"])) {
                    let mut place = place.clone();
                    place["delta"] = piece.into();
                    event("response.reasoning_summary_text.delta", place);
                }
            }
            _ => {
                begun["arguments"] = "".into();
                event("response.output_item.added", json!({"output_index": at, "item": begun}));
                for piece in pieces(text(&item["arguments"])) {
                    let delta = json!({"output_index": at, "item_id": item["id"], "delta": piece});
                    event("response.function_call_arguments.delta", delta);
                }
                let done = json!({"output_index": at, "item_id": item["id"], "arguments": item["arguments"]});
                event("response.function_call_arguments.done", done);
            }
        }
        event("response.output_item.done", json!({"output_index": at, "item": item}));
    }
    event(&format!("response.{status}"), json!({"response": response(&output, status)}));
    streams(&events)
}
