//! Instructions and turns.
//!
//! Invariant: in a request that was fitted, turns of one speaker are one turn, and the results of
//! tools stand before everything else in theirs.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use sabir_types::{
    Block, CallKind, ChatRequest, Error, Map, Media, Protocol, Result, Role, Thinking, ToolCall, ToolResult, Unknown,
    Value,
};
use serde::Serialize;

use super::Context;
use crate::anthropic::{
    SIGNERS,
    block::{self, CacheMark, Content, EMPTY, Known, Piece, Source},
};

/// One turn.
#[derive(Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    content: Content<'a>,
    #[serde(flatten)]
    rest: &'a Map<String, Value>,
}

/// Writes the instructions and the turns.
pub(super) fn write<'a>(req: &'a ChatRequest, cx: &mut Context<'_>) -> Result<(Option<Content<'a>>, Vec<Turn<'a>>)> {
    let mut system = pieces(&req.system, "system", cx)?;
    let mut turns: Vec<(Role, Vec<Piece<'a>>, &Map<String, Value>)> = Vec::with_capacity(req.messages.len());
    for (at, message) in req.messages.iter().enumerate() {
        let place = format!("messages[{at}].content");
        let content = pieces(&message.content, &place, cx)?;
        if cx.native {
            turns.push((message.role, content, &message.rest));
            continue;
        }
        if message.name.is_some() {
            cx.left_out(&format!("messages[{at}].name"));
        }
        for name in message.rest.keys() {
            cx.left_out(&format!("messages[{at}].{name}"));
        }
        if content.is_empty() {
            cx.warn(&format!("messages[{at}]"), "left out: nothing in it can be sent");
            continue;
        }
        match turns.last_mut() {
            _ if message.role == Role::System => {
                cx.warn(&format!("messages[{at}]"), "moved to the front: instructions come first in the Messages API");
                system.extend(content);
            }
            Some((role, last, _)) if *role == message.role => last.extend(content),
            _ => turns.push((message.role, content, &EMPTY)),
        }
    }
    if turns.is_empty() {
        return Err(Error::bad_request("no message has anything in it that can be sent").with_param("messages"));
    }
    if !cx.native {
        for (_, content, _) in &mut turns {
            content.sort_by_key(|piece| !matches!(piece, Piece::Known(Known::ToolResult { .. })));
        }
        if let Some((Role::Assistant, content, _)) = turns.last_mut()
            && let Some(Piece::Known(Known::Text { text, .. })) = content.last_mut()
        {
            // The API refuses a beginning of an answer that ends in white space.
            *text = text.trim_end();
        }
    }
    let system = (!system.is_empty()).then(|| Content::from(system));
    let turns = turns.into_iter().map(|(role, content, rest)| Turn {
        role: match role {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
        },
        content: content.into(),
        rest,
    });
    Ok((system, turns.collect()))
}

fn pieces<'a>(blocks: &'a [Block], place: &str, cx: &mut Context<'_>) -> Result<Vec<Piece<'a>>> {
    let mut pieces = Vec::with_capacity(blocks.len());
    for block in blocks {
        if place == "system" && !matches!(block, Block::Text(_) | Block::Unknown(_)) {
            return Err(Error::unsupported(place, format!("instructions can only be text, got {}", block.kind())));
        }
        pieces.extend(piece(block, place, cx)?);
    }
    Ok(pieces)
}

