//! AWS Bedrock's Converse, the provider's side: a request goes out, an answer comes in.
//!
//! Facts: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>, checked 2026-11.
//!
//! Invariant: the model stands in the URL and whether it streams in the path, never in a body.
//! There is no door of this protocol, so every request is fitted to it, and what is left out on the
//! way is named in a warning.

pub mod decode;
pub mod emit;
pub mod error;
mod family;

/// The provider types whose signed thoughts come back to Bedrock.
const SIGNERS: &[&str] = &["bedrock", "aws_bedrock"];
