//! Sampling, length, thinking and the small members.
//!
//! Invariant: what Converse has no member for goes in its maker's words to a model that is known to
//! take it, and to no other.

use sabir_types::{ChatRequest, Effort, Map, Reasoning, ToolChoice, Value};
use serde_json::json;

use super::{super::family::Family, Context};

/// The least that a model can be given to think.
const LEAST_BUDGET: u64 = 1024;
const PARAM: &str = "reasoning_effort";

/// How much to think, decided.
#[derive(Default)]
pub(super) struct Thinking {
    /// What goes into `additionalModelRequestFields`.
    pub(super) members: Map<String, Value>,
    is_on: bool,
    /// What it takes of the length.
    budget: Option<u64>,
}

/// Whether the caller demands a call.
pub(super) fn is_forced(req: &ChatRequest) -> bool {
    matches!(
        req.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Tool { .. } | ToolChoice::Allowed { required: true, .. })
    )
}

/// Decides how much to think. A call that is `forced` cannot be thought about.
pub(super) fn thinking(req: &ChatRequest, forced: bool, cx: &mut Context<'_>) -> Thinking {
    let mut out = Thinking::default();
    let asked = req.reasoning.as_ref().filter(|asked| **asked != Reasoning::default());
    let Some(asked) = asked else { return out };
    let off = asked.budget_tokens == Some(0) || (asked.effort == Some(Effort::None) && asked.budget_tokens.is_none());
    let budget = asked.budget_tokens.and_then(|budget| u64::try_from(budget).ok());
    match cx.family {
        Family::Claude(model) if off => {
            if model.thinks_unasked() {
                out.members.insert("thinking".into(), json!({"type": "disabled"}));
            }
        }
        Family::Claude(_) if forced => {
            cx.warn(PARAM, "left out: a model that must call a tool cannot think first");
        }
        Family::Claude(model) if !model.thinks() => cx.warn(PARAM, "left out: this model does not think"),
        Family::Claude(model) if model.is_adaptive() && (budget.is_none() || !model.takes_budget()) => {
            out.members.insert("thinking".into(), json!({"type": "adaptive"}));
            let effort = asked.effort.or_else(|| budget.map(near));
            if let Some(effort) = effort {
                out.members.insert("output_config".into(), json!({"effort": model.effort(effort)}));
            }
            out.is_on = true;
        }
        Family::Claude(_) => {
            let wanted = budget.unwrap_or_else(|| room(asked.effort.unwrap_or(Effort::Medium)));
            // The answer itself needs some of the length too.
            let most = req.params.max_tokens.map_or(u64::MAX, |length| length / 2);
            let granted = wanted.min(most);
            if granted < LEAST_BUDGET {
                cx.warn(PARAM, "left out: `max_tokens` leaves no room to think");
                return out;
            }
            if granted < wanted {
                cx.warn(PARAM, "less than asked for: `max_tokens` leaves no more room to think");
            }
            out.members.insert("thinking".into(), json!({"type": "enabled", "budget_tokens": granted}));
            out.budget = Some(granted);
            out.is_on = true;
        }
        Family::Nova2 => {
            let config = match asked.effort.or_else(|| budget.map(near)) {
                _ if off => json!({"type": "disabled"}),
                effort => json!({"type": "enabled", "maxReasoningEffort": three(effort)}),
            };
            out.members.insert("reasoningConfig".into(), config);
        }
        Family::GptOss => {
            let effort = if off { "low" } else { three(asked.effort.or_else(|| budget.map(near))) };
            out.members.insert("reasoning_effort".into(), effort.into());
        }
        Family::Nova | Family::Other if off => {}
        Family::Nova | Family::Other => {
            cx.warn(PARAM, "left out: it is not known how to ask this model to think");
        }
    }
    out
}

