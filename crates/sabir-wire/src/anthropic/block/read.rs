//! Blocks from the wire.
//!
//! Invariant: see [`super`].

use std::borrow::Cow;

use sabir_types::{
    Block, CacheControl, CallKind, Map, Media, Protocol, Text, Thinking, ToolCall, ToolResult, Unknown, Value,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::unseal;

/// Something that cannot be read, and where.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The place, like `content.1.text`.
    pub(crate) path: String,
    /// What is wrong.
    pub(crate) message: String,
}

impl Fault {
    /// A fault at the place that is being read.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { path: String::new(), message: message.into() }
    }

    /// A fault that the JSON reader found. Its line and column count within a piece, so they go.
    pub(crate) fn json(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        Self::new(text.split(" at line ").next().unwrap_or(&text))
    }

    /// The same fault, seen from outside.
    pub(crate) fn under(mut self, outer: impl std::fmt::Display) -> Self {
        self.path = if self.path.is_empty() { outer.to_string() } else { format!("{outer}.{}", self.path) };
        self
    }
}

/// `cache_control`.
#[derive(Debug, Deserialize)]
pub(crate) struct Mark {
    #[serde(rename = "type")]
    kind: String,
    ttl: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Mark {
    /// The mark in our words, if we have words for all of it.
    pub(crate) fn understood(&self) -> Option<CacheControl> {
        (self.kind == "ephemeral" && self.rest.is_empty()).then(|| CacheControl { ttl: self.ttl.clone() })
    }
}

/// Reads a `content` member: text, or a list of blocks.
pub(crate) fn content(raw: &RawValue) -> Result<Vec<Block>, Fault> {
    match raw.get().as_bytes().first() {
        Some(b'"') => {
            let text: String = serde_json::from_str(raw.get()).map_err(|e| Fault::json(&e))?;
            Ok(vec![Block::text(text)])
        }
        Some(b'[') => {
            let blocks: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|e| Fault::json(&e))?;
            let mut content = Vec::with_capacity(blocks.len());
            for (at, block) in blocks.into_iter().enumerate() {
                content.push(read(block).map_err(|fault| fault.under(at))?);
            }
            Ok(content)
        }
        Some(b'n') => Ok(Vec::new()),
        _ => Err(Fault::new("must be a text or a list of blocks")),
    }
}

/// Reads one block.
pub(crate) fn read(raw: &RawValue) -> Result<Block, Fault> {
    if !raw.get().starts_with('{') {
        return Err(Fault::new("must be an object with a `type`"));
    }
    let flat: Flat<'_> = match serde_json::from_str(raw.get()) {
        Ok(flat) => flat,
        Err(error) => return misfit(raw, &error),
    };
    match understand(flat)? {
        Some(block) => Ok(block),
        None => whole(raw),
    }
}

/// All members that blocks of the kinds that we know have between them.
#[derive(Debug, Deserialize)]
struct Flat<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    text: Option<String>,
    citations: Option<Value>,
    cache_control: Option<Mark>,
    #[serde(borrow)]
    source: Option<Origin<'a>>,
    title: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    data: Option<String>,
    id: Option<String>,
    name: Option<String>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    tool_use_id: Option<String>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    is_error: Option<bool>,
    caller: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Origin<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    media_type: Option<String>,
    data: Option<String>,
    url: Option<String>,
    file_id: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A kind that we know with a member of a wrong type is a fault; of another kind we know nothing.
fn misfit(raw: &RawValue, error: &serde_json::Error) -> Result<Block, Fault> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(rename = "type", borrow)]
        kind: Option<Cow<'a, str>>,
    }
    match serde_json::from_str::<Kind<'_>>(raw.get()).map(|named| named.kind) {
        Ok(Some(kind)) if !KINDS.contains(&kind.as_ref()) => whole(raw),
        Ok(Some(_)) => {
            let mut reader = serde_json::Deserializer::from_str(raw.get());
            match serde_path_to_error::deserialize::<_, Flat<'_>>(&mut reader) {
                Err(traced) => {
                    let path = traced.path().to_string();
                    let fault = Fault::json(traced.inner());
                    Err(if path == "." { fault } else { fault.under(path) })
                }
                Ok(_) => Err(Fault::json(error)),
            }
        }
        _ => Err(Fault::json(error)),
    }
}

const KINDS: &[&str] = &["text", "image", "document", "thinking", "redacted_thinking", "tool_use", "tool_result"];

fn whole(raw: &RawValue) -> Result<Block, Fault> {
    let data = serde_json::from_str(raw.get()).map_err(|e| Fault::json(&e))?;
    Ok(Block::Unknown(Unknown { protocol: Some(Protocol::Anthropic), model: None, provider: None, data }))
}

