//! Usage in the words of the OpenAI family.
//!
//! Invariant: input includes what was cached, output includes thinking, whoever counts otherwise.

use sabir_types::{Usage, Value};

/// Reads a `usage` object.
pub fn usage(raw: &Value) -> Usage {
    let number = |pointer: &str| raw.pointer(pointer).and_then(count);
    let input = number("/prompt_tokens").or_else(|| number("/input_tokens"));
    let mut output = number("/completion_tokens").or_else(|| number("/output_tokens"));
    let reasoning = number("/completion_tokens_details/reasoning_tokens")
        .or_else(|| number("/output_tokens_details/reasoning_tokens"))
        .or_else(|| number("/reasoning_tokens"));
    // xAI counts thinking apart: then only all three together give the total.
    if let (Some(input), Some(out), Some(thought), Some(total)) = (input, output, reasoning, number("/total_tokens"))
        && thought > 0
        && input.saturating_add(out).saturating_add(thought) == total
    {
        output = Some(out.saturating_add(thought));
    }
    // An embedding has no output, and says so by a total that equals the input.
    if output.is_none() && input.is_some() && number("/total_tokens") == input {
        output = Some(0);
    }
    let cached = number("/prompt_tokens_details/cached_tokens")
        .or_else(|| number("/input_tokens_details/cached_tokens"))
        // Realtime says it in the singular.
        .or_else(|| number("/input_token_details/cached_tokens"))
        .or_else(|| number("/prompt_cache_hit_tokens"))
        .or_else(|| number("/cached_tokens"))
        .map(|cached| cached.min(input.unwrap_or(cached)));
    Usage {
        input_tokens: input,
        output_tokens: output,
        cache_read_tokens: cached,
        cache_write_tokens: number("/prompt_tokens_details/cache_write_tokens")
            .or_else(|| number("/input_tokens_details/cache_write_tokens")),
        reasoning_tokens: reasoning,
        input_audio_tokens: number("/prompt_tokens_details/audio_tokens")
            .or_else(|| number("/input_tokens_details/audio_tokens"))
            .or_else(|| number("/input_token_details/audio_tokens")),
        output_audio_tokens: number("/completion_tokens_details/audio_tokens")
            .or_else(|| number("/output_tokens_details/audio_tokens"))
            .or_else(|| number("/output_token_details/audio_tokens")),
        raw: Some(raw.clone()),
    }
}

/// Reads the `usage` object of an answer that has no tokens of its own: some name the total only.
pub fn input_usage(raw: &Value) -> Usage {
    let mut usage = usage(raw);
    if usage.is_empty()
        && let Some(total) = raw.get("total_tokens").and_then(count)
    {
        (usage.input_tokens, usage.output_tokens) = (Some(total), Some(0));
    }
    usage
}

/// A count; some servers write it as a float.
fn count(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().filter(|count| *count >= 0.0).map(|count| count as u64))
}
