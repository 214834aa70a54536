//! Sampling, length, thinking and the small members.
//!
//! Invariant: thinking never gets all of `max_tokens`, and nothing goes out beside thinking that
//! the API refuses beside it.

use sabir_types::{ChatRequest, Effort, Reasoning, Value};
use serde::Serialize;

use super::{Context, Members, Rest, format::Format};
use crate::anthropic::model::Model;

/// The least that a model can be given to think.
const LEAST_BUDGET: u64 = 1024;

/// How much to think, decided.
pub(super) struct Thinking<'a> {
    pub(super) wire: Option<Wire<'a>>,
    effort: Option<&'static str>,
}

/// `thinking`.
#[derive(Serialize)]
pub(super) struct Wire<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'a str>,
    #[serde(flatten)]
    rest: Members<'a>,
}

/// `output_config`.
#[derive(Serialize)]
pub(super) struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
    #[serde(flatten)]
    rest: Members<'a>,
}

/// `metadata`.
#[derive(Serialize)]
pub(super) struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(flatten)]
    rest: Members<'a>,
}

/// What is left of the sampling parameters.
#[derive(Default)]
pub(super) struct Sampling {
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<u32>,
}

impl Thinking<'_> {
    const NONE: Self = Self { wire: None, effort: None };

    /// The tokens that it takes of `max_tokens`.
    pub(super) fn budget(&self) -> Option<u64> {
        self.wire.as_ref()?.budget_tokens
    }

    /// Whether the model thinks because of it.
    pub(super) fn is_on(&self) -> bool {
        self.wire.as_ref().is_some_and(|wire| wire.kind != "disabled")
    }
}

/// Decides how much to think. A call that is `forced` cannot be thought about.
pub(super) fn thinking<'a>(req: &'a ChatRequest, rest: &Rest<'a>, forced: bool, cx: &mut Context<'_>) -> Thinking<'a> {
    let members = rest.under("thinking");
    if cx.native {
        let Some(asked) = &req.reasoning else { return Thinking::NONE };
        let kind = match asked {
            Reasoning { adaptive: true, .. } => Some("adaptive"),
            Reasoning { budget_tokens: Some(0), .. } => Some("disabled"),
            Reasoning { budget_tokens: Some(_), .. } => Some("enabled"),
            _ => None,
        };
        let budget_tokens = asked.budget_tokens.and_then(|budget| u64::try_from(budget).ok()).filter(|b| *b > 0);
        let display = asked.summary.as_deref();
        return Thinking {
            wire: kind.map(|kind| Wire { kind, budget_tokens, display, rest: members }),
            effort: asked.effort.map(Effort::as_str),
        };
    }
    let wire = |kind, budget_tokens, display| Some(Wire { kind, budget_tokens, display, rest: Members::new() });
    let off = || if cx.model.thinks_unasked() { wire("disabled", None, None) } else { None };
    let asked = req.reasoning.as_ref().filter(|asked| **asked != Reasoning::default());
    let Some(asked) = asked else {
        return if forced { Thinking { wire: off(), effort: None } } else { Thinking::NONE };
    };
    if asked.budget_tokens == Some(0) || (asked.effort == Some(Effort::None) && asked.budget_tokens.is_none()) {
        return Thinking { wire: off(), effort: None };
    }
    if forced {
        let wire = off();
        let effort = asked.effort.filter(|_| cx.model.is_adaptive()).map(|effort| word(effort, cx));
        cx.warn(PARAM, "left out: a model that must call a tool cannot think first");
        return Thinking { wire, effort };
    }
    let display = match asked.summary.as_deref() {
        None => None,
        Some("omitted" | "none") => Some("omitted"),
        Some(_) => Some("summarized"),
    };
    let budget = asked.budget_tokens.and_then(|budget| u64::try_from(budget).ok());
    if cx.model.is_adaptive() && (budget.is_none() || !cx.model.takes_budget()) {
        let effort = asked.effort.or_else(|| {
            let budget = budget?;
            cx.warn(PARAM, "the model takes no budget for thinking: asked for by effort instead");
            Some(near(budget))
        });
        let effort = effort.filter(|effort| *effort != Effort::None).map(|effort| word(effort, cx));
        return Thinking { wire: wire("adaptive", None, display), effort };
    }
    if !cx.model.takes_budget() {
        cx.warn(PARAM, "left out: the model cannot think");
        return Thinking::NONE;
    }
    let wanted = budget.unwrap_or_else(|| worth(asked.effort.unwrap_or(Effort::Medium)));
    match fitted(wanted, req.params.max_tokens) {
        Some(given) => {
            if budget.is_some_and(|asked| asked != given) {
                cx.warn(PARAM, &format!("thinking budget changed to {given} tokens, which `max_tokens` has room for"));
            }
            Thinking { wire: wire("enabled", Some(given), display), effort: None }
        }
        None => {
            cx.warn(PARAM, "left out: `max_tokens` has no room for thinking");
            Thinking::NONE
        }
    }
}

const PARAM: &str = "reasoning_effort";

