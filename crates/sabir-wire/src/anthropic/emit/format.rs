//! The form of the answer.
//!
//! Invariant: [`is_wrapped`] says for every request what [`plan`] does with it, so that the reader
//! of the answer knows whether to unwrap it.

use std::borrow::Cow;

use sabir_types::{ChatRequest, Error, ResponseFormat, Result, ToolChoice, Value};
use serde::Serialize;

use super::{Context, is_native, schema};
use crate::anthropic::{JSON_TOOL, model::Model};

/// How the model is made to answer in JSON, if at all.
pub(super) enum Form<'a> {
    /// As it likes.
    Free,
    /// `output_config.format`.
    Native(Format<'a>),
    /// By calling [`JSON_TOOL`], which takes this.
    Tool { description: &'a str, schema: Cow<'a, Value> },
}

/// `output_config.format`.
#[derive(Serialize)]
pub(super) struct Format<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: Cow<'a, Value>,
}

impl<'a> Form<'a> {
    /// The tool's description and schema.
    pub(super) fn tool(&self) -> Option<(&'a str, &Cow<'a, Value>)> {
        match self {
            Self::Tool { description, schema } => Some((description, schema)),
            _ => None,
        }
    }

    /// The native format.
    pub(super) fn native(&self) -> Option<Format<'a>> {
        match self {
            Self::Native(Format { kind, schema }) => Some(Format { kind, schema: schema.clone() }),
            _ => None,
        }
    }
}

/// Whether the answer comes as a call of [`JSON_TOOL`].
pub(super) fn is_wrapped(req: &ChatRequest, model: Model) -> bool {
    let wanted = match &req.response_format {
        Some(ResponseFormat::Json) => true,
        Some(ResponseFormat::Schema(_)) => !is_native(req) && !model.takes_schema(),
        _ => false,
    };
    // A caller that demands one of its tools gets a call, not an answer.
    let demanded = matches!(
        req.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Tool { .. } | ToolChoice::Allowed { required: true, .. })
    );
    wanted && !demanded
}

/// Decides on the form.
pub(super) fn plan<'a>(req: &'a ChatRequest, cx: &mut Context<'_>) -> Result<Form<'a>> {
    if is_wrapped(req, cx.model) {
        if req.tools.iter().any(|tool| tool.name == JSON_TOOL) {
            let message = format!("the tool name `{JSON_TOOL}` is taken: it stands for the answer in JSON");
            return Err(Error::unsupported("tools", message));
        }
        return Ok(match &req.response_format {
            Some(ResponseFormat::Schema(wanted)) => Form::Tool {
                description: wanted.description.as_deref().unwrap_or(ANSWER),
                schema: schema::object(Some(&wanted.schema)),
            },
            _ => Form::Tool { description: ANSWER, schema: schema::object(None) },
        });
    }
    Ok(match &req.response_format {
        Some(ResponseFormat::Schema(wanted)) if is_native(req) || cx.model.takes_schema() => {
            let schema =
                if cx.native { Cow::Borrowed(&wanted.schema) } else { fitted(&wanted.schema, "response_format", cx) };
            Form::Native(Format { kind: "json_schema", schema })
        }
        _ => Form::Free,
    })
}

/// A schema in the dialect that models can be held to.
pub(super) fn fitted<'a>(schema: &'a Value, param: &str, cx: &mut Context<'_>) -> Cow<'a, Value> {
    let schema::Fitted { schema, moved } = schema::fit(schema);
    if !moved.is_empty() {
        let names: Vec<_> = moved.iter().map(|name| format!("`{name}`")).collect();
        cx.warn(param, &format!("not enforced, only told to the model: {}", names.join(", ")));
    }
    schema
}

const ANSWER: &str = "The answer. Call this tool exactly once, with the whole answer as its arguments: \
    the very JSON object that was asked for.";
