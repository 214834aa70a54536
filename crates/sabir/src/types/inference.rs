//! Inferences in TensorZero's shape.

use sabir_types::{Map, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::lenient;

/// What is asked of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InferenceRequest {
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// `system` and `messages`.
    pub input: Value,
    /// The episode that the call belongs to; without it, a new one begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub episode_id: Option<String>,
    /// Labels to find it by.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub tags: Map<String, Value>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl InferenceRequest {
    /// A request without messages yet.
    pub fn new(model: impl Into<String>) -> Self {
        Self { model_name: Some(model.into()), input: json!({"messages": []}), ..Self::default() }
    }

    /// Says what the system says.
    #[must_use]
    pub fn system(mut self, text: impl Into<String>) -> Self {
        self.input["system"] = text.into().into();
        self
    }

    /// Adds a message of the user.
    #[must_use]
    pub fn user(self, text: impl Into<String>) -> Self {
        self.message(json!({"role": "user", "content": text.into()}))
    }

    /// Adds a message.
    #[must_use]
    pub fn message(mut self, message: Value) -> Self {
        if let Some(messages) = self.input.get_mut("messages").and_then(Value::as_array_mut) {
            messages.push(message);
        }
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into().into());
        self
    }

    /// Adds any other member.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.rest.insert(name.into(), value.into());
        self
    }
}

/// A whole answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InferenceResponse {
    /// Its id.
    #[serde(deserialize_with = "lenient")]
    pub inference_id: String,
    /// The episode that it belongs to.
    #[serde(deserialize_with = "lenient")]
    pub episode_id: String,
    /// The variant that answered.
    #[serde(deserialize_with = "lenient")]
    pub variant_name: String,
    /// What the model says.
    #[serde(deserialize_with = "lenient")]
    pub content: Vec<ContentBlock>,
    /// The tokens that it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<InferenceUsage>,
    /// Why it stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl InferenceResponse {
    /// All that is said in it.
    pub fn text(&self) -> String {
        text(&self.content)
    }
}

/// A piece of a streamed answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InferenceChunk {
    /// The answer's id.
    #[serde(deserialize_with = "lenient")]
    pub inference_id: String,
    /// The episode that it belongs to.
    #[serde(deserialize_with = "lenient")]
    pub episode_id: String,
    /// The variant that answers.
    #[serde(deserialize_with = "lenient")]
    pub variant_name: String,
    /// Pieces of what the model says.
    #[serde(deserialize_with = "lenient")]
    pub content: Vec<ContentBlock>,
    /// The tokens that it took, at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<InferenceUsage>,
    /// Why it stopped, at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl InferenceChunk {
    /// The text that this piece adds.
    pub fn text(&self) -> String {
        text(&self.content)
    }
}

fn text(blocks: &[ContentBlock]) -> String {
    blocks.iter().filter(|block| block.kind == "text").filter_map(|block| block.text.as_deref()).collect()
}

/// A text, a thought, a call of a tool, or a piece of one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContentBlock {
    /// What it is.
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub kind: String,
    /// The id of a call; in a stream, which block a piece belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The words of a text or a thought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The tool, if it is one that was offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tool as the model names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_name: Option<String>,
    /// The arguments, if they are an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// The arguments as the model wrote them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_arguments: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The tokens that an answer took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InferenceUsage {
    /// What was asked.
    pub input_tokens: Option<u64>,
    /// What was answered.
    pub output_tokens: Option<u64>,
    /// What it cost, if the model has prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}