/// One block; nothing if it is left out.
fn piece<'a>(block: &'a Block, place: &str, cx: &mut Context<'_>) -> Result<Option<Piece<'a>>> {
    let known = match block {
        // Blank text says nothing, and the API refuses it.
        Block::Text(text) if !cx.native && text.text.trim().is_empty() => return Ok(None),
        Block::Text(text) => {
            if text.signature.is_some() {
                cx.warn(place, "the thought signature of another provider is left out");
            }
            if !cx.native && !text.citations.is_empty() {
                cx.warn(place, "citations are left out");
            }
            Known::Text {
                text: &text.text,
                citations: if cx.native { &text.citations } else { &[] },
                cache_control: CacheMark::of(text.cache.as_ref()),
            }
        }
        Block::Refusal { text } if text.trim().is_empty() => return Ok(None),
        Block::Refusal { text } => Known::Text { text, citations: &[], cache_control: None },
        Block::Image(media) => image(media, place, cx)?,
        Block::File(media) => match media.mime.as_deref() {
            Some(mime) if !cx.native && mime.starts_with("image/") => image(media, place, cx)?,
            _ => document(media, place, cx)?,
        },
        Block::Audio(_) | Block::Video(_) => {
            return Err(Error::unsupported(place, format!("the Messages API takes no {} input", block.kind())));
        }
        Block::Thinking(thinking) => return Ok(thought(thinking, place, cx).map(Piece::Known)),
        Block::ToolCall(call) => tool_call(call, place, cx)?,
        Block::ToolResult(result) => tool_result(result, place, cx)?,
        Block::Unknown(unknown) => return own(unknown, place).map(Some),
    };
    Ok(Some(Piece::Known(known)))
}

fn own<'a>(unknown: &'a Unknown, place: &str) -> Result<Piece<'a>> {
    let typed = unknown.data.get("type").is_some_and(Value::is_string);
    match unknown.protocol {
        None | Some(Protocol::Anthropic) if typed => Ok(Piece::Raw(&unknown.data)),
        None | Some(Protocol::Anthropic) => {
            Err(Error::unsupported(place, "a block that is no object with a `type` cannot be sent"))
        }
        Some(other) => Err(Error::unsupported(
            place,
            format!("a block of the protocol {other} cannot be sent to the Messages API"),
        )),
    }
}

/// A thought goes back only to those who can check its signature.
fn thought<'a>(thinking: &'a Thinking, place: &str, cx: &mut Context<'_>) -> Option<Known<'a>> {
    if thinking.provider.as_deref().is_some_and(|maker| !SIGNERS.contains(&maker)) {
        cx.warn(place, "the thoughts of another provider are left out");
        return None;
    }
    let rest = if cx.native { &thinking.rest } else { &*EMPTY };
    if let Some(data) = &thinking.opaque {
        return Some(Known::RedactedThinking { data: Cow::Borrowed(data), rest });
    }
    if thinking.signature.is_none() && !cx.native {
        cx.warn(place, "thoughts without a signature are left out");
        return None;
    }
    Some(Known::Thinking {
        thinking: Cow::Borrowed(thinking.text.as_deref().unwrap_or_default()),
        signature: Cow::Borrowed(thinking.signature.as_deref().unwrap_or_default()),
        rest,
    })
}

fn tool_call<'a>(call: &'a ToolCall, place: &str, cx: &mut Context<'_>) -> Result<Known<'a>> {
    if call.signature.is_some() {
        cx.warn(place, "the thought signature of another provider is left out");
    }
    let object = match call.kind {
        CallKind::Function => block::arguments(&call.arguments),
        CallKind::Custom => None,
    };
    let input = match object {
        Some(raw) => Cow::Borrowed(raw),
        None => {
            if call.kind == CallKind::Function {
                cx.warn(place, "arguments that are not a JSON object are sent as the member `input` of one");
            }
            let wrapped = block::wrap(&call.arguments);
            Cow::Owned(wrapped.ok_or_else(|| Error::internal("arguments of a tool call cannot be written"))?)
        }
    };
    let cache_control = CacheMark::of(call.cache.as_ref());
    Ok(Known::ToolUse { id: id(&call.id, place, cx)?, name: &call.name, input, cache_control })
}

fn tool_result<'a>(result: &'a ToolResult, place: &str, cx: &mut Context<'_>) -> Result<Known<'a>> {
    let content = pieces(&result.content, place, cx)?;
    Ok(Known::ToolResult {
        tool_use_id: id(&result.id, place, cx)?,
        content: (!content.is_empty()).then(|| content.into()),
        is_error: result.is_error.then_some(true),
        cache_control: CacheMark::of(result.cache.as_ref()),
    })
}

