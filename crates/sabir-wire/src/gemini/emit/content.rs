//! `contents`: turns and their parts.
//!
//! Invariant: roles alternate, results stand in the order of their calls, and a thought signature
//! goes out on the very part that it came on.

use std::collections::HashMap;

use sabir_types::{
    Block, CacheControl, CallKind, Error, Map, Media, Message, Protocol, Result, Role, Source, Thinking, ToolCall,
    ToolResult, Value, Warning,
};
use serde_json::json;

use super::{
    super::{SIGNERS, ids, model::Model, part},
    warn,
};

/// What the wire accepts in place of a signature that another provider's call cannot have.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Where the provider's own file store listens; parts name its files by address.
const FILES: &str = "https://generativelanguage.googleapis.com/v1beta/files/";

/// The conversation so far.
pub(super) struct Contents {
    model: Model,
    out: Vec<Value>,
    turn: Option<Turn>,
    /// The calls so far, by id: name and number.
    calls: HashMap<String, (String, usize)>,
    made: usize,
}

/// The turn that is being written.
struct Turn {
    role: &'static str,
    parts: Vec<Part>,
    /// A call was written: only the first one of a turn must be signed.
    called: bool,
}

struct Part {
    /// The number of the call that this is the result of.
    answers: Option<usize>,
    value: Value,
}

impl Contents {
    pub(super) fn new(model: Model) -> Self {
        Self { model, out: Vec::new(), turn: None, calls: HashMap::new(), made: 0 }
    }

    /// Instructions, as parts.
    pub(super) fn system(&self, blocks: &[Block], warnings: &mut Vec<Warning>) -> Result<Vec<Value>> {
        let mut parts = Vec::new();
        for block in blocks {
            match block {
                Block::Text(text) => {
                    cached(text.cache.as_ref(), warnings);
                    parts.push(json!({"text": text.text}));
                }
                Block::Unknown(unknown) if unknown.protocol == Some(Protocol::Gemini) => {
                    parts.push(unknown.data.clone());
                }
                other => {
                    let message = format!("{} in the instructions: gemini takes text only", other.kind());
                    return Err(Error::unsupported("system", message));
                }
            }
        }
        Ok(parts)
    }

    /// Writes a turn, together with the one before it if that is of the same role.
    pub(super) fn push(&mut self, message: &Message, warnings: &mut Vec<Warning>) -> Result<()> {
        let role = if message.role == Role::Assistant { "model" } else { "user" };
        if self.turn.as_ref().is_some_and(|turn| turn.role != role) {
            self.close();
        }
        if message.name.is_some() {
            warn(warnings, "messages.name", "gemini has no names for speakers");
        }
        let mut turn = self.turn.take().unwrap_or_else(|| Turn { role, parts: Vec::new(), called: false });
        for name in message.rest.keys() {
            warn(warnings, &format!("messages.{name}"), "gemini has no such member");
        }
        // An empty text says nothing, and some models refuse it beside other parts.
        let says = |block: &Block| !matches!(block, Block::Text(t) if t.text.is_empty() && t.signature.is_none());
        let something = message.content.iter().any(says);
        for block in &message.content {
            if !something && role == "user" || says(block) {
                self.block(block, &mut turn, warnings)?;
            }
        }
        self.turn = Some(turn);
        Ok(())
    }

    /// The turns.
    pub(super) fn finish(mut self) -> Vec<Value> {
        self.close();
        self.out
    }

    fn close(&mut self) {
        let Some(mut turn) = self.turn.take() else { return };
        if turn.parts.is_empty() {
            return;
        }
        // Without ids the provider matches results to calls by order.
        let mut answers: Vec<_> = turn.parts.iter().filter_map(|part| part.answers).collect();
        if !answers.is_sorted() {
            let places: Vec<_> = (0..turn.parts.len()).filter(|at| turn.parts[*at].answers.is_some()).collect();
            answers.sort_unstable();
            for (place, number) in places.into_iter().zip(answers) {
                if let Some(at) = (place..turn.parts.len()).find(|at| turn.parts[*at].answers == Some(number)) {
                    turn.parts.swap(place, at);
                }
            }
        }
        let parts: Vec<_> = turn.parts.into_iter().map(|part| part.value).collect();
        self.out.push(json!({"role": turn.role, "parts": parts}));
    }

