//! Whether a text or a picture is harmful.
//!
//! Invariant: there is one verdict for each input, in order.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Rest, Usage};

/// What is to be judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModerateRequest {
    /// What to judge.
    pub input: ModerateInput,
    /// Members of the request that Sabir has no word for.
    pub rest: Rest,
}

/// What to judge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ModerateInput {
    /// One text.
    Text(String),
    /// Several texts, each on its own.
    Texts(Vec<String>),
    /// Texts and pictures, in OpenAI's form (`{"type":"text"}`, `{"type":"image_url"}`).
    Parts(Vec<Value>),
}

impl Default for ModerateInput {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// The verdicts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModerateResponse {
    /// The provider's id for it.
    pub id: Option<String>,
    /// The model that the provider says it used.
    pub model: String,
    /// One for each input.
    pub results: Vec<Verdict>,
    /// What it cost.
    pub usage: Usage,
    /// Members of the answer that Sabir has no word for.
    pub rest: Map<String, Value>,
}

/// One verdict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Verdict {
    /// Whether anything was found.
    pub flagged: bool,
    /// What was found, by name.
    pub categories: Map<String, Value>,
    /// How likely each is, 0 to 1.
    pub category_scores: Map<String, Value>,
    /// Members that Sabir has no word for.
    pub rest: Map<String, Value>,
}
