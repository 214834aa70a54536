//! Pictures, sound, what may be said, and what fits best.

use base64::{Engine, prelude::BASE64_STANDARD};
use sabir_types::{Map, Value};

use super::loose::records;

records! {
    /// Pictures.
    ImageList {
        /// When they were made, in seconds since 1970.
        created: i64,
        /// The pictures.
        data: Vec<Image>,
        /// Whether the background is transparent.
        background: Option<String>,
        /// The format of the pictures.
        output_format: Option<String>,
        /// How good they are.
        quality: Option<String>,
        /// How large they are.
        size: Option<String>,
        /// The tokens that it took.
        usage: Option<Value>,
    }

    /// A picture.
    Image {
        /// The picture as base64.
        b64_json: Option<String>,
        /// Where it is.
        url: Option<String>,
        /// What was really asked for.
        revised_prompt: Option<String>,
    }

    /// What was said.
    Transcription {
        /// The text.
        text: String,
        /// The language.
        language: Option<String>,
        /// How long it is, in seconds.
        duration: Option<f64>,
        /// Its parts.
        segments: Option<Vec<Value>>,
        /// Its words.
        words: Option<Vec<Value>>,
        /// How probable its tokens were.
        logprobs: Option<Vec<Value>>,
        /// What it took.
        usage: Option<Value>,
    }

    /// What is thought of texts and pictures.
    ModerationList {
        /// Its id.
        id: String,
        /// The model.
        model: String,
        /// One for each that was asked about.
        results: Vec<Moderation>,
    }

    /// Documents in the order in which they fit a question.
    RerankList {
        /// Its id.
        id: Option<String>,
        /// The model.
        model: Option<String>,
        /// The documents, the best one first.
        results: Vec<Ranked>,
        /// What it took.
        usage: Option<Value>,
    }

    /// How well a document fits.
    Ranked {
        /// Which one it is, counted from 0 as they were asked.
        index: i64,
        /// How well it fits; more is better.
        relevance_score: f64,
        /// The document, if it was asked for.
        document: Option<Value>,
    }

    /// What is thought of one.
    Moderation {
        /// Whether there is anything wrong with it.
        flagged: bool,
        /// What is wrong: true or false for each kind.
        categories: Map<String, Value>,
        /// How much of each kind, from 0 to 1.
        category_scores: Map<String, Value>,
        /// Which of the inputs it is about, for each kind.
        category_applied_input_types: Option<Map<String, Value>>,
    }
}

impl Image {
    /// The picture, if it came with the answer and is whole.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        BASE64_STANDARD.decode(self.b64_json.as_deref()?).ok()
    }
}

impl Moderation {
    /// The kinds that it was flagged for.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.categories.iter().filter(|(_, value)| value.as_bool() == Some(true)).map(|(name, _)| name.as_str())
    }
}