    fn block(&mut self, block: &Block, turn: &mut Turn, warnings: &mut Vec<Warning>) -> Result<()> {
        let value = match block {
            Block::Text(text) => {
                cached(text.cache.as_ref(), warnings);
                if !text.citations.is_empty() {
                    warn(warnings, "messages.annotations", "gemini takes no citations back");
                }
                signed(json!({"text": text.text}), text.signature.as_deref())
            }
            Block::Refusal { text } => json!({"text": text}),
            Block::Image(media) | Block::Audio(media) | Block::Video(media) | Block::File(media) => {
                self::media(block.kind(), media, warnings)?
            }
            Block::Thinking(thinking) => match thought(thinking, warnings) {
                Some(value) => value,
                None => return Ok(()),
            },
            Block::ToolCall(call) => self.call(call, turn, warnings)?,
            Block::ToolResult(result) => return self.result(result, turn, warnings),
            Block::Unknown(unknown) if unknown.protocol == Some(Protocol::Gemini) => unknown.data.clone(),
            Block::Unknown(unknown) => {
                let of = unknown.protocol.map_or("an unknown protocol", Protocol::as_str);
                return Err(Error::unsupported("messages", format!("a block of {of} cannot go to gemini")));
            }
        };
        turn.parts.push(Part { answers: None, value });
        Ok(())
    }

    fn call(&mut self, call: &ToolCall, turn: &mut Turn, warnings: &mut Vec<Warning>) -> Result<Value> {
        cached(call.cache.as_ref(), warnings);
        let args = match (call.kind, call.arguments.trim()) {
            (CallKind::Custom, _) => {
                let message = format!("call of tool `{}` has free text: gemini's take JSON only", call.name);
                return Err(Error::unsupported("messages", message));
            }
            (CallKind::Function, "") => Map::new(),
            (CallKind::Function, text) => serde_json::from_str(text).map_err(|_| {
                let message =
                    format!("arguments of the call `{}` of tool `{}` are not a JSON object", call.id, call.name);
                Error::unsupported("messages", message)
            })?,
        };
        let mut out = Map::new();
        with_id(&mut out, &call.id);
        out.insert("name".into(), Value::from(call.name.as_str()));
        out.insert("args".into(), Value::Object(args));
        self.calls.insert(call.id.clone(), (call.name.clone(), self.made));
        self.made += 1;
        let first = !std::mem::replace(&mut turn.called, true);
        let stand_in = (first && self.model.checks_signatures()).then_some(NO_SIGNATURE);
        Ok(signed(json!({"functionCall": out}), call.signature.as_deref().or(stand_in)))
    }

    fn result(&mut self, result: &ToolResult, turn: &mut Turn, warnings: &mut Vec<Warning>) -> Result<()> {
        cached(result.cache.as_ref(), warnings);
        let call = self.calls.get(&result.id);
        let Some(name) = call.map(|(name, _)| name).or(result.name.as_ref()) else {
            let message = format!("tool result `{}` answers no call of the conversation", result.id);
            return Err(Error::bad_request(message).with_param("messages"));
        };
        let mut out = Map::new();
        with_id(&mut out, &result.id);
        out.insert("name".into(), Value::from(name.as_str()));
        let (mut text, mut others) = (None::<String>, Vec::new());
        for block in &result.content {
            match block {
                Block::Text(piece) => {
                    cached(piece.cache.as_ref(), warnings);
                    match &mut text {
                        None => text = Some(piece.text.clone()),
                        Some(text) => {
                            text.push('\n');
                            text.push_str(&piece.text);
                        }
                    }
                }
                Block::Image(media) | Block::Audio(media) | Block::Video(media) | Block::File(media) => {
                    others.push(self::media(block.kind(), media, warnings)?);
                }
                Block::Unknown(unknown) if unknown.protocol == Some(Protocol::Gemini) => {
                    others.push(unknown.data.clone());
                }
                other => {
                    let message = format!("{} in the result of tool `{name}`: gemini takes none there", other.kind());
                    return Err(Error::unsupported("messages", message));
                }
            }
        }
        out.insert("response".into(), response(text.unwrap_or_default(), result.is_error));
        let nested = self.model.takes_media_results() && !others.is_empty();
        if nested {
            out.insert("parts".into(), Value::from(std::mem::take(&mut others)));
        }
        let answers = call.map(|(_, number)| *number);
        turn.parts.push(Part { answers, value: json!({"functionResponse": out}) });
        turn.parts.extend(others.into_iter().map(|value| Part { answers: None, value }));
        Ok(())
    }
}

