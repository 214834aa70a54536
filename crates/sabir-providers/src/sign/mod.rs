//! Signatures over requests whose bodies are final.
//!
//! Invariant: pure functions; the time is an argument, and no key is part of a message.

pub mod sigv4;