/// `inferenceConfig`.
pub(super) fn inference(req: &ChatRequest, thinking: &Thinking, cx: &mut Context<'_>) -> Map<String, Value> {
    let params = &req.params;
    let mut out = Map::new();
    if let Some(length) = params.max_tokens {
        out.insert("maxTokens".into(), length.into());
    } else if let Some(budget) = thinking.budget {
        // The budget has to be less than the length, whatever the model's usual length is.
        out.insert("maxTokens".into(), (budget + 8_192).into());
    }
    let (mut temperature, mut top_p) = (params.temperature, params.top_p);
    if let Family::Claude(model) = cx.family {
        let samples = model.samples() && !thinking.is_on;
        if !samples {
            let why = if thinking.is_on { "left out: the model thinks" } else { "left out: this model takes none" };
            for (name, slot) in [("temperature", &mut temperature), ("top_p", &mut top_p)] {
                if slot.take().is_some_and(|value| value != 1.0) {
                    cx.warn(name, why);
                }
            }
        } else if !model.samples_both_ways() && temperature.is_some() && top_p.take().is_some() {
            cx.warn("top_p", "left out: this model takes `temperature` or `top_p`, not both");
        }
    }
    if let Some(asked) = temperature {
        let taken = asked.clamp(0.0, 1.0);
        if taken != asked {
            cx.warn("temperature", "moved to the nearest that the provider takes: it takes 0 to 1");
        }
        out.insert("temperature".into(), taken.into());
    }
    if let Some(top_p) = top_p {
        out.insert("topP".into(), top_p.into());
    }
    if !params.stop.is_empty() {
        out.insert("stopSequences".into(), params.stop.iter().map(String::as_str).collect());
    }
    out
}

/// The members that few requests have.
pub(super) fn small(req: &ChatRequest, body: &mut Map<String, Value>, cx: &mut Context<'_>) {
    if let Some(top_k) = req.params.top_k {
        let own = match cx.family {
            Family::Claude(model) if model.samples() => Some(json!({"top_k": top_k})),
            Family::Nova | Family::Nova2 => Some(json!({"inferenceConfig": {"topK": top_k}})),
            _ => None,
        };
        match own {
            Some(Value::Object(own)) => {
                let fields = body.entry("additionalModelRequestFields").or_insert_with(|| json!({}));
                if let Some(fields) = fields.as_object_mut() {
                    fields.extend(own);
                }
            }
            _ => cx.warn("top_k", "left out: it is not known how this model takes it"),
        }
    }
    match req.service_tier.as_deref() {
        None | Some("auto") => {}
        Some(tier @ ("default" | "flex" | "priority" | "reserved")) => {
            body.insert("serviceTier".into(), json!({"type": tier}));
        }
        Some(_) => cx.warn("service_tier", "left out: the provider has no such tier"),
    }
    if !req.metadata.is_empty() {
        if req.metadata.values().all(Value::is_string) {
            body.insert("requestMetadata".into(), Value::Object(req.metadata.clone()));
        } else {
            cx.warn("metadata", "left out: the provider takes texts only");
        }
    }
    for (name, is_there) in [
        ("user", req.user.is_some()),
        ("verbosity", req.verbosity.is_some()),
        ("prompt_cache_key", req.prompt_cache_key.is_some()),
        ("store", req.store == Some(true)),
        ("audio", req.audio.is_some()),
        ("modalities", req.modalities.iter().any(|kind| kind != "text")),
    ] {
        if is_there {
            cx.left_out(name);
        }
    }
}

/// The room that an effort is given.
fn room(effort: Effort) -> u64 {
    match effort {
        Effort::None | Effort::Minimal => LEAST_BUDGET,
        Effort::Low => 2_048,
        Effort::Medium => 8_192,
        Effort::High => 16_384,
        _ => 32_000,
    }
}

/// The effort that is nearest to a budget.
fn near(budget: u64) -> Effort {
    match budget {
        0..4_096 => Effort::Low,
        4_096..12_288 => Effort::Medium,
        _ => Effort::High,
    }
}

/// The word of who knows three.
fn three(effort: Option<Effort>) -> &'static str {
    match effort {
        Some(Effort::None | Effort::Minimal | Effort::Low) => "low",
        None | Some(Effort::Medium) => "medium",
        Some(_) => "high",
    }
}
