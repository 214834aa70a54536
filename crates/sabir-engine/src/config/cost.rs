//! Money from the figures of a provider's answer.
//!
//! Invariant: an unknown cost is absent, never zero.

use sabir_types::Value;

use crate::plan::CostRule;

/// The sum over all rules; `None` if a required figure is missing.
pub(crate) fn cost(rules: &[CostRule], document: &Value, streaming: bool) -> Option<f64> {
    let mut sum = None;
    for rule in rules {
        let pointer = if streaming { &rule.pointer_streaming } else { &rule.pointer };
        match document.pointer(pointer).and_then(Value::as_f64) {
            Some(units) => sum = Some(sum.unwrap_or(0.0) + units * rule.per_unit),
            None if rule.required => return None,
            None => {}
        }
    }
    sum
}
