//! Answers of Bedrock.

mod stream;
mod whole;

use sabir_types::{FinishReason, Usage, Value};

pub use stream::ChatStream;
pub use whole::chat;

/// What a reason to stop means.
fn finish_reason(word: &str) -> FinishReason {
    match word {
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopSequence,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "guardrail_intervened" | "content_filtered" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

/// What it took. The provider counts what the cache holds apart from the input.
fn usage(raw: &Value) -> Usage {
    let figure = |names: [&str; 2]| names.iter().find_map(|name| raw.get(*name)?.as_u64());
    let (read, written) = (
        figure(["cacheReadInputTokens", "cacheReadInputTokenCount"]),
        figure(["cacheWriteInputTokens", "cacheWriteInputTokenCount"]),
    );
    let fresh = raw.get("inputTokens").and_then(Value::as_u64);
    Usage {
        input_tokens: fresh.map(|fresh| fresh.saturating_add(read.unwrap_or(0)).saturating_add(written.unwrap_or(0))),
        output_tokens: raw.get("outputTokens").and_then(Value::as_u64),
        cache_read_tokens: read,
        cache_write_tokens: written,
        raw: Some(raw.clone()),
        ..Usage::default()
    }
}

#[cfg(test)]
mod tests;
