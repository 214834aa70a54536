//! Schemas: JSON Schema on our side, a subset of OpenAPI's on the wire where that says the same.
//!
//! Invariant: [`to_wire`] either loses nothing or gives `None`, and then the schema goes out as
//! JSON Schema in the member meant for that; [`from_wire`] is its inverse.

use sabir_types::{Map, Value};

/// Keywords that mean the same on both sides and hold no schema.
const SAME: &[&str] = &[
    "title",
    "description",
    "format",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "pattern",
    "required",
    "propertyOrdering",
    "default",
    "example",
];

/// The names of the types, as JSON Schema writes them.
const TYPES: &[&str] = &["string", "number", "integer", "boolean", "array", "object", "null"];

/// The formats that the subset knows, by type; others are refused there.
const FORMATS: &[&str] = &["enum", "date-time", "int32", "int64", "float", "double"];

/// The schema in the OpenAPI subset, or `None` if it says something that the subset cannot.
pub(super) fn to_wire(schema: &Value) -> Option<Value> {
    let schema = schema.as_object()?;
    let mut out = Map::new();
    for (key, value) in schema {
        let value = match key.as_str() {
            "type" => {
                let (name, nullable) = one_type(value)?;
                out.insert(key.clone(), Value::String(name.to_ascii_uppercase()));
                if nullable {
                    out.insert("nullable".into(), Value::Bool(true));
                }
                continue;
            }
            "nullable" if value.is_boolean() => value.clone(),
            "properties" => {
                let mut all = Map::new();
                for (name, property) in value.as_object()? {
                    all.insert(name.clone(), to_wire(property)?);
                }
                Value::Object(all)
            }
            "items" => to_wire(value)?,
            "anyOf" => Value::Array(value.as_array()?.iter().map(to_wire).collect::<Option<_>>()?),
            "enum" => {
                // Only texts can be enumerated there.
                let texts = value.as_array()?.iter().all(Value::is_string);
                let typed = schema.get("type").and_then(Value::as_str) == Some("string");
                if !texts || !typed {
                    return None;
                }
                value.clone()
            }
            "format" if !FORMATS.contains(&value.as_str()?) => return None,
            key if SAME.contains(&key) => value.clone(),
            _ => return None,
        };
        out.insert(key.clone(), value);
    }
    Some(Value::Object(out))
}

/// The schema as JSON Schema.
pub(super) fn from_wire(schema: Value) -> Value {
    let Value::Object(schema) = schema else { return schema };
    let nullable = schema.get("nullable").and_then(Value::as_bool).unwrap_or(false);
    let mut out = Map::new();
    let typed = schema.get("type").is_some_and(Value::is_string);
    for (key, value) in schema {
        let key = super::camel(&key).into_owned();
        let value = match (key.as_str(), value) {
            ("type", Value::String(name)) => {
                let name = name.to_ascii_lowercase();
                if nullable { Value::from(vec![name, "null".to_owned()]) } else { Value::String(name) }
            }
            ("nullable", Value::Bool(_)) if typed || !nullable => continue,
            ("properties", Value::Object(all)) => {
                Value::Object(all.into_iter().map(|(name, property)| (name, from_wire(property))).collect())
            }
            ("items", value) => from_wire(value),
            ("anyOf", Value::Array(all)) => Value::Array(all.into_iter().map(from_wire).collect()),
            (_, value) => value,
        };
        out.insert(key, value);
    }
    Value::Object(out)
}

/// The type, and whether `null` is one too.
fn one_type(value: &Value) -> Option<(&str, bool)> {
    let (name, nullable) = match value {
        Value::String(name) => (name.as_str(), false),
        Value::Array(names) => match names.as_slice() {
            [Value::String(name)] => (name.as_str(), false),
            [Value::String(name), Value::String(null)] if null == "null" => (name.as_str(), true),
            [Value::String(null), Value::String(name)] if null == "null" => (name.as_str(), true),
            _ => return None,
        },
        _ => return None,
    };
    TYPES.contains(&name).then_some((name, nullable))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_subset_can_say_goes_there_and_back() {
        let schema = json!({
            "type": "object",
            "description": "d",
            "properties": {
                "type": {"type": ["string", "null"]},
                "list": {"type": "array", "items": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "boolean"}]}},
                "word": {"type": "string", "enum": ["a", "b"]}
            },
            "required": ["type"]
        });
        let wire = to_wire(&schema).expect("nothing is lost");
        assert_eq!(wire["type"], "OBJECT");
        assert_eq!(wire["properties"]["type"], json!({"type": "STRING", "nullable": true}));
        assert_eq!(wire["properties"]["list"]["items"]["anyOf"][0]["type"], "INTEGER");
        assert_eq!(from_wire(wire), schema);
    }

    #[test]
    fn what_it_cannot_say_is_not_lost() {
        for schema in [
            json!({"type": "object", "additionalProperties": false}),
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}),
            json!({"type": ["string", "integer"]}),
            json!({"type": "integer", "enum": [1, 2]}),
            json!({"const": "x"}),
            json!({"type": "string", "format": "email"}),
            json!({"type": "array", "items": {"not": {}}}),
            json!(true),
        ] {
            assert_eq!(to_wire(&schema), None, "{schema}");
        }
    }
}
