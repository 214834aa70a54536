//! `extra_body`, `extra_headers` and `cost` of a model's provider.
//!
//! Invariant: a rule says one thing only; one that says two or none is a problem.

use http::{HeaderName, HeaderValue};

use super::{reader::Reader, tree::Node};
use crate::plan::{BodyChange, CostRule, HeaderChange};

/// Reads `extra_body`.
pub(super) fn body(reader: &mut Reader<'_>) -> Vec<BodyChange> {
    each(reader, "extra_body", |rule| {
        let pointer = pointer(rule, "pointer");
        if pointer.is_none() && rule.entry("pointer").is_none() {
            rule.missing("pointer");
        }
        let value = rule.entry("value").map(|entry| entry.node.json());
        let value = set_or_delete(rule, value)?;
        Some(BodyChange { pointer: pointer?, value })
    })
}

/// Reads `extra_headers`. Values count as secrets: they often are.
pub(super) fn headers(reader: &mut Reader<'_>) -> Vec<HeaderChange> {
    each(reader, "extra_headers", |rule| {
        let name = rule.required("name").and_then(|text| match HeaderName::try_from(text) {
            Ok(name) => Some(name),
            Err(_) => {
                let entry = rule.entry("name")?;
                rule.problem(entry, "expected the name of a header");
                None
            }
        });
        let value = rule.text("value").and_then(|text| match HeaderValue::try_from(text) {
            Ok(mut value) => {
                value.set_sensitive(true);
                Some(value)
            }
            Err(_) => {
                let entry = rule.entry("value")?;
                rule.problem(entry, "expected the value of a header: it holds no control characters");
                None
            }
        });
        // A wrong value has been reported; what else is said counts for nothing.
        if value.is_none() && rule.entry("value").is_some() {
            rule.boolean("delete");
            return None;
        }
        let value = set_or_delete(rule, value)?;
        Some(HeaderChange { name: name?, value })
    })
}

/// Reads `cost` or `batch_cost`.
pub(super) fn cost(reader: &mut Reader<'_>, name: &'static str) -> Vec<CostRule> {
    each(reader, name, |rule| {
        let both = pointer(rule, "pointer");
        let whole = pointer(rule, "pointer_nonstreaming");
        let stream = pointer(rule, "pointer_streaming");
        let required = rule.boolean("required").unwrap_or(false);
        let million = rule.number("cost_per_million").map(|price| price / 1e6);
        let unit = rule.number("cost_per_unit");
        let has = |rule: &mut Reader<'_>, name| rule.entry(name).is_some();
        let pointers = match (has(rule, "pointer"), has(rule, "pointer_nonstreaming"), has(rule, "pointer_streaming")) {
            (true, false, false) => both.clone().zip(both),
            (false, true, true) => whole.zip(stream),
            _ => {
                complain(rule, "expected either `pointer` or both `pointer_nonstreaming` and `pointer_streaming`");
                None
            }
        };
        let per_unit = match (has(rule, "cost_per_million"), has(rule, "cost_per_unit")) {
            (true, false) => million,
            (false, true) => unit,
            _ => {
                complain(rule, "expected either `cost_per_million` or `cost_per_unit`");
                None
            }
        };
        let (pointer, pointer_streaming) = pointers?;
        Some(CostRule { pointer, pointer_streaming, per_unit: per_unit?, required })
    })
}

/// Reads every table of an array; each is read to its end, whether it is right or wrong.
fn each<'t, T>(
    reader: &mut Reader<'t>,
    name: &'static str,
    mut read: impl FnMut(&mut Reader<'t>) -> Option<T>,
) -> Vec<T> {
    let (log, path) = (reader.log(), reader.path_of(name));
    let mut all = Vec::new();
    for (index, node) in reader.list(name).unwrap_or_default().iter().enumerate() {
        let node: &'t Node = node;
        let Some(mut rule) = Reader::of_node(node, &node.place, format!("{path}[{index}]"), log) else { continue };
        all.extend(read(&mut rule));
        rule.finish();
    }
    all
}

fn pointer(rule: &mut Reader<'_>, name: &'static str) -> Option<String> {
    let text = rule.text(name)?;
    if text.starts_with('/') {
        return Some(text.to_owned());
    }
    let entry = rule.entry(name)?;
    rule.problem(entry, "expected a JSON pointer: it starts with `/`");
    None
}

/// Either a value or `delete = true`.
fn set_or_delete<T>(rule: &mut Reader<'_>, value: Option<T>) -> Option<Option<T>> {
    let delete = rule.entry("delete").is_some();
    let deletes = rule.boolean("delete");
    match (value, delete, deletes) {
        (Some(value), false, _) => Some(Some(value)),
        (None, true, Some(true)) => Some(None),
        (None, true, None) => None,
        _ => {
            complain(rule, "expected either `value` or `delete = true`");
            None
        }
    }
}

fn complain(rule: &Reader<'_>, message: &str) {
    rule.log().problem(rule.place(), rule.path(), message);
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
