//! What a call asks for.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Block, EmbedRequest, ImageRequest, ModerateRequest, RerankRequest, SpeechRequest, TranscribeRequest};

/// A wire protocol: what a door or a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Protocol {
    /// OpenAI's chat completions, embeddings, images, audio and moderations, and the `/rerank` of those
    /// that speak like it.
    OpenAi,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
    /// Google's generateContent.
    Gemini,
    /// AWS Bedrock's Converse.
    Bedrock,
    /// Cohere's second API.
    Cohere,
    /// TensorZero's inference API.
    TensorZero,
    /// The built-in provider that needs no network.
    Dummy,
}

impl Protocol {
    /// Its name in the ledger, in logs and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Responses => "responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Cohere => "cohere",
            Self::TensorZero => "tensorzero",
            Self::Dummy => "dummy",
        }
    }

    /// The protocol of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::OpenAi,
            Self::Responses,
            Self::Anthropic,
            Self::Gemini,
            Self::Bedrock,
            Self::Cohere,
            Self::TensorZero,
            Self::Dummy,
        ]
        .into_iter()
        .find(|p| p.as_str() == name)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of work a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operation {
    /// A conversation turn.
    Chat,
    /// Vectors for texts.
    Embed,
    /// Pictures from words.
    Image,
    /// Pictures from pictures.
    ImageEdit,
    /// Speech from text.
    Speech,
    /// Text from speech.
    Transcribe,
    /// English text from speech of any language.
    Translate,
    /// Whether something is harmful.
    Moderate,
    /// Documents in the order in which they answer a question.
    Rerank,
    /// Anything of a provider's API that goes through as it came.
    Relay,
    /// A conversation over a WebSocket, which goes through as it came.
    Realtime,
}

impl Operation {
    /// Those that are translated between providers; the others go through as they come.
    pub const TRANSLATED: [Self; 9] = [
        Self::Chat,
        Self::Embed,
        Self::Image,
        Self::ImageEdit,
        Self::Speech,
        Self::Transcribe,
        Self::Translate,
        Self::Moderate,
        Self::Rerank,
    ];

    /// Its name in the ledger, in logs and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embed => "embed",
            Self::Image => "image",
            Self::ImageEdit => "image_edit",
            Self::Speech => "speech",
            Self::Transcribe => "transcribe",
            Self::Translate => "translate",
            Self::Moderate => "moderate",
            Self::Rerank => "rerank",
            Self::Relay => "relay",
            Self::Realtime => "realtime",
        }
    }

    /// The operation of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::TRANSLATED.into_iter().chain([Self::Relay, Self::Realtime]).find(|o| o.as_str() == name)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One request, whatever door it came through. A new modality is a new variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Request {
    /// A conversation turn.
    Chat(Box<ChatRequest>),
    /// Vectors for texts.
    Embed(Box<EmbedRequest>),
    /// Pictures, made or changed.
    Image(Box<ImageRequest>),
    /// Speech from text.
    Speech(Box<SpeechRequest>),
    /// Text from speech.
    Transcribe(Box<TranscribeRequest>),
    /// Whether something is harmful.
    Moderate(Box<ModerateRequest>),
    /// Documents in order.
    Rerank(Box<RerankRequest>),
}

impl Request {
    /// What kind of work it is.
    pub fn operation(&self) -> Operation {
        match self {
            Self::Chat(_) => Operation::Chat,
            Self::Embed(_) => Operation::Embed,
            Self::Image(image) if image.edit => Operation::ImageEdit,
            Self::Image(_) => Operation::Image,
            Self::Speech(_) => Operation::Speech,
            Self::Transcribe(sound) if sound.translate => Operation::Translate,
            Self::Transcribe(_) => Operation::Transcribe,
            Self::Moderate(_) => Operation::Moderate,
            Self::Rerank(_) => Operation::Rerank,
        }
    }

    /// Whether the answer should come as events.
    pub fn is_stream(&self) -> bool {
        match self {
            Self::Chat(chat) => chat.stream,
            Self::Image(image) => image.stream,
            Self::Speech(speech) => speech.stream,
            Self::Transcribe(sound) => sound.stream,
            Self::Embed(_) | Self::Moderate(_) | Self::Rerank(_) => false,
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions in the middle of a conversation. Leading ones go to [`ChatRequest::system`].
    System,
    /// The user, and the results of tools.
    User,
    /// The model.
    Assistant,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What they say, in order.
    pub content: Vec<Block>,
    /// The speaker's name (OpenAI's `name`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Members of the message that Sabir has no word for, kept as they came.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub rest: Map<String, Value>,
}

impl Message {
    /// A turn without a name.
    pub fn new(role: Role, content: Vec<Block>) -> Self {
        Self { role, content, name: None, rest: Map::new() }
    }

    /// A user's text.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, vec![Block::text(text)])
    }

    /// A model's text.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new(Role::Assistant, vec![Block::text(text)])
    }
}

