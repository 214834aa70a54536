//! JSON schemas in the dialect that Anthropic's models can be held to.
//!
//! Invariant: what fits the fitted schema fits the given one too, but for the limits that are told
//! to the model only (see [`Fitted::moved`]).

use std::borrow::Cow;

use sabir_types::{Map, Value};
use serde_json::json;

/// A schema that can be enforced.
pub(super) struct Fitted<'a> {
    pub(super) schema: Cow<'a, Value>,
    /// Keywords that cannot be enforced and were moved into the description.
    pub(super) moved: Vec<String>,
}

/// Keywords that the API refuses.
const LIMITS: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
    "contains",
];

/// Members whose value is a schema by name.
const NAMED: &[&str] = &["properties", "$defs", "definitions"];
/// Members whose value is a schema or a list of them.
const INNER: &[&str] = &["items", "anyOf", "allOf", "oneOf", "prefixItems"];

/// Makes a schema enforceable: objects are closed, and limits move into the description.
pub(super) fn fit(schema: &Value) -> Fitted<'_> {
    let mut copy = schema.clone();
    let mut moved = Vec::new();
    visit(&mut copy, &mut moved);
    let schema = if copy == *schema { Cow::Borrowed(schema) } else { Cow::Owned(copy) };
    Fitted { schema, moved }
}

/// A schema for a tool: it has to say that it is an object.
pub(super) fn object(schema: Option<&Value>) -> Cow<'_, Value> {
    match schema {
        Some(Value::Object(members)) if !members.contains_key("type") => {
            let mut copy = Map::new();
            copy.insert("type".to_owned(), json!("object"));
            copy.extend(members.clone());
            Cow::Owned(Value::Object(copy))
        }
        Some(schema @ Value::Object(_)) => Cow::Borrowed(schema),
        _ => Cow::Owned(json!({"type": "object", "properties": {}})),
    }
}

fn visit(schema: &mut Value, moved: &mut Vec<String>) {
    let Value::Object(members) = schema else { return };
    let mut told = Vec::new();
    for name in LIMITS {
        if let Some(limit) = members.shift_remove(*name) {
            told.push(format!("{name}: {limit}"));
            note(moved, name);
        }
    }
    // Of the lower limits on lists, 0 and 1 can be enforced.
    if let Some(limit) = members.get("minItems").filter(|limit| limit.as_u64().is_none_or(|limit| limit > 1)) {
        told.push(format!("minItems: {limit}"));
        members.insert("minItems".to_owned(), json!(1));
        note(moved, "minItems");
    }
    if is_object(members) && members.get("additionalProperties") != Some(&Value::Bool(false)) {
        if let Some(open @ Value::Object(_)) = members.get("additionalProperties") {
            told.push(format!("additionalProperties: {open}"));
            note(moved, "additionalProperties");
        }
        members.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if !told.is_empty() {
        let told = format!("({})", told.join(", "));
        let text = match members.get("description").and_then(Value::as_str) {
            Some(text) => format!("{text} {told}"),
            None => told,
        };
        members.insert("description".to_owned(), Value::String(text));
    }
    for name in NAMED {
        if let Some(Value::Object(named)) = members.get_mut(*name) {
            named.values_mut().for_each(|inner| visit(inner, moved));
        }
    }
    for name in INNER {
        match members.get_mut(*name) {
            Some(Value::Array(list)) => list.iter_mut().for_each(|inner| visit(inner, moved)),
            Some(inner) => visit(inner, moved),
            None => {}
        }
    }
}

fn is_object(members: &Map<String, Value>) -> bool {
    match members.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => members.contains_key("properties"),
    }
}

fn note(moved: &mut Vec<String>, name: &str) {
    if !moved.iter().any(|noted| noted == name) {
        moved.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_closed_and_limits_are_told() {
        let schema = json!({"type": "object", "properties": {
            "n": {"type": "integer", "minimum": 1, "description": "how many"},
            "tags": {"type": "array", "minItems": 2, "items": {"type": "object", "properties": {}}}}});
        let fitted = fit(&schema);
        assert_eq!(
            *fitted.schema,
            json!({"type": "object", "additionalProperties": false, "properties": {
                "n": {"type": "integer", "description": "how many (minimum: 1)"},
                "tags": {"type": "array", "minItems": 1, "description": "(minItems: 2)",
                    "items": {"type": "object", "properties": {}, "additionalProperties": false}}}})
        );
        assert_eq!(fitted.moved, ["minimum", "minItems"]);
    }

    #[test]
    fn a_fitting_schema_stays() {
        let schema =
            json!({"type": "object", "properties": {"minimum": {"type": "string"}}, "additionalProperties": false});
        let fitted = fit(&schema);
        assert!(matches!(fitted.schema, Cow::Borrowed(_)) && fitted.moved.is_empty());
    }
}
