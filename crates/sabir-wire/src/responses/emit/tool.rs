//! Tools and which of them to call.
//!
//! Invariant: a function without a word about strictness stays as loose as it is elsewhere: here
//! the server would hold the model to a schema that was not written for that.

use sabir_types::{CallKind, ChatRequest, Map, Protocol, Tool, ToolChoice, ToolKind, Value, Warning};
use serde_json::json;

use super::put;

pub(super) fn tools(req: &ChatRequest, out: &mut Map<String, Value>, warnings: &mut Vec<Warning>) {
    let as_it_came = req.rest.protocol == Some(Protocol::Responses);
    if !req.tools.is_empty() {
        out.insert("tools".into(), req.tools.iter().map(|tool| self::tool(tool, as_it_came)).collect());
    }
    put(out, "tool_choice", req.tool_choice.as_ref().map(|choice| self::choice(choice, &req.tools)));
    match req.parallel_tool_calls {
        Some(yes) if as_it_came || !req.tools.is_empty() => put(out, "parallel_tool_calls", Some(yes)),
        Some(_) => warnings.push(Warning {
            param: "parallel_tool_calls".into(),
            message: "left out: it means nothing without tools".into(),
        }),
        None => {}
    }
}

fn tool(tool: &Tool, as_it_came: bool) -> Value {
    let mut out = Map::new();
    let mut begin = |kind: &str| {
        out.insert("type".into(), kind.into());
        out.insert("name".into(), tool.name.as_str().into());
        put(&mut out, "description", tool.description.as_deref());
    };
    match &tool.kind {
        ToolKind::Function { parameters, strict } => {
            begin("function");
            // The member must be there; a function without one takes nothing.
            let nothing = || json!({"type": "object", "properties": {}});
            out.insert("parameters".into(), parameters.clone().unwrap_or_else(nothing));
            put(&mut out, "strict", strict.or((!as_it_came).then_some(false)));
        }
        ToolKind::Custom { format } => {
            begin("custom");
            put(&mut out, "format", format.as_ref().map(flat));
        }
        ToolKind::Provider { data, .. } => return data.clone(),
    }
    Value::Object(out)
}

/// A grammar, whose members chat completions keep one level below.
fn flat(format: &Value) -> Value {
    match (format.get("type"), format.get("grammar")) {
        (Some(kind), Some(Value::Object(grammar))) => {
            let mut out = Map::new();
            out.insert("type".into(), kind.clone());
            out.extend(grammar.iter().map(|(name, value)| (name.clone(), value.clone())));
            Value::Object(out)
        }
        _ => format.clone(),
    }
}

fn choice(choice: &ToolChoice, tools: &[Tool]) -> Value {
    match choice {
        ToolChoice::None => "none".into(),
        ToolChoice::Auto => "auto".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Tool { name, kind } => json!({"type": word(*kind), "name": name}),
        ToolChoice::Allowed { required, names } => {
            let kind = |name: &str| {
                let custom = tools.iter().any(|t| t.name == name && matches!(t.kind, ToolKind::Custom { .. }));
                word(if custom { CallKind::Custom } else { CallKind::Function })
            };
            let tools: Vec<Value> = names.iter().map(|name| json!({"type": kind(name), "name": name})).collect();
            json!({"type": "allowed_tools", "mode": if *required { "required" } else { "auto" }, "tools": tools})
        }
    }
}

fn word(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Function => "function",
        CallKind::Custom => "custom",
    }
}
