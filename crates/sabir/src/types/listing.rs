//! What the ledger keeps, found again.

use sabir_types::{Map, Value};
use serde::{Deserialize, Serialize};

use super::lenient;

/// Which inferences to find.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListInferencesRequest {
    /// Of this function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_name: Option<String>,
    /// Of this variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant_name: Option<String>,
    /// Of this episode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub episode_id: Option<String>,
    /// Which output: `inference`, `demonstration` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_source: Option<String>,
    /// By metrics, tags and time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Value>,
    /// In which order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_by: Option<Value>,
    /// At most how many; 20 unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Without the first ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Those before this inference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Those after this inference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InferenceList {
    /// The inferences.
    #[serde(deserialize_with = "lenient")]
    pub inferences: Vec<StoredInference>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// An inference as the ledger keeps it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredInference {
    /// Its id.
    #[serde(deserialize_with = "lenient")]
    pub inference_id: String,
    /// The episode that it belongs to.
    #[serde(deserialize_with = "lenient")]
    pub episode_id: String,
    /// The function that was called.
    #[serde(deserialize_with = "lenient")]
    pub function_name: String,
    /// The variant that answered.
    #[serde(deserialize_with = "lenient")]
    pub variant_name: String,
    /// When it began.
    #[serde(deserialize_with = "lenient")]
    pub timestamp: String,
    /// What was asked.
    pub input: Value,
    /// What was answered.
    pub output: Option<Value>,
    /// Its labels.
    #[serde(deserialize_with = "lenient")]
    pub tags: Map<String, Value>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}
