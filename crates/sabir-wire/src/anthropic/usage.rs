//! Usage on Anthropic's wire.
//!
//! Invariant: the wire counts input without the cached part, [`Usage`] counts it with it; the two
//! functions here are each other's inverse for figures that are known.

use sabir_types::{Map, Usage, Value};
use serde::Serialize;

/// Reads a usage object, which is kept as `raw`.
pub(super) fn read(raw: Map<String, Value>) -> Usage {
    let figure = |name: &str| raw.get(name).and_then(Value::as_u64);
    let (read, write) = (figure("cache_read_input_tokens"), figure("cache_creation_input_tokens"));
    let thinking = raw.get("output_tokens_details").and_then(|details| details.get("thinking_tokens"));
    Usage {
        input_tokens: figure("input_tokens")
            .map(|fresh| fresh.saturating_add(read.unwrap_or(0)).saturating_add(write.unwrap_or(0))),
        output_tokens: figure("output_tokens"),
        cache_read_tokens: read,
        cache_write_tokens: write,
        reasoning_tokens: thinking.and_then(Value::as_u64),
        raw: Some(Value::Object(raw)),
        ..Usage::default()
    }
}

/// Takes every member of `later` that says something: the stream's figures are cumulative.
pub(super) fn merge(all: &mut Map<String, Value>, later: Map<String, Value>) {
    for (name, value) in later {
        if !value.is_null() {
            all.insert(name, value);
        }
    }
}

/// The service tier that the usage object names.
pub(super) fn service_tier(raw: &Map<String, Value>) -> Option<String> {
    raw.get("service_tier").and_then(Value::as_str).map(str::to_owned)
}

/// A usage object to write. The two totals are required on the wire and 0 where unknown.
#[derive(Debug, Serialize)]
pub(super) struct Figures<'a> {
    input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation_input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_read_input_tokens: Option<u64>,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<Details>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Details {
    thinking_tokens: u64,
}

impl<'a> Figures<'a> {
    /// The figures of an answer.
    pub(super) fn of(usage: &Usage, service_tier: Option<&'a str>) -> Self {
        let cached = usage.cache_read_tokens.unwrap_or(0).saturating_add(usage.cache_write_tokens.unwrap_or(0));
        Self {
            input_tokens: usage.input_tokens.unwrap_or(0).saturating_sub(cached),
            cache_creation_input_tokens: usage.cache_write_tokens,
            cache_read_input_tokens: usage.cache_read_tokens,
            output_tokens: usage.output_tokens.unwrap_or(0),
            output_tokens_details: usage.reasoning_tokens.map(|thinking_tokens| Details { thinking_tokens }),
            service_tier,
        }
    }
}
