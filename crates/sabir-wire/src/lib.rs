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
mod signed;
pub mod sse;
pub mod tensorzero;

/// The most bytes that one event, line or frame of a stream may have, unless told otherwise.
pub const FRAME_LIMIT: usize = 10 * 1024 * 1024;

/// Whether a request seems to hold thoughts that were packed for a client of another protocol than
/// their maker's: they have to be unpacked, since no provider can read them as they are. A user who
/// writes such words has the request translated, with the same meaning.
pub fn holds_packed_thoughts(body: &[u8]) -> bool {
    memchr::memmem::find(body, anthropic::block::SEALED.as_bytes()).is_some()
        || memchr::memmem::find(body, gemini::SEALED.as_bytes()).is_some()
}
