//! A request to `/inference`, read.
//!
//! Invariant: every member is understood, handed back in `rest`, or refused by its path.

use sabir_types::{
    ChatRequest, Effort, Error, ErrorKind, Map, Message, Params, Reasoning, Request, ResponseFormat, Result, Role,
    Schema, Tool, ToolChoice, ToolKind, Value,
};

use super::block;
use crate::signed;

/// A request, taken apart.
#[derive(Debug, Clone)]
pub struct Inference {
    /// What is asked of the model.
    pub request: Box<ChatRequest>,
    /// The function, if one was named.
    pub function_name: Option<String>,
    /// The model, if one was named.
    pub model_name: Option<String>,
    /// The variant, if one was pinned.
    pub variant_name: Option<String>,
    /// The members that are for the gateway (`tags`, `credentials`, `cache_options`, …).
    pub rest: Map<String, Value>,
    /// Members that nobody knows.
    pub unknown: Vec<String>,
}

/// Members that are for the gateway.
const REST: [&str; 16] = [
    "episode_id",
    "namespace",
    "dryrun",
    "internal",
    "tags",
    "provider_tools",
    "credentials",
    "cache_options",
    "include_original_response",
    "include_raw_response",
    "include_raw_usage",
    "include_aggregated_response",
    "extra_body",
    "extra_headers",
    "internal_dynamic_variant_config",
    "variant_name",
];

/// Reads the request as the ledger keeps it.
pub fn inference(body: &[u8]) -> Result<Request> {
    Ok(Request::Chat(call(body)?.request))
}

/// Reads a whole request.
pub fn call(body: &[u8]) -> Result<Inference> {
    let value: Value =
        serde_json::from_slice(body).map_err(|e| Error::bad_request(format!("the body is not valid JSON: {e}")))?;
    let Value::Object(mut all) = value else {
        return Err(Error::bad_request("the body is not a JSON object"));
    };
    let mut take = |name: &str| all.remove(name).filter(|value| !value.is_null());
    let function_name = text(take("function_name"), "function_name")?;
    let model_name = text(take("model_name"), "model_name")?;
    let variant_name = text(take("variant_name"), "variant_name")?;
    let mut chat = ChatRequest::default();
    let Some(input) = take("input") else { return Err(wrong("input", "missing")) };
    self::input(input, &mut chat)?;
    chat.stream = boolean(take("stream"), "stream")?.unwrap_or(false);
    chat.stream_usage = chat.stream.then_some(true);
    chat.parallel_tool_calls = boolean(take("parallel_tool_calls"), "parallel_tool_calls")?;
    let output_schema = take("output_schema");
    let json_mode = params(take("params"), &mut chat)?;
    chat.response_format = format(json_mode.as_deref(), output_schema)?;
    tools(take("additional_tools"), take("allowed_tools"), &mut chat)?;
    if let Some(value) = take("tool_choice") {
        chat.tool_choice = Some(choice(&value)?);
    }
    let mut rest = Map::new();
    for name in REST {
        if let Some(value) = take(name) {
            rest.insert(name.to_owned(), value);
        }
    }
    let unknown = all.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name).collect();
    Ok(Inference { request: Box::new(chat), function_name, model_name, variant_name, rest, unknown })
}

/// Reads `input` into the request.
pub(super) fn input(value: Value, chat: &mut ChatRequest) -> Result<()> {
    let Value::Object(mut input) = value else { return Err(wrong("input", "expected an object with `messages`")) };
    match input.remove("system") {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => chat.system.push(sabir_types::Block::text(text)),
        Some(Value::Object(_)) => return Err(needs_function("input.system", "arguments of a template")),
        Some(_) => return Err(wrong("input.system", "expected a string")),
    }
    let messages = match input.remove("messages") {
        Some(Value::Array(messages)) if !messages.is_empty() => messages,
        None | Some(Value::Null | Value::Array(_)) => {
            return Err(wrong("input.messages", "is empty: expected at least one message"));
        }
        Some(_) => return Err(wrong("input.messages", "expected an array")),
    };
    if let Some(name) = input.keys().next() {
        return Err(wrong(&format!("input.{name}"), "no such member"));
    }
    for (at, message) in messages.into_iter().enumerate() {
        let path = format!("input.messages[{at}]");
        let Value::Object(mut message) = message else {
            return Err(wrong(&path, "expected an object with `role` and `content`"));
        };
        let role = match message.remove("role").as_ref().and_then(Value::as_str) {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some(_) => return Err(wrong(&format!("{path}.role"), "expected `user` or `assistant`")),
            None => return Err(wrong(&format!("{path}.role"), "missing")),
        };
        let content = message.remove("content").ok_or_else(|| wrong(&format!("{path}.content"), "missing"))?;
        let mut content = block::read(content, &format!("{path}.content"))?;
        signed::gather(&mut content);
        chat.messages.push(Message::new(role, content));
    }
    Ok(())
}