/// A conversation turn.
///
/// Invariants that doors establish: `system` holds the leading instructions; tool results are
/// blocks of [`Role::User`] messages; `messages` is not empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatRequest {
    /// Leading instructions.
    pub system: Vec<Block>,
    /// The conversation.
    pub messages: Vec<Message>,
    /// Tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether and which tool it must call.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several tools may be called in one turn.
    pub parallel_tool_calls: Option<bool>,
    /// The form of the answer.
    pub response_format: Option<ResponseFormat>,
    /// Sampling and length.
    pub params: Params,
    /// How much to think.
    pub reasoning: Option<Reasoning>,
    /// Whether the answer should come as events.
    pub stream: bool,
    /// Whether the caller asked for usage on the stream (OpenAI's `stream_options.include_usage`).
    pub stream_usage: Option<bool>,
    /// The provider's service tier.
    pub service_tier: Option<String>,
    /// How long-winded: `low`, `medium`, `high`.
    pub verbosity: Option<String>,
    /// Labels for the provider's own records.
    pub metadata: Map<String, Value>,
    /// The end user's id for the provider's abuse checks.
    pub user: Option<String>,
    /// Whether the provider should keep the exchange.
    pub store: Option<bool>,
    /// A key for the provider's prompt cache.
    pub prompt_cache_key: Option<String>,
    /// Kinds of output wanted (`text`, `audio`, `image`).
    pub modalities: Vec<String>,
    /// The voice and format of spoken output.
    pub audio: Option<AudioOut>,
    /// Members of the request that Sabir has no word for, and the protocol that they are written in.
    pub rest: Rest,
}

/// Unknown members of a request: forwarded only to a provider that speaks the same protocol.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rest {
    /// The protocol of the door.
    pub protocol: Option<Protocol>,
    /// The members, verbatim.
    pub members: Map<String, Value>,
}

/// Spoken output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AudioOut {
    /// The voice: a name, or the provider's object.
    pub voice: Value,
    /// `wav`, `mp3`, `flac`, `opus`, `pcm16`, `aac`.
    pub format: String,
}

/// Sampling and length. `None` means: the provider's default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Params {
    /// Randomness; usually 0 to 2.
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0 to 1.
    pub top_p: Option<f64>,
    /// Sample among the k likeliest tokens.
    pub top_k: Option<u32>,
    /// The most tokens that the answer may have, thinking included where the provider counts it.
    pub max_tokens: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// For answers that can be repeated.
    pub seed: Option<i64>,
    /// -2 to 2.
    pub presence_penalty: Option<f64>,
    /// -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// Token id → bias, -100 to 100.
    pub logit_bias: Map<String, Value>,
    /// Whether to return log probabilities.
    pub logprobs: Option<bool>,
    /// How many alternatives per token, 0 to 20.
    pub top_logprobs: Option<u32>,
    /// How many answers to make.
    pub n: Option<u32>,
}

/// How hard to think, in the field's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as the model can.
    Minimal,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// Very much.
    Xhigh,
    /// As much as the model can.
    Max,
}

impl Effort {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The effort of that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::Xhigh, Self::Max]
            .into_iter()
            .find(|e| e.as_str() == word)
    }
}

/// How much to think.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reasoning {
    /// By word.
    pub effort: Option<Effort>,
    /// By tokens; 0 turns thinking off, -1 lets the model decide.
    pub budget_tokens: Option<i64>,
    /// Whether the model decides by itself how much (Anthropic's `adaptive`).
    pub adaptive: bool,
    /// Whether and how to show thoughts: `auto`, `concise`, `detailed`, `summarized`, `omitted`.
    pub summary: Option<String>,
}

/// What a tool takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolKind {
    /// JSON arguments after this schema.
    Function {
        /// JSON Schema; `None` means no arguments.
        parameters: Option<Value>,
        /// Whether the provider must hold the model to the schema.
        strict: Option<bool>,
    },
    /// Free text, possibly after a grammar (OpenAI's custom tools); the `format` object verbatim.
    Custom {
        /// `{"type":"text"}` or a grammar.
        format: Option<Value>,
    },
    /// A tool that the provider runs itself, verbatim, in that protocol's form.
    Provider {
        /// The protocol that it is written in.
        protocol: Protocol,
        /// The tool object.
        data: Value,
    },
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name; empty for provider tools without one.
    pub name: String,
    /// What it does, for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it takes.
    pub kind: ToolKind,
    /// A prompt-caching mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<crate::CacheControl>,
}

/// Whether and which tool the model must call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// No tool.
    None,
    /// As it likes.
    Auto,
    /// At least one.
    Required,
    /// This one.
    Tool {
        /// Its name.
        name: String,
        /// JSON or free text.
        kind: crate::CallKind,
    },
    /// Only among these.
    Allowed {
        /// Whether it must call one of them.
        required: bool,
        /// Their names.
        names: Vec<String>,
    },
}

/// The form of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseFormat {
    /// Text.
    Text,
    /// Some JSON object.
    Json,
    /// JSON after this schema.
    Schema(Schema),
}

/// A named JSON schema for the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// Its name (`[a-zA-Z0-9_-]{1,64}`).
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON Schema.
    pub schema: Value,
    /// Whether the provider must hold the model to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}
