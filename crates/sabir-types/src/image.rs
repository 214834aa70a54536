//! Pictures made from words, and from other pictures.
//!
//! Invariant: bytes are standard base64, wherever a protocol has them otherwise.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Media, Rest, Source, Usage};

/// Pictures to be made or changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageRequest {
    /// What to show.
    pub prompt: String,
    /// Whether `images` are to be changed; otherwise a new picture is made.
    pub edit: bool,
    /// The pictures to change.
    pub images: Vec<Media>,
    /// Where to change the first of them: its transparent parts.
    pub mask: Option<Media>,
    /// How many to make.
    pub n: Option<u32>,
    /// `1024x1024`, `auto`, or in the provider's words.
    pub size: Option<String>,
    /// `low`, `medium`, `high`, `auto`, or in the provider's words.
    pub quality: Option<String>,
    /// `transparent`, `opaque`, `auto`.
    pub background: Option<String>,
    /// `png`, `jpeg`, `webp`.
    pub output_format: Option<String>,
    /// How much to compress, 0 to 100.
    pub output_compression: Option<u32>,
    /// `url` or `b64_json`.
    pub response_format: Option<String>,
    /// Whether the answer should come as events.
    pub stream: bool,
    /// How many unfinished pictures a stream should show.
    pub partial_images: Option<u32>,
    /// The end user's id for the provider's abuse checks.
    pub user: Option<String>,
    /// Members of the request that Sabir has no word for.
    pub rest: Rest,
}

/// The pictures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageResponse {
    /// When they were made, seconds since 1970, if the provider says so.
    pub created: Option<i64>,
    /// The model that the provider says it used.
    pub model: String,
    /// The pictures, in order.
    pub images: Vec<Picture>,
    /// What it cost: tokens, or in `raw` the number of pictures.
    pub usage: Usage,
    /// Members of the answer that Sabir has no word for (`size`, `quality`, `background`).
    pub rest: Map<String, Value>,
}

/// One picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Its bytes, or where they can be fetched.
    pub source: Source,
    /// Its media type (`image/png`), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// The prompt as the provider rewrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revised_prompt: Option<String>,
    /// Members that Sabir has no word for.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub rest: Map<String, Value>,
}

impl Picture {
    /// A picture of these bytes.
    pub fn base64(data: impl Into<String>, mime: Option<String>) -> Self {
        Self { source: Source::Base64(data.into()), mime, revised_prompt: None, rest: Map::new() }
    }
}
