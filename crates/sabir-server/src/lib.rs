//! The gateway: doors over the engine.
//!
//! Invariant: a door parses and renders; it decides nothing.

pub mod app;
pub mod batches;
pub mod bench;
pub mod cli;
pub mod config_command;
pub mod doors;
pub mod gate;
pub mod ledger_command;
pub mod metrics;
pub mod patient;
pub mod prices_command;
pub mod providers_command;
pub mod rate_limits;
pub mod serve;
