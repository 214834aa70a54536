//! Content blocks: what a message is made of, in a request and in an answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Protocol;

/// One piece of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// Plain text.
    Text(Text),
    /// A picture.
    Image(Media),
    /// Sound.
    Audio(Media),
    /// Moving pictures.
    Video(Media),
    /// A document (PDF, text, anything that the model may read).
    File(Media),
    /// What the model thought before it answered.
    Thinking(Thinking),
    /// The model asks for a tool to be run.
    ToolCall(ToolCall),
    /// What the tool answered.
    ToolResult(ToolResult),
    /// The model declined, in its own words.
    Refusal {
        /// The words.
        text: String,
    },
    /// A block that Sabir has no word for, kept as it came.
    Unknown(Unknown),
}

impl Block {
    /// A text block.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text { text: text.into(), ..Text::default() })
    }

    /// The text, if it is a text block.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.text),
            _ => None,
        }
    }

    /// The word for this kind of block in messages to people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Image(_) => "image",
            Self::Audio(_) => "audio",
            Self::Video(_) => "video",
            Self::File(_) => "file",
            Self::Thinking(_) => "thinking",
            Self::ToolCall(_) => "tool call",
            Self::ToolResult(_) => "tool result",
            Self::Refusal { .. } => "refusal",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// Text with what may hang on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Citations or annotations as the provider gave them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub citations: Vec<Value>,
    /// Opaque state that must come back to the provider on this very block (Gemini's thought signature).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// A prompt-caching mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheControl>,
}

/// A prompt-caching mark: "cache everything up to here".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheControl {
    /// How long to keep it, in the provider's words (`5m`, `1h`); absent means its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

/// A picture, sound, video or document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Where its bytes are.
    pub source: Source,
    /// Its media type (`image/png`), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// How closely to look: `low`, `high`, `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// A file name or title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// A prompt-caching mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheControl>,
    /// Other members of the provider's block (`context`, `citations`), kept as they came.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub rest: serde_json::Map<String, Value>,
}

impl Media {
    /// Media from a source, nothing else known.
    pub fn new(source: Source, mime: Option<String>) -> Self {
        Self { source, mime, detail: None, filename: None, cache: None, rest: serde_json::Map::new() }
    }
}

/// Where the bytes of a [`Media`] are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// At a URL that the provider fetches.
    Url(String),
    /// Here, in standard base64 with padding and without a `data:` prefix.
    Base64(String),
    /// In the provider's own file store, under this id.
    FileId(String),
    /// Here, as plain text (a `text/plain` document).
    Text(String),
}

/// What the model thought.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Thinking {
    /// The thought in words, if shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A summary in words, part by part, if shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub summary: Vec<String>,
    /// A signature that must come back with the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Opaque state instead of words (Anthropic's redacted thinking, OpenAI's encrypted content).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<String>,
    /// The provider's id for this thought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The provider type that made it (`anthropic`): a signature means nothing to another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Other members of the provider's block (OpenRouter's `reasoning_details`), kept as they came.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub rest: serde_json::Map<String, Value>,
}

/// Whether a tool takes JSON or free text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// Arguments are a JSON object in a string.
    #[default]
    Function,
    /// The argument is free text (OpenAI's custom tools).
    Custom,
}

/// The model asks for a tool to be run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The id that the result must carry.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments: JSON text as the model wrote it, never re-written. Empty means `{}`.
    pub arguments: String,
    /// JSON or free text.
    #[serde(default)]
    pub kind: CallKind,
    /// Opaque state that must come back to the provider on this very call (Gemini's thought signature).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// A prompt-caching mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheControl>,
}

/// What a tool answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The id of the call that this answers.
    pub id: String,
    /// The tool's name, where the protocol gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Text and pictures.
    pub content: Vec<Block>,
    /// The tool failed.
    #[serde(default)]
    pub is_error: bool,
    /// Free text of a custom tool, or JSON.
    #[serde(default)]
    pub kind: CallKind,
    /// A prompt-caching mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheControl>,
}

/// A block that Sabir has no word for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unknown {
    /// The protocol that it is written in: it is sent only to providers that speak it.
    pub protocol: Option<Protocol>,
    /// Only for this model of the configuration (TensorZero's `model_name`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Only for this provider of that model (TensorZero's `provider_name`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The block, verbatim.
    pub data: Value,
}
