//! Public keys that callers' tokens are checked with: of the configuration, and of an issuer.
//!
//! Invariant: a key checks signatures of its own kind only, whatever a token says of itself.

mod der;
mod issuer;
mod key;

pub(crate) use issuer::Issuer;
pub use key::{PublicKey, Scheme};
