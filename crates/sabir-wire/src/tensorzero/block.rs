//! Content blocks of an input.
//!
//! Invariant: a block's members are understood or refused by their path; a block of kind `unknown`
//! is kept verbatim for the provider that it names.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sabir_types::{Block, Map, Media, Result, Source, Text, Thinking, ToolCall, ToolResult, Unknown, Value};

use super::parse::{needs_function, text, wrong};
use crate::signed;

/// The member of a thought's `extra_data` that holds the thought's own id.
pub(super) const ID: &str = "id";

/// Reads the content of a message: a text, a block, or several.
pub(super) fn read(content: Value, path: &str) -> Result<Vec<Block>> {
    match content {
        Value::String(text) => Ok(vec![Block::text(text)]),
        Value::Array(blocks) => {
            blocks.into_iter().enumerate().map(|(at, value)| block(value, &format!("{path}[{at}]"))).collect()
        }
        value @ Value::Object(_) => Ok(vec![block(value, path)?]),
        _ => Err(wrong(path, "expected a string or an array of blocks")),
    }
}

fn block(value: Value, path: &str) -> Result<Block> {
    let Value::Object(mut all) = value else { return Err(wrong(path, "expected an object with `type`")) };
    let kind = text(all.remove("type"), &format!("{path}.type"))?;
    let kind = kind.ok_or_else(|| wrong(&format!("{path}.type"), "missing"))?;
    let mut members = Members { all, path };
    let block = match kind.as_str() {
        "text" => {
            if members.all.get("arguments").is_some_and(|value| !value.is_null()) {
                return Err(needs_function(&format!("{path}.arguments"), "arguments of a template"));
            }
            members.all.remove("arguments");
            Block::Text(Text { text: members.need("text")?, ..Text::default() })
        }
        "raw_text" => Block::Text(Text { text: members.need("value")?, ..Text::default() }),
        "template" => return Err(needs_function(path, "templates")),
        "tool_call" => members.tool_call()?,
        "tool_result" => Block::ToolResult(ToolResult {
            id: members.need("id")?,
            name: Some(members.need("name")?),
            content: vec![Block::text(members.need("result")?)],
            ..ToolResult::default()
        }),
        "thought" => members.thought()?,
        "file" | "image" => members.file()?,
        "unknown" => {
            let data = members.all.remove("data").ok_or_else(|| wrong(&format!("{path}.data"), "missing"))?;
            let (model, provider) = (members.take("model_name")?, members.take("provider_name")?);
            // The caller says by name where it may go; without a name, anywhere.
            Block::Unknown(Unknown { protocol: None, model, provider, data })
        }
        _ => return Err(wrong(&format!("{path}.type"), "no such block")),
    };
    members.all.retain(|_, value| !value.is_null());
    match members.all.keys().next() {
        Some(name) => Err(wrong(&format!("{path}.{name}"), "no such member")),
        None => Ok(block),
    }
}

struct Members<'p> {
    all: Map<String, Value>,
    path: &'p str,
}

impl Members<'_> {
    fn take(&mut self, name: &str) -> Result<Option<String>> {
        text(self.all.remove(name), &format!("{}.{name}", self.path))
    }

    fn need(&mut self, name: &str) -> Result<String> {
        self.take(name)?.ok_or_else(|| wrong(&format!("{}.{name}", self.path), "missing"))
    }

    /// A call as a caller writes it, or the echo of one in an answer.
    fn tool_call(&mut self) -> Result<Block> {
        let id = self.need("id")?;
        let name = match self.take("name")? {
            Some(name) => {
                self.all.remove("raw_name");
                name
            }
            None => self.need("raw_name")?,
        };
        let raw = self.take("raw_arguments")?;
        let arguments = match (self.all.remove("arguments"), raw) {
            (_, Some(raw)) => raw,
            (Some(Value::String(text)), None) => text,
            (Some(object @ Value::Object(_)), None) => object.to_string(),
            _ => return Err(wrong(&format!("{}.arguments", self.path), "expected an object or its text")),
        };
        Ok(Block::ToolCall(ToolCall { id, name, arguments, ..ToolCall::default() }))
    }

    fn thought(&mut self) -> Result<Block> {
        let summary = match self.all.remove("summary") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(parts)) => parts
                .iter()
                .map(|part| part.get("text").and_then(Value::as_str).map(str::to_owned))
                .collect::<Option<_>>()
                .ok_or_else(|| wrong(&format!("{}.summary", self.path), "expected parts with `text`"))?,
            Some(_) => return Err(wrong(&format!("{}.summary", self.path), "expected an array")),
        };
        let mut rest = Map::new();
        let mut id = None;
        if let Some(extra) = self.all.remove("extra_data").filter(|value| !value.is_null()) {
            match extra.get(ID).and_then(Value::as_str).filter(|id| signed::is_of_call(id)) {
                Some(of_call) => id = Some(of_call.to_owned()),
                None => {
                    rest.insert("extra_data".into(), extra);
                }
            }
        }
        let provider = match self.take("provider_type")? {
            Some(provider) => Some(provider),
            None => self.take("_internal_provider_type")?,
        };
        Ok(Block::Thinking(Thinking {
            text: self.take("text")?,
            signature: self.take("signature")?,
            summary,
            provider,
            id,
            rest,
            ..Thinking::default()
        }))
    }

    fn file(&mut self) -> Result<Block> {
        let kind = self.take("file_type")?;
        let mime = self.take("mime_type")?;
        self.take("source_url")?;
        let (source, mime) = match (kind.as_deref(), self.take("url")?, self.take("data")?) {
            (Some("object_storage_pointer" | "object_storage"), ..) => {
                let path = format!("{}.file_type", self.path);
                return Err(sabir_types::Error::new(
                    sabir_types::ErrorKind::NotImplemented,
                    format!("{path}: object storage is not supported yet"),
                )
                .with_param(path));
            }
            (Some("url") | None, Some(url), None) => (Source::Url(url), mime),
            (Some("base64") | None, None, Some(data)) => {
                let bytes = STANDARD.decode(&data);
                let bytes = bytes.map_err(|_| wrong(&format!("{}.data", self.path), "is not base64"))?;
                let mime = mime.or_else(|| sniff(&bytes).map(str::to_owned));
                let mime = mime.ok_or_else(|| wrong(&format!("{}.mime_type", self.path), "missing"))?;
                (Source::Base64(data), Some(mime))
            }
            _ => return Err(wrong(self.path, "expected `url` or `data`")),
        };
        let mut media = Media::new(source, mime);
        media.detail = self.take("detail")?;
        media.filename = self.take("filename")?;
        Ok(match media.mime.as_deref().and_then(|mime| mime.split('/').next()) {
            Some("audio") => Block::Audio(media),
            Some("video") => Block::Video(media),
            Some("image") => Block::Image(media),
            None if looks_like_image(&media.source) => Block::Image(media),
            _ => Block::File(media),
        })
    }
}

/// Without a media type, a URL is taken for a picture unless its ending says otherwise.
fn looks_like_image(source: &Source) -> bool {
    let Source::Url(url) = source else { return false };
    let path = url.split(['?', '#']).next().unwrap_or(url).to_ascii_lowercase();
    ![".pdf", ".txt", ".md", ".csv", ".html", ".json", ".docx", ".xlsx"].iter().any(|ending| path.ends_with(ending))
}

/// The media type that the first bytes tell.
fn sniff(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => "audio/wav",
        [b'%', b'P', b'D', b'F', ..] => "application/pdf",
        [b'I', b'D', b'3', ..] | [0xff, 0xfb, ..] => "audio/mpeg",
        _ => return None,
    })
}
