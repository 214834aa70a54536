//! Requests, written on Gemini's wire.
//!
//! Invariant: what the wire cannot say is refused by name if the answer would be another one
//! without it, and named in a warning if not.

mod config;
mod content;

use sabir_types::{ChatRequest, Error, Map, Protocol, Result, Role, Tool, ToolChoice, ToolKind, Value, Warning};
use serde_json::json;

use self::content::Contents;
use super::{model::Model, schema};

/// Writes the body of a call to `model`.
pub fn chat(req: &ChatRequest, model: &str, warnings: &mut Vec<Warning>) -> Result<Vec<u8>> {
    let kind = Model::of(model);
    let mut body = Map::new();
    let mut contents = Contents::new(kind);
    let mut system = contents.system(&req.system, warnings)?;
    for message in &req.messages {
        if message.role == Role::System {
            warn(warnings, "messages.role", "instructions within the conversation were moved to its front");
            system.extend(contents.system(&message.content, warnings)?);
        } else {
            contents.push(message, warnings)?;
        }
    }
    let contents = contents.finish();
    if contents.is_empty() {
        return Err(Error::bad_request("messages: nothing in them can be sent").with_param("messages"));
    }
    body.insert("contents".into(), Value::Array(contents));
    if !system.is_empty() {
        body.insert("systemInstruction".into(), json!({"parts": system}));
    }
    let tools = tools(req, warnings)?;
    let functions = !tools.is_empty();
    if functions {
        body.insert("tools".into(), Value::Array(tools));
    }
    // Tools may also stand in a cached content, which the choice then is about.
    let cached = kept(req).is_some_and(|members| members.contains_key("cachedContent"));
    if let Some(choice) = &req.tool_choice {
        let about_nothing = matches!(choice, ToolChoice::None | ToolChoice::Auto) && !functions && !cached;
        if !about_nothing {
            body.insert("toolConfig".into(), json!({"functionCallingConfig": tool_choice(choice)?}));
        }
    }
    let config = config::generation(req, kind, warnings)?;
    if !config.is_empty() {
        body.insert("generationConfig".into(), Value::Object(config));
    }
    left_out(req, warnings);
    match kept(req) {
        Some(members) => merge(&mut body, members),
        None => {
            for name in req.rest.members.keys() {
                warn(warnings, name, "gemini has no such member");
            }
        }
    }
    serde_json::to_vec(&Value::Object(body))
        .map_err(|e| Error::internal("the request cannot be written as JSON").with_source(e))
}

/// Says that something was left out; once per parameter.
fn warn(warnings: &mut Vec<Warning>, param: &str, message: &str) {
    if !warnings.iter().any(|warning| warning.param == param) {
        warnings.push(Warning { param: param.to_owned(), message: message.to_owned() });
    }
}

/// The members that only this wire has a word for.
fn kept(req: &ChatRequest) -> Option<&Map<String, Value>> {
    (req.rest.protocol == Some(Protocol::Gemini)).then_some(&req.rest.members)
}

/// What the path of a tool's member begins with.
const OF_TOOLS: &str = "tools.";

/// Adds members; objects are merged, and what our vocabulary said already stands.
fn merge(body: &mut Map<String, Value>, members: &Map<String, Value>) {
    for (name, value) in members.iter().filter(|(name, _)| !name.starts_with(OF_TOOLS)) {
        match (body.get_mut(name), value) {
            (None, value) => {
                body.insert(name.clone(), value.clone());
            }
            (Some(Value::Object(there)), Value::Object(more)) => merge(there, more),
            _ => {}
        }
    }
}

/// What has no place on this wire and whose absence does no harm.
fn left_out(req: &ChatRequest, warnings: &mut Vec<Warning>) {
    for (there, param, message) in [
        (req.parallel_tool_calls == Some(false), "parallel_tool_calls", "gemini cannot be kept to one call per turn"),
        (req.service_tier.is_some(), "service_tier", "gemini has no such parameter"),
        (req.verbosity.is_some(), "verbosity", "gemini has no such parameter"),
        (!req.metadata.is_empty(), "metadata", "gemini keeps no labels"),
        (req.user.is_some(), "user", "gemini has no such parameter"),
        (req.store.is_some(), "store", "gemini has no such parameter"),
        (req.prompt_cache_key.is_some(), "prompt_cache_key", "gemini caches without a key"),
    ] {
        if there {
            warn(warnings, param, message);
        }
    }
}

/// All functions in one tool, then what the provider runs itself.
fn tools(req: &ChatRequest, warnings: &mut Vec<Warning>) -> Result<Vec<Value>> {
    let mut functions = Vec::new();
    let mut others = Vec::new();
    for tool in &req.tools {
        if tool.cache.is_some() {
            warn(warnings, "cache_control", "gemini caches without marks");
        }
        match &tool.kind {
            ToolKind::Function { parameters, strict } => {
                if *strict == Some(true) {
                    warn(warnings, "tools.strict", "gemini cannot be held to a tool's schema");
                }
                functions.push(function(tool, parameters.as_ref(), kept(req)));
            }
            ToolKind::Custom { .. } => {
                return Err(Error::unsupported(
                    "tools",
                    format!("tool `{}` takes free text: gemini's take JSON only", tool.name),
                ));
            }
            ToolKind::Provider { protocol: Protocol::Gemini, data } => {
                match data.get("functionDeclarations").and_then(Value::as_array) {
                    Some(declarations) => functions.extend(declarations.iter().cloned()),
                    None => others.push(data.clone()),
                }
            }
            ToolKind::Provider { protocol, .. } => {
                return Err(Error::unsupported("tools", format!("a tool that only {protocol} providers have")));
            }
        }
    }
    if !functions.is_empty() {
        others.insert(0, json!({"functionDeclarations": functions}));
    }
    Ok(others)
}

fn function(tool: &Tool, parameters: Option<&Value>, kept: Option<&Map<String, Value>>) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), Value::from(tool.name.as_str()));
    if let Some(text) = &tool.description {
        out.insert("description".into(), Value::from(text.as_str()));
    }
    if let Some(schema) = parameters {
        // The subset is what every model understands; what it cannot say goes out as it is.
        match schema::to_wire(schema) {
            Some(subset) => out.insert("parameters".into(), subset),
            None => out.insert("parametersJsonSchema".into(), schema.clone()),
        };
    }
    for (path, value) in kept.into_iter().flatten() {
        let member = path.strip_prefix(OF_TOOLS).and_then(|path| path.strip_prefix(&*tool.name)?.strip_prefix('.'));
        if let Some(member) = member.filter(|member| !member.contains('.')) {
            out.insert(member.to_owned(), value.clone());
        }
    }
    Value::Object(out)
}

fn tool_choice(choice: &ToolChoice) -> Result<Value> {
    Ok(match choice {
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Auto => json!({"mode": "AUTO"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
        ToolChoice::Tool { name, kind: sabir_types::CallKind::Function } => {
            json!({"mode": "ANY", "allowedFunctionNames": [name]})
        }
        ToolChoice::Tool { name, .. } => {
            return Err(Error::unsupported(
                "tool_choice",
                format!("tool `{name}` takes free text: gemini's take JSON only"),
            ));
        }
        // `AUTO` takes no names; `VALIDATED` is the mode that does and still lets the model answer in words.
        ToolChoice::Allowed { required, names } => {
            json!({"mode": if *required { "ANY" } else { "VALIDATED" }, "allowedFunctionNames": names})
        }
    })
}

#[cfg(test)]
mod tests;
