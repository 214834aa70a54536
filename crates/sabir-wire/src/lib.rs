//! Other people's words: one module per protocol, to and from Sabir's vocabulary, and the framing
//! of streams.
//!
//! Invariant: no I/O, no clock, no decisions. A protocol's module holds all four directions
//! (request and answer, read and written), so that what one side writes the other side reads.

pub mod anthropic;
pub mod bedrock;
pub mod event_stream;
pub mod gemini;
pub mod multipart;
pub mod ndjson;
pub mod openai;
pub mod rerank;
pub mod responses;
pub mod sse;
pub mod tensorzero;

/// The most bytes that one event, line or frame of a stream may have, unless told otherwise.
pub const FRAME_LIMIT: usize = 10 * 1024 * 1024;
