//! The gateway: doors over the engine.
//!
//! Invariant: a door parses and renders; it decides nothing.

pub mod app;
pub mod bench;
pub mod doors;
pub mod gate;
pub mod metrics;
pub mod serve;
