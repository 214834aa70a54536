//! Tools, and how the model may choose among them.
//!
//! Invariant: a conversation with calls in it always has the tools that they are of, because the
//! API refuses it otherwise.

use sabir_types::{Block, ChatRequest, Error, Protocol, Result, Tool, ToolChoice, ToolKind, Value};
use serde_json::{Map, json};

use super::{Context, json_tool, turns};
use crate::anthropic::JSON_TOOL;

/// `toolConfig`, if there is any.
pub(super) fn config(req: &ChatRequest, wrapped: bool, cx: &mut Context<'_>) -> Result<Option<Value>> {
    let mut only: Option<&[String]> = None;
    let mut choice = match &req.tool_choice {
        None | Some(ToolChoice::None) => None,
        Some(ToolChoice::Auto) => Some(json!({"auto": {}})),
        Some(ToolChoice::Required) => Some(json!({"any": {}})),
        Some(ToolChoice::Tool { name, .. }) => Some(json!({"tool": {"name": name}})),
        Some(ToolChoice::Allowed { required, names }) => {
            only = Some(names);
            Some(if *required { json!({"any": {}}) } else { json!({"auto": {}}) })
        }
    };
    let used = used(req);
    let none = req.tool_choice == Some(ToolChoice::None);
    let mut tools = Vec::new();
    for tool in &req.tools {
        let wanted = only.is_none_or(|names| names.contains(&tool.name));
        if tool.name == JSON_TOOL && wrapped {
            let message = format!("the tool name `{JSON_TOOL}` is taken: it stands for the answer in JSON");
            return Err(Error::unsupported("tools", message));
        }
        if wanted && (!none || !used.is_empty()) {
            tools.push(spec(tool, cx)?);
            tools.extend(turns::mark(tool.cache.as_ref()));
        }
    }
    if none && !tools.is_empty() {
        cx.warn("tool_choice", "the model may still call a tool: a conversation with calls cannot go without tools");
    }
    let known = |name: &str| req.tools.iter().any(|tool| tool.name == name);
    for name in used.iter().filter(|name| !known(name)) {
        cx.warn("tools", "tools that were called before are named again: a conversation with calls has to have them");
        tools.push(json!({"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}}));
    }
    if wrapped {
        tools.push(json_tool(req));
        // Beside other tools the model may first want to call those.
        choice =
            Some(if req.tools.is_empty() || none { json!({"tool": {"name": JSON_TOOL}}) } else { json!({"any": {}}) });
    }
    if tools.is_empty() {
        return Ok(None);
    }
    let mut config = Map::new();
    config.insert("tools".into(), tools.into());
    if let Some(choice) = choice {
        config.insert("toolChoice".into(), choice);
    }
    Ok(Some(Value::Object(config)))
}

/// The names of the tools that were called before, each once.
fn used(req: &ChatRequest) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for block in req.messages.iter().flat_map(|message| &message.content) {
        if let Block::ToolCall(call) = block
            && !names.contains(&call.name.as_str())
        {
            names.push(&call.name);
        }
    }
    names
}

fn spec(tool: &Tool, cx: &mut Context<'_>) -> Result<Value> {
    let (parameters, strict) = match &tool.kind {
        ToolKind::Function { parameters, strict } => (parameters, *strict),
        ToolKind::Custom { .. } => {
            return Err(Error::unsupported("tools", "Converse has no tools that take free text"));
        }
        ToolKind::Provider { protocol: Protocol::Bedrock, data } => return Ok(data.clone()),
        ToolKind::Provider { protocol, .. } => {
            let message = format!("a tool of the protocol {protocol} cannot be sent to Converse");
            return Err(Error::unsupported("tools", message));
        }
    };
    let mut out = Map::new();
    out.insert("name".into(), tool.name.as_str().into());
    if let Some(description) = tool.description.as_deref().filter(|text| !text.is_empty()) {
        out.insert("description".into(), description.into());
    }
    let schema = parameters.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    out.insert("inputSchema".into(), json!({"json": schema}));
    match strict {
        Some(true) if cx.family.takes_schema() => {
            out.insert("strict".into(), true.into());
        }
        Some(true) => cx.warn("tools", "`strict` is left out: this model cannot be held to a schema"),
        _ => {}
    }
    Ok(json!({"toolSpec": out}))
}
