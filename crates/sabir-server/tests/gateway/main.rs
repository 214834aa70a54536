//! The gateway seen from outside: raw bytes in, raw bytes out, and what the ledger says about it.
//!
//! Invariant: a test waits for something that happens, never for time to pass, unless time is what
//! it is about.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod background;
mod batches;
mod caching;
mod circuit;
mod conversations;
mod input;
mod kill;
mod leaving;
mod matrix;
mod media;
mod mock;
mod more_doors;
mod native_doors;
mod oddities;
mod other_door;
mod passing;
mod prices;
mod rate_limits;
mod realtime;
mod recording;
mod relay;
mod reload;
mod responses;
mod retries;
mod secrets;
mod shutdown;
mod support;
