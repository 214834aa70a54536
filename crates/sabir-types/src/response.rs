//! What an answer holds.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Block, EmbedResponse, ImageResponse, ModerateResponse, RerankResponse, SpeechResponse, TranscribeResponse, Usage,
};

/// One answer, whatever provider gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Response {
    /// A conversation turn.
    Chat(Box<ChatResponse>),
    /// Vectors.
    Embed(Box<EmbedResponse>),
    /// Pictures.
    Image(Box<ImageResponse>),
    /// Sound.
    Speech(Box<SpeechResponse>),
    /// A transcript.
    Transcribe(Box<TranscribeResponse>),
    /// Verdicts.
    Moderate(Box<ModerateResponse>),
    /// Documents in order.
    Rerank(Box<RerankResponse>),
}

impl Response {
    /// What it cost.
    pub fn usage(&self) -> &Usage {
        match self {
            Self::Chat(chat) => &chat.usage,
            Self::Embed(embed) => &embed.usage,
            Self::Image(image) => &image.usage,
            Self::Speech(speech) => &speech.usage,
            Self::Transcribe(sound) => &sound.usage,
            Self::Moderate(verdicts) => &verdicts.usage,
            Self::Rerank(ranked) => &ranked.usage,
        }
    }
}

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FinishReason {
    /// It was done.
    Stop,
    /// It wrote one of the stop texts.
    StopSequence,
    /// The token limit.
    Length,
    /// It wants tools to be run.
    ToolCalls,
    /// The provider's filter cut it off, or the model declined.
    ContentFilter,
    /// Something else; the provider's word is in [`Choice::raw_finish_reason`].
    Other,
}

impl FinishReason {
    /// Its name in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::StopSequence => "stop_sequence",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Other => "other",
        }
    }

    /// The reason of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Stop, Self::StopSequence, Self::Length, Self::ToolCalls, Self::ContentFilter, Self::Other]
            .into_iter()
            .find(|r| r.as_str() == name)
    }
}

/// A conversation turn's answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatResponse {
    /// The provider's id for it.
    pub id: Option<String>,
    /// The model that the provider says it used.
    pub model: String,
    /// When it was made, seconds since 1970, if the provider says so.
    pub created: Option<i64>,
    /// One answer per `n`; at least one.
    pub choices: Vec<Choice>,
    /// What it cost.
    pub usage: Usage,
    /// The service tier that was used.
    pub service_tier: Option<String>,
    /// OpenAI's `system_fingerprint`.
    pub system_fingerprint: Option<String>,
    /// What was left out on the way, by name.
    pub warnings: Vec<Warning>,
    /// Members of the answer that Sabir has no word for.
    pub rest: Map<String, Value>,
}

/// One of the answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choice {
    /// Which one, from 0.
    pub index: u32,
    /// What the model said, in order.
    pub content: Vec<Block>,
    /// Why it stopped.
    pub finish_reason: Option<FinishReason>,
    /// The provider's own word for that.
    pub raw_finish_reason: Option<String>,
    /// The stop text that it wrote, if the provider says which.
    pub stop_sequence: Option<String>,
    /// Log probabilities in OpenAI's form.
    pub logprobs: Option<Value>,
    /// Members of the message that Sabir has no word for.
    pub rest: Map<String, Value>,
}

/// Something that was left out because the provider has no such thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The parameter, by the name that the caller used.
    pub param: String,
    /// What happened to it.
    pub message: String,
}
