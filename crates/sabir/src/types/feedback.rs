//! What somebody says about an inference or an episode.

use sabir_types::{Map, Value};
use serde::{Deserialize, Serialize};

use super::lenient;

/// What is said about an inference or an episode.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FeedbackRequest {
    /// A metric of the configuration, `comment` or `demonstration`.
    pub metric_name: String,
    /// The number, the verdict or the words.
    pub value: Value,
    /// The inference that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inference_id: Option<String>,
    /// The episode that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub episode_id: Option<String>,
    /// Labels.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub tags: Map<String, Value>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl FeedbackRequest {
    /// Something about an inference.
    pub fn inference(id: impl Into<String>, metric_name: impl Into<String>, value: impl Into<Value>) -> Self {
        let (metric_name, value) = (metric_name.into(), value.into());
        Self { metric_name, value, inference_id: Some(id.into()), ..Self::default() }
    }

    /// Something about an episode.
    pub fn episode(id: impl Into<String>, metric_name: impl Into<String>, value: impl Into<Value>) -> Self {
        let (metric_name, value) = (metric_name.into(), value.into());
        Self { metric_name, value, episode_id: Some(id.into()), ..Self::default() }
    }
}

/// Where the feedback is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FeedbackResponse {
    /// Its id.
    #[serde(deserialize_with = "lenient")]
    pub feedback_id: String,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}
