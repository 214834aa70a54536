//! Tools, which of them to call, and the form of the answer.
//!
//! Invariant: a tool, choice or format of an unknown type is kept verbatim for providers of the
//! same protocol; a known one with a member missing is refused by name.

use sabir_types::{CallKind, Map, Protocol, ResponseFormat, Result, Schema, Tool, ToolChoice, ToolKind, Value};

use super::{
    object::{foreign, object, wrong},
    part::cache,
};

object!(ToolIn: "an object with `type`" {
    "type" => kind: String,
    "function" => function: FunctionIn,
    "custom" => custom: CustomIn,
    "cache_control" => cache_control: Value,
});

object!(FunctionIn: "an object with `name`" {
    "name" => name: String,
    "description" => description: String,
    "parameters" => parameters: Map<String, Value>,
    "strict" => strict: bool,
    "cache_control" => cache_control: Value,
});

object!(CustomIn: "an object with `name`" {
    "name" => name: String,
    "description" => description: String,
    "format" => format: Value,
});

impl ToolIn {
    pub(super) fn tool(self, path: &str) -> Result<Tool> {
        let kind = match (&self.kind, &self.function, &self.custom) {
            (Some(kind), ..) => kind.clone(),
            (None, Some(_), None) => "function".to_owned(),
            (None, None, Some(_)) => "custom".to_owned(),
            (None, ..) => return Err(wrong(&format!("{path}.type"), "missing")),
        };
        match kind.as_str() {
            "function" => {
                only(&self.rest, path)?;
                let at = format!("{path}.function");
                let mut function = self.function.ok_or_else(|| wrong(&at, "missing"))?;
                function.cache_control = self.cache_control.or(function.cache_control);
                function.tool(&at)
            }
            "custom" => {
                only(&self.rest, path)?;
                let at = format!("{path}.custom");
                let custom = self.custom.ok_or_else(|| wrong(&at, "missing"))?;
                only(&custom.rest, &at)?;
                Ok(Tool {
                    name: named(custom.name, &at)?,
                    description: custom.description,
                    kind: ToolKind::Custom { format: custom.format },
                    cache: cache(None, self.cache_control),
                })
            }
            _ => {
                let mut data = Map::new();
                data.insert("type".into(), kind.into());
                data.extend(self.rest);
                Ok(Tool {
                    name: String::new(),
                    description: None,
                    kind: ToolKind::Provider { protocol: Protocol::OpenAi, data: Value::Object(data) },
                    cache: cache(None, self.cache_control),
                })
            }
        }
    }
}

impl FunctionIn {
    pub(super) fn tool(self, path: &str) -> Result<Tool> {
        only(&self.rest, path)?;
        Ok(Tool {
            name: named(self.name, path)?,
            description: self.description,
            kind: ToolKind::Function { parameters: self.parameters.map(Value::Object), strict: self.strict },
            cache: cache(None, self.cache_control),
        })
    }
}

/// Reads `tool_choice`; `None` if it has a type without a word here.
pub(super) fn choice(value: &Value) -> Result<Option<ToolChoice>> {
    const WANTED: &str = "expected `none`, `auto`, `required` or an object with `type`";
    if let Some(word) = value.as_str() {
        return match word {
            "none" => Ok(Some(ToolChoice::None)),
            "auto" => Ok(Some(ToolChoice::Auto)),
            // Mistral's word is `any`.
            "required" | "any" => Ok(Some(ToolChoice::Required)),
            other => Err(wrong("tool_choice", &format!("{WANTED}, got `{}`", shown(other)))),
        };
    }
    let Some(kind) = value.get("type").and_then(Value::as_str) else { return Err(wrong("tool_choice", WANTED)) };
    match kind {
        "function" => Ok(Some(ToolChoice::Tool {
            name: text(value, "tool_choice", "/function/name")?.to_owned(),
            kind: CallKind::Function,
        })),
        "custom" => Ok(Some(ToolChoice::Tool {
            name: text(value, "tool_choice", "/custom/name")?.to_owned(),
            kind: CallKind::Custom,
        })),
        "allowed_tools" => allowed(value).map(Some),
        _ => Ok(None),
    }
}

