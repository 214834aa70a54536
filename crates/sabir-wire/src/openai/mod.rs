//! OpenAI's chat completions, embeddings, images, audio and moderations, both directions.
//!
//! Invariant: `parse` and `render` are the door's side (a request comes in, an answer goes out),
//! `emit` and `decode` the provider's side (a request goes out, an answer comes in); what one side
//! writes the other side reads.

pub mod decode;
mod details;
pub mod embed;
pub mod emit;
pub mod error;
mod fields;
pub mod image;
pub mod moderation;
pub mod named;
pub mod parse;
pub mod peek;
pub mod render;
pub mod speech;
pub mod transcript;

pub(crate) use fields::{Fields, Out, answer, said, written};

#[cfg(test)]
mod media_tests;
