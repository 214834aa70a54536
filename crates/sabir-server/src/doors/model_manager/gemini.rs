//! The parameters of Google's SDK as a body of its API.
//!
//! Invariants: what the SDK takes in short forms (texts, single parts) is written out; its one
//! `config` is taken apart; what only the SDK itself would look at is named to the caller.

use sabir_types::{Error, Map, Result, Value};
use serde_json::json;

use super::files::{snake, unmark};

/// Members of `config` that do not belong into `generationConfig`.
const TOP: [(&str, &str); 5] = [
    ("tools", "tools"),
    ("tool_config", "toolConfig"),
    ("safety_settings", "safetySettings"),
    ("cached_content", "cachedContent"),
    ("labels", "labels"),
];

/// Members of `config` that are about the SDK's own work.
const SDK: [&str; 3] = ["automatic_function_calling", "http_options", "should_return_http_response"];

/// The body, and the names of what was left out.
pub(super) fn body(mut extra: Map<String, Value>, left_out: &mut Vec<String>) -> Result<Map<String, Value>> {
    let mut body = Map::new();
    body.insert("contents".into(), contents(extra.remove("contents").unwrap_or_default())?);
    match extra.remove("config") {
        None | Some(Value::Null) => {}
        Some(Value::Object(config)) => self::config(config, &mut body, left_out)?,
        Some(_) => return Err(Error::bad_request("`config`: expected an object").with_param("config")),
    }
    // A caller without the SDK may say things where the API has them.
    body.extend(extra);
    Ok(body)
}

fn config(config: Map<String, Value>, body: &mut Map<String, Value>, left_out: &mut Vec<String>) -> Result<()> {
    let mut generation = Map::new();
    for (name, value) in config {
        let snake = snake(&name);
        if snake == "system_instruction" {
            body.insert("systemInstruction".into(), json!({"parts": system(value)?}));
        } else if let Some((_, top)) = TOP.iter().find(|(known, _)| *known == snake) {
            body.insert((*top).into(), value);
        } else if SDK.contains(&snake.as_str()) {
            left_out.push(format!("config.{name}"));
        } else {
            generation.insert(name, value);
        }
    }
    if !generation.is_empty() {
        body.insert("generationConfig".into(), Value::Object(generation));
    }
    Ok(())
}

/// A text, a part, several of them, or a whole content.
fn system(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Object(mut content) if content.contains_key("parts") => match content.remove("parts") {
            Some(Value::Array(parts)) => Ok(parts),
            Some(part) => Ok(vec![part]),
            None => Ok(Vec::new()),
        },
        Value::Array(items) => {
            items.into_iter().filter(|item| !item.is_null()).map(|item| part(item, "config")).collect()
        }
        one => Ok(vec![part(one, "config.system_instruction")?]),
    }
}

/// A list of contents from everything that the SDK takes for one.
fn contents(value: Value) -> Result<Value> {
    let items = match value {
        Value::Array(items) => items,
        one => vec![one],
    };
    let mut contents: Vec<Value> = Vec::new();
    let mut loose: Vec<Value> = Vec::new();
    let close = |loose: &mut Vec<Value>, contents: &mut Vec<Value>| {
        if !loose.is_empty() {
            contents.push(json!({"role": "user", "parts": std::mem::take(loose)}));
        }
    };
    for (at, mut item) in items.into_iter().enumerate() {
        if item.is_null() {
            continue;
        }
        unmark(&mut item);
        uploaded(&mut item);
        let is_content =
            item.as_object().is_some_and(|object| object.contains_key("parts") || object.contains_key("role"));
        if is_content {
            close(&mut loose, &mut contents);
            if let Some(Value::Array(parts)) = item.get_mut("parts") {
                parts.retain(|part| !part.is_null());
            }
            contents.push(item);
        } else {
            loose.push(part(item, &format!("contents[{at}]"))?);
        }
    }
    close(&mut loose, &mut contents);
    Ok(Value::Array(contents))
}

