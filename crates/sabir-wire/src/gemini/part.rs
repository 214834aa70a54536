//! Parts: what a content is made of, read into blocks.
//!
//! Invariant: a part that holds anything that its block has no place for stays whole, as an unknown
//! block. Calls and results without an id get an empty one; who reads the whole turn fills it in.

use sabir_types::{Block, Map, Media, Protocol, Source, Text, Thinking, ToolCall, ToolResult, Unknown, Value};

use super::{SIGNERS, camel, ids, seal, take};

/// Members of a part that hang on media and are kept in [`Media::rest`] under their own names.
pub(super) const ON_MEDIA: &[&str] = &["thoughtSignature", "videoMetadata", "mediaResolution"];

/// The member that says what kind of part it is.
#[derive(Clone, Copy, PartialEq)]
enum Payload {
    Text,
    Inline,
    File,
    Call,
    Result,
}

/// Reads one part.
pub(super) fn read(part: Value) -> Block {
    let Value::Object(map) = part else { return unknown(part) };
    let Some(payload) = payload(&map) else { return unknown(Value::Object(map)) };
    let mut map = map;
    let signature = take(&mut map, "thoughtSignature").and_then(text);
    let thought = take(&mut map, "thought").and_then(|v| v.as_bool()).unwrap_or(false);
    match payload {
        Payload::Text => {
            let text = take(&mut map, "text").and_then(text).unwrap_or_default();
            if thought {
                if let Some(foreign) = signature.as_deref().and_then(|sealed| seal::unseal(sealed, &text)) {
                    return Block::Thinking(foreign);
                }
                Block::Thinking(Thinking {
                    text: Some(text),
                    signature,
                    provider: Some(SIGNERS[0].to_owned()),
                    ..Thinking::default()
                })
            } else {
                Block::Text(Text { text, signature, ..Text::default() })
            }
        }
        Payload::Inline | Payload::File => {
            let name = if payload == Payload::Inline { "inlineData" } else { "fileData" };
            let mut block = media(object(take(&mut map, name)));
            if let Block::Image(media) | Block::Audio(media) | Block::Video(media) | Block::File(media) = &mut block {
                media.rest = map.into_iter().map(|(key, value)| (camel(&key).into_owned(), value)).collect();
                if let Some(signature) = signature {
                    media.rest.insert("thoughtSignature".into(), Value::String(signature));
                }
            }
            block
        }
        Payload::Call => {
            let mut call = object(take(&mut map, "functionCall"));
            Block::ToolCall(ToolCall {
                id: take(&mut call, "id").and_then(text).unwrap_or_default(),
                name: take(&mut call, "name").and_then(text).unwrap_or_default(),
                arguments: ids::arguments(take(&mut call, "args")),
                signature,
                ..ToolCall::default()
            })
        }
        Payload::Result => Block::ToolResult(result(object(take(&mut map, "functionResponse")))),
    }
}

/// The payload, if every member of the part has a place in a block.
fn payload(map: &Map<String, Value>) -> Option<Payload> {
    let mut found = None;
    let (mut on_media, mut thought, mut signed) = (false, false, false);
    for (key, value) in map {
        let this = match camel(key).as_ref() {
            _ if value.is_null() => continue,
            "text" if value.is_string() => Payload::Text,
            "inlineData" if fits(value, &["mimeType", "data", "displayName"], "data") => Payload::Inline,
            "fileData" if fits(value, &["mimeType", "fileUri", "displayName"], "fileUri") => Payload::File,
            "functionCall" if fits(value, &["id", "name", "args"], "name") => Payload::Call,
            "functionResponse" if fits(value, &["id", "name", "response", "parts"], "name") => Payload::Result,
            "thought" if value.is_boolean() => {
                thought |= value == &Value::Bool(true);
                continue;
            }
            "thoughtSignature" if value.is_string() => {
                signed = true;
                continue;
            }
            key if ON_MEDIA.contains(&key) => {
                on_media = true;
                continue;
            }
            _ => return None,
        };
        if found.replace(this).is_some() {
            return None;
        }
    }
    let found = found?;
    let media = matches!(found, Payload::Inline | Payload::File);
    let fits = (!on_media || media)
        // A picture that the model only thought of is no part of its answer.
        && (!thought || found == Payload::Text)
        && (!signed || found != Payload::Result);
    fits.then_some(found)
}

/// Whether an object has no members but these, and a text under `needed`.
fn fits(value: &Value, members: &[&str], needed: &str) -> bool {
    let Some(map) = value.as_object() else { return false };
    let mut there = false;
    map.iter().all(|(key, value)| {
        let key = camel(key);
        there |= key == needed && value.is_string();
        value.is_null() || members.contains(&key.as_ref())
    }) && there
}

fn media(mut data: Map<String, Value>) -> Block {
    let mime = take(&mut data, "mimeType").and_then(text);
    let filename = take(&mut data, "displayName").and_then(text);
    let source = match take(&mut data, "data").and_then(text) {
        Some(data) => Source::Base64(data),
        None => Source::Url(take(&mut data, "fileUri").and_then(text).unwrap_or_default()),
    };
    let block = match mime.as_deref().and_then(|mime| mime.split_once('/')).map(|(family, _)| family) {
        Some("image") => Block::Image,
        Some("audio") => Block::Audio,
        Some("video") => Block::Video,
        _ => Block::File,
    };
    block(Media { filename, ..Media::new(source, mime) })
}

/// A result. The wire wants an object; a lone `result` or `error` is the wrapping of a text.
fn result(mut data: Map<String, Value>) -> ToolResult {
    let mut out = ToolResult {
        id: take(&mut data, "id").and_then(text).unwrap_or_default(),
        name: take(&mut data, "name").and_then(text),
        ..ToolResult::default()
    };
    let response = object(take(&mut data, "response"));
    let lone = if response.len() == 1 { response.iter().next() } else { None };
    let shown = match lone.map(|(key, value)| (key.as_str(), value)) {
        Some(("result", Value::String(text))) if !is_object(text) => Some(text.clone()),
        Some(("error", Value::String(text))) if !is_object(text) => {
            out.is_error = true;
            Some(text.clone())
        }
        _ => None,
    };
    out.content.push(Block::text(shown.unwrap_or_else(|| Value::Object(response).to_string())));
    if let Some(Value::Array(parts)) = take(&mut data, "parts") {
        out.content.extend(parts.into_iter().map(read));
    }
    out
}

/// Whether a text is a JSON object, which goes out unwrapped.
pub(super) fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<Map<String, Value>>(text).is_ok()
}

/// A part kept whole.
pub(super) fn unknown(data: Value) -> Block {
    Block::Unknown(Unknown { protocol: Some(Protocol::Gemini), model: None, provider: None, data })
}

pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// The text of a part that holds nothing else.
pub(super) fn lone_text(part: Value) -> Option<String> {
    match read(part) {
        Block::Text(Text { text, signature: None, .. }) => Some(text),
        _ => None,
    }
}

pub(super) fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}
