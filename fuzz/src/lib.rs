//! The bodies of the fuzz targets, and a small mutator for those who run them without a fuzzer.
//!
//! Invariant: the tests of the crates include these very files, so that both try the same.

pub mod config;
pub mod mutate;
pub mod wire;
