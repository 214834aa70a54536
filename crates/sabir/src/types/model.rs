//! The models that can be called.

use sabir_types::{Map, Value};
use serde::{Deserialize, Serialize};

use super::lenient;

/// The models that can be called.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelList {
    /// Always `list`.
    #[serde(deserialize_with = "lenient")]
    pub object: String,
    /// The models.
    #[serde(deserialize_with = "lenient")]
    pub data: Vec<Model>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Model {
    /// Its name.
    #[serde(deserialize_with = "lenient")]
    pub id: String,
    /// Always `model`.
    #[serde(deserialize_with = "lenient")]
    pub object: String,
    /// When it was made, in seconds since 1970.
    #[serde(deserialize_with = "lenient")]
    pub created: i64,
    /// Who offers it.
    #[serde(deserialize_with = "lenient")]
    pub owned_by: String,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}
