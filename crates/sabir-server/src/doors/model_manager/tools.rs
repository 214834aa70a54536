//! Tools and their choice, in the words that a dialect has for them.
//!
//! Invariant: a tool of any form that the clients let pass (flat, as responses have it, or nested,
//! as chat completions do) arrives in the dialect's own; one of another type stays as it is.

use sabir_types::{Map, Value};
use serde_json::json;

use super::dialect::Dialect;

type Rewrite = fn(&mut Value);

/// Rewrites `tools` and `tool_choice` of a body.
pub(super) fn normalise(dialect: Dialect, body: &mut Map<String, Value>) {
    let (tool, choice): (Rewrite, Rewrite) = match dialect {
        Dialect::Chat => (nested, nested_choice),
        Dialect::Responses => (flat, flat),
        Dialect::Messages => (anthropic, anthropic_choice),
        Dialect::Gemini => return,
    };
    if let Some(Value::Array(tools)) = body.get_mut("tools") {
        tools.retain(|tool| !tool.is_null());
        tools.iter_mut().for_each(tool);
    }
    if let Some(value) = body.get_mut("tool_choice") {
        choice(value);
    }
}

fn is_function(tool: &Map<String, Value>) -> bool {
    tool.get("type").and_then(Value::as_str) == Some("function")
}

fn nested(tool: &mut Value) {
    let Value::Object(object) = tool else { return };
    if !is_function(object) || object.contains_key("function") {
        return;
    }
    let mut function = std::mem::take(object);
    function.shift_remove("type");
    *tool = json!({"type": "function", "function": function});
}

fn flat(tool: &mut Value) {
    let Value::Object(object) = tool else { return };
    if is_function(object)
        && let Some(Value::Object(function)) = object.shift_remove("function")
    {
        object.extend(function);
    }
}

fn anthropic(tool: &mut Value) {
    flat(tool);
    let Value::Object(object) = tool else { return };
    if !is_function(object) {
        return;
    }
    object.shift_remove("type");
    let schema = object.shift_remove("parameters").unwrap_or_else(|| json!({"type": "object"}));
    object.entry("input_schema").or_insert(schema);
}

fn nested_choice(choice: &mut Value) {
    if let Value::Object(object) = choice
        && is_function(object)
        && let Some(name) = object.shift_remove("name")
    {
        object.insert("function".into(), json!({ "name": name }));
    }
}

fn anthropic_choice(choice: &mut Value) {
    flat(choice);
    let changed = match choice {
        Value::String(word) => match word.as_str() {
            "required" => json!({"type": "any"}),
            word => json!({ "type": word }),
        },
        Value::Object(object) if is_function(object) => json!({"type": "tool", "name": object.get("name")}),
        _ => return,
    };
    *choice = changed;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_becomes_the_dialects_own() {
        let schema = json!({"type": "object", "properties": {}});
        let flat = json!({"type": "function", "name": "f", "strict": false, "parameters": schema});
        let nested = json!({"type": "function", "function": {"name": "f", "strict": false, "parameters": schema}});
        for tool in [&flat, &nested] {
            for (dialect, wanted, choice) in [
                (Dialect::Chat, &nested, json!({"type": "function", "function": {"name": "f"}})),
                (Dialect::Responses, &flat, json!({"type": "function", "name": "f"})),
                (
                    Dialect::Messages,
                    &json!({"name": "f", "strict": false, "input_schema": schema}),
                    json!({"type": "tool", "name": "f"}),
                ),
            ] {
                for given in
                    [json!({"type": "function", "name": "f"}), json!({"type": "function", "function": {"name": "f"}})]
                {
                    let mut body = Map::new();
                    body.insert("tools".into(), json!([tool, null]));
                    body.insert("tool_choice".into(), given);
                    normalise(dialect, &mut body);
                    assert_eq!(body["tools"], json!([wanted]));
                    assert_eq!(body["tool_choice"], choice);
                }
            }
        }
    }

    #[test]
    fn tools_of_another_type_stay() {
        let tool = json!({"type": "web_search_20250305", "name": "web_search"});
        let mut body = Map::new();
        body.insert("tools".into(), json!([tool]));
        body.insert("tool_choice".into(), "auto".into());
        normalise(Dialect::Messages, &mut body);
        assert_eq!(body["tools"][0], tool);
        assert_eq!(body["tool_choice"], json!({"type": "auto"}));
    }
}
