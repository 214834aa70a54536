//! The one path that every call takes, embedded or served: plan, cache, attempt, record.
//!
//! Invariant: everything that decides anything is here; doors parse and render, nothing else.

pub mod plan;
