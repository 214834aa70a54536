//! The doors: one folder for each protocol that clients speak.

pub mod openai;
pub mod tensorzero;
