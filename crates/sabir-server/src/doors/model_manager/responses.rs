//! OpenAI's responses, told as a chat.
//!
//! Invariant: what a chat has no word for is refused by its name.

use sabir_types::{Error, ErrorKind, Map, Result, Value};
use serde_json::json;

/// Members that both have under one name.
const SAME: [&str; 14] = [
    "model",
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "metadata",
    "store",
    "stream",
    "user",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "tool_choice",
    "tools",
];

/// The body of a chat that asks for the same.
pub(super) fn as_chat(mut body: Map<String, Value>) -> Result<Map<String, Value>> {
    let mut chat = Map::new();
    let mut messages = Vec::new();
    if let Some(text) = body.remove("instructions") {
        messages.push(json!({"role": "system", "content": text}));
    }
    match body.remove("input") {
        Some(Value::String(text)) => messages.push(json!({"role": "user", "content": text})),
        Some(Value::Array(items)) => {
            for (at, item) in items.into_iter().enumerate().filter(|(_, item)| !item.is_null()) {
                self::item(item, &format!("input[{at}]"), &mut messages)?;
            }
        }
        _ => return Err(wrong("input", "expected a text or a list of items")),
    }
    chat.insert("messages".into(), messages.into());
    for (name, value) in body {
        match name.as_str() {
            name if SAME.contains(&name) => {
                chat.insert(name.to_owned(), value);
            }
            "max_output_tokens" => {
                chat.insert("max_completion_tokens".into(), value);
            }
            "top_logprobs" => {
                chat.insert("logprobs".into(), true.into());
                chat.insert(name, value);
            }
            "reasoning" => reasoning(value, &mut chat)?,
            "text" => text(value, &mut chat)?,
            "stream_options" => {}
            "truncation" if value == "disabled" => {}
            "background" if value == false => {}
            "include" if value.as_array().is_some_and(Vec::is_empty) => {}
            _ => return Err(none(&name)),
        }
    }
    super::tools::normalise(super::dialect::Dialect::Chat, &mut chat);
    if let Some(Value::Array(tools)) = chat.get("tools")
        && let Some(other) = tools.iter().find(|tool| tool.get("function").is_none())
    {
        let kind = other.get("type").and_then(Value::as_str).unwrap_or_default();
        return Err(none(&format!("tools[type={kind}]")));
    }
    Ok(chat)
}

fn wrong(path: &str, what: &str) -> Error {
    Error::bad_request(format!("`{path}`: {what}")).with_param(path)
}

fn none(path: &str) -> Error {
    let message = format!("`{path}` is not supported: a chat has nothing like it");
    Error::new(ErrorKind::Unsupported, message).with_param(path)
}

fn item(item: Value, path: &str, messages: &mut Vec<Value>) -> Result<()> {
    let Value::Object(mut item) = item else { return Err(wrong(path, "expected an object")) };
    let kind = item.get("type").and_then(Value::as_str).unwrap_or("message").to_owned();
    match kind.as_str() {
        "message" => {
            let role = item.remove("role").ok_or_else(|| wrong(&format!("{path}.role"), "missing"))?;
            let content = match item.remove("content") {
                Some(Value::Array(parts)) => parts
                    .into_iter()
                    .enumerate()
                    .filter(|(_, part)| !part.is_null())
                    .map(|(at, part)| self::part(part, &format!("{path}.content[{at}]")))
                    .collect::<Result<Value>>()?,
                other => other.unwrap_or_default(),
            };
            messages.push(json!({"role": role, "content": content}));
        }
        "function_call" => {
            let call = json!({
                "id": item.get("call_id"),
                "type": "function",
                "function": {"name": item.get("name"), "arguments": item.get("arguments")},
            });
            // Calls that stand together are one turn.
            let open = messages.last_mut().filter(|last| last["role"] == "assistant");
            match open.and_then(|last| last.get_mut("tool_calls")).and_then(Value::as_array_mut) {
                Some(calls) => calls.push(call),
                None => messages.push(json!({"role": "assistant", "tool_calls": [call]})),
            }
        }
        "function_call_output" => {
            let content = match item.remove("output") {
                Some(Value::Array(parts)) => parts
                    .into_iter()
                    .enumerate()
                    .map(|(at, part)| self::part(part, &format!("{path}.output[{at}]")))
                    .collect::<Result<Value>>()?,
                other => other.unwrap_or_default(),
            };
            messages.push(json!({"role": "tool", "tool_call_id": item.get("call_id"), "content": content}));
        }
        other => return Err(none(&format!("{path}.type={other}"))),
    }
    Ok(())
}

fn part(part: Value, path: &str) -> Result<Value> {
    let member = |name: &str| part.get(name).filter(|value| !value.is_null());
    match part.get("type").and_then(Value::as_str) {
        Some("input_text" | "output_text" | "text") => Ok(json!({"type": "text", "text": member("text")})),
        Some("refusal") => Ok(json!({"type": "refusal", "refusal": member("refusal")})),
        Some("input_image") => {
            let Some(url) = member("image_url") else { return Err(none(&format!("{path}.file_id"))) };
            let mut image = Map::new();
            image.insert("url".into(), url.clone());
            image.extend(member("detail").map(|detail| ("detail".to_owned(), detail.clone())));
            Ok(json!({"type": "image_url", "image_url": image}))
        }
        Some("input_file") => {
            let names = ["file_data", "file_id", "filename"];
            let file: Map<String, Value> =
                names.iter().filter_map(|name| Some(((*name).to_owned(), member(name)?.clone()))).collect();
            if file.is_empty() || member("file_url").is_some() {
                return Err(none(&format!("{path}.file_url")));
            }
            Ok(json!({"type": "file", "file": file}))
        }
        Some("input_audio") => Ok(json!({"type": "input_audio", "input_audio": member("input_audio")})),
        Some(other) => Err(none(&format!("{path}.type={other}"))),
        None => Err(wrong(&format!("{path}.type"), "missing")),
    }
}

fn reasoning(value: Value, chat: &mut Map<String, Value>) -> Result<()> {
    let Value::Object(members) = value else { return Err(wrong("reasoning", "expected an object")) };
    for (name, value) in members {
        match name.as_str() {
            "effort" => {
                chat.insert("reasoning_effort".into(), value);
            }
            _ => return Err(none(&format!("reasoning.{name}"))),
        }
    }
    Ok(())
}

fn text(value: Value, chat: &mut Map<String, Value>) -> Result<()> {
    let Value::Object(members) = value else { return Err(wrong("text", "expected an object")) };
    for (name, value) in members {
        match (name.as_str(), value) {
            ("verbosity", value) => {
                chat.insert(name, value);
            }
            ("format", Value::Object(mut format)) => {
                let kind = format.remove("type").unwrap_or_default();
                let format = if kind == "json_schema" {
                    json!({"type": kind, "json_schema": format})
                } else {
                    json!({ "type": kind })
                };
                chat.insert("response_format".into(), format);
            }
            _ => return Err(none(&format!("text.{name}"))),
        }
    }
    Ok(())
}
