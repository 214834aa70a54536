//! The doors: one folder for each protocol that clients speak.

pub mod events;
pub mod extension;
pub mod model_manager;
pub mod openai;
pub mod tensorzero;
