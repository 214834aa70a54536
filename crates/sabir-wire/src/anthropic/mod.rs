//! Anthropic's Messages, both directions.
//!
//! Invariant: `parse` and `render` are the door's side (a request comes in, an answer goes out),
//! `emit` and `decode` the provider's side (a request goes out, an answer comes in); what one side
//! writes the other side reads. A request that `parse` read says so in its `rest.protocol`, and
//! `emit` then writes it as it came, without the adjustments that other doors' requests need.

pub(crate) mod block;
pub mod decode;
pub mod emit;
pub mod error;
pub mod glance;
pub mod model;
pub mod parse;
pub mod peek;
pub mod render;
mod usage;

/// The provider types whose thinking signatures Anthropic's models accept.
pub(crate) const SIGNERS: &[&str] = &["anthropic", "gcp_vertex_anthropic", "vertex_anthropic"];

/// The tool that a model is made to call where it has no other way to answer in JSON.
pub const JSON_TOOL: &str = "json_answer";

#[cfg(test)]
mod tests;