fn allowed(value: &Value) -> Result<ToolChoice> {
    let required = match text(value, "tool_choice", "/allowed_tools/mode")? {
        "auto" => false,
        "required" => true,
        other => {
            let got = format!("expected `auto` or `required`, got `{}`", shown(other));
            return Err(wrong("tool_choice.allowed_tools.mode", &got));
        }
    };
    let Some(tools) = value.pointer("/allowed_tools/tools").and_then(Value::as_array) else {
        return Err(wrong("tool_choice.allowed_tools.tools", "expected an array of tools"));
    };
    let mut names = Vec::with_capacity(tools.len());
    for (at, tool) in tools.iter().enumerate() {
        let name = ["/function/name", "/custom/name", "/name"].iter().find_map(|p| tool.pointer(p)?.as_str());
        let Some(name) = name else {
            return Err(wrong(&format!("tool_choice.allowed_tools.tools[{at}]"), "expected a tool with a name"));
        };
        names.push(name.to_owned());
    }
    Ok(ToolChoice::Allowed { required, names })
}

/// Reads the old `function_call` of a request.
pub(super) fn legacy_choice(value: &Value) -> Result<ToolChoice> {
    match (value.as_str(), value.get("name").and_then(Value::as_str)) {
        (Some("none"), _) => Ok(ToolChoice::None),
        (Some("auto"), _) => Ok(ToolChoice::Auto),
        (None, Some(name)) => Ok(ToolChoice::Tool { name: name.to_owned(), kind: CallKind::Function }),
        _ => Err(wrong("function_call", "expected `none`, `auto` or an object with `name`")),
    }
}

/// Reads `response_format`; `None` if it has a type without a word here.
pub(super) fn format(value: &Value) -> Result<Option<ResponseFormat>> {
    let Some(kind) = value.get("type").and_then(Value::as_str) else {
        return Err(wrong("response_format", "expected an object with `type`"));
    };
    match kind {
        "text" => Ok(Some(ResponseFormat::Text)),
        "json_object" => Ok(Some(ResponseFormat::Json)),
        "json_schema" => {
            let path = "response_format.json_schema";
            let Some(Value::Object(members)) = value.get("json_schema") else {
                return Err(wrong(path, "expected an object with `name` and `schema`"));
            };
            let name = text(value, "response_format", "/json_schema/name")?.to_owned();
            let mut schema = Schema { name, description: None, schema: Value::Object(Map::new()), strict: None };
            for (key, value) in members {
                match (key.as_str(), value) {
                    ("name", _) | (_, Value::Null) => {}
                    ("description", Value::String(text)) => schema.description = Some(text.clone()),
                    ("description", _) => return Err(wrong(&format!("{path}.description"), "expected a string")),
                    ("schema", Value::Object(_)) => schema.schema = value.clone(),
                    ("schema", _) => return Err(wrong(&format!("{path}.schema"), "expected an object")),
                    ("strict", Value::Bool(yes)) => schema.strict = Some(*yes),
                    ("strict", _) => return Err(wrong(&format!("{path}.strict"), "expected true or false")),
                    (other, _) => return Err(foreign(&format!("{path}.{other}"))),
                }
            }
            Ok(Some(ResponseFormat::Schema(schema)))
        }
        _ => Ok(None),
    }
}

fn named(name: Option<String>, path: &str) -> Result<String> {
    match name {
        Some(name) if !name.is_empty() => Ok(name),
        Some(_) => Err(wrong(&format!("{path}.name"), "is empty")),
        None => Err(wrong(&format!("{path}.name"), "missing")),
    }
}

fn text<'a>(value: &'a Value, root: &str, pointer: &str) -> Result<&'a str> {
    let at = || format!("{root}{}", pointer.replace('/', "."));
    match value.pointer(pointer) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(wrong(&at(), "expected a string")),
        None => Err(wrong(&at(), "missing")),
    }
}

/// There is no place for other members of a tool: they are named, not dropped.
fn only(rest: &Map<String, Value>, path: &str) -> Result<()> {
    match rest.iter().find(|(_, value)| !value.is_null()) {
        Some((name, _)) => Err(foreign(&format!("{path}.{name}"))),
        None => Ok(()),
    }
}

/// The beginning of a word that the caller sent.
pub(super) fn shown(word: &str) -> String {
    word.chars().take(40).collect()
}
