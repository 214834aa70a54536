//! Hidden thoughts in `reasoning_details`, the member that clients of this protocol send back as it came.
//!
//! Invariant: what [`pack`] writes, [`unpack`] reads, whole and word for word; details of any other
//! maker are left alone.
//!
//! The form is OpenRouter's: a list of objects with `type` and `index`. Everything is in the one
//! text, because what clients add up of a stream's `reasoning_content` has lost its borders.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use sabir_types::{Thinking, Value};
use serde_json::json;

use crate::anthropic::block::SEALED as PREFIX;

/// Whether there is more to a thought than its words.
pub(super) fn hides(thinking: &Thinking) -> bool {
    thinking.signature.is_some() || thinking.opaque.is_some()
}

/// Writes a thought. `maker`: the provider type, where the thought does not say it.
pub(super) fn pack(thinking: &Thinking, maker: Option<&str>, index: usize) -> Value {
    let mut whole = thinking.clone();
    whole.provider = whole.provider.or_else(|| maker.map(str::to_owned));
    let mut data = PREFIX.to_owned();
    STANDARD_NO_PAD.encode_string(serde_json::to_vec(&whole).unwrap_or_default(), &mut data);
    json!({"type": "reasoning.encrypted", "data": data, "format": "sabir-v1", "index": index})
}

/// Reads thoughts back; `None` if there is none of ours.
pub(super) fn unpack(details: &Value) -> Option<Vec<Thinking>> {
    let ours = |detail: &Value| -> Option<Thinking> {
        let data = detail.get("data")?.as_str()?.strip_prefix(PREFIX)?;
        serde_json::from_slice(&STANDARD_NO_PAD.decode(data).ok()?).ok()
    };
    let thoughts: Vec<_> = details.as_array()?.iter().filter_map(ours).collect();
    (!thoughts.is_empty()).then_some(thoughts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_read() {
        let thinking = Thinking {
            text: Some("hm".into()),
            signature: Some("sig".into()),
            id: Some("t".into()),
            ..Thinking::default()
        };
        let packed = pack(&thinking, Some("anthropic"), 0);
        let back = unpack(&json!([{"type": "reasoning.text", "text": "x"}, packed])).unwrap();
        assert_eq!(back, [Thinking { provider: Some("anthropic".into()), ..thinking }]);
        for other in [json!([{"type": "reasoning.encrypted", "data": "gAAA"}]), json!("x"), json!([]), json!([1])] {
            assert_eq!(unpack(&other), None, "{other}");
        }
    }
}