/// An id of letters, digits, `_` and `-`, as the API demands; call and result change alike.
fn id<'a>(id: &'a str, place: &str, cx: &Context<'_>) -> Result<Cow<'a, str>> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if cx.native || (!id.is_empty() && id.bytes().all(fits)) {
        return Ok(Cow::Borrowed(id));
    }
    if id.is_empty() {
        return Err(Error::bad_request("a tool call or its result has no id").with_param(place));
    }
    let mut safe = String::with_capacity(id.len() + 8);
    for byte in id.bytes() {
        if fits(byte) {
            safe.push(char::from(byte));
        } else {
            safe.push_str(&format!("_{byte:02x}"));
        }
    }
    Ok(Cow::Owned(safe))
}

fn image<'a>(media: &'a Media, place: &str, cx: &mut Context<'_>) -> Result<Known<'a>> {
    const TYPES: &[&str] = &["image/png", "image/jpeg", "image/gif", "image/webp"];
    if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
        cx.warn(place, "`detail` of a picture is left out");
    }
    let source = match &media.source {
        sabir_types::Source::Url(url) => Source::Url { url },
        sabir_types::Source::FileId(file_id) => Source::File { file_id },
        sabir_types::Source::Base64(data) => {
            let mime = match media.mime.as_deref() {
                Some("image/jpg") if !cx.native => Some("image/jpeg"),
                Some(mime) => Some(mime),
                None => sniff(data),
            };
            match mime {
                Some(media_type) if cx.native || TYPES.contains(&media_type) => Source::Base64 { media_type, data },
                Some(mime) => {
                    return Err(Error::unsupported(
                        place,
                        format!("the Messages API takes no pictures of type `{mime}`"),
                    ));
                }
                None => return Err(Error::bad_request("the media type of a picture is missing").with_param(place)),
            }
        }
        sabir_types::Source::Text(_) => return Err(Error::unsupported(place, "a picture cannot be plain text")),
    };
    Ok(Known::Image { source, cache_control: CacheMark::of(media.cache.as_ref()), rest: extra(media, place, cx) })
}

fn document<'a>(media: &'a Media, place: &str, cx: &mut Context<'_>) -> Result<Known<'a>> {
    let source = match &media.source {
        sabir_types::Source::Url(url) => Source::Url { url },
        sabir_types::Source::FileId(file_id) => Source::File { file_id },
        sabir_types::Source::Text(text) => Source::Text { media_type: "text/plain", data: Cow::Borrowed(text) },
        sabir_types::Source::Base64(data) => match media.mime.as_deref().or_else(|| sniff(data)) {
            Some(media_type) if cx.native || media_type == "application/pdf" => Source::Base64 { media_type, data },
            Some(mime) if mime.starts_with("text/") || mime == "application/json" => {
                let bytes = STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let text = bytes.ok_or_else(|| {
                    Error::bad_request("a text document is not base64 of UTF-8 text").with_param(place)
                })?;
                Source::Text { media_type: "text/plain", data: Cow::Owned(text) }
            }
            Some(mime) => {
                return Err(Error::unsupported(place, format!("the Messages API takes no documents of type `{mime}`")));
            }
            None => return Err(Error::bad_request("the media type of a document is missing").with_param(place)),
        },
    };
    Ok(Known::Document {
        source,
        title: media.filename.as_deref(),
        cache_control: CacheMark::of(media.cache.as_ref()),
        rest: extra(media, place, cx),
    })
}

fn extra<'a>(media: &'a Media, place: &str, cx: &mut Context<'_>) -> &'a Map<String, Value> {
    if cx.native {
        return &media.rest;
    }
    for name in media.rest.keys() {
        cx.left_out(&format!("{place}.{name}"));
    }
    &EMPTY
}

/// The media type that base64 gives away by its first bytes.
fn sniff(data: &str) -> Option<&'static str> {
    [
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("JVBERi", "application/pdf"),
    ]
    .into_iter()
    .find_map(|(start, mime)| data.starts_with(start).then_some(mime))
}
