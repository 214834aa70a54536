//! The client against a server that does what a test says: retries, timeouts, proxies, services
//! that are no gateway, and every kind of call.
//!
//! Invariant: no test needs a network or a gateway.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod calls;
mod engines;
mod faults;
mod services;
mod waiting;

#[path = "../behaviour/script.rs"]
mod script;
