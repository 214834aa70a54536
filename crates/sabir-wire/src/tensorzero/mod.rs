//! TensorZero's inference API, the door's side of it: requests read, answers and stored inferences written.
//!
//! Invariant: facts are those of the gateway 2026.6; what needs a function is refused by name.

mod block;
pub mod parse;
pub mod render;
pub mod stored;
