//! Usage on Gemini's wire.
//!
//! Invariant: the wire counts thoughts beside the answer and the prompts of its own tools beside
//! the prompt, [`Usage`] counts both in; what is absent on the wire stays unknown.

use sabir_types::{Map, Usage, Value};

/// Reads `usageMetadata`, which is kept as `raw`.
pub(super) fn read(raw: Value) -> Usage {
    let figure = |name: &str| raw.get(name).and_then(Value::as_u64);
    let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
    };
    let thoughts = figure("thoughtsTokenCount");
    let input = sum(figure("promptTokenCount"), figure("toolUsePromptTokenCount"));
    let output = sum(figure("candidatesTokenCount"), thoughts)
        // A prompt that was blocked has a total and no answer.
        .or_else(|| figure("totalTokenCount")?.checked_sub(input?));
    Usage {
        input_tokens: input,
        output_tokens: output,
        cache_read_tokens: figure("cachedContentTokenCount"),
        cache_write_tokens: None,
        reasoning_tokens: thoughts,
        input_audio_tokens: audio(raw.get("promptTokensDetails")),
        output_audio_tokens: audio(raw.get("candidatesTokensDetails")),
        raw: Some(raw),
    }
}

/// Writes `usageMetadata`.
pub(super) fn write(usage: &Usage, service_tier: Option<&str>) -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, figure: Option<u64>| {
        if let Some(figure) = figure {
            out.insert(name.into(), Value::from(figure));
        }
    };
    put("promptTokenCount", usage.input_tokens);
    put("cachedContentTokenCount", usage.cache_read_tokens);
    put(
        "candidatesTokenCount",
        usage.output_tokens.map(|output| output.saturating_sub(usage.reasoning_tokens.unwrap_or(0))),
    );
    put("thoughtsTokenCount", usage.reasoning_tokens);
    put("totalTokenCount", usage.total());
    for (name, figure) in
        [("promptTokensDetails", usage.input_audio_tokens), ("candidatesTokensDetails", usage.output_audio_tokens)]
    {
        if let Some(figure) = figure {
            out.insert(name.into(), serde_json::json!([{"modality": "AUDIO", "tokenCount": figure}]));
        }
    }
    if let Some(tier) = service_tier {
        out.insert("serviceTier".into(), Value::from(tier));
    }
    Value::Object(out)
}

/// The service tier that the usage object names.
pub(super) fn service_tier(raw: &Value) -> Option<String> {
    raw.get("serviceTier").and_then(Value::as_str).map(str::to_owned)
}

fn audio(details: Option<&Value>) -> Option<u64> {
    let sound = |detail: &&Value| detail.get("modality").and_then(Value::as_str) == Some("AUDIO");
    details?.as_array()?.iter().find(sound)?.get("tokenCount")?.as_u64()
}
