//! OpenAI's chat completions and embeddings, both directions.
//!
//! Invariant: `parse` and `render` are the door's side (a request comes in, an answer goes out),
//! `emit` and `decode` the provider's side (a request goes out, an answer comes in); what one side
//! writes the other side reads.

pub mod decode;
mod details;
pub mod embed;
pub mod emit;
pub mod error;
pub mod named;
pub mod parse;
pub mod peek;
pub mod render;
