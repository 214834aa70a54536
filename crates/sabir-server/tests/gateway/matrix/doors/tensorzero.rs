//! A client of TensorZero's `/inference`.

use serde_json::{Value, json};

use super::{
    super::talk::{END, LIMIT, PICTURE, Said, Talk, Turn, end, parameters, schema},
    arguments,
};

pub(super) fn body(model: &str, talk: &Talk, stream: bool) -> Value {
    let message = |turn: &Turn| match turn {
        Turn::User(said) => json!({"role": "user", "content": said}),
        Turn::Picture(said) => {
            let file = json!({"type": "file", "file_type": "base64", "mime_type": "image/png", "data": PICTURE});
            json!({"role": "user", "content": [{"type": "text", "text": said}, file]})
        }
        Turn::Assistant(said) => json!({"role": "assistant", "content": said}),
        Turn::Echo(blocks) => json!({"role": "assistant", "content": blocks}),
        Turn::Results(results) => {
            let result = |(id, name, said): &(String, String, &str)| json!({"type": "tool_result", "id": id, "name": name, "result": said});
            json!({"role": "user", "content": results.iter().map(result).collect::<Vec<_>>()})
        }
    };
    let mut input = json!({"messages": talk.turns.iter().map(message).collect::<Vec<_>>()});
    if let Some(said) = talk.system {
        input["system"] = said.into();
    }
    let mut body = json!({"model_name": model, "input": input});
    if !talk.tools.is_empty() {
        let tool = |name: &&str| json!({"name": name, "description": "d", "parameters": parameters(), "strict": false});
        body["additional_tools"] = talk.tools.iter().map(tool).collect();
    }
    let mut params = json!({});
    if talk.schema {
        params["json_mode"] = "strict".into();
        body["output_schema"] = schema();
    }
    if talk.stop {
        params["stop_sequences"] = json!([END]);
    }
    if talk.limit {
        params["max_tokens"] = LIMIT.into();
    }
    if talk.effort {
        params["reasoning_effort"] = "medium".into();
    }
    if params != json!({}) {
        body["params"] = json!({"chat_completion": params});
    }
    if stream {
        body["stream"] = true.into();
    }
    body
}

pub(super) fn whole(answer: &Value) -> Said {
    let blocks = answer["content"].clone();
    understood(blocks, answer["finish_reason"].as_str().unwrap())
}

pub(super) fn stream(events: &[Value]) -> Said {
    let mut blocks: Vec<Value> = Vec::new();
    let mut reason = "none";
    for event in events {
        assert!(event.get("error").is_none(), "{event}");
        reason = event["finish_reason"].as_str().unwrap_or(reason);
        for piece in event["content"].as_array().into_iter().flatten() {
            let same = |block: &Value| block["type"] == piece["type"] && block["id"] == piece["id"];
            let at = blocks.iter().position(same).unwrap_or_else(|| {
                let mut empty = piece.clone();
                for name in ["text", "raw_name", "raw_arguments"] {
                    if !empty[name].is_null() {
                        empty[name] = "".into();
                    }
                }
                blocks.push(empty);
                blocks.len() - 1
            });
            for name in ["text", "raw_name", "raw_arguments"] {
                if let Some(more) = piece[name].as_str() {
                    let before = blocks[at][name].as_str().unwrap_or_default().to_owned();
                    blocks[at][name] = format!("{before}{more}").into();
                }
            }
            if let Some(more) = piece["summary_text"].as_str() {
                let at_part: usize = piece["summary_id"].as_str().map_or(0, |id| id.parse().unwrap());
                let slot = blocks[at].as_object_mut().unwrap();
                slot.remove("summary_text");
                slot.remove("summary_id");
                let parts = slot.entry("summary").or_insert_with(|| json!([])).as_array_mut().unwrap();
                while parts.len() <= at_part {
                    parts.push(json!({"type": "summary_text", "text": ""}));
                }
                let before = parts[at_part]["text"].as_str().unwrap().to_owned();
                parts[at_part]["text"] = format!("{before}{more}").into();
            }
            for name in ["signature", "provider_type", "extra_data"] {
                if let Some(value) = piece.get(name) {
                    blocks[at][name] = value.clone();
                }
            }
        }
    }
    understood(blocks.into(), reason)
}

/// Ids of text and thoughts are for putting pieces together, and no part of an input.
fn understood(mut blocks: Value, reason: &str) -> Said {
    let mut said = Said { end: end(reason), ..Said::default() };
    for block in blocks.as_array_mut().unwrap() {
        let text = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
        match block["type"].as_str().unwrap() {
            "text" => said.text.push_str(&text("text")),
            "thought" => {
                said.thought.push_str(&text("text"));
                for part in block["summary"].as_array().into_iter().flatten() {
                    said.thought.push_str(part["text"].as_str().unwrap());
                }
            }
            "tool_call" => {
                said.calls.push((text("id"), text("raw_name"), arguments(&text("raw_arguments"))));
                continue;
            }
            other => panic!("an unknown block: {other}"),
        }
        block.as_object_mut().unwrap().remove("id");
    }
    said.raw = blocks;
    said
}
