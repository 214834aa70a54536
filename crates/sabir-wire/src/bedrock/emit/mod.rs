//! A request to Bedrock.
//!
//! Invariant: [`wraps_json`] says for every request what [`chat`] does with it, so that the reader of the
//! answer knows whether to unwrap it.

mod media;
mod params;
mod tools;
mod turns;

use sabir_types::{ChatRequest, Error, Map, Protocol, ResponseFormat, Result, ToolChoice, Value, Warning};
use serde_json::json;

use super::family::Family;
use crate::anthropic::JSON_TOOL;

/// Writes the body of a request. What is left out without harm is added to `warnings`.
pub fn chat(req: &ChatRequest, model: &str, warnings: &mut Vec<Warning>) -> Result<Vec<u8>> {
    let mut cx = Context { family: Family::of(model), warnings };
    let wrapped = wraps_json(req, model);
    let mut body = Map::new();
    let (system, messages) = turns::write(req, &mut cx)?;
    body.insert("messages".into(), messages.into());
    if !system.is_empty() {
        body.insert("system".into(), system.into());
    }
    let forced = wrapped || params::is_forced(req);
    let thinking = params::thinking(req, forced, &mut cx);
    let config = params::inference(req, &thinking, &mut cx);
    if !config.is_empty() {
        body.insert("inferenceConfig".into(), Value::Object(config));
    }
    if let Some(tools) = tools::config(req, wrapped, &mut cx)? {
        body.insert("toolConfig".into(), tools);
    }
    if let Some(ResponseFormat::Schema(wanted)) = req.response_format.as_ref().filter(|_| !wrapped) {
        let mut schema = Map::new();
        schema.insert("name".into(), wanted.name.as_str().into());
        schema.insert("schema".into(), wanted.schema.to_string().into());
        if let Some(description) = &wanted.description {
            schema.insert("description".into(), description.as_str().into());
        }
        let format = json!({"type": "json_schema", "structure": {"jsonSchema": schema}});
        body.insert("outputConfig".into(), json!({"textFormat": format}));
    }
    if !thinking.members.is_empty() {
        body.insert("additionalModelRequestFields".into(), Value::Object(thinking.members));
    }
    params::small(req, &mut body, &mut cx);
    if req.rest.protocol == Some(Protocol::Bedrock) {
        for (name, value) in &req.rest.members {
            body.entry(name.clone()).or_insert_with(|| value.clone());
        }
    } else {
        req.rest.members.keys().for_each(|name| cx.left_out(name));
    }
    serde_json::to_vec(&body).map_err(|e| Error::internal("request cannot be written").with_source(e))
}

/// Whether the answer to this request comes as the call of a tool, which has to be turned back into
/// text: models that know no form of the answer are made to call one.
pub fn wraps_json(req: &ChatRequest, model: &str) -> bool {
    let wanted = match &req.response_format {
        Some(ResponseFormat::Json) => true,
        Some(ResponseFormat::Schema(_)) => {
            !Family::of(model).takes_schema() && req.rest.protocol != Some(Protocol::Bedrock)
        }
        _ => false,
    };
    // A caller that demands one of its tools gets a call, not an answer.
    let demanded = matches!(
        req.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Tool { .. } | ToolChoice::Allowed { required: true, .. })
    );
    wanted && !demanded
}

/// The tool that stands for an answer in JSON.
fn json_tool(req: &ChatRequest) -> Value {
    let (description, schema) = match &req.response_format {
        Some(ResponseFormat::Schema(wanted)) => (wanted.description.as_deref(), Some(&wanted.schema)),
        _ => (None, None),
    };
    let schema = schema.cloned().unwrap_or_else(|| json!({"type": "object"}));
    let description = description.unwrap_or("The answer. Call this tool exactly once, with the whole answer.");
    json!({"toolSpec": {"name": JSON_TOOL, "description": description, "inputSchema": {"json": schema}}})
}

/// What the parts of a request are written after.
struct Context<'w> {
    family: Family,
    warnings: &'w mut Vec<Warning>,
}

impl Context<'_> {
    /// Says, once, that something was left out or changed.
    fn warn(&mut self, param: &str, message: &str) {
        if !self.warnings.iter().any(|warning| warning.param == param && warning.message == message) {
            self.warnings.push(Warning { param: param.to_owned(), message: message.to_owned() });
        }
    }

    fn left_out(&mut self, param: &str) {
        self.warn(param, "left out: Converse has no such member");
    }
}

#[cfg(test)]
mod tests;
