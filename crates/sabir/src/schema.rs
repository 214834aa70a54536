//! JSON Schemas of types, as the providers want them.
//!
//! Invariant: a strict schema says of every object that all of its members are there and no
//! others, which is what providers that hold a model to a schema ask for.

use sabir_types::{Map, Value};
use schemars::{JsonSchema, generate::SchemaSettings};

/// The schema of a type, without what only schema tools want to know.
pub fn of<T: JsonSchema>() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
        members.remove("title");
        members.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    }
    schema
}

/// The strict schema of a type.
pub fn strict_of<T: JsonSchema>() -> Value {
    strict(of::<T>())
}

/// Makes a schema strict: objects take no other members and need all of theirs (one that may be
/// left out may be null already), a default of null is gone, and a reference with something beside
/// it is what it refers to.
pub fn strict(mut schema: Value) -> Value {
    let root = schema.clone();
    tighten(&mut schema, &root, 0);
    schema
}

/// How deep a schema may refer to itself beside other members.
const DEPTH: usize = 64;

fn tighten(schema: &mut Value, root: &Value, depth: usize) {
    let Some(members) = schema.as_object_mut() else { return };
    if members.len() > 1
        && let Some(target) = members.get("$ref").and_then(Value::as_str).and_then(|path| referred(root, path))
        && depth < DEPTH
    {
        let mut whole = target.clone();
        members.remove("$ref");
        whole.extend(std::mem::take(members));
        *members = whole;
        return tighten(schema, root, depth + 1);
    }
    for table in ["$defs", "definitions"] {
        each(members.get_mut(table), root, depth);
    }
    let is_object = match members.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => false,
    };
    if is_object {
        members.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    if let Some(Value::Object(properties)) = members.get_mut("properties") {
        let names = properties.keys().map(|name| Value::String(name.clone())).collect();
        properties.values_mut().for_each(|property| tighten(property, root, depth));
        if is_object {
            members.insert("required".into(), Value::Array(names));
        }
    }
    if let Some(items) = members.get_mut("items") {
        tighten(items, root, depth);
    }
    for list in ["anyOf", "oneOf"] {
        if let Some(Value::Array(kinds)) = members.get_mut(list) {
            kinds.iter_mut().for_each(|kind| tighten(kind, root, depth));
        }
    }
    // `oneOf` is not taken, and of kinds that exclude one another it says the same.
    if let Some(kinds) = members.remove("oneOf") {
        members.insert("anyOf".into(), kinds);
    }
    match members.get_mut("allOf") {
        Some(Value::Array(parts)) if parts.len() == 1 => {
            if let Some(Value::Object(only)) = parts.pop() {
                members.remove("allOf");
                members.extend(only);
                return tighten(schema, root, depth);
            }
        }
        Some(Value::Array(parts)) => parts.iter_mut().for_each(|part| tighten(part, root, depth)),
        _ => {}
    }
    if members.get("default").is_some_and(Value::is_null) {
        members.remove("default");
    }
}

fn each(table: Option<&mut Value>, root: &Value, depth: usize) {
    if let Some(Value::Object(table)) = table {
        table.values_mut().for_each(|schema| tighten(schema, root, depth));
    }
}

fn referred<'a>(root: &'a Value, path: &str) -> Option<&'a Map<String, Value>> {
    root.pointer(path.strip_prefix('#')?)?.as_object()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_strict_schema_needs_everything() {
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only its schema counts")]
        struct Step {
            /// What to do.
            what: String,
            note: Option<String>,
        }
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only its schema counts")]
        struct Plan {
            steps: Vec<Step>,
            /// The one to begin with.
            first: Step,
        }
        let schema = strict_of::<Plan>();
        assert_eq!(schema["required"], json!(["steps", "first"]));
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["steps"]["items"], json!({"$ref": "#/$defs/Step"}));
        let first = &schema["properties"]["first"];
        assert_eq!((&first["description"], &first["type"]), (&json!("The one to begin with."), &json!("object")));
        assert!(first.get("$ref").is_none());
        assert_eq!(schema["$defs"]["Step"]["required"], json!(["what", "note"]));
        assert_eq!(schema["$defs"]["Step"]["properties"]["note"]["type"], json!(["string", "null"]));
    }

    #[test]
    fn defaults_of_null_and_wrappers_go() {
        let schema = json!({"type": "object", "properties": {
            "a": {"allOf": [{"type": "object", "properties": {}}], "default": null},
            "b": {"oneOf": [{"type": "string"}, {"type": "object", "properties": {"c": {"type": "null"}}}]},
        }});
        let wanted = json!({"type": "object", "additionalProperties": false, "required": ["a", "b"], "properties": {
            "a": {"type": "object", "properties": {}, "additionalProperties": false, "required": []},
            "b": {"anyOf": [{"type": "string"}, {
                "type": "object", "properties": {"c": {"type": "null"}}, "required": ["c"],
                "additionalProperties": false,
            }]},
        }});
        assert_eq!(strict(schema), wanted);
    }
}