fn params(value: Option<Value>, chat: &mut ChatRequest) -> Result<Option<String>> {
    let mut all = match value {
        None => return Ok(None),
        Some(Value::Object(all)) => all,
        Some(_) => return Err(wrong("params", "expected an object")),
    };
    let inner = all.remove("chat_completion").unwrap_or_default();
    if let Some(name) = all.keys().next() {
        return Err(wrong(&format!("params.{name}"), "no such member: expected `chat_completion`"));
    }
    let members = match inner {
        Value::Null => return Ok(None),
        Value::Object(members) => members,
        _ => return Err(wrong("params.chat_completion", "expected an object")),
    };
    let mut json_mode = None;
    let mut reasoning = Reasoning::default();
    let Params { temperature, top_p, max_tokens, stop, seed, presence_penalty, frequency_penalty, .. } =
        &mut chat.params;
    for (name, value) in members {
        let path = format!("params.chat_completion.{name}");
        if value.is_null() {
            continue;
        }
        let number = || value.as_f64().ok_or_else(|| wrong(&path, "expected a number"));
        let whole = || value.as_i64().ok_or_else(|| wrong(&path, "expected a whole number"));
        let word = || value.as_str().map(str::to_owned).ok_or_else(|| wrong(&path, "expected a string"));
        match name.as_str() {
            "temperature" => *temperature = Some(number()?),
            "top_p" => *top_p = Some(number()?),
            "presence_penalty" => *presence_penalty = Some(number()?),
            "frequency_penalty" => *frequency_penalty = Some(number()?),
            "max_tokens" => {
                let limit = value.as_u64().ok_or_else(|| wrong(&path, "expected a whole number from 0"))?;
                *max_tokens = Some(limit);
            }
            "seed" => *seed = Some(whole()?),
            "stop_sequences" => {
                let list = value.as_array().ok_or_else(|| wrong(&path, "expected an array of strings"))?;
                *stop = list
                    .iter()
                    .map(|text| text.as_str().map(str::to_owned))
                    .collect::<Option<_>>()
                    .ok_or_else(|| wrong(&path, "expected an array of strings"))?;
            }
            "json_mode" => match word()?.as_str() {
                mode @ ("off" | "on" | "strict" | "tool") => json_mode = Some(mode.to_owned()),
                _ => return Err(wrong(&path, "expected `off`, `on`, `strict` or `tool`")),
            },
            "reasoning_effort" => {
                reasoning.effort = Some(Effort::parse(&word()?).ok_or_else(|| wrong(&path, "no such effort"))?);
            }
            "thinking_budget_tokens" => reasoning.budget_tokens = Some(whole()?),
            "service_tier" => chat.service_tier = Some(word()?),
            "verbosity" => chat.verbosity = Some(word()?),
            _ => return Err(wrong(&path, "no such parameter")),
        }
    }
    if reasoning != Reasoning::default() {
        chat.reasoning = Some(reasoning);
    }
    Ok(json_mode)
}

