//! Embeddings in OpenAI's shape.

use base64::{Engine, prelude::BASE64_STANDARD};
use sabir_types::{Map, Value};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::lenient;

/// What is to be embedded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmbeddingRequest {
    /// The model.
    pub model: String,
    /// The texts.
    pub input: EmbeddingInput,
    /// How many numbers a vector has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u64>,
    /// How vectors travel: `float` or `base64`. Both are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding_format: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl EmbeddingRequest {
    /// A request for one text, several, or tokens.
    pub fn new(model: impl Into<String>, input: impl Into<EmbeddingInput>) -> Self {
        Self { model: model.into(), input: input.into(), ..Self::default() }
    }
}

/// What is to be embedded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EmbeddingInput {
    /// A text.
    Text(String),
    /// Texts.
    Texts(Vec<String>),
    /// A text as tokens.
    Tokens(Vec<u64>),
    /// Texts as tokens.
    TokenLists(Vec<Vec<u64>>),
}

impl Default for EmbeddingInput {
    fn default() -> Self {
        Self::Texts(Vec::new())
    }
}

impl From<&str> for EmbeddingInput {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for EmbeddingInput {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: Into<String>> FromIterator<T> for EmbeddingInput {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        Self::Texts(texts.into_iter().map(Into::into).collect())
    }
}

/// The vectors, in the order of the texts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmbeddingList {
    /// Always `list`.
    #[serde(deserialize_with = "lenient")]
    pub object: String,
    /// The vectors.
    #[serde(deserialize_with = "lenient")]
    pub data: Vec<Embedding>,
    /// The model that answered.
    #[serde(deserialize_with = "lenient")]
    pub model: String,
    /// The tokens that it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<EmbeddingUsage>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The vector of a text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Embedding {
    /// Always `embedding`.
    #[serde(deserialize_with = "lenient")]
    pub object: String,
    /// Which text.
    #[serde(deserialize_with = "lenient")]
    pub index: u64,
    /// The numbers, however they travelled.
    #[serde(deserialize_with = "vector")]
    pub embedding: Vec<f32>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The tokens that vectors took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmbeddingUsage {
    /// What was asked.
    #[serde(deserialize_with = "lenient")]
    pub prompt_tokens: u64,
    /// The same.
    #[serde(deserialize_with = "lenient")]
    pub total_tokens: u64,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

fn vector<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Vector {
        Numbers(Vec<f32>),
        Base64(String),
    }
    match Vector::deserialize(from)? {
        Vector::Numbers(numbers) => Ok(numbers),
        Vector::Base64(text) => {
            let bytes = BASE64_STANDARD.decode(text).map_err(|_| D::Error::custom("a vector is not base64"))?;
            let (numbers, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return Err(D::Error::custom("a vector is cut off"));
            }
            Ok(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_read_either_way() {
        let read = |json: &str| serde_json::from_str::<Embedding>(json).map(|embedding| embedding.embedding);
        assert_eq!(read(r#"{"embedding":[1.0,-2.0]}"#).unwrap(), [1.0, -2.0]);
        assert_eq!(read(r#"{"embedding":"AACAPwAAAMA="}"#).unwrap(), [1.0, -2.0]);
        assert!(read(r#"{"embedding":"AACAPwA="}"#).unwrap_err().to_string().contains("cut off"));
    }
}
