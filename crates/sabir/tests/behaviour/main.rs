//! One suite for all four ways to call a gateway: over HTTP and in this process, async and blocking.
//!
//! Invariant: a scenario runs all ways, and each way has to give what the first one gave.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod calls;
mod failures;
mod media;
mod script;
mod straight;
mod streams;
mod wire;

mod support;
