//! How to ask for thinking.
//!
//! Invariant: an effort and a number of tokens become each other by one table; what is lost on the way leaves a warning.

use sabir_types::{ChatRequest, Effort, Map, Value, Warning};
use serde_json::json;

use super::{Dialect, ReasoningStyle, put};

/// Writes what the request says about thinking.
pub(super) fn reasoning(
    req: &ChatRequest,
    dialect: &Dialect,
    out: &mut Map<String, Value>,
    warnings: &mut Vec<Warning>,
) {
    let Some(reasoning) = &req.reasoning else { return };
    let off = reasoning.effort == Some(Effort::None) || reasoning.budget_tokens == Some(0);
    let effort = reasoning.effort.or_else(|| reasoning.budget_tokens.map(effort_for));
    match dialect.reasoning {
        ReasoningStyle::Effort => put(out, "reasoning_effort", effort.map(Effort::as_str)),
        ReasoningStyle::Thinking => {
            out.insert("thinking".into(), json!({"type": if off { "disabled" } else { "enabled" }}));
            if !off {
                put(out, "reasoning_effort", reasoning.effort.map(Effort::as_str));
            }
        }
        ReasoningStyle::Object => {
            let mut object = Map::new();
            match (reasoning.effort, reasoning.budget_tokens) {
                (_, Some(budget)) if budget > 0 => put(&mut object, "max_tokens", Some(budget)),
                (Some(effort), _) => put(&mut object, "effort", Some(effort.as_str())),
                _ => put(&mut object, "enabled", Some(!off)),
            }
            out.insert("reasoning".into(), Value::Object(object));
        }
        ReasoningStyle::Template => {
            out.insert("chat_template_kwargs".into(), json!({"enable_thinking": !off}));
            if !off {
                put(out, "reasoning_effort", reasoning.effort.map(Effort::as_str));
            }
        }
        ReasoningStyle::Switch => {
            put(out, "enable_thinking", Some(!off));
            if !off {
                let budget = reasoning.budget_tokens.filter(|budget| *budget > 0);
                put(out, "thinking_budget", budget.or_else(|| reasoning.effort.and_then(budget_for)));
            }
            return;
        }
        ReasoningStyle::Adaptive => {
            out.insert("thinking".into(), json!({"type": if off { "disabled" } else { "adaptive" }}));
            if !off && reasoning.effort.is_some() {
                warnings.push(Warning {
                    param: "reasoning_effort".into(),
                    message: "left out: the model itself decides how much it thinks".into(),
                });
            }
        }
    }
    if reasoning.budget_tokens.is_some_and(|budget| budget > 0) && dialect.reasoning != ReasoningStyle::Object {
        warnings.push(Warning {
            param: "reasoning.budget_tokens".into(),
            message: match dialect.reasoning {
                ReasoningStyle::Adaptive => "left out: the model itself decides how much it thinks".into(),
                _ => "the provider takes no number of tokens: the nearest effort was asked for".into(),
            },
        });
    }
}

/// The effort that a number of thinking tokens stands for: the steps are those that the field's
/// documentation gives for its efforts (1,024 low, 8,192 medium, 24,576 high).
pub(crate) fn effort_for(budget: i64) -> Effort {
    match budget {
        0 => Effort::None,
        i64::MIN..=-1 => Effort::Medium,
        1..=1024 => Effort::Low,
        1025..=8192 => Effort::Medium,
        _ => Effort::High,
    }
}

/// The same steps the other way; above them the model's own limit holds.
fn budget_for(effort: Effort) -> Option<i64> {
    match effort {
        Effort::Minimal | Effort::Low => Some(1024),
        Effort::Medium => Some(8192),
        _ => None,
    }
}
