//! Other people's words: one module per protocol, to and from Sabir's vocabulary, and the framing
//! of streams.
//!
//! Invariant: no I/O, no clock, no decisions. A protocol's module holds all four directions
//! (request and answer, read and written), so that what one side writes the other side reads.
