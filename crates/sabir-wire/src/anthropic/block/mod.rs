//! Content blocks on Anthropic's wire.
//!
//! Invariant: a block that [`read`] does not understand to the last member is kept whole as
//! [`sabir_types::Block::Unknown`], so that writing gives back what was read.

mod read;
mod seal;
mod write;

pub(super) use read::{Fault, Mark, content};
pub(crate) use seal::{PREFIX as SEALED, seal, unseal};
pub(super) use write::{CacheMark, Content, EMPTY, Known, Piece, Source, answer, arguments, raw, wrap};
