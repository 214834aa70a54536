//! Usage: what a call consumed. Absent means unknown, never zero.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Tokens consumed by one call, with one arithmetic for all providers.
///
/// `input_tokens` includes what was read from and written to the provider's prompt cache;
/// `output_tokens` includes thinking. Decoders convert where a provider counts otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Everything that went in, the cached part included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Everything that came out, thinking included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Of the input: read from the prompt cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read_tokens: Option<u64>,
    /// Of the input: written to the prompt cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// Of the output: thinking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Of the input: sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_audio_tokens: Option<u64>,
    /// Of the output: sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_audio_tokens: Option<u64>,
    /// The provider's own usage object, verbatim. Where it has none and what is counted are no tokens, the
    /// units: `images`, `characters`, `seconds`, `search_units`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<Value>,
}

impl Usage {
    /// Input and output together, where both are known.
    pub fn total(&self) -> Option<u64> {
        Some(self.input_tokens?.saturating_add(self.output_tokens?))
    }

    /// So much of a unit that is no token.
    pub fn of_units(unit: &str, amount: impl Into<Value>) -> Self {
        let raw = Value::Object([(unit.to_owned(), amount.into())].into_iter().collect());
        Self { raw: Some(raw), ..Self::default() }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.input_tokens.is_none() && self.output_tokens.is_none()
    }

    /// Takes every figure that `later` knows: providers send cumulative usage, the last word wins.
    pub fn update(&mut self, later: Usage) {
        fn take<T>(slot: &mut Option<T>, value: Option<T>) {
            if value.is_some() {
                *slot = value;
            }
        }
        take(&mut self.input_tokens, later.input_tokens);
        take(&mut self.output_tokens, later.output_tokens);
        take(&mut self.cache_read_tokens, later.cache_read_tokens);
        take(&mut self.cache_write_tokens, later.cache_write_tokens);
        take(&mut self.reasoning_tokens, later.reasoning_tokens);
        take(&mut self.input_audio_tokens, later.input_audio_tokens);
        take(&mut self.output_audio_tokens, later.output_audio_tokens);
        match (&mut self.raw, later.raw) {
            // Anthropic sends its object in parts: the input's at the beginning, the output's at the end.
            (Some(Value::Object(raw)), Some(Value::Object(more))) => {
                raw.extend(more.into_iter().filter(|(_, value)| !value.is_null()))
            }
            (raw, later) => take(raw, later),
        }
    }
}
