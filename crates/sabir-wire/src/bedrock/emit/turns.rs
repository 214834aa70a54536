//! Instructions and turns.
//!
//! Invariant: turns of one speaker are one turn, results of tools stand first in theirs, and blank
//! text, which the API refuses, is not sent.

use std::borrow::Cow;

use sabir_types::{
    Block, CacheControl, CallKind, ChatRequest, Error, Map, Protocol, Result, Role, Thinking, ToolCall, ToolResult,
    Value,
};
use serde_json::json;

use super::{super::SIGNERS, Context, media};
use crate::{anthropic, bedrock::family::Family};

/// The instructions and the turns.
pub(super) fn write(req: &ChatRequest, cx: &mut Context<'_>) -> Result<(Vec<Value>, Vec<Value>)> {
    let mut documents = 0;
    let mut system = blocks(&req.system, "system", &mut documents, cx)?;
    let mut turns: Vec<(Role, Vec<Value>)> = Vec::with_capacity(req.messages.len());
    for (at, message) in req.messages.iter().enumerate() {
        let content = blocks(&message.content, &format!("messages[{at}].content"), &mut documents, cx)?;
        if message.name.is_some() {
            cx.left_out(&format!("messages[{at}].name"));
        }
        message.rest.keys().for_each(|name| cx.left_out(&format!("messages[{at}].{name}")));
        if content.is_empty() {
            cx.warn(&format!("messages[{at}]"), "left out: nothing in it can be sent");
            continue;
        }
        match turns.last_mut() {
            _ if message.role == Role::System => {
                cx.warn(&format!("messages[{at}]"), "moved to the front: instructions come first in Converse");
                system.extend(content);
            }
            Some((role, last)) if *role == message.role => last.extend(content),
            _ => turns.push((message.role, content)),
        }
    }
    if turns.is_empty() {
        return Err(Error::bad_request("no message has anything in it that can be sent").with_param("messages"));
    }
    let turns = turns.into_iter().map(|(role, mut content)| {
        content.sort_by_key(|block| block.get("toolResult").is_none());
        json!({"role": if role == Role::Assistant { "assistant" } else { "user" }, "content": content})
    });
    Ok((system, turns.collect()))
}

/// The mark that everything up to here is kept.
pub(super) fn mark(cache: Option<&CacheControl>) -> Option<Value> {
    let cache = cache?;
    let mut point = Map::new();
    point.insert("type".into(), "default".into());
    if let Some(ttl) = &cache.ttl {
        point.insert("ttl".into(), ttl.as_str().into());
    }
    Some(json!({"cachePoint": point}))
}

fn blocks(blocks: &[Block], place: &str, documents: &mut u32, cx: &mut Context<'_>) -> Result<Vec<Value>> {
    let mut out = Vec::with_capacity(blocks.len());
    for block in blocks {
        if place == "system" && !matches!(block, Block::Text(_) | Block::Unknown(_)) {
            return Err(Error::unsupported(place, format!("instructions can only be text, got {}", block.kind())));
        }
        let (written, cache) = match block {
            Block::Text(text) if text.text.trim().is_empty() => (None, None),
            Block::Text(text) => {
                if text.signature.is_some() {
                    cx.warn(place, "the thought signature of another provider is left out");
                }
                if !text.citations.is_empty() {
                    cx.warn(place, "citations are left out");
                }
                (Some(json!({"text": text.text})), text.cache.as_ref())
            }
            Block::Refusal { text } if text.trim().is_empty() => (None, None),
            Block::Refusal { text } => (Some(json!({"text": text})), None),
            Block::Image(one) => (Some(media::image(one, place, cx)?), one.cache.as_ref()),
            Block::File(one) if one.mime.as_deref().is_some_and(|mime| mime.starts_with("image/")) => {
                (Some(media::image(one, place, cx)?), one.cache.as_ref())
            }
            Block::File(one) => (Some(media::document(one, documents, place, cx)?), one.cache.as_ref()),
            Block::Audio(one) => (Some(media::other("audio", one, place, cx)?), one.cache.as_ref()),
            Block::Video(one) => (Some(media::other("video", one, place, cx)?), one.cache.as_ref()),
            Block::Thinking(thinking) => (thought(thinking, place, cx), None),
            Block::ToolCall(call) => (Some(tool_call(call, place, cx)?), call.cache.as_ref()),
            Block::ToolResult(result) => (Some(tool_result(result, place, documents, cx)?), result.cache.as_ref()),
            Block::Unknown(unknown) => match unknown.protocol {
                None | Some(Protocol::Bedrock) if unknown.data.is_object() => (Some(unknown.data.clone()), None),
                None | Some(Protocol::Bedrock) => {
                    return Err(Error::unsupported(place, "a block that is no object cannot be sent"));
                }
                Some(other) => {
                    let message = format!("a block of the protocol {other} cannot be sent to Converse");
                    return Err(Error::unsupported(place, message));
                }
            },
        };
        out.extend(written);
        out.extend(mark(cache));
    }
    Ok(out)
}

/// A thought goes back only to those who can check its signature.
fn thought(thinking: &Thinking, place: &str, cx: &mut Context<'_>) -> Option<Value> {
    let is_claude = matches!(cx.family, Family::Claude(_));
    let own = thinking
        .provider
        .as_deref()
        .is_none_or(|maker| SIGNERS.contains(&maker) || (is_claude && anthropic::SIGNERS.contains(&maker)));
    if !own {
        cx.warn(place, "the thoughts of another provider are left out");
        return None;
    }
    if let Some(data) = &thinking.opaque {
        return Some(json!({"reasoningContent": {"redactedContent": data}}));
    }
    let Some(signature) = &thinking.signature else {
        cx.warn(place, "thoughts without a signature are left out");
        return None;
    };
    let text = thinking.text.as_deref().unwrap_or_default();
    Some(json!({"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}))
}

fn tool_call(call: &ToolCall, place: &str, cx: &mut Context<'_>) -> Result<Value> {
    if call.signature.is_some() {
        cx.warn(place, "the thought signature of another provider is left out");
    }
    let text = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    let object = match call.kind {
        CallKind::Function => serde_json::from_str::<Map<String, Value>>(text).ok(),
        CallKind::Custom => None,
    };
    let input = match object {
        Some(object) => Value::Object(object),
        None => {
            if call.kind == CallKind::Function {
                cx.warn(place, "arguments that are not a JSON object are sent as the member `input` of one");
            }
            json!({"input": call.arguments})
        }
    };
    Ok(json!({"toolUse": {"toolUseId": id(&call.id, place)?, "name": call.name, "input": input}}))
}

fn tool_result(result: &ToolResult, place: &str, documents: &mut u32, cx: &mut Context<'_>) -> Result<Value> {
    let content = blocks(&result.content, place, documents, cx)?;
    let mut out = json!({"toolUseId": id(&result.id, place)?, "content": content});
    if result.is_error {
        out["status"] = "error".into();
    }
    Ok(json!({"toolResult": out}))
}

/// An id of letters, digits, `_` and `-`, as the API demands; call and result change alike.
fn id<'a>(id: &'a str, place: &str) -> Result<Cow<'a, str>> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if id.is_empty() {
        return Err(Error::bad_request("a tool call or its result has no id").with_param(place));
    }
    if id.bytes().all(fits) {
        return Ok(Cow::Borrowed(id));
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
