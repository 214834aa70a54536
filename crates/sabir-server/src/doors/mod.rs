//! The doors: one folder for each protocol that clients speak.

pub mod anthropic;
pub mod events;
pub mod extension;
mod fallback;
pub mod gemini;
pub mod model_manager;
pub mod openai;
mod pass_through;
pub mod responses;
pub mod shared;
pub mod tensorzero;

pub use fallback::{not_allowed, unknown};
