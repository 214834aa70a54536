//! Signatures that providers want in place of a key.
//!
//! Invariant: pure functions; the time is an argument, and nothing here is ever printed.

pub(crate) mod jwt;
pub mod sigv4;
