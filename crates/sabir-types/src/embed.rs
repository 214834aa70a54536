//! Embeddings: vectors for texts.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Rest, Usage};

/// Vectors for texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbedRequest {
    /// What to embed.
    pub input: EmbedInput,
    /// How long each vector should be.
    pub dimensions: Option<u32>,
    /// How the caller wants the vectors written.
    pub format: Option<EmbedFormat>,
    /// The end user's id for the provider's abuse checks.
    pub user: Option<String>,
    /// Members of the request that Sabir has no word for.
    pub rest: Rest,
}

/// What to embed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EmbedInput {
    /// One text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// One text as token ids.
    Tokens(Vec<u32>),
    /// Several texts as token ids.
    TokenLists(Vec<Vec<u32>>),
}

impl EmbedInput {
    /// How many vectors will come.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(_) | Self::Tokens(_) => 1,
            Self::Texts(texts) => texts.len(),
            Self::TokenLists(lists) => lists.len(),
        }
    }

    /// Whether there is nothing to embed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmbedFormat {
    /// A JSON array of numbers.
    Float,
    /// Base64 of little-endian 32-bit floats.
    Base64,
}

/// One vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Vector {
    /// Numbers.
    Floats(Vec<f32>),
    /// Base64 of little-endian 32-bit floats, as the provider wrote it.
    Base64(String),
}

/// The vectors, in the order of the input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbedResponse {
    /// The model that the provider says it used.
    pub model: String,
    /// One vector per input.
    pub vectors: Vec<Vector>,
    /// What it cost.
    pub usage: Usage,
    /// Members of the answer that Sabir has no word for.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub rest: serde_json::Map<String, Value>,
}
