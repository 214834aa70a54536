//! Content: text, or parts of several kinds.
//!
//! Invariant: bytes that come inside a `data:` URL or as base64 leave as standard base64 with
//! padding and their media type; a part of an unknown type is kept verbatim.

use std::fmt;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use sabir_types::{Block, CacheControl, Media, Protocol, Result, Source, Text, Unknown, Value};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::object::{foreign, object, wrong};

/// A message's content as it is written.
#[derive(Debug)]
pub(super) enum Content {
    Text(String),
    Parts(Vec<Part>),
}

object!(Part: "an object with `type`" {
    "type" => kind: String,
    "text" => text: String,
    "refusal" => refusal: String,
    "image_url" => image_url: Address,
    "video_url" => video_url: Address,
    "input_audio" => input_audio: InputAudio,
    "file" => file: FilePart,
    "value" => value: String,
    "tensorzero::mime_type" => mime_type: String,
    "prompt_cache_breakpoint" => breakpoint: Value,
    "cache_control" => cache_control: Value,
});

object!(MediaUrl: "an object with `url`" {
    "url" => url: String,
    "detail" => detail: String,
    "tensorzero::mime_type" => mime_type: String,
});

/// Where a picture or a video is: an object, or the URL alone (Mistral's clients write it so).
#[derive(Debug)]
pub(super) struct Address(MediaUrl);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        struct AddressVisitor;
        impl<'de> Visitor<'de> for AddressVisitor {
            type Value = Address;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with `url`")
            }

            fn visit_str<E: serde::de::Error>(self, url: &str) -> Result<Self::Value, E> {
                Ok(Address(MediaUrl { url: Some(url.to_owned()), ..MediaUrl::default() }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                MediaUrl::deserialize(MapAccessDeserializer::new(map)).map(Address)
            }
        }
        de.deserialize_any(AddressVisitor)
    }
}

object!(InputAudio: "an object with `data` and `format`" {
    "data" => data: String,
    "format" => format: String,
});

object!(FilePart: "an object with `file_data` or `file_id`" {
    "file_data" => file_data: String,
    "file_id" => file_id: String,
    "filename" => filename: String,
    "tensorzero::mime_type" => mime_type: String,
});

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        struct ContentVisitor;
        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of parts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Self::Value, E> {
                Ok(Content::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = seq.next_element()? {
                    parts.push(part);
                }
                Ok(Content::Parts(parts))
            }
        }
        de.deserialize_any(ContentVisitor)
    }
}

/// The blocks of a message's content.
pub(super) fn blocks(content: Content, path: &str) -> Result<Vec<Block>> {
    match content {
        Content::Text(text) => Ok(vec![Block::text(text)]),
        Content::Parts(parts) => {
            parts.into_iter().enumerate().map(|(at, part)| part.block(&format!("{path}[{at}]"))).collect()
        }
    }
}

impl Part {
    fn block(mut self, path: &str) -> Result<Block> {
        let cache = cache(self.breakpoint.take(), self.cache_control.take());
        let kind = self.kind.take();
        match kind.as_deref() {
            None => Err(wrong(&format!("{path}.type"), "missing")),
            Some("text") => {
                let text = need(self.text.take(), path, "text")?;
                self.nothing_else(path)?;
                Ok(Block::Text(Text { text, cache, ..Text::default() }))
            }
            Some("tensorzero::raw_text") => {
                let text = need(self.value.take(), path, "value")?;
                self.nothing_else(path)?;
                Ok(Block::Text(Text { text, cache, ..Text::default() }))
            }
            Some("refusal") => {
                let text = need(self.refusal.take(), path, "refusal")?;
                self.nothing_else(path)?;
                Ok(Block::Refusal { text })
            }
            Some("image_url") => {
                let mime = self.mime_type.take();
                let Address(media) = need(self.image_url.take(), path, "image_url")?;
                Ok(Block::Image(Media { cache, ..media.media(mime, &format!("{path}.image_url"))? }))
            }
            Some("video_url") => {
                let mime = self.mime_type.take();
                let Address(media) = need(self.video_url.take(), path, "video_url")?;
                Ok(Block::Video(Media { cache, ..media.media(mime, &format!("{path}.video_url"))? }))
            }
            Some("input_audio") => {
                let audio = need(self.input_audio.take(), path, "input_audio")?;
                Ok(Block::Audio(Media { cache, ..audio.media(&format!("{path}.input_audio"))? }))
            }
            Some("file") => {
                let file = need(self.file.take(), path, "file")?;
                Ok(Block::File(Media { cache, ..file.media(&format!("{path}.file"))? }))
            }
            Some(other) => {
                let mut data = sabir_types::Map::new();
                data.insert("type".into(), other.into());
                if let Some(text) = self.text {
                    data.insert("text".into(), text.into());
                }
                if let Some(value) = self.value {
                    data.insert("value".into(), value.into());
                }
                data.extend(self.rest);
                Ok(Block::Unknown(Unknown {
                    protocol: Some(Protocol::OpenAi),
                    model: None,
                    provider: None,
                    data: Value::Object(data),
                }))
            }
        }
    }

