//! Tools, which of them to call, and the form of the answer.
//!
//! Invariant: a tool, choice or format of an unknown type is kept verbatim for providers of the
//! same protocol; a known one with a member missing is refused by name.

use sabir_types::{CallKind, Map, Protocol, ResponseFormat, Result, Schema, Tool, ToolChoice, ToolKind, Value};

use super::super::{
    fields::{Fields, shown, wrong},
    namespace,
};

/// Reads a tool, or all tools of a namespace under their full names.
pub(super) fn read(value: Value, path: &str, out: &mut Vec<Tool>) -> Result<()> {
    if value.get("type").is_none_or(|kind| kind != "namespace") {
        out.push(tool(value, path)?);
        return Ok(());
    }
    let mut fields = Fields::new(value, path, "an object with `type`")?;
    let namespace = fields.need("name")?;
    let about = fields.text("description")?.unwrap_or_default();
    for (at, value) in fields.list("tools")?.unwrap_or_default().into_iter().enumerate() {
        let mut inner = tool(value, &fields.at(&format!("tools[{at}]")))?;
        inner.name = namespace::full(&namespace, &inner.name);
        inner.description = match inner.description {
            Some(own) if !about.is_empty() => Some(format!("{about}\n{own}")),
            own => own.or_else(|| Some(about.clone()).filter(|about| !about.is_empty())),
        };
        out.push(inner);
    }
    Ok(())
}

fn tool(value: Value, path: &str) -> Result<Tool> {
    let verbatim = value.clone();
    let mut fields = Fields::new(value, path, "an object with `type`")?;
    let kind = fields.need("type")?;
    let kind = match kind.as_str() {
        "function" => ToolKind::Function {
            parameters: fields.object("parameters")?.map(Value::Object),
            strict: fields.flag("strict")?,
        },
        "custom" => ToolKind::Custom { format: fields.value("format") },
        _ => {
            let name = fields.text("name")?.unwrap_or_else(|| kind.clone());
            return Ok(provided(name, verbatim));
        }
    };
    let (name, description) = (fields.need("name")?, fields.text("description")?);
    if name.is_empty() {
        return Err(wrong(&fields.at("name"), "is empty"));
    }
    // With other members (`defer_loading`) it means something that only this protocol has.
    if !fields.rest().is_empty() {
        return Ok(provided(name, verbatim));
    }
    Ok(Tool { name, description, kind, cache: None })
}

fn provided(name: String, data: Value) -> Tool {
    let kind = ToolKind::Provider { protocol: Protocol::Responses, data };
    Tool { name, description: None, kind, cache: None }
}

/// Reads `tool_choice`; `None` if it has a type without a word here.
pub(super) fn choice(value: &Value) -> Result<Option<ToolChoice>> {
    const WANTED: &str = "expected `none`, `auto`, `required` or an object with `type`";
    if let Some(word) = value.as_str() {
        return match word {
            "none" => Ok(Some(ToolChoice::None)),
            "auto" => Ok(Some(ToolChoice::Auto)),
            "required" => Ok(Some(ToolChoice::Required)),
            other => Err(wrong("tool_choice", &format!("{WANTED}, got `{}`", shown(other)))),
        };
    }
    let Some(kind) = value.get("type").and_then(Value::as_str) else { return Err(wrong("tool_choice", WANTED)) };
    let name = || match value.get("name").and_then(Value::as_str) {
        Some(name) => Ok(name.to_owned()),
        None => Err(wrong("tool_choice.name", "missing")),
    };
    Ok(match kind {
        "function" => Some(ToolChoice::Tool { name: name()?, kind: CallKind::Function }),
        "custom" => Some(ToolChoice::Tool { name: name()?, kind: CallKind::Custom }),
        "allowed_tools" => allowed(value)?,
        _ => None,
    })
}

fn allowed(value: &Value) -> Result<Option<ToolChoice>> {
    let required = match value.get("mode").and_then(Value::as_str) {
        Some("auto") => false,
        Some("required") => true,
        _ => return Err(wrong("tool_choice.mode", "expected `auto` or `required`")),
    };
    let Some(tools) = value.get("tools").and_then(Value::as_array) else {
        return Err(wrong("tool_choice.tools", "expected an array of tools"));
    };
    // Only functions have a word here: `{"type": "mcp"}` among them stays as it is.
    let names: Option<Vec<String>> = tools
        .iter()
        .map(|tool| {
            let is_function = tool.get("type").is_none_or(|kind| kind == "function");
            tool.get("name")?.as_str().filter(|_| is_function).map(str::to_owned)
        })
        .collect();
    Ok(names.map(|names| ToolChoice::Allowed { required, names }))
}

/// Reads `text.format`; `None` if it has a type without a word here.
pub(super) fn format(value: &Value) -> Result<Option<ResponseFormat>> {
    const PATH: &str = "text.format";
    let mut fields = Fields::new(value.clone(), PATH, "an object with `type`")?;
    Ok(Some(match fields.need("type")?.as_str() {
        "text" => ResponseFormat::Text,
        "json_object" => ResponseFormat::Json,
        "json_schema" => {
            let schema = Schema {
                name: fields.need("name")?,
                description: fields.text("description")?,
                schema: Value::Object(fields.object("schema")?.unwrap_or_else(Map::new)),
                strict: fields.flag("strict")?,
            };
            fields.nothing_else()?;
            ResponseFormat::Schema(schema)
        }
        _ => return Ok(None),
    }))
}