fn format(mode: Option<&str>, schema: Option<Value>) -> Result<Option<ResponseFormat>> {
    let schema = match schema {
        None => None,
        Some(schema @ Value::Object(_)) => Some(schema),
        Some(_) => return Err(wrong("output_schema", "expected a JSON schema")),
    };
    let named = |schema| {
        ResponseFormat::Schema(Schema {
            name: "response".into(),
            description: None,
            schema,
            strict: Some(mode != Some("on")),
        })
    };
    Ok(match (mode, schema) {
        (Some("off"), _) | (None, None) => None,
        (Some("on"), None) => Some(ResponseFormat::Json),
        (_, Some(schema)) => Some(named(schema)),
        (Some(_), None) => {
            return Err(wrong("output_schema", "missing: `json_mode` is `strict` or `tool`"));
        }
    })
}

fn tools(additional: Option<Value>, allowed: Option<Value>, chat: &mut ChatRequest) -> Result<()> {
    let items = match additional {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(wrong("additional_tools", "expected an array of tools")),
    };
    for (at, item) in items.into_iter().enumerate() {
        chat.tools.push(tool(item, &format!("additional_tools[{at}]"))?);
    }
    let Some(allowed) = allowed else { return Ok(()) };
    let names: Option<Vec<String>> =
        allowed.as_array().and_then(|list| list.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    let Some(names) = names else { return Err(wrong("allowed_tools", "expected an array of tools' names")) };
    if let Some(name) = names.iter().find(|name| !chat.tools.iter().any(|tool| tool.name == **name)) {
        return Err(wrong("allowed_tools", &format!("no tool named `{name}` is known")));
    }
    chat.tools.retain(|tool| names.contains(&tool.name));
    Ok(())
}

fn tool(value: Value, path: &str) -> Result<Tool> {
    let Value::Object(mut all) = value else { return Err(wrong(path, "expected an object with `name`")) };
    let kind = text(all.remove("type"), &format!("{path}.type"))?;
    let name = text(all.remove("name"), &format!("{path}.name"))?;
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| wrong(&format!("{path}.name"), "missing"))?;
    let description = text(all.remove("description"), &format!("{path}.description"))?;
    let kind = match kind.as_deref() {
        None | Some("function" | "client_side_function") => {
            let parameters = all.remove("parameters").filter(|value| !value.is_null());
            if parameters.as_ref().is_some_and(|value| !value.is_object()) {
                return Err(wrong(&format!("{path}.parameters"), "expected a JSON schema"));
            }
            let strict = boolean(all.remove("strict"), &format!("{path}.strict"))?;
            ToolKind::Function { parameters, strict }
        }
        Some("openai_custom") => ToolKind::Custom { format: all.remove("format").filter(|value| !value.is_null()) },
        Some(_) => return Err(wrong(&format!("{path}.type"), "expected `function` or `openai_custom`")),
    };
    match all.keys().next() {
        Some(name) => Err(wrong(&format!("{path}.{name}"), "no such member")),
        None => Ok(Tool { name, description, kind, cache: None }),
    }
}

fn choice(value: &Value) -> Result<ToolChoice> {
    match value {
        Value::String(word) => match word.as_str() {
            "none" => Ok(ToolChoice::None),
            "auto" => Ok(ToolChoice::Auto),
            "required" => Ok(ToolChoice::Required),
            _ => Err(wrong("tool_choice", "expected `none`, `auto`, `required` or `{\"specific\": name}`")),
        },
        _ => match value.get("specific").and_then(Value::as_str) {
            Some(name) => Ok(ToolChoice::Tool { name: name.to_owned(), kind: sabir_types::CallKind::Function }),
            None => Err(wrong("tool_choice", "expected `none`, `auto`, `required` or `{\"specific\": name}`")),
        },
    }
}

pub(super) fn text(value: Option<Value>, path: &str) -> Result<Option<String>> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(path, "expected a string")),
    }
}

fn boolean(value: Option<Value>, path: &str) -> Result<Option<bool>> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(yes)) => Ok(Some(yes)),
        Some(_) => Err(wrong(path, "expected true or false")),
    }
}

pub(super) fn wrong(path: &str, what: &str) -> Error {
    Error::bad_request(format!("{path}: {what}")).with_param(path)
}

/// Something that only makes sense for a function.
pub(super) fn needs_function(path: &str, what: &str) -> Error {
    Error::new(
        ErrorKind::NotImplemented,
        format!("{path}: {what} need a function, and functions are not supported yet"),
    )
    .with_param(path)
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
