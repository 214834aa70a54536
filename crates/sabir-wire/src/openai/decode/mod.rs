//! A chat answer, read: whole, as a stream, or only as far as the ledger needs.
//!
//! Invariant: the events of a stream add up to what the whole answer would have said.

mod glance;
mod inline;
mod reading;
mod stream;
mod usage;
mod whole;

pub use glance::{Glimpse, glance, glance_event};
pub use reading::Reading;
pub use stream::ChatStream;
pub use usage::{input_usage, usage};
pub use whole::chat;

use sabir_types::FinishReason;

/// The neutral word for a finish reason; OpenAI's own, and those of servers that speak like it.
fn finish_reason(word: &str) -> FinishReason {
    match word {
        "stop" | "eos" | "eos_token" | "normal" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopSequence,
        "length" | "model_length" | "max_tokens" | "max_output" | "model_context_window_exceeded" => {
            FinishReason::Length
        }
        "tool_calls" | "function_call" | "tool_use" => FinishReason::ToolCalls,
        "content_filter" | "sensitive" | "safety" | "refuse_answer" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

/// Words that mean that the model did not end by itself but broke down.
fn is_failure(word: &str) -> bool {
    matches!(word, "error" | "abort" | "network_error" | "insufficient_system_resource")
}

#[cfg(test)]
mod tests;