/// What a tool said. The wire wants an object.
fn response(text: String, is_error: bool) -> Value {
    let object = part::is_object(&text).then(|| serde_json::from_str::<Map<String, Value>>(&text).ok()).flatten();
    match (object, is_error) {
        (Some(object), true) if !object.contains_key("error") => json!({"error": object}),
        (Some(object), _) => Value::Object(object),
        (None, true) => json!({"error": text}),
        (None, false) => json!({"result": text}),
    }
}

/// A thought, unless it is another provider's: there is no word for those here.
fn thought(thinking: &Thinking, warnings: &mut Vec<Warning>) -> Option<Value> {
    let foreign = thinking.provider.as_deref().is_some_and(|provider| !SIGNERS.contains(&provider));
    let text = thinking.text.clone().unwrap_or_else(|| thinking.summary.join("\n"));
    if foreign || thinking.opaque.is_some() || (text.is_empty() && thinking.signature.is_none()) {
        warn(warnings, "messages.thinking", "thoughts of another provider's model were left out");
        return None;
    }
    Some(signed(json!({"text": text, "thought": true}), thinking.signature.as_deref()))
}

fn media(kind: &str, media: &Media, warnings: &mut Vec<Warning>) -> Result<Value> {
    cached(media.cache.as_ref(), warnings);
    if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
        warn(warnings, "messages.detail", "gemini decides by itself how closely to look");
    }
    let mime = |fallback: Option<&str>| media.mime.as_deref().or(fallback).map(str::to_owned);
    let mut data = Map::new();
    let name = match &media.source {
        Source::Base64(bytes) => {
            let Some(mime) = mime(None) else {
                return Err(Error::unsupported("messages", format!("{kind} without a media type: gemini needs it")));
            };
            data.insert("mimeType".into(), Value::from(mime));
            data.insert("data".into(), Value::from(bytes.as_str()));
            "inlineData"
        }
        Source::Text(text) => {
            use base64::Engine as _;
            data.insert("mimeType".into(), Value::from(mime(Some("text/plain"))));
            data.insert("data".into(), Value::from(base64::engine::general_purpose::STANDARD.encode(text)));
            "inlineData"
        }
        Source::Url(_) | Source::FileId(_) => {
            if let Some(mime) = mime(None) {
                data.insert("mimeType".into(), Value::from(mime));
            }
            let uri = match &media.source {
                Source::FileId(id) if !id.contains("://") => {
                    format!("{FILES}{}", id.strip_prefix("files/").unwrap_or(id))
                }
                Source::Url(uri) | Source::FileId(uri) => uri.clone(),
                Source::Base64(_) | Source::Text(_) => String::new(),
            };
            data.insert("fileUri".into(), Value::from(uri));
            "fileData"
        }
    };
    // Only one of Google's two services takes a name here, and it is no more than a label.
    if media.filename.is_some() {
        warn(warnings, "messages.filename", "gemini has no names for files");
    }
    let mut out = Map::from_iter([(name.to_owned(), Value::Object(data))]);
    for (key, value) in &media.rest {
        if part::ON_MEDIA.contains(&key.as_str()) {
            out.insert(key.clone(), value.clone());
        } else {
            warn(warnings, &format!("messages.{key}"), "gemini has no such member");
        }
    }
    Ok(Value::Object(out))
}

/// Ids that were made here mean nothing to the provider.
fn with_id(out: &mut Map<String, Value>, id: &str) {
    if !id.is_empty() && !ids::is_ours(id) {
        out.insert("id".into(), Value::from(id));
    }
}

fn signed(mut part: Value, signature: Option<&str>) -> Value {
    if let (Value::Object(part), Some(signature)) = (&mut part, signature) {
        part.insert("thoughtSignature".into(), Value::from(signature));
    }
    part
}

fn cached(mark: Option<&CacheControl>, warnings: &mut Vec<Warning>) {
    if mark.is_some() {
        warn(warnings, "cache_control", "gemini caches without marks");
    }
}
