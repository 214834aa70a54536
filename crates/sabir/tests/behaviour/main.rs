//! One suite for all four ways to call a gateway: over HTTP and in this process, async and blocking.
//!
//! Invariant: a scenario runs all ways, and each way has to give what the first one gave.

mod calls;
mod failures;
mod streams;
mod wire;

mod support;
