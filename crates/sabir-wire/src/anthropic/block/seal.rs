//! Thoughts of other providers on Anthropic's wire.
//!
//! Invariant: what [`seal`] packs into a signature, [`unseal`] gives back, and no signature of
//! Anthropic's own is taken for a packed one (those are base64, which has no colon).
//!
//! A client of this protocol sends thinking blocks back as it got them. Packing another provider's
//! id, opaque state and signature into the one member that clients never touch lets that provider
//! find its own thoughts again in the next turn.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use sabir_types::Thinking;

/// What a packed thought begins with.
pub(crate) const PREFIX: &str = "sabir:";

/// Packs everything but the visible text.
pub(crate) fn seal(thinking: &Thinking) -> String {
    let hidden = Thinking { text: None, ..thinking.clone() };
    let json = serde_json::to_vec(&hidden).unwrap_or_default();
    let mut sealed = PREFIX.to_owned();
    STANDARD_NO_PAD.encode_string(json, &mut sealed);
    sealed
}

/// Unpacks a signature or opaque state that [`seal`] made; the text is the block's own, unless it
/// was only the summary.
pub(crate) fn unseal(sealed: &str, text: Option<&str>) -> Option<Thinking> {
    let json = STANDARD_NO_PAD.decode(sealed.strip_prefix(PREFIX)?).ok()?;
    let mut thinking: Thinking = serde_json::from_slice(&json).ok()?;
    if thinking.summary.is_empty() {
        thinking.text = text.map(str::to_owned);
    }
    Some(thinking)
}
