//! A request, written for a provider that speaks the Responses API.
//!
//! Invariant: what the protocol has no word for is an error or a warning that names it. A request
//! that `parse` read says so in its `rest.protocol`, and then goes out as it came in.

mod item;
mod tool;

use sabir_types::{ChatRequest, Error, Map, Protocol, ResponseFormat, Result, Value, Warning};
use serde_json::json;

use super::{ENCRYPTED, LOGPROBS};
use crate::openai::emit::{effort_for, is_reasoning_model};

/// The body of a request.
pub fn chat(req: &ChatRequest, model: &str, warnings: &mut Vec<Warning>) -> Result<Vec<u8>> {
    body(req, model, false, warnings)
}

/// The body of a request whose answer shall hold thoughts that can be sent back.
pub fn chat_with_thoughts(req: &ChatRequest, model: &str, warnings: &mut Vec<Warning>) -> Result<Vec<u8>> {
    body(req, model, true, warnings)
}

fn body(req: &ChatRequest, model: &str, thoughts: bool, warnings: &mut Vec<Warning>) -> Result<Vec<u8>> {
    refuse(req)?;
    let mut out = Map::new();
    out.insert("model".into(), model.into());
    let (instructions, input) = item::Writer::new(req, warnings).conversation()?;
    put(&mut out, "instructions", instructions);
    if !input.is_empty() {
        out.insert("input".into(), input.into());
    }
    tool::tools(req, &mut out, warnings);
    text(req, &mut out);
    params(req, &mut out, warnings);
    reasoning(req, &mut out, warnings);
    if req.stream {
        // Usage comes at the end whether it is asked for or not.
        out.insert("stream".into(), true.into());
    }
    put(&mut out, "service_tier", req.service_tier.as_deref());
    if !req.metadata.is_empty() {
        out.insert("metadata".into(), Value::Object(req.metadata.clone()));
    }
    put(&mut out, "user", req.user.as_deref());
    put(&mut out, "store", req.store);
    put(&mut out, "prompt_cache_key", req.prompt_cache_key.as_deref());
    rest(req, &mut out, warnings);
    include(req, model, thoughts, &mut out);
    serde_json::to_vec(&out).map_err(|e| Error::internal("a request could not be written").with_source(e))
}

/// What would change the answer if it were left out.
fn refuse(req: &ChatRequest) -> Result<()> {
    let lacks =
        |param: &str, what: &str| Err(Error::unsupported(param, format!("the Responses API cannot do this: {what}")));
    if !req.params.stop.is_empty() {
        return lacks("stop", "stop texts");
    }
    if req.params.n.is_some_and(|n| n > 1) {
        return lacks("n", "several answers to one request");
    }
    if req.audio.is_some() {
        return lacks("audio", "spoken output");
    }
    if let Some(other) = req.modalities.iter().find(|modality| *modality != "text") {
        return lacks("modalities", &format!("output of the kind `{other}`"));
    }
    Ok(())
}

fn text(req: &ChatRequest, out: &mut Map<String, Value>) {
    let mut text = Map::new();
    match &req.response_format {
        None => {}
        Some(ResponseFormat::Text) => put(&mut text, "format", Some(json!({"type": "text"}))),
        Some(ResponseFormat::Json) => put(&mut text, "format", Some(json!({"type": "json_object"}))),
        Some(ResponseFormat::Schema(schema)) => {
            let mut format = Map::new();
            format.insert("type".into(), "json_schema".into());
            format.insert("name".into(), schema.name.as_str().into());
            put(&mut format, "description", schema.description.as_deref());
            format.insert("schema".into(), schema.schema.clone());
            put(&mut format, "strict", schema.strict);
            text.insert("format".into(), Value::Object(format));
        }
    }
    put(&mut text, "verbosity", req.verbosity.as_deref());
    if !text.is_empty() {
        out.insert("text".into(), Value::Object(text));
    }
}

fn params(req: &ChatRequest, out: &mut Map<String, Value>, warnings: &mut Vec<Warning>) {
    let params = &req.params;
    put(out, "temperature", params.temperature);
    put(out, "top_p", params.top_p);
    put(out, "max_output_tokens", params.max_tokens);
    put(out, "top_logprobs", params.top_logprobs);
    for (param, is_there) in [
        ("top_k", params.top_k.is_some()),
        ("seed", params.seed.is_some()),
        ("presence_penalty", params.presence_penalty.is_some()),
        ("frequency_penalty", params.frequency_penalty.is_some()),
        ("logit_bias", !params.logit_bias.is_empty()),
    ] {
        if is_there {
            warnings.push(left_out(param));
        }
    }
}

fn reasoning(req: &ChatRequest, out: &mut Map<String, Value>, warnings: &mut Vec<Warning>) {
    let Some(reasoning) = &req.reasoning else { return };
    let mut object = Map::new();
    let effort = reasoning.effort.or_else(|| reasoning.budget_tokens.map(effort_for));
    put(&mut object, "effort", effort.map(|effort| effort.as_str()));
    let summary = match reasoning.summary.as_deref() {
        // Anthropic's words.
        Some("summarized") => Some("auto"),
        Some("omitted") => None,
        summary => summary,
    };
    put(&mut object, "summary", summary);
    if !object.is_empty() {
        out.insert("reasoning".into(), Value::Object(object));
    }
    if reasoning.budget_tokens.is_some_and(|budget| budget > 0) {
        warnings.push(Warning {
            param: "reasoning.budget_tokens".into(),
            message: "the provider takes no number of tokens: the nearest effort was asked for".into(),
        });
    }
}

/// Members without a word here: of a request in this protocol they go out again.
fn rest(req: &ChatRequest, out: &mut Map<String, Value>, warnings: &mut Vec<Warning>) {
    if req.rest.protocol.is_some_and(|protocol| protocol != Protocol::Responses) {
        warnings.extend(req.rest.members.keys().map(|name| left_out(name)));
        return;
    }
    for (name, value) in &req.rest.members {
        match (out.get_mut(name), value) {
            (Some(Value::Object(mine)), Value::Object(more)) => {
                mine.extend(more.iter().map(|(k, v)| (k.clone(), v.clone())));
            }
            (Some(_), _) => {}
            (None, value) => {
                out.insert(name.clone(), value.clone());
            }
        }
    }
}

/// What the answer has to hold beside the usual: without it, thoughts of a model whose server
/// keeps nothing could not be sent back.
fn include(req: &ChatRequest, model: &str, thoughts: bool, out: &mut Map<String, Value>) {
    let mut wanted = Vec::new();
    let thinks = req.reasoning.is_some() || is_reasoning_model(model);
    let forgets = req.store == Some(false) && thinks && req.rest.protocol != Some(Protocol::Responses);
    if thoughts || forgets {
        wanted.push(ENCRYPTED);
    }
    if req.params.logprobs == Some(true) {
        wanted.push(LOGPROBS);
    }
    if wanted.is_empty() {
        return;
    }
    let list = out.entry("include").or_insert_with(|| json!([]));
    if let Value::Array(list) = list {
        for name in wanted {
            if !list.iter().any(|entry| entry == name) {
                list.push(name.into());
            }
        }
    }
}

fn left_out(param: &str) -> Warning {
    Warning { param: param.to_owned(), message: "left out: the Responses API has no such parameter".into() }
}

fn put(out: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        out.insert(name.to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests;
