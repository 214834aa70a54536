//! Tools and the choice among them.
//!
//! Invariant: a choice among some tools offers only those, so that the model cannot call another.

use std::borrow::Cow;

use sabir_types::{CallKind, ChatRequest, Error, Protocol, Result, ToolChoice, ToolKind, Value};
use serde::Serialize;

use super::{Context, Members, Rest, format, schema};
use crate::anthropic::{JSON_TOOL, block::CacheMark};

/// One tool.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Tool<'a> {
    /// A tool that the provider runs.
    Raw(&'a Value),
    /// A function.
    Function {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        input_schema: Cow<'a, Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheMark<'a>>,
        #[serde(flatten)]
        rest: Members<'a>,
    },
}

/// `tool_choice`.
#[derive(Serialize)]
pub(super) struct Choice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_parallel_tool_use: Option<bool>,
    #[serde(flatten)]
    rest: Members<'a>,
}

impl Choice<'_> {
    /// Whether the model must call a tool, which goes ill with thinking.
    pub(super) fn is_forced(&self) -> bool {
        matches!(self.kind, "any" | "tool")
    }
}

/// The tools, the one that stands for an answer in JSON last.
pub(super) fn list<'a>(
    req: &'a ChatRequest,
    rest: &Rest<'a>,
    json: Option<(&'a str, &Cow<'a, Value>)>,
    cx: &mut Context<'_>,
) -> Result<Vec<Tool<'a>>> {
    let mut tools = Vec::with_capacity(req.tools.len() + 1);
    for tool in &req.tools {
        match &req.tool_choice {
            Some(ToolChoice::Allowed { names, .. }) if !names.contains(&tool.name) => continue,
            _ => {}
        }
        tools.push(match &tool.kind {
            ToolKind::Function { parameters, strict } => {
                let strict = if cx.native || cx.model.takes_schema() {
                    *strict
                } else {
                    if *strict == Some(true) {
                        cx.warn("tools", "`strict` left out: the model cannot be held to a schema");
                    }
                    None
                };
                let input_schema = match parameters {
                    Some(given) if cx.native => Cow::Borrowed(given),
                    Some(given) if strict == Some(true) => match format::fitted(given, "tools", cx) {
                        Cow::Borrowed(given) => schema::object(Some(given)),
                        Cow::Owned(given) => Cow::Owned(schema::object(Some(&given)).into_owned()),
                    },
                    given => schema::object(given.as_ref()),
                };
                Tool::Function {
                    name: &tool.name,
                    description: tool.description.as_deref(),
                    input_schema,
                    strict,
                    cache_control: CacheMark::of(tool.cache.as_ref()),
                    rest: rest.under(&format!("tools.{}", tool.name)),
                }
            }
            ToolKind::Provider { protocol: Protocol::Anthropic, data } => Tool::Raw(data),
            ToolKind::Provider { protocol, .. } => {
                let message =
                    format!("the Messages API cannot run the tool `{}` of the protocol {protocol}", tool.name);
                return Err(Error::unsupported("tools", message));
            }
            ToolKind::Custom { .. } => {
                let message = format!("the Messages API has no free-text tools like `{}`", tool.name);
                return Err(Error::unsupported("tools", message));
            }
        });
    }
    if let Some((description, schema)) = json {
        tools.push(Tool::Function {
            name: JSON_TOOL,
            description: Some(description),
            input_schema: schema.clone(),
            strict: None,
            cache_control: None,
            rest: Members::new(),
        });
    }
    Ok(tools)
}

/// The choice among `count` tools.
pub(super) fn choice<'a>(
    req: &'a ChatRequest,
    rest: &Rest<'a>,
    json: Option<(&'a str, &Cow<'a, Value>)>,
    count: usize,
    cx: &mut Context<'_>,
) -> Result<Option<Choice<'a>>> {
    let own = count - usize::from(json.is_some());
    let (kind, name) = match &req.tool_choice {
        // The answer in JSON is a tool too: whoever may call none of the others must call that one.
        None | Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) if json.is_some() && own > 0 => {
            ("any", None)
        }
        _ if json.is_some() => ("tool", Some(JSON_TOOL)),
        None if req.parallel_tool_calls == Some(false) && own > 0 => ("auto", None),
        None => return Ok(None),
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => ("auto", None),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => ("any", None),
        Some(ToolChoice::Tool { kind: CallKind::Custom, name }) => {
            let message = format!("the Messages API has no free-text tools like `{name}`");
            return Err(Error::unsupported("tool_choice", message));
        }
        Some(ToolChoice::Tool { name, .. }) => ("tool", Some(name.as_str())),
    };
    if count == 0 && !cx.native {
        if matches!(kind, "any" | "tool") {
            return Err(Error::bad_request("a tool must be called, but there are none").with_param("tool_choice"));
        }
        return Ok(None);
    }
    let disable_parallel_tool_use = match req.parallel_tool_calls {
        _ if kind == "none" => None,
        Some(false) => Some(true),
        Some(true) if cx.native => Some(false),
        // Two answers in JSON would be one too many.
        _ if json.is_some() && own == 0 => Some(true),
        _ => None,
    };
    Ok(Some(Choice { kind, name, disable_parallel_tool_use, rest: rest.under("tool_choice") }))
}
