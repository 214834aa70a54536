//! Blocks to the wire.
//!
//! Invariant: a piece borrows from the block that it stands for; arguments are written as the
//! model wrote them.

use std::borrow::Cow;

use sabir_types::{Block, CacheControl, Map, Media, Protocol, Thinking, Value};
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::SIGNERS;
use super::seal;

/// A `content` member.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Content<'a> {
    /// One plain text.
    Text(&'a str),
    /// Blocks.
    Blocks(Vec<Piece<'a>>),
}

impl<'a> From<Vec<Piece<'a>>> for Content<'a> {
    fn from(pieces: Vec<Piece<'a>>) -> Self {
        match pieces.as_slice() {
            [Piece::Known(Known::Text { text, citations: [], cache_control: None })] => Self::Text(text),
            _ => Self::Blocks(pieces),
        }
    }
}

/// One block.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Piece<'a> {
    /// Of a kind that we know.
    Known(Known<'a>),
    /// Verbatim.
    Raw(&'a Value),
    /// A block of no protocol, wrapped so that it has a type.
    Wrapped {
        #[serde(rename = "type")]
        kind: &'static str,
        data: &'a Value,
    },
}

/// A block of a kind that we know.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Known<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "<[Value]>::is_empty")]
        citations: &'a [Value],
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheMark<'a>>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheMark<'a>>,
        #[serde(flatten)]
        rest: &'a Map<String, Value>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheMark<'a>>,
        #[serde(flatten)]
        rest: &'a Map<String, Value>,
    },
    Thinking {
        thinking: Cow<'a, str>,
        signature: Cow<'a, str>,
        #[serde(flatten)]
        rest: &'a Map<String, Value>,
    },
    RedactedThinking {
        data: Cow<'a, str>,
        #[serde(flatten)]
        rest: &'a Map<String, Value>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Cow<'a, RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheMark<'a>>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<Content<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        is_error: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheMark<'a>>,
    },
}

/// `cache_control`.
#[derive(Debug, Serialize)]
pub(crate) struct CacheMark<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'a str>,
}

impl<'a> CacheMark<'a> {
    /// The mark on the wire.
    pub(crate) fn of(cache: Option<&'a CacheControl>) -> Option<Self> {
        cache.map(|cache| Self { kind: "ephemeral", ttl: cache.ttl.as_deref() })
    }
}

/// Where the bytes of a picture or document are.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Source<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Url { url: &'a str },
    File { file_id: &'a str },
    Text { media_type: &'a str, data: Cow<'a, str> },
}

/// A call's arguments as an object; nothing means the empty one. `None` if they are not an object.
pub(crate) fn arguments(text: &str) -> Option<&RawValue> {
    let text = text.trim();
    let raw: &RawValue = serde_json::from_str(if text.is_empty() { "{}" } else { text }).ok()?;
    raw.get().starts_with('{').then_some(raw)
}

/// A block of an answer, for a client of this protocol. Refusals have no block here, see
/// `stop_details`; arguments that are not an object are wrapped in one, so that nothing is lost.
pub(crate) fn answer<'a>(block: &'a Block, provider: Option<&str>) -> Option<Piece<'a>> {
    Some(Piece::Known(match block {
        Block::Text(text) => Known::Text { text: &text.text, citations: &text.citations, cache_control: None },
        Block::Thinking(thinking) => thought(thinking, provider),
        Block::ToolCall(call) => Known::ToolUse {
            id: Cow::Borrowed(&call.id),
            name: &call.name,
            input: match arguments(&call.arguments) {
                Some(raw) => Cow::Borrowed(raw),
                None => Cow::Owned(wrap(&call.arguments)?),
            },
            cache_control: None,
        },
        Block::Image(media) => Known::Image { source: source(media), cache_control: None, rest: &media.rest },
        Block::Audio(media) | Block::Video(media) | Block::File(media) => Known::Document {
            source: source(media),
            title: media.filename.as_deref(),
            cache_control: None,
            rest: &media.rest,
        },
        Block::ToolResult(_) | Block::Refusal { .. } => return None,
        Block::Unknown(unknown) => return Some(raw(unknown.protocol, &unknown.data)),
    }))
}

/// Arguments that are not a JSON object, as the one member of an object.
pub(crate) fn wrap(arguments: &str) -> Option<Box<RawValue>> {
    #[derive(Serialize)]
    struct Wrapped<'a> {
        input: &'a str,
    }
    serde_json::value::to_raw_value(&Wrapped { input: arguments }).ok()
}

/// An unknown block as it came, if a client of this protocol can read it at all.
pub(crate) fn raw(protocol: Option<Protocol>, data: &Value) -> Piece<'_> {
    let typed = data.get("type").is_some_and(Value::is_string);
    if typed && matches!(protocol, None | Some(Protocol::Anthropic)) {
        Piece::Raw(data)
    } else {
        Piece::Wrapped { kind: "unknown", data }
    }
}

fn thought<'a>(thinking: &'a Thinking, provider: Option<&str>) -> Known<'a> {
    let maker = thinking.provider.as_deref().or(provider);
    let shown = || match &thinking.text {
        Some(text) => Cow::Borrowed(text.as_str()),
        None => Cow::Owned(thinking.summary.join("\n\n")),
    };
    if maker.is_none_or(|maker| SIGNERS.contains(&maker)) {
        return match &thinking.opaque {
            Some(data) => Known::RedactedThinking { data: Cow::Borrowed(data), rest: &thinking.rest },
            None => Known::Thinking {
                thinking: shown(),
                signature: Cow::Borrowed(thinking.signature.as_deref().unwrap_or("")),
                rest: &thinking.rest,
            },
        };
    }
    let mut foreign = thinking.clone();
    foreign.provider = maker.map(str::to_owned);
    let sealed = Cow::Owned(seal(&foreign));
    let text = shown();
    if text.is_empty() {
        Known::RedactedThinking { data: sealed, rest: &EMPTY }
    } else {
        Known::Thinking { thinking: text, signature: sealed, rest: &EMPTY }
    }
}

/// No members.
pub(crate) static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);

fn source(media: &Media) -> Source<'_> {
    use sabir_types::Source as From;
    let mime = media.mime.as_deref().unwrap_or("application/octet-stream");
    match &media.source {
        From::Url(url) => Source::Url { url },
        From::Base64(data) => Source::Base64 { media_type: mime, data },
        From::FileId(file_id) => Source::File { file_id },
        From::Text(text) => Source::Text { media_type: "text/plain", data: Cow::Borrowed(text) },
    }
}