/// The model's word for an effort.
fn word(effort: Effort, cx: &mut Context<'_>) -> &'static str {
    let word = cx.model.effort(effort);
    if word != effort.as_str() {
        cx.warn(PARAM, &format!("changed to `{word}`: the model has no effort `{}`", effort.as_str()));
    }
    word
}

/// The budget for an effort. With the default length on top it stays under every model's limit.
fn worth(effort: Effort) -> u64 {
    match effort {
        Effort::None | Effort::Minimal => LEAST_BUDGET,
        Effort::Low => 2_048,
        Effort::Medium => 8_192,
        Effort::High => 16_000,
        _ => 20_000,
    }
}

/// The effort for a budget.
fn near(budget: u64) -> Effort {
    match budget {
        0..=2_048 => Effort::Low,
        2_049..=8_192 => Effort::Medium,
        _ => Effort::High,
    }
}

/// A budget that leaves a quarter of `max_tokens` for the answer, if that is possible at all.
fn fitted(wanted: u64, max_tokens: Option<u64>) -> Option<u64> {
    let Some(most) = max_tokens else { return Some(wanted.max(LEAST_BUDGET)) };
    (most > LEAST_BUDGET).then(|| wanted.min(most - most / 4).max(LEAST_BUDGET))
}

/// `max_tokens`, which the API demands. Without the caller's word, thinking leaves room for an answer.
pub(super) fn max_tokens(req: &ChatRequest, budget: Option<u64>, model: Model) -> u64 {
    req.params.max_tokens.unwrap_or_else(|| {
        let usual = model.default_max_tokens();
        budget.map_or(usual, |budget| usual.max(budget + usual.min(8_192)))
    })
}

/// Effort and format together.
pub(super) fn output_config<'a>(
    thinking: &Thinking<'a>,
    format: Option<Format<'a>>,
    rest: &Rest<'a>,
) -> Option<OutputConfig<'a>> {
    let config = OutputConfig { effort: thinking.effort, format, rest: rest.under("output_config") };
    let empty = config.effort.is_none() && config.format.is_none() && config.rest.is_empty();
    (!empty).then_some(config)
}

/// What the model takes of the sampling parameters.
pub(super) fn sampling(req: &ChatRequest, thinks: bool, cx: &mut Context<'_>) -> Sampling {
    let params = &req.params;
    let mut sampling = Sampling { temperature: params.temperature, top_p: params.top_p, top_k: params.top_k };
    if cx.native {
        return sampling;
    }
    if !cx.model.samples() {
        for (given, param) in [
            (params.temperature.is_some(), "temperature"),
            (params.top_p.is_some(), "top_p"),
            (params.top_k.is_some(), "top_k"),
        ] {
            if given {
                cx.warn(param, "left out: the model takes no sampling parameters");
            }
        }
        return Sampling::default();
    }
    if let Some(temperature) = sampling.temperature.filter(|temperature| *temperature > 1.0) {
        cx.warn("temperature", &format!("lowered from {temperature} to 1, the most that the Messages API takes"));
        sampling.temperature = Some(1.0);
    }
    if thinks {
        const BESIDE: &str = "left out: not possible together with thinking";
        if sampling.temperature.is_some_and(|temperature| temperature != 1.0) {
            cx.warn("temperature", BESIDE);
            sampling.temperature = None;
        }
        if sampling.top_p.is_some_and(|top_p| top_p < 0.95) {
            cx.warn("top_p", BESIDE);
            sampling.top_p = None;
        }
        if sampling.top_k.take().is_some() {
            cx.warn("top_k", BESIDE);
        }
    }
    if sampling.temperature.is_some() && sampling.top_p.is_some() && !cx.model.samples_both_ways() {
        cx.warn("top_p", "left out: the model does not take it together with `temperature`");
        sampling.top_p = None;
    }
    sampling
}

/// The stop texts; those of white space only are refused by the API.
pub(super) fn stop<'a>(req: &'a ChatRequest, cx: &mut Context<'_>) -> Vec<&'a str> {
    let (blank, stop): (Vec<_>, Vec<_>) =
        req.params.stop.iter().map(String::as_str).partition(|text| !cx.native && text.trim().is_empty());
    if !blank.is_empty() {
        cx.warn("stop", "stop texts of white space only are left out: the Messages API does not take them");
    }
    stop
}

/// Who the end user is; other labels have no place.
pub(super) fn metadata<'a>(req: &'a ChatRequest, rest: &Rest<'a>, cx: &mut Context<'_>) -> Option<Metadata<'a>> {
    let labelled = req.metadata.get("user_id").and_then(Value::as_str);
    let user_id = req.user.as_deref().or(labelled);
    if req.metadata.keys().any(|name| name != "user_id" || user_id != labelled) {
        cx.left_out("metadata");
    }
    let metadata = Metadata { user_id, rest: rest.under("metadata") };
    (metadata.user_id.is_some() || !metadata.rest.is_empty()).then_some(metadata)
}

/// The service tier in Anthropic's words.
pub(super) fn service_tier<'a>(req: &'a ChatRequest, cx: &mut Context<'_>) -> Option<&'a str> {
    let tier = req.service_tier.as_deref()?;
    match tier {
        _ if cx.native => Some(tier),
        "auto" | "standard_only" => Some(tier),
        "priority" => Some("auto"),
        "default" | "standard" => Some("standard_only"),
        _ => {
            cx.warn("service_tier", &format!("left out: the Messages API has no service tier `{tier}`"));
            None
        }
    }
}
