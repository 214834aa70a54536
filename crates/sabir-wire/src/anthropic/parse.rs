//! A request from a client of this protocol.
//!
//! Invariant: nothing that the client wrote is lost. What has no word of ours rides in `rest`; a
//! member of a known object rides there under its path (`output_config.task_budget`,
//! `tools.get_weather.defer_loading`), and `emit` puts it back where it was.

use std::borrow::Cow;

use sabir_types::{
    Block, CallKind, ChatRequest, Effort, Error, Map, Message, Params, Protocol, Reasoning, ResponseFormat, Rest,
    Result, Role, Schema, Tool, ToolChoice, ToolKind, Value,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::block::{self, Fault, Mark};
use crate::signed;

/// Reads a request. Errors say where (`messages.0.content.1.text`).
pub fn chat(body: &[u8]) -> Result<ChatRequest> {
    let wire: Body<'_> = match serde_json::from_slice(body) {
        Ok(wire) => wire,
        Err(error) => return Err(locate(body, &error)),
    };
    read(wire).map_err(|fault| {
        let message =
            if fault.path.is_empty() { fault.message } else { format!("`{}`: {}", fault.path, fault.message) };
        Error::bad_request(message).with_param(fault.path)
    })
}

fn read(wire: Body<'_>) -> Result<ChatRequest, Fault> {
    let mut rest = wire.rest;
    if wire.messages.is_empty() {
        return Err(Fault::new("must not be empty").under("messages"));
    }
    let mut messages = Vec::with_capacity(wire.messages.len());
    for (at, message) in wire.messages.into_iter().enumerate() {
        messages.push(turn(message).map_err(|fault| fault.under(format_args!("messages.{at}")))?);
    }
    let mut tools = Vec::with_capacity(wire.tools.as_ref().map_or(0, Vec::len));
    for (at, raw) in wire.tools.unwrap_or_default().into_iter().enumerate() {
        tools.push(tool(raw, &mut rest).map_err(|fault| fault.under(format_args!("tools.{at}")))?);
    }
    let (tool_choice, parallel_tool_calls) = match wire.tool_choice {
        Some(choice) => choose(choice, &mut rest).map_err(|fault| fault.under("tool_choice"))?,
        None => (None, None),
    };
    let mut reasoning = None;
    if let Some(thinking) = wire.thinking {
        think(thinking, &mut reasoning, &mut rest);
    }
    let mut response_format = None;
    if let Some(config) = wire.output_config {
        if let Some(Value::String(word)) = config.effort {
            match Effort::parse(&word) {
                Some(effort) => reasoning.get_or_insert_with(Reasoning::default).effort = Some(effort),
                None => {
                    rest.insert("output_config.effort".to_owned(), Value::String(word));
                }
            }
        }
        if let Some(format) = config.format {
            shape(format, "output_config.format", &mut response_format, &mut rest);
        }
        keep("output_config", config.rest, &mut rest);
    }
    if let Some(format) = wire.output_format {
        shape(format, "output_format", &mut response_format, &mut rest);
    }
    let mut user = None;
    if let Some(metadata) = wire.metadata {
        user = metadata.user_id;
        keep("metadata", metadata.rest, &mut rest);
    }
    Ok(ChatRequest {
        system: match wire.system {
            Some(raw) => instructions(raw).map_err(|fault| fault.under("system"))?,
            None => Vec::new(),
        },
        messages,
        tools,
        tool_choice,
        parallel_tool_calls,
        response_format,
        params: Params {
            temperature: wire.temperature,
            top_p: wire.top_p,
            top_k: wire.top_k,
            max_tokens: wire.max_tokens,
            stop: wire.stop_sequences.unwrap_or_default(),
            ..Params::default()
        },
        reasoning,
        stream: wire.stream.unwrap_or(false),
        service_tier: wire.service_tier,
        user,
        rest: Rest { protocol: Some(Protocol::Anthropic), members: rest },
        ..ChatRequest::default()
    })
}

fn instructions(raw: &RawValue) -> Result<Vec<Block>, Fault> {
    let blocks = block::content(raw)?;
    match blocks.iter().position(|block| !matches!(block, Block::Text(_) | Block::Unknown(_))) {
        Some(at) => Err(Fault::new(format!("must be a text block, got {}", blocks[at].kind())).under(at)),
        None => Ok(blocks),
    }
}

fn turn(message: Turn<'_>) -> Result<Message, Fault> {
    let role = match message.role.as_ref() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        other => return Err(Fault::new(format!("must be `user` or `assistant`, got `{other}`")).under("role")),
    };
    let content = message.content.ok_or_else(|| Fault::new("`content` is missing"))?;
    let mut content = block::content(content).map_err(|fault| fault.under("content"))?;
    signed::gather(&mut content);
    Ok(Message { role, content, name: None, rest: message.rest })
}

