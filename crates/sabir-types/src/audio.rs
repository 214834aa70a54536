//! Speech from text, and text from speech.
//!
//! Invariant: sound is standard base64, wherever a protocol has it otherwise.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Media, Rest, Usage};

/// Text to be spoken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpeechRequest {
    /// The text.
    pub input: String,
    /// The voice: a name, or the provider's object.
    pub voice: Value,
    /// How to speak, in words.
    pub instructions: Option<String>,
    /// `mp3`, `opus`, `aac`, `flac`, `wav`, `pcm`; absent means `mp3`.
    pub format: Option<String>,
    /// How fast, 0.25 to 4.
    pub speed: Option<f64>,
    /// Whether the sound should come as it is made.
    pub stream: bool,
    /// Whether it should come in events rather than as bare bytes (OpenAI's `stream_format: sse`).
    pub events: bool,
    /// Members of the request that Sabir has no word for.
    pub rest: Rest,
}

/// The sound.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpeechResponse {
    /// Standard base64.
    pub audio: String,
    /// Its media type (`audio/mpeg`).
    pub mime: String,
    /// What it cost: tokens, or in `raw` the number of characters.
    pub usage: Usage,
}

/// Speech to be written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TranscribeRequest {
    /// The sound.
    pub file: Media,
    /// Whether to write it in English, whatever language is spoken.
    pub translate: bool,
    /// The language that is spoken (ISO 639-1).
    pub language: Option<String>,
    /// Words that are likely to come, or what came before.
    pub prompt: Option<String>,
    /// The form of the answer; absent means JSON.
    pub format: Option<TranscriptFormat>,
    /// Randomness, 0 to 1.
    pub temperature: Option<f64>,
    /// `word`, `segment`.
    pub timestamps: Vec<String>,
    /// Whether the answer should come as events.
    pub stream: bool,
    /// Members of the request that Sabir has no word for.
    pub rest: Rest,
}

/// The form of a transcript.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TranscriptFormat {
    /// An object with the text.
    #[default]
    Json,
    /// An object that says when what was said, too.
    VerboseJson,
    /// An object that says who said what, too.
    DiarizedJson,
    /// The bare text.
    Text,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
}

impl TranscriptFormat {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::VerboseJson => "verbose_json",
            Self::DiarizedJson => "diarized_json",
            Self::Text => "text",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
        }
    }

    /// The format of that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Json, Self::VerboseJson, Self::DiarizedJson, Self::Text, Self::Srt, Self::Vtt]
            .into_iter()
            .find(|format| format.as_str() == word)
    }

    /// Whether it is a JSON object.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::VerboseJson | Self::DiarizedJson)
    }
}

/// What was said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TranscribeResponse {
    /// The text; for `srt` and `vtt` the whole document.
    pub text: String,
    /// The form that it is in.
    pub format: TranscriptFormat,
    /// The language that was heard.
    pub language: Option<String>,
    /// How long the sound is, in seconds.
    pub duration: Option<f64>,
    /// When what was said: objects with `start`, `end`, `text`.
    pub segments: Vec<Value>,
    /// When each word was said: objects with `start`, `end`, `word`.
    pub words: Vec<Value>,
    /// What it cost: tokens, or in `raw` the seconds.
    pub usage: Usage,
    /// Members of the answer that Sabir has no word for.
    pub rest: Map<String, Value>,
}
