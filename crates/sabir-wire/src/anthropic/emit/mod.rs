//! A request to Anthropic.
//!
//! Invariant: a request of this protocol's own door (`rest.protocol`) is written as it came, so that
//! its caller meets Anthropic's own rules; every other request is fitted to the model, and what is
//! left out on the way is named in a warning.

mod format;
mod params;
mod schema;
mod tools;
mod turns;

use std::collections::BTreeMap;

use sabir_types::{ChatRequest, Error, Protocol, Result, Value, Warning};
use serde::Serialize;

use super::{block::Content, model::Model};

/// Writes the body of a request. What is left out without harm is added to `warnings`.
pub fn chat(req: &ChatRequest, model: &str, warnings: &mut Vec<Warning>) -> Result<Vec<u8>> {
    let mut cx = Context { native: is_native(req), model: Model::of(model), warnings };
    cx.leftovers(req)?;
    let rest = cx.rest(req);
    let form = format::plan(req, &mut cx)?;
    let tools = tools::list(req, &rest, form.tool(), &mut cx)?;
    let tool_choice = tools::choice(req, &rest, form.tool(), tools.len(), &mut cx)?;
    let forced = tool_choice.as_ref().is_some_and(tools::Choice::is_forced);
    let thinking = params::thinking(req, &rest, forced, &mut cx);
    let max_tokens = params::max_tokens(req, thinking.budget(), cx.model);
    let sampling = params::sampling(req, thinking.is_on(), &mut cx);
    let (system, messages) = turns::write(req, &mut cx)?;
    let body = Body {
        model,
        max_tokens,
        system,
        messages,
        tools,
        tool_choice,
        output_config: params::output_config(&thinking, form.native(), &rest),
        thinking: thinking.wire,
        stop_sequences: params::stop(req, &mut cx),
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        metadata: params::metadata(req, &rest, &mut cx),
        service_tier: params::service_tier(req, &mut cx),
        stream: req.stream,
        rest: rest.top(),
    };
    serde_json::to_vec(&body).map_err(|e| Error::internal("request cannot be written").with_source(e))
}

/// Whether the answer to this request comes as the call of [`super::JSON_TOOL`], which has to be
/// turned back into text ([`super::decode::unwrap_json`], [`super::decode::ChatStream::unwrapping_json`]).
pub fn wraps_json(req: &ChatRequest, model: &str) -> bool {
    format::is_wrapped(req, Model::of(model))
}

fn is_native(req: &ChatRequest) -> bool {
    req.rest.protocol == Some(Protocol::Anthropic)
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<Content<'a>>,
    messages: Vec<turns::Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<tools::Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<tools::Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<params::Wire<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<params::OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<params::Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(flatten)]
    rest: Members<'a>,
}

/// What the parts of a request are written after.
struct Context<'w> {
    /// The request came in this protocol: it is written as it came.
    native: bool,
    model: Model,
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
        self.warn(param, "left out: the Messages API has no such parameter");
    }

    /// The members that this protocol has no word for at all.
    fn leftovers(&mut self, req: &ChatRequest) -> Result<()> {
        let params = &req.params;
        if params.n.is_some_and(|n| n > 1) {
            return Err(Error::unsupported("n", "the Messages API gives one answer per request"));
        }
        if params.logprobs == Some(true) {
            return Err(Error::unsupported("logprobs", "the Messages API has no log probabilities"));
        }
        if let Some(other) = req.modalities.iter().find(|modality| *modality != "text") {
            return Err(Error::unsupported("modalities", format!("the Messages API has no `{other}` output")));
        }
        for (given, param) in [
            (params.seed.is_some(), "seed"),
            (params.presence_penalty.is_some(), "presence_penalty"),
            (params.frequency_penalty.is_some(), "frequency_penalty"),
            (!params.logit_bias.is_empty(), "logit_bias"),
            (params.top_logprobs.is_some(), "top_logprobs"),
            (req.verbosity.is_some(), "verbosity"),
            (req.store == Some(true), "store"),
            (req.prompt_cache_key.is_some(), "prompt_cache_key"),
            (req.audio.is_some(), "audio"),
        ] {
            if given {
                self.left_out(param);
            }
        }
        Ok(())
    }

    /// The unknown members, if they are of this protocol.
    fn rest<'a>(&mut self, req: &'a ChatRequest) -> Rest<'a> {
        if self.native {
            return Rest { members: req.rest.members.iter().map(|(name, value)| (name.as_str(), value)).collect() };
        }
        for name in req.rest.members.keys() {
            self.left_out(name);
        }
        Rest { members: Members::new() }
    }
}

/// Unknown members by name.
type Members<'a> = BTreeMap<&'a str, &'a Value>;

/// Unknown members of the whole request; those of its objects stand under their path.
struct Rest<'a> {
    members: Members<'a>,
}

impl<'a> Rest<'a> {
    /// The members of one object.
    fn under(&self, path: &str) -> Members<'a> {
        let member =
            |(name, value): (&&'a str, &&'a Value)| Some((name.strip_prefix(path)?.strip_prefix('.')?, *value));
        self.members.iter().filter_map(member).collect()
    }

    /// The members of the request itself.
    fn top(self) -> Members<'a> {
        const OBJECTS: &[&str] = &["output_config", "metadata", "tool_choice", "thinking", "tools"];
        let nested = |name: &str| name.split_once('.').is_some_and(|(object, _)| OBJECTS.contains(&object));
        self.members.into_iter().filter(|(name, _)| !nested(name)).collect()
    }
}

#[cfg(test)]
mod tests;