fn tool(raw: &RawValue, rest: &mut Map<String, Value>) -> Result<Tool, Fault> {
    let wire: Wire = serde_json::from_str(raw.get()).map_err(|e| Fault::json(&e))?;
    if wire.kind.as_deref().is_some_and(|kind| kind != "custom") {
        let data = serde_json::from_str(raw.get()).map_err(|e| Fault::json(&e))?;
        return Ok(Tool {
            name: wire.name.unwrap_or_default(),
            description: None,
            kind: ToolKind::Provider { protocol: Protocol::Anthropic, data },
            cache: None,
        });
    }
    let name = wire.name.ok_or_else(|| Fault::new("`name` is missing"))?;
    let cache = wire.cache_control.and_then(|value| {
        let cache = Mark::deserialize(&value).ok().and_then(|mark| mark.understood());
        if cache.is_none() && !value.is_null() {
            rest.insert(format!("tools.{name}.cache_control"), value);
        }
        cache
    });
    keep(&format!("tools.{name}"), wire.rest, rest);
    let kind = ToolKind::Function { parameters: wire.input_schema, strict: wire.strict };
    Ok(Tool { name, description: wire.description, kind, cache })
}

fn choose(choice: Choice, rest: &mut Map<String, Value>) -> Result<(Option<ToolChoice>, Option<bool>), Fault> {
    let chosen = match choice.kind.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Tool {
            name: choice.name.ok_or_else(|| Fault::new("`name` is missing"))?,
            kind: CallKind::Function,
        },
        other => {
            let message = format!("must be `auto`, `any`, `tool` or `none`, got `{other}`");
            return Err(Fault::new(message).under("type"));
        }
    };
    keep("tool_choice", choice.rest, rest);
    Ok((Some(chosen), choice.disable_parallel_tool_use.map(|disabled| !disabled)))
}

/// Reads `thinking`; what it says in other words than ours is kept whole.
fn think(thinking: Map<String, Value>, reasoning: &mut Option<Reasoning>, rest: &mut Map<String, Value>) {
    let budget = thinking.get("budget_tokens").and_then(Value::as_i64).filter(|budget| *budget > 0);
    let read = match (thinking.get("type").and_then(Value::as_str), budget) {
        (Some("enabled"), Some(budget)) => Reasoning { budget_tokens: Some(budget), ..Reasoning::default() },
        (Some("adaptive"), None) => Reasoning { adaptive: true, ..Reasoning::default() },
        (Some("disabled"), None) => Reasoning { budget_tokens: Some(0), ..Reasoning::default() },
        _ => {
            rest.insert("thinking".to_owned(), Value::Object(thinking));
            return;
        }
    };
    let mut read = read;
    for (name, value) in thinking {
        match (name.as_str(), value) {
            ("type" | "budget_tokens", _) => {}
            ("display", Value::String(display)) => read.summary = Some(display),
            (name, value) => {
                rest.insert(format!("thinking.{name}"), value);
            }
        }
    }
    *reasoning = Some(read);
}

/// Reads an output format; what is not a JSON schema is kept whole.
fn shape(mut format: Value, path: &str, slot: &mut Option<ResponseFormat>, rest: &mut Map<String, Value>) {
    let known = format.as_object().is_some_and(|format| {
        format.get("type").and_then(Value::as_str) == Some("json_schema")
            && format.contains_key("schema")
            && format.keys().all(|name| matches!(name.as_str(), "type" | "schema"))
    });
    if known && slot.is_none() {
        let schema = format.get_mut("schema").map(Value::take).unwrap_or_default();
        let name = "response".to_owned();
        *slot = Some(ResponseFormat::Schema(Schema { name, description: None, schema, strict: Some(true) }));
    } else if !format.is_null() {
        rest.insert(path.to_owned(), format);
    }
}

fn keep(path: &str, members: Map<String, Value>, rest: &mut Map<String, Value>) {
    for (name, value) in members {
        rest.insert(format!("{path}.{name}"), value);
    }
}

/// Reads the body once more, to say where it is wrong.
fn locate(body: &[u8], error: &serde_json::Error) -> Error {
    if !error.is_data() {
        return Error::bad_request(format!("body is not JSON: {error}"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, Body<'_>>(&mut reader) {
        Err(traced) => {
            let path = traced.path().to_string().replace('[', ".").replace(']', "");
            let message = Fault::json(traced.inner()).message;
            if path == "." {
                Error::bad_request(message)
            } else {
                Error::bad_request(format!("`{path}`: {message}")).with_param(path)
            }
        }
        Ok(_) => Error::bad_request(Fault::json(error).message),
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "model", borrow)]
    _model: Option<Cow<'a, str>>,
    max_tokens: Option<u64>,
    #[serde(borrow)]
    system: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Vec<Turn<'a>>,
    #[serde(borrow)]
    tools: Option<Vec<&'a RawValue>>,
    tool_choice: Option<Choice>,
    thinking: Option<Map<String, Value>>,
    output_config: Option<OutputConfig>,
    output_format: Option<Value>,
    stop_sequences: Option<Vec<String>>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u32>,
    metadata: Option<Metadata>,
    service_tier: Option<String>,
    stream: Option<bool>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct Turn<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    description: Option<String>,
    input_schema: Option<Value>,
    strict: Option<bool>,
    cache_control: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    disable_parallel_tool_use: Option<bool>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct OutputConfig {
    effort: Option<Value>,
    format: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct Metadata {
    user_id: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}
