//! Thoughts of other providers on Gemini's wire.
//!
//! Invariant: what [`seal`] packs into a signature, [`unseal`] gives back, also after a client that
//! decodes signatures and writes them in the other alphabet of base64; no signature of Google's is
//! taken for a packed one.
//!
//! A client of this protocol sends parts back as it got them. Packing another provider's id, opaque
//! state and signature into the signature of a thought lets that provider find its own thoughts
//! again in the next turn.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use sabir_types::Thinking;

use super::SIGNERS;

/// What stands before the packed thought: six bytes, so that they end with a digit of base64.
const PREFIX: &[u8] = b"sabir:";
/// The same in base64.
pub(crate) const SEALED: &str = "c2FiaXI6";

/// Whether a thought is another provider's.
pub(super) fn is_foreign(provider: Option<&str>) -> bool {
    provider.is_some_and(|provider| !SIGNERS.contains(&provider))
}

/// Packs everything but the visible text.
pub(super) fn seal(thinking: &Thinking) -> String {
    let hidden = Thinking { text: None, ..thinking.clone() };
    let mut packed = PREFIX.to_vec();
    packed.extend(serde_json::to_vec(&hidden).unwrap_or_default());
    STANDARD.encode(packed)
}

/// Unpacks a signature that [`seal`] made; the text is the part's own, unless it was only the summary.
pub(super) fn unseal(signature: &str, text: &str) -> Option<Thinking> {
    // Cheap to see for nearly every signature.
    if !signature.starts_with(SEALED) {
        return None;
    }
    let standard = signature.trim_end_matches('=').replace('-', "+").replace('_', "/");
    let packed = STANDARD_NO_PAD.decode(standard).ok()?;
    let mut thinking: Thinking = serde_json::from_slice(packed.strip_prefix(PREFIX)?).ok()?;
    if thinking.summary.is_empty() && !text.is_empty() {
        thinking.text = Some(text.to_owned());
    }
    Some(thinking)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_thought_comes_back() {
        let thinking = Thinking {
            text: Some("hm".into()),
            signature: Some("s>>>???".into()),
            provider: Some("anthropic".into()),
            ..Thinking::default()
        };
        let sealed = seal(&thinking);
        assert_eq!(unseal(&sealed, "hm"), Some(thinking.clone()));
        let other = sealed.replace('+', "-").replace('/', "_");
        assert_eq!(unseal(&other, "hm"), Some(thinking));
        assert_eq!(unseal("CiQB", "hm"), None);
    }
}
