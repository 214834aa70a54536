//! Chat completions in OpenAI's shape.

use sabir_types::{Map, Value};
use serde::{Deserialize, Serialize};

use super::lenient;

/// What is asked of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatCompletionRequest {
    /// The model.
    pub model: String,
    /// The conversation.
    pub messages: Vec<Message>,
    /// How much chance there is in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// From which part of the probability a token is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// The most tokens of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u64>,
    /// How many answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// A number that makes answers repeatable where the model can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Texts that end the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// The tools that the model may call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// Which of them it has to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<Value>,
    /// Which shape the answer has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<Value>,
    /// What else comes with a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<Value>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl ChatCompletionRequest {
    /// A request without messages yet.
    pub fn new(model: impl Into<String>) -> Self {
        Self { model: model.into(), ..Self::default() }
    }

    /// Adds a message of the system.
    #[must_use]
    pub fn system(self, text: impl Into<String>) -> Self {
        self.message(Message::new("system", text))
    }

    /// Adds a message of the user.
    #[must_use]
    pub fn user(self, text: impl Into<String>) -> Self {
        self.message(Message::new("user", text))
    }

    /// Adds a message of the model.
    #[must_use]
    pub fn assistant(self, text: impl Into<String>) -> Self {
        self.message(Message::new("assistant", text))
    }

    /// Adds a message.
    #[must_use]
    pub fn message(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// Asks for the usage at the end of a stream.
    #[must_use]
    pub fn include_usage(mut self) -> Self {
        self.stream_options = Some(serde_json::json!({"include_usage": true}));
        self
    }

    /// Adds any other member.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.rest.insert(name.into(), value.into());
        self
    }
}

/// A message, asked or answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    /// Who says it.
    #[serde(deserialize_with = "lenient")]
    pub role: String,
    /// What is said.
    pub content: Option<Content>,
    /// Why the model does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// The tools that the model calls.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// The call that this message answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Message {
    /// A message that is a text.
    pub fn new(role: impl Into<String>, text: impl Into<String>) -> Self {
        Self { role: role.into(), content: Some(Content::Text(text.into())), ..Self::default() }
    }

    /// What a tool gave back.
    pub fn tool(call_id: impl Into<String>, text: impl Into<String>) -> Self {
        Self { tool_call_id: Some(call_id.into()), ..Self::new("tool", text) }
    }

    /// All that is text in it.
    pub fn text(&self) -> String {
        match &self.content {
            None => String::new(),
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => parts.iter().filter_map(|part| part.text.as_deref()).collect(),
        }
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// A text.
    Text(String),
    /// Texts, images and others.
    Parts(Vec<Part>),
}

/// A part of a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Part {
    /// What it is.
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub kind: String,
    /// The text of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Everything else: what belongs to its kind.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Part {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { kind: "text".to_owned(), text: Some(text.into()), rest: Map::new() }
    }

    /// An image at an address, which may be a data URL.
    pub fn image(url: impl Into<String>) -> Self {
        let mut rest = Map::new();
        rest.insert("image_url".to_owned(), serde_json::json!({"url": url.into()}));
        Self { kind: "image_url".to_owned(), text: None, rest }
    }
}

/// A call of a tool, or a piece of one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolCall {
    /// Which call a piece belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What is called.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The function that is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<Function>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The function of a call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Function {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its arguments: JSON, if the model made no mistake.
    #[serde(deserialize_with = "lenient")]
    pub arguments: String,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A whole answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatCompletion {
    /// Its id.
    #[serde(deserialize_with = "lenient")]
    pub id: String,
    /// Always `chat.completion`.
    #[serde(deserialize_with = "lenient")]
    pub object: String,
    /// When it was made, in seconds since 1970.
    #[serde(deserialize_with = "lenient")]
    pub created: i64,
    /// The model that answered.
    #[serde(deserialize_with = "lenient")]
    pub model: String,
    /// The answers.
    #[serde(deserialize_with = "lenient")]
    pub choices: Vec<Choice>,
    /// The tokens that it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl ChatCompletion {
    /// The text of the first answer.
    pub fn text(&self) -> String {
        self.choices.first().map(|choice| choice.message.text()).unwrap_or_default()
    }
}

/// One of the answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choice {
    /// Which one.
    #[serde(deserialize_with = "lenient")]
    pub index: u64,
    /// What the model says.
    #[serde(deserialize_with = "lenient")]
    pub message: Message,
    /// Why it stopped.
    pub finish_reason: Option<String>,
    /// How probable its tokens were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Value>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The tokens that an answer took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// What was asked.
    #[serde(deserialize_with = "lenient")]
    pub prompt_tokens: u64,
    /// What was answered.
    #[serde(deserialize_with = "lenient")]
    pub completion_tokens: u64,
    /// Both.
    #[serde(deserialize_with = "lenient")]
    pub total_tokens: u64,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A piece of a streamed answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatCompletionChunk {
    /// The answer's id.
    #[serde(deserialize_with = "lenient")]
    pub id: String,
    /// Always `chat.completion.chunk`.
    #[serde(deserialize_with = "lenient")]
    pub object: String,
    /// When the answer was begun, in seconds since 1970.
    #[serde(deserialize_with = "lenient")]
    pub created: i64,
    /// The model that answers.
    #[serde(deserialize_with = "lenient")]
    pub model: String,
    /// Pieces of the answers; none in the piece with the usage.
    #[serde(deserialize_with = "lenient")]
    pub choices: Vec<ChunkChoice>,
    /// The tokens that the answer took, at its end and if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl ChatCompletionChunk {
    /// The text that this piece adds to the first answer.
    pub fn text(&self) -> &str {
        let first = self.choices.iter().find(|choice| choice.index == 0);
        first.and_then(|choice| choice.delta.content.as_deref()).unwrap_or_default()
    }
}

/// A piece of one of the answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChunkChoice {
    /// Which one.
    #[serde(deserialize_with = "lenient")]
    pub index: u64,
    /// What it adds.
    #[serde(deserialize_with = "lenient")]
    pub delta: Delta,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// How probable the tokens were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Value>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What a piece adds to a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Delta {
    /// Who says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// More text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// More of why the model does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// More of the calls.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}