/// The block in our words, or nothing if it has members that we have no words for.
fn understand(mut flat: Flat<'_>) -> Result<Option<Block>, Fault> {
    let cache = match &flat.cache_control {
        None => None,
        Some(mark) => match mark.understood() {
            None => return Ok(None),
            cache => cache,
        },
    };
    let block = match flat.kind.as_ref() {
        "text" => {
            if !flat.has_only(&["text", "citations"]) || !flat.rest.is_empty() {
                return Ok(None);
            }
            let citations = match flat.citations.take() {
                None | Some(Value::Null) => Vec::new(),
                Some(Value::Array(list)) => list,
                Some(_) => return Err(Fault::new("must be a list").under("citations")),
            };
            Block::Text(Text { text: required(flat.text, "text")?, citations, signature: None, cache })
        }
        "image" | "document" => {
            if !flat.has_only(&["source", "title", "citations"]) {
                return Ok(None);
            }
            let document = flat.kind == "document";
            let Some((source, mime)) = origin(required(flat.source, "source")?, document)? else { return Ok(None) };
            let mut rest = flat.rest;
            if let Some(citations) = flat.citations {
                rest.insert("citations".to_owned(), citations);
            }
            let mut media = Media { cache, rest, ..Media::new(source, mime) };
            if document {
                media.filename = flat.title;
                Block::File(media)
            } else if flat.title.is_some() {
                return Ok(None);
            } else {
                Block::Image(media)
            }
        }
        "thinking" => {
            if !flat.has_only(&["thinking", "signature"]) || cache.is_some() {
                return Ok(None);
            }
            let text = required(flat.thinking, "thinking")?;
            let signature = flat.signature.filter(|signature| !signature.is_empty());
            Block::Thinking(thought(text, signature, flat.rest))
        }
        "redacted_thinking" => {
            if !flat.has_only(&["data"]) || cache.is_some() {
                return Ok(None);
            }
            let data = required(flat.data, "data")?;
            Block::Thinking(unseal(&data, None).unwrap_or_else(|| Thinking {
                opaque: Some(data),
                provider: Some(super::super::SIGNERS[0].to_owned()),
                rest: flat.rest,
                ..Thinking::default()
            }))
        }
        "tool_use" => {
            let direct = match &flat.caller {
                None => true,
                Some(caller) => caller.get("type").and_then(Value::as_str) == Some("direct"),
            };
            if !direct || !flat.has_only(&["id", "name", "input", "caller"]) || !flat.rest.is_empty() {
                return Ok(None);
            }
            let arguments = match flat.input.map(RawValue::get) {
                None => "{}",
                Some(input) if input.starts_with('{') => input,
                Some(_) => return Err(Fault::new("must be an object").under("input")),
            };
            Block::ToolCall(ToolCall {
                id: required(flat.id, "id")?,
                name: required(flat.name, "name")?,
                arguments: arguments.to_owned(),
                kind: CallKind::Function,
                signature: None,
                cache,
            })
        }
        "tool_result" => {
            if !flat.has_only(&["tool_use_id", "content", "is_error"]) || !flat.rest.is_empty() {
                return Ok(None);
            }
            Block::ToolResult(ToolResult {
                id: required(flat.tool_use_id, "tool_use_id")?,
                name: None,
                content: match flat.content {
                    Some(raw) => content(raw).map_err(|fault| fault.under("content"))?,
                    None => Vec::new(),
                },
                is_error: flat.is_error.unwrap_or(false),
                kind: CallKind::Function,
                cache,
            })
        }
        _ => return Ok(None),
    };
    Ok(Some(block))
}

/// A thought in our words. An empty text beside a signature is one that is not shown.
pub(crate) fn thought(text: String, signature: Option<String>, rest: Map<String, Value>) -> Thinking {
    if let Some(foreign) = signature.as_deref().and_then(|sealed| unseal(sealed, Some(&text))) {
        return foreign;
    }
    Thinking {
        text: (!text.is_empty() || signature.is_none()).then_some(text),
        signature,
        provider: Some(super::super::SIGNERS[0].to_owned()),
        rest,
        ..Thinking::default()
    }
}

fn origin(origin: Origin<'_>, document: bool) -> Result<Option<(sabir_types::Source, Option<String>)>, Fault> {
    use sabir_types::Source;
    if !origin.rest.is_empty() {
        return Ok(None);
    }
    let within = |fault: Fault| fault.under("source");
    Ok(Some(match origin.kind.as_ref() {
        "base64" => {
            let mime = required(origin.media_type, "media_type").map_err(within)?;
            (Source::Base64(required(origin.data, "data").map_err(within)?), Some(mime))
        }
        "url" => (Source::Url(required(origin.url, "url").map_err(within)?), origin.media_type),
        "file" => (Source::FileId(required(origin.file_id, "file_id").map_err(within)?), origin.media_type),
        "text" if document => (
            Source::Text(required(origin.data, "data").map_err(within)?),
            Some(origin.media_type.unwrap_or_else(|| "text/plain".to_owned())),
        ),
        _ => return Ok(None),
    }))
}

fn required<T>(member: Option<T>, name: &str) -> Result<T, Fault> {
    member.ok_or_else(|| Fault::new(format!("`{name}` is missing")))
}

impl Flat<'_> {
    /// Whether it has no members but these (and those that any block may have).
    fn has_only(&self, allowed: &[&str]) -> bool {
        [
            ("text", self.text.is_some()),
            ("citations", self.citations.is_some()),
            ("source", self.source.is_some()),
            ("title", self.title.is_some()),
            ("thinking", self.thinking.is_some()),
            ("signature", self.signature.is_some()),
            ("data", self.data.is_some()),
            ("id", self.id.is_some()),
            ("name", self.name.is_some()),
            ("input", self.input.is_some()),
            ("tool_use_id", self.tool_use_id.is_some()),
            ("content", self.content.is_some()),
            ("is_error", self.is_error.is_some()),
            ("caller", self.caller.is_some()),
        ]
        .into_iter()
        .all(|(name, there)| !there || allowed.contains(&name))
    }
}