/// A file that was uploaded before, as the SDK describes it, becomes a part that names it.
fn uploaded(item: &mut Value) {
    let Value::Object(file) = item else { return };
    if let Some(uri) = file.get("uri")
        && uri.is_string()
    {
        let mime = file.get("mime_type").or_else(|| file.get("mimeType"));
        *item = json!({"file_data": {"file_uri": uri, "mime_type": mime}});
    }
}

fn part(item: Value, path: &str) -> Result<Value> {
    match item {
        Value::String(text) => Ok(json!({ "text": text })),
        Value::Object(_) => Ok(item),
        _ => Err(Error::bad_request(format!("`{path}`: expected a text, a part or a content")).with_param(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(extra: Value) -> (Value, Vec<String>) {
        let mut left_out = Vec::new();
        let Value::Object(extra) = extra else { panic!("not an object") };
        (Value::Object(body(extra, &mut left_out).unwrap()), left_out)
    }

    #[test]
    fn short_forms_are_written_out() {
        let (body, _) = read(json!({"contents": "hi"}));
        assert_eq!(body, json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}));
        let (body, _) = read(json!({"contents": [
            "what is it?", null, {"inline_data": {"mime_type": "image/png", "data": "bytes:AQI="}},
            {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"data": "bytes:no"}}}, null]},
            "and now?",
        ]}));
        assert_eq!(
            body["contents"],
            json!([
                {"role": "user", "parts": [
                    {"text": "what is it?"}, {"inline_data": {"mime_type": "image/png", "data": "AQI="}}]},
                {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"data": "bytes:no"}}}]},
                {"role": "user", "parts": [{"text": "and now?"}]},
            ])
        );
    }

    #[test]
    fn contents_come_in_every_form_that_the_sdk_takes() {
        let text = json!({"text": "hi"});
        let user = json!([{"role": "user", "parts": [text]}]);
        for (contents, wanted) in [
            (json!("hi"), user.clone()),
            (json!(["hi"]), user.clone()),
            (json!([null, "hi"]), user.clone()),
            (text.clone(), user.clone()),
            (json!([text]), user.clone()),
            (json!({"role": "user", "parts": [text]}), user.clone()),
            (json!([{"role": "user", "parts": [null, text]}]), user),
            (json!([{"parts": [text]}]), json!([{"parts": [text]}])),
            (
                json!(["a", "b", {"role": "model", "parts": [text]}, "c"]),
                json!([
                    {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
                    {"role": "model", "parts": [text]},
                    {"role": "user", "parts": [{"text": "c"}]},
                ]),
            ),
            (
                json!([{"name": "files/1", "uri": "https://x.example/files/1", "mime_type": "image/png"}]),
                json!([{"role": "user", "parts": [{"file_data": {"file_uri": "https://x.example/files/1", "mime_type": "image/png"}}]}]),
            ),
            (
                json!([{"function_response": {"name": "f", "response": {"data": "bytes:AQI="}}}]),
                json!([{"role": "user", "parts": [{"function_response": {"name": "f", "response": {"data": "bytes:AQI="}}}]}]),
            ),
            (json!([]), json!([])),
        ] {
            assert_eq!(read(json!({ "contents": contents })).0["contents"], wanted, "{contents}");
        }
    }

    #[test]
    fn the_config_is_taken_apart() {
        let (body, left_out) = read(json!({"contents": "hi", "config": {
            "temperature": 0.1, "system_instruction": "be brief", "tools": [{"google_search": {}}],
            "safetySettings": [{"category": "c", "threshold": "t"}], "thinking_config": {"thinking_budget": 0},
            "http_options": {"timeout": 1},
        }}));
        assert_eq!(body["systemInstruction"], json!({"parts": [{"text": "be brief"}]}));
        assert_eq!(body["tools"], json!([{"google_search": {}}]));
        assert_eq!(body["safetySettings"][0]["category"], "c");
        assert_eq!(body["generationConfig"], json!({"temperature": 0.1, "thinking_config": {"thinking_budget": 0}}));
        assert_eq!(left_out, ["config.http_options"]);
    }

    #[test]
    fn nothing_else_passes_for_a_content() {
        let Value::Object(extra) = json!({"contents": [1]}) else { panic!("not an object") };
        assert!(body(extra, &mut Vec::new()).unwrap_err().message().contains("`contents[0]`"));
    }
}
