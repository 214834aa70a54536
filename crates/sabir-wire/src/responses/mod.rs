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
pub mod parse;
pub mod render;
mod thought;

/// What an `encrypted_content` begins with that holds the thought of a provider of another protocol.
pub const SEALED: &str = crate::anthropic::block::SEALED;

/// Provider types whose encrypted thoughts mean something to this protocol's servers.
const SIGNERS: [&str; 2] = ["openai", "azure"];

/// The entry of `include` that asks for thoughts that can be sent back.
const ENCRYPTED: &str = "reasoning.encrypted_content";

/// The entry of `include` that asks for log probabilities.
const LOGPROBS: &str = "message.output_text.logprobs";
