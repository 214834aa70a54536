//! Documents, in the order in which they answer a question.
//!
//! Invariant: a result names its document by its place in the request.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Rest, Usage};

/// Documents to be put in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RerankRequest {
    /// The question.
    pub query: String,
    /// The documents: texts, or objects with a `text`.
    pub documents: Vec<Value>,
    /// How many of the best to return.
    pub top_n: Option<u32>,
    /// Whether the answer should repeat the documents.
    pub return_documents: Option<bool>,
    /// The most tokens of a document that are read.
    pub max_tokens_per_doc: Option<u64>,
    /// Members of the request that Sabir has no word for.
    pub rest: Rest,
}

impl RerankRequest {
    /// The text of a document, however it is written; other objects count as their JSON.
    pub fn text(document: &Value) -> String {
        match document {
            Value::String(text) => text.clone(),
            other => match other.get("text").and_then(Value::as_str) {
                Some(text) => text.to_owned(),
                None => other.to_string(),
            },
        }
    }
}

/// The documents in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RerankResponse {
    /// The provider's id for it.
    pub id: Option<String>,
    /// The model that the provider says it used.
    pub model: String,
    /// The best first.
    pub results: Vec<Ranked>,
    /// What it cost: tokens, or in `raw` the provider's search units.
    pub usage: Usage,
    /// Members of the answer that Sabir has no word for.
    pub rest: Map<String, Value>,
}

/// One document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Which one of the request, from 0.
    pub index: u32,
    /// How well it answers.
    pub relevance_score: f64,
    /// The document, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Value>,
}
