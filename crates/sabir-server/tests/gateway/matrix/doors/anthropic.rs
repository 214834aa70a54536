//! A client of Anthropic's messages.

use serde_json::{Value, json};

use super::{
    super::talk::{END, LIMIT, PICTURE, Said, Talk, Turn, end, parameters, schema},
    arguments,
};

pub(super) fn body(model: &str, talk: &Talk, stream: bool) -> Value {
    let message = |turn: &Turn| match turn {
        Turn::User(said) => json!({"role": "user", "content": said}),
        Turn::Picture(said) => {
            let source = json!({"type": "base64", "media_type": "image/png", "data": PICTURE});
            json!({"role": "user", "content": [{"type": "text", "text": said}, {"type": "image", "source": source}]})
        }
        Turn::Assistant(said) => json!({"role": "assistant", "content": said}),
        Turn::Echo(blocks) => json!({"role": "assistant", "content": blocks}),
        Turn::Results(results) => {
            let result = |(id, _, said): &(String, String, &str)| json!({"type": "tool_result", "tool_use_id": id, "content": said});
            json!({"role": "user", "content": results.iter().map(result).collect::<Vec<_>>()})
        }
    };
    let messages: Vec<Value> = talk.turns.iter().map(message).collect();
    let limit = if talk.limit { LIMIT } else { 4096 };
    let mut body = json!({"model": model, "max_tokens": limit, "messages": messages});
    if let Some(said) = talk.system {
        body["system"] = said.into();
    }
    if !talk.tools.is_empty() {
        body["tools"] = talk.tools.iter().map(|name| json!({"name": name, "input_schema": parameters()})).collect();
    }
    if talk.schema {
        body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema()}});
    }
    if talk.stop {
        body["stop_sequences"] = json!([END]);
    }
    if talk.effort {
        body["thinking"] = json!({"type": "enabled", "budget_tokens": 2048});
    }
    if stream {
        body["stream"] = true.into();
    }
    body
}

pub(super) fn whole(message: &Value) -> Said {
    let mut said =
        Said { end: end(message["stop_reason"].as_str().unwrap()), raw: message["content"].clone(), ..Said::default() };
    for block in message["content"].as_array().unwrap() {
        let text = |name: &str| block[name].as_str().unwrap().to_owned();
        match block["type"].as_str().unwrap() {
            "text" => said.text.push_str(&text("text")),
            "thinking" => said.thought.push_str(&text("thinking")),
            "tool_use" => said.calls.push((text("id"), text("name"), block["input"].clone())),
            other => panic!("an unknown block: {other}"),
        }
    }
    said
}

pub(super) fn stream(events: &[Value]) -> Said {
    let mut message = Value::Null;
    for event in events {
        let at = event["index"].as_u64().map_or(0, |at| usize::try_from(at).unwrap());
        match event["type"].as_str().unwrap() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                let mut block = event["content_block"].clone();
                if block["type"] == "tool_use" {
                    block["input"] = "".into();
                }
                let blocks = message["content"].as_array_mut().unwrap();
                assert_eq!(at, blocks.len());
                blocks.push(block);
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                let (from, to) = match delta["type"].as_str().unwrap() {
                    "text_delta" => ("text", "text"),
                    "thinking_delta" => ("thinking", "thinking"),
                    "signature_delta" => ("signature", "signature"),
                    "input_json_delta" => ("partial_json", "input"),
                    other => panic!("an unknown delta: {other}"),
                };
                let slot = &mut message["content"][at][to];
                *slot = format!("{}{}", slot.as_str().unwrap_or_default(), delta[from].as_str().unwrap()).into();
            }
            "content_block_stop" => {
                let block = &mut message["content"][at];
                if block["type"] == "tool_use" {
                    let text = block["input"].as_str().unwrap().to_owned();
                    block["input"] = if text.is_empty() { json!({}) } else { arguments(&text) };
                }
            }
            "message_delta" => message["stop_reason"] = event["delta"]["stop_reason"].clone(),
            "error" => panic!("{event}"),
            _ => {}
        }
    }
    assert_eq!(events.last().unwrap()["type"], "message_stop");
    whole(&message)
}
