//! Reasoning items: what the model thought, as this protocol keeps it.
//!
//! Invariant: a client sends these items back as it got them, so what [`item`] packs, [`read`]
//! gives back. Another provider's signature rides sealed in `encrypted_content`.

use sabir_types::{Map, Thinking, Value};
use serde_json::json;

use super::SIGNERS;
use crate::{
    anthropic::block::{seal, unseal},
    signed,
};

/// Reads a reasoning item.
pub(super) fn read(item: &Value) -> Thinking {
    let texts = |name: &str| -> Vec<String> {
        let parts = item.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        parts.iter().filter_map(|part| part.get("text")?.as_str()).map(str::to_owned).collect()
    };
    let text = |name: &str| item.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let said = Some(texts("content").concat()).filter(|text| !text.is_empty());
    let opaque = text("encrypted_content");
    if let Some(thinking) = opaque.and_then(|sealed| unseal(sealed, said.as_deref())) {
        return thinking;
    }
    Thinking {
        text: said,
        summary: texts("summary"),
        opaque: opaque.map(str::to_owned),
        id: text("id").map(str::to_owned),
        provider: Some(SIGNERS[0].to_owned()),
        ..Thinking::default()
    }
}

/// Writes a reasoning item for a client. `maker`: the provider type, where the thought does not say it.
pub(super) fn item(thinking: &Thinking, id: &str, maker: Option<&str>) -> Value {
    let mut out = Map::new();
    out.insert("id".into(), id.into());
    out.insert("type".into(), "reasoning".into());
    out.insert("summary".into(), summary(thinking));
    if let Some(text) = &thinking.text {
        out.insert("content".into(), json!([{"type": "reasoning_text", "text": text}]));
    }
    if let Some(hidden) = hidden(thinking, maker) {
        out.insert("encrypted_content".into(), hidden.into());
    }
    Value::Object(out)
}

/// The id that its item has: the provider's own, if there is one.
pub(super) fn name(thinking: &Thinking) -> Option<String> {
    thinking.id.clone().filter(|id| !signed::is_of_call(id))
}

/// The parts of a summary.
pub(super) fn summary(thinking: &Thinking) -> Value {
    thinking.summary.iter().map(|text| json!({"type": "summary_text", "text": text})).collect()
}

/// What the client keeps for the provider that made the thought.
fn hidden(thinking: &Thinking, maker: Option<&str>) -> Option<String> {
    let maker = thinking.provider.as_deref().or(maker);
    let is_ours = maker.is_none_or(|maker| SIGNERS.contains(&maker));
    if is_ours && thinking.signature.is_none() && thinking.rest.is_empty() {
        return thinking.opaque.clone();
    }
    if thinking.opaque.is_none() && thinking.signature.is_none() && thinking.rest.is_empty() {
        return None;
    }
    let mut whole = thinking.clone();
    whole.provider = maker.map(str::to_owned);
    Some(seal(&whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let own = Thinking {
            id: Some("rs_1".into()),
            summary: vec!["a".into(), "b".into()],
            opaque: Some("gAAA".into()),
            provider: Some("openai".into()),
            ..Thinking::default()
        };
        let written = item(&own, "rs_1", None);
        assert_eq!(written["encrypted_content"], "gAAA");
        assert_eq!(read(&written), own);

        let foreign = Thinking { text: Some("hm".into()), signature: Some("sig".into()), ..Thinking::default() };
        let written = item(&foreign, "rs_2", Some("anthropic"));
        assert_eq!(written["content"][0]["text"], "hm");
        assert_eq!(read(&written), Thinking { provider: Some("anthropic".into()), ..foreign });

        let plain = Thinking { text: Some("hm".into()), ..Thinking::default() };
        assert_eq!(item(&plain, "rs_3", Some("deepseek")).get("encrypted_content"), None);
    }
}
