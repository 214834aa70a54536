//! A client of OpenAI's chat completions.

use serde_json::{Value, json};

use super::{
    super::talk::{END, LIMIT, PICTURE, Said, Talk, Turn, end, parameters, schema},
    arguments,
};

pub(super) fn messages(talk: &Talk) -> Vec<Value> {
    let mut all: Vec<Value> = talk.system.iter().map(|said| json!({"role": "system", "content": said})).collect();
    for turn in &talk.turns {
        match turn {
            Turn::User(said) => all.push(json!({"role": "user", "content": said})),
            Turn::Picture(said) => {
                let url = format!("data:image/png;base64,{PICTURE}");
                let parts = json!([{"type": "text", "text": said}, {"type": "image_url", "image_url": {"url": url}}]);
                all.push(json!({"role": "user", "content": parts}));
            }
            Turn::Assistant(said) => all.push(json!({"role": "assistant", "content": said})),
            Turn::Echo(message) => all.push(message.clone()),
            Turn::Results(results) => all.extend(
                results.iter().map(|(id, _, said)| json!({"role": "tool", "tool_call_id": id, "content": said})),
            ),
        }
    }
    all
}

pub(super) fn body(model: &str, talk: &Talk, stream: bool) -> Value {
    let mut body = json!({"model": model, "messages": messages(talk)});
    let tool = |name: &&str| json!({"type": "function", "function": {"name": name, "parameters": parameters()}});
    if !talk.tools.is_empty() {
        body["tools"] = talk.tools.iter().map(tool).collect();
    }
    if talk.schema {
        let schema = json!({"name": "knots", "schema": schema(), "strict": true});
        body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
    }
    if talk.stop {
        body["stop"] = json!([END]);
    }
    if talk.limit {
        body["max_tokens"] = LIMIT.into();
    }
    if talk.effort {
        body["reasoning_effort"] = "medium".into();
    }
    if stream {
        body["stream"] = true.into();
    }
    body
}

pub(super) fn whole(answer: &Value) -> Said {
    let choice = &answer["choices"][0];
    said(choice["message"].clone(), choice["finish_reason"].as_str().unwrap())
}

pub(super) fn stream(events: &[Value]) -> Said {
    let mut message = json!({"role": "assistant", "content": null});
    let mut reason = "none";
    for event in events {
        assert!(event.get("error").is_none(), "{event}");
        let Some(choice) = event["choices"].get(0) else { continue };
        reason = choice["finish_reason"].as_str().unwrap_or(reason);
        let delta = &choice["delta"];
        for name in ["content", "reasoning_content"] {
            if let Some(piece) = delta[name].as_str() {
                let before = message[name].as_str().unwrap_or_default();
                message[name] = format!("{before}{piece}").into();
            }
        }
        for piece in delta["reasoning_details"].as_array().into_iter().flatten() {
            let all = message.as_object_mut().unwrap().entry("reasoning_details").or_insert_with(|| json!([]));
            all.as_array_mut().unwrap().push(piece.clone());
        }
        for piece in delta["tool_calls"].as_array().into_iter().flatten() {
            let calls = message.as_object_mut().unwrap().entry("tool_calls").or_insert_with(|| json!([]));
            let calls = calls.as_array_mut().unwrap();
            let at = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
            if at == calls.len() {
                let function = json!({"name": piece["function"]["name"], "arguments": ""});
                calls.push(json!({"id": piece["id"], "type": "function", "function": function}));
            }
            let before = calls[at]["function"]["arguments"].as_str().unwrap().to_owned();
            let more = piece["function"]["arguments"].as_str().unwrap_or_default();
            calls[at]["function"]["arguments"] = format!("{before}{more}").into();
        }
    }
    said(message, reason)
}

fn said(message: Value, reason: &str) -> Said {
    let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    let calls = message["tool_calls"].as_array().into_iter().flatten().map(|call| {
        let (id, function) = (call["id"].as_str().unwrap(), &call["function"]);
        let name = function["name"].as_str().unwrap();
        (id.to_owned(), name.to_owned(), arguments(function["arguments"].as_str().unwrap()))
    });
    Said {
        text: text("content"),
        thought: text("reasoning_content"),
        calls: calls.collect(),
        end: end(reason),
        raw: message,
    }
}
