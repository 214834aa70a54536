//! An answer, read: whole, as a stream, or only as far as the ledger needs.
//!
//! Invariant: the events of a stream add up to what the whole answer would have said.

mod glance;
mod stream;
mod whole;

pub use glance::{glance, glance_event};
pub use stream::ChatStream;
pub use whole::chat;

use sabir_types::{FinishReason, Value};

/// Why the model stopped, and the provider's own word for it.
fn finish(response: &Value, called: bool, only_refused: bool) -> (FinishReason, Option<String>) {
    let status = response.get("status").and_then(Value::as_str);
    let detail = response.pointer("/incomplete_details/reason").and_then(Value::as_str);
    let reason = match (status, detail) {
        (Some("incomplete"), Some("max_output_tokens" | "max_tokens" | "length")) => FinishReason::Length,
        (Some("incomplete"), Some("content_filter")) => FinishReason::ContentFilter,
        (Some("incomplete"), _) => FinishReason::Other,
        _ if called => FinishReason::ToolCalls,
        _ if only_refused => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    };
    (reason, detail.or(status).map(str::to_owned))
}

/// Whether an item asks the caller to run a tool.
fn is_call(kind: &str) -> bool {
    matches!(kind, "function_call" | "custom_tool_call")
}

#[cfg(test)]
mod tests;
