//! OpenAI's Responses, both directions.
//!
//! Invariant: `parse` and `render` are the door's side (a request comes in, an answer goes out),
//! `emit` and `decode` the provider's side (a request goes out, an answer comes in); what one side
//! writes the other side reads. Errors with a failure status have the shape of
//! [`crate::openai::error`].

pub mod decode;
pub mod emit;
pub mod error;
mod fields;
mod namespace;
pub mod parse;
pub mod render;
mod thought;

/// Provider types whose encrypted thoughts mean something to this protocol's servers.
const SIGNERS: [&str; 2] = ["openai", "azure"];

/// Whether something verbatim is an item of its own rather than a part of a message.
fn is_item(data: &sabir_types::Value) -> bool {
    let kind = data.get("type").and_then(sabir_types::Value::as_str).unwrap_or_default();
    ["_call", "_output", "_request", "_response", "_list_tools"].iter().any(|end| kind.ends_with(end))
        || kind.starts_with("compaction")
}

/// The entry of `include` that asks for thoughts that can be sent back.
const ENCRYPTED: &str = "reasoning.encrypted_content";

/// The entry of `include` that asks for log probabilities.
const LOGPROBS: &str = "message.output_text.logprobs";
