//! Content: text, or parts of several kinds.
//!
//! Invariant: a part of an unknown type is kept verbatim; bytes leave as standard base64 with
//! their media type.

use sabir_types::{Block, Media, Protocol, Result, Source, Text, Unknown, Value};

use super::super::fields::{Fields, wrong};
use crate::openai::parse::{by_name, locate, standard};

/// The blocks of a content.
pub(super) fn blocks(content: Value, path: &str) -> Result<Vec<Block>> {
    match content {
        Value::String(text) => Ok(vec![Block::text(text)]),
        Value::Array(parts) => {
            parts.into_iter().enumerate().map(|(at, part)| block(part, &format!("{path}[{at}]"))).collect()
        }
        _ => Err(wrong(path, "expected a string or an array of parts")),
    }
}

fn block(part: Value, path: &str) -> Result<Block> {
    let mut part = Fields::new(part, path, "an object with `type`")?;
    let kind = part.need("type")?;
    match kind.as_str() {
        "input_text" | "output_text" | "text" => {
            let text = part.need("text")?;
            let citations = part.list("annotations")?.unwrap_or_default();
            // Of an answer that is sent back; nobody reads them a second time.
            part.value("logprobs");
            part.nothing_else()?;
            Ok(Block::Text(Text { text, citations, ..Text::default() }))
        }
        "refusal" => {
            let text = part.need("refusal")?;
            part.nothing_else()?;
            Ok(Block::Refusal { text })
        }
        "input_image" => image(part, path).map(Block::Image),
        "input_file" => file(part, path).map(Block::File),
        "input_audio" => audio(part).map(Block::Audio),
        _ => {
            let mut data = sabir_types::Map::new();
            data.insert("type".into(), kind.into());
            if let Value::Object(others) = part.whole() {
                data.extend(others);
            }
            Ok(Block::Unknown(Unknown {
                protocol: Some(Protocol::Responses),
                model: None,
                provider: None,
                data: Value::Object(data),
            }))
        }
    }
}

fn image(mut part: Fields, path: &str) -> Result<Media> {
    let detail = part.text("detail")?;
    let (source, mime) = match (part.text("image_url")?, part.text("file_id")?) {
        (Some(url), None) => locate(url, &part.at("image_url"))?,
        (None, Some(id)) => (Source::FileId(id), None),
        (Some(_), Some(_)) => return Err(wrong(path, "has both `image_url` and `file_id`: expected one of them")),
        (None, None) => return Err(wrong(path, "expected `image_url` or `file_id`")),
    };
    Ok(Media { detail, rest: part.rest(), ..Media::new(source, mime) })
}

fn file(mut part: Fields, path: &str) -> Result<Media> {
    let filename = part.text("filename")?;
    let (data, url, id) = (part.text("file_data")?, part.text("file_url")?, part.text("file_id")?);
    let (source, mime) = match (data, url, id) {
        (Some(data), None, None) if data.starts_with("data:") => locate(data, &part.at("file_data"))?,
        (Some(data), None, None) => (Source::Base64(standard(data, &part.at("file_data"))?), None),
        (None, Some(url), None) => locate(url, &part.at("file_url"))?,
        (None, None, Some(id)) => (Source::FileId(id), None),
        _ => return Err(wrong(path, "expected one of `file_data`, `file_url` and `file_id`")),
    };
    let mime = mime.or_else(|| by_name(filename.as_deref()).map(str::to_owned));
    Ok(Media { filename, rest: part.rest(), ..Media::new(source, mime) })
}

fn audio(mut part: Fields) -> Result<Media> {
    let at = part.at("input_audio");
    let Some(value) = part.value("input_audio") else { return Err(part.missing("input_audio")) };
    part.nothing_else()?;
    let mut audio = Fields::new(value, &at, "an object with `data` and `format`")?;
    let (data, format) = (audio.need("data")?, audio.need("format")?);
    let mime = if format == "mp3" { "audio/mpeg".to_owned() } else { format!("audio/{format}") };
    let source = Source::Base64(standard(data, &format!("{at}.data"))?);
    Ok(Media { rest: audio.rest(), ..Media::new(source, Some(mime)) })
}
