//! Answers from the wire: whole and streamed.
//!
//! Invariant: the events of a streamed answer add up to what the whole answer says (but for
//! members that no event carries: `stop_details` beyond its explanation, and unknown members).

mod stream;
mod whole;

pub use stream::ChatStream;
pub use whole::{chat, finish_reason, unwrap_json};
