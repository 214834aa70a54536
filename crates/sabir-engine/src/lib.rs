//! The one path that every call takes, embedded or served: plan, cache, attempt, record.
//!
//! Invariant: everything that decides anything is here; doors parse and render, nothing else.

pub mod call;
mod circuit;
pub mod config;
mod engine;
pub mod plan;

pub use call::{Answer, Call, CallOptions, Content, Facts, Failure, Frame, FrameStream, Source, Summary};
pub use engine::Engine;