    /// A text block has no place for other members: they are named, not dropped.
    fn nothing_else(&self, path: &str) -> Result<()> {
        // SDKs that keep answers as objects send empty annotations back.
        match self.rest.iter().find(|(_, value)| !is_empty(value)) {
            Some((name, _)) => Err(foreign(&format!("{path}.{name}"))),
            None => Ok(()),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

impl MediaUrl {
    fn media(self, mime: Option<String>, path: &str) -> Result<Media> {
        let path = format!("{path}.url");
        let url = self.url.ok_or_else(|| wrong(&path, "missing"))?;
        let (source, found) = locate(url, &path)?;
        let mut media = Media::new(source, self.mime_type.or(mime).or(found));
        media.detail = self.detail;
        media.rest = self.rest;
        Ok(media)
    }
}

impl InputAudio {
    fn media(self, path: &str) -> Result<Media> {
        let data = need(self.data, path, "data")?;
        let format = need(self.format, path, "format")?;
        let (data, mime) = match data.strip_prefix("data:") {
            Some(url) => inline(url, &format!("{path}.data"))?,
            None => (standard(data, &format!("{path}.data"))?, None),
        };
        let mime = mime.unwrap_or_else(|| match format.as_str() {
            "mp3" => "audio/mpeg".to_owned(),
            other => format!("audio/{other}"),
        });
        let mut media = Media::new(Source::Base64(data), Some(mime));
        media.rest = self.rest;
        Ok(media)
    }
}

impl FilePart {
    fn media(self, path: &str) -> Result<Media> {
        let (source, found) = match (self.file_data, self.file_id) {
            (Some(data), None) => {
                let path = format!("{path}.file_data");
                if data.starts_with("data:") || data.contains("://") {
                    locate(data, &path)?
                } else {
                    (Source::Base64(standard(data, &path)?), None)
                }
            }
            (None, Some(id)) => (Source::FileId(id), None),
            (Some(_), Some(_)) => return Err(wrong(path, "has both `file_data` and `file_id`: expected one of them")),
            (None, None) => return Err(wrong(path, "expected `file_data` or `file_id`")),
        };
        let mime = self.mime_type.or(found).or_else(|| by_name(self.filename.as_deref()).map(str::to_owned));
        let mut media = Media::new(source, mime);
        media.filename = self.filename;
        media.rest = self.rest;
        Ok(media)
    }
}

fn need<T>(value: Option<T>, path: &str, name: &str) -> Result<T> {
    value.ok_or_else(|| wrong(&format!("{path}.{name}"), "missing"))
}

/// OpenAI's and Anthropic's way to say "cache everything up to here".
pub(super) fn cache(breakpoint: Option<Value>, control: Option<Value>) -> Option<CacheControl> {
    match (breakpoint, control) {
        (_, Some(control)) => Some(CacheControl { ttl: control.get("ttl").and_then(Value::as_str).map(str::to_owned) }),
        (Some(_), None) => Some(CacheControl { ttl: None }),
        (None, None) => None,
    }
}

/// Where the bytes are: at a URL, or in it.
pub(crate) fn locate(url: String, path: &str) -> Result<(Source, Option<String>)> {
    if let Some(data) = url.strip_prefix("data:") {
        let (data, mime) = inline(data, path)?;
        return Ok((Source::Base64(data), mime));
    }
    if url.contains("://") { Ok((Source::Url(url), None)) } else { Err(wrong(path, "expected a URL or a data: URL")) }
}

/// The bytes of a `data:` URL, in base64, and their media type.
fn inline(url: &str, path: &str) -> Result<(String, Option<String>)> {
    let Some((head, data)) = url.split_once(',') else {
        return Err(wrong(path, "the data: URL has no comma"));
    };
    let mime = head.split(';').next().filter(|mime| !mime.is_empty()).map(str::to_ascii_lowercase);
    if head.rsplit(';').next().is_some_and(|last| last.eq_ignore_ascii_case("base64")) {
        return Ok((standard(data.to_owned(), path)?, mime));
    }
    Ok((STANDARD.encode(unescape(data)), Some(mime.unwrap_or_else(|| "text/plain".to_owned()))))
}

/// Base64 as the vocabulary wants it; other flavours (URL-safe, unpadded, wrapped) are rewritten.
pub(crate) fn standard(data: String, path: &str) -> Result<String> {
    let body = data.trim_end_matches('=');
    let is_standard = data.len().is_multiple_of(4)
        && data.len() - body.len() <= 2
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    if data.is_empty() {
        return Err(wrong(path, "has no bytes"));
    }
    if is_standard {
        return Ok(data);
    }
    let plain: String = data
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    let lenient = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let bytes = lenient.decode(plain).map_err(|_| wrong(path, "is not base64"))?;
    Ok(STANDARD.encode(bytes))
}

/// Undoes percent-encoding.
fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// The media type that a file's name tells.
pub(crate) fn by_name(name: Option<&str>) -> Option<&'static str> {
    let (_, ending) = name?.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "json" => "application/json",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => return None,
    })
}
