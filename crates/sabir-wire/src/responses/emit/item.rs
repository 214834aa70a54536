//! A conversation as items.
//!
//! Invariant: items stand in the order of the blocks; a thought is followed by what came of it, or
//! it is left out with a warning, because the server refuses one that stands alone.

use sabir_types::{
    Block, CallKind, ChatRequest, Error, Map, Media, Message, Protocol, Result, Role, Source, Thinking, ToolCall,
    ToolResult, Unknown, Value, Warning,
};
use serde_json::json;

use super::{
    super::{SIGNERS, is_item, thought},
    put,
};

pub(super) struct Writer<'a> {
    req: &'a ChatRequest,
    warnings: &'a mut Vec<Warning>,
    out: Vec<Value>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(req: &'a ChatRequest, warnings: &'a mut Vec<Warning>) -> Self {
        Self { req, warnings, out: Vec::with_capacity(req.messages.len()) }
    }

    /// The instructions and the items.
    pub(super) fn conversation(mut self) -> Result<(Option<String>, Vec<Value>)> {
        let req = self.req;
        let texts: Vec<&str> = req.system.iter().map_while(Block::as_text).collect();
        for (at, block) in req.system.iter().enumerate().skip(texts.len()) {
            let part = self.part(block, "input_text", &format!("system[{at}]"))?;
            self.out.push(json!({"role": "developer", "content": [part]}));
        }
        for (at, message) in req.messages.iter().enumerate() {
            let goes_on = req.messages.get(at + 1).is_some_and(|next| next.role == Role::Assistant);
            self.message(message, goes_on, &format!("messages[{at}]"))?;
        }
        let instructions = texts.join("\n\n");
        Ok((Some(instructions).filter(|text| !text.is_empty()), self.out))
    }

    /// `goes_on`: the next turn is the same speaker's.
    fn message(&mut self, message: &Message, goes_on: bool, path: &str) -> Result<()> {
        let (role, text) = match message.role {
            Role::Assistant => ("assistant", "output_text"),
            Role::User => ("user", "input_text"),
            Role::System => ("developer", "input_text"),
        };
        if message.name.is_some() {
            self.left_out("messages.name");
        }
        let mut said = Vec::new();
        for (at, block) in message.content.iter().enumerate() {
            let path = format!("{path}.content[{at}]");
            let item = match block {
                Block::Thinking(thinking) => {
                    let after = &message.content[at + 1..];
                    let followed = goes_on || after.iter().any(|block| !matches!(block, Block::Thinking(_)));
                    let Some(item) = self.thinking(thinking, followed) else { continue };
                    item
                }
                Block::ToolCall(call) if message.role == Role::Assistant => tool_call(call),
                Block::ToolResult(result) if message.role == Role::User => self.result(result, &path)?,
                Block::Unknown(unknown) if is_item(&unknown.data) => known(unknown, &path)?,
                other => {
                    said.push(self.part(other, text, &path)?);
                    continue;
                }
            };
            self.say(role, std::mem::take(&mut said), message);
            self.out.push(item);
        }
        self.say(role, said, message);
        Ok(())
    }

    fn say(&mut self, role: &str, mut parts: Vec<Value>, message: &Message) {
        if parts.is_empty() {
            return;
        }
        let mut out = Map::new();
        if role == "assistant" {
            out.insert("type".into(), "message".into());
        }
        out.insert("role".into(), role.into());
        let content = match parts.as_mut_slice() {
            // A single text stands as a string: every server reads that.
            [Value::Object(part)] if role != "assistant" && part.len() == 2 && part.contains_key("text") => {
                part.shift_remove("text").unwrap_or_default()
            }
            // An item with parts is one that the API gave, with an id; a turn that it did not give is a string.
            [Value::Object(part)] if message.rest.is_empty() && part.get("annotations") == Some(&json!([])) => {
                part.shift_remove("text").unwrap_or_default()
            }
            _ => parts.into(),
        };
        out.insert("content".into(), content);
        if !message.rest.is_empty() {
            if self.is_ours() {
                out.extend(message.rest.iter().map(|(name, value)| (name.clone(), value.clone())));
            } else {
                message.rest.keys().for_each(|name| self.left_out(&format!("messages.{name}")));
            }
        }
        self.out.push(Value::Object(out));
    }

    /// Whether the request came in this protocol.
    fn is_ours(&self) -> bool {
        self.req.rest.protocol == Some(Protocol::Responses)
    }

    fn left_out(&mut self, param: &str) {
        let warning = super::left_out(param);
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// A thought, if this protocol's server can make something of it.
    fn thinking(&mut self, thinking: &Thinking, followed: bool) -> Option<Value> {
        let is_signed = thinking.provider.as_deref().is_none_or(|maker| SIGNERS.contains(&maker));
        if !is_signed || !followed || thinking.opaque.is_none() {
            self.left_out("messages.thinking");
            return None;
        }
        // Without its id: with it, the server insists on the very item that followed, by that one's id.
        let mut out = Map::new();
        out.insert("type".into(), "reasoning".into());
        out.insert("summary".into(), thought::summary(thinking));
        if let Some(text) = &thinking.text {
            out.insert("content".into(), json!([{"type": "reasoning_text", "text": text}]));
        }
        put(&mut out, "encrypted_content", thinking.opaque.as_deref());
        Some(Value::Object(out))
    }

    fn result(&mut self, result: &ToolResult, path: &str) -> Result<Value> {
        let kind = match result.kind {
            CallKind::Function => "function_call_output",
            CallKind::Custom => "custom_tool_call_output",
        };
        if result.is_error {
            self.left_out("messages.tool_result.is_error");
        }
        let output = match result.content.as_slice() {
            [] => "".into(),
            [Block::Text(text)] => text.text.as_str().into(),
            blocks => {
                let mut parts = Vec::with_capacity(blocks.len());
                for (at, block) in blocks.iter().enumerate() {
                    parts.push(self.part(block, "input_text", &format!("{path}.content[{at}]"))?);
                }
                Value::from(parts)
            }
        };
        Ok(json!({"type": kind, "call_id": result.id, "output": output}))
    }

    fn part(&mut self, block: &Block, text: &str, path: &str) -> Result<Value> {
        let refuse = |what: &str| Err(Error::unsupported(path, format!("{path}: {what}")));
        Ok(match block {
            Block::Text(block) if text == "output_text" => {
                json!({"type": text, "text": block.text, "annotations": self.citations(block)})
            }
            Block::Text(block) => {
                if !block.citations.is_empty() {
                    self.left_out("messages.citations");
                }
                json!({"type": text, "text": block.text})
            }
            Block::Refusal { text } => json!({"type": "refusal", "refusal": text}),
            Block::Image(media) => image(media, self.is_ours(), path)?,
            Block::File(media) => file(media),
            Block::Audio(media) => {
                let Source::Base64(data) = &media.source else {
                    return refuse("sound can only be sent as bytes (base64)");
                };
                let format = match media.mime.as_deref().and_then(|mime| mime.strip_prefix("audio/")) {
                    Some("mpeg" | "mp3") => "mp3",
                    Some("x-wav" | "wave" | "wav") | None => "wav",
                    Some(other) => other,
                };
                json!({"type": "input_audio", "input_audio": {"data": data, "format": format}})
            }
            Block::Unknown(unknown) => known(unknown, path)?,
            Block::Video(_) => return refuse("the Responses API takes no video"),
            Block::Thinking(_) => return refuse("a thought can only stand in an assistant message"),
            Block::ToolCall(_) => return refuse("a tool call can only stand in an assistant message"),
            Block::ToolResult(_) => return refuse("a tool result can only stand in a user message"),
        })
    }

    /// Citations of this protocol: others have other shapes, which the server would refuse.
    fn citations(&mut self, text: &sabir_types::Text) -> Value {
        let known =
            |note: &&Value| note.get("type").and_then(Value::as_str).is_some_and(|kind| CITATIONS.contains(&kind));
        let fit: Vec<Value> = text.citations.iter().filter(known).cloned().collect();
        if fit.len() < text.citations.len() {
            self.left_out("messages.citations");
        }
        fit.into()
    }
}

/// The types of citations.
const CITATIONS: [&str; 4] = ["url_citation", "file_citation", "container_file_citation", "file_path"];

fn known(unknown: &Unknown, path: &str) -> Result<Value> {
    match unknown.protocol {
        Some(Protocol::Responses) | None => Ok(unknown.data.clone()),
        Some(other) => {
            let message = format!("{path}: a block of the {other} protocol cannot be translated");
            Err(Error::unsupported(path, message))
        }
    }
}

fn tool_call(call: &ToolCall) -> Value {
    match call.kind {
        CallKind::Function => {
            let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
            json!({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments})
        }
        CallKind::Custom => {
            json!({"type": "custom_tool_call", "call_id": call.id, "name": call.name, "input": call.arguments})
        }
    }
}

/// `is_ours`: the request came in this protocol, and says of itself what it wants to say.
fn image(media: &Media, is_ours: bool, path: &str) -> Result<Value> {
    let mut out = Map::new();
    out.insert("type".into(), "input_image".into());
    match &media.source {
        Source::Url(url) => put(&mut out, "image_url", Some(url.as_str())),
        Source::Base64(data) => put(&mut out, "image_url", Some(inline(media, data, "image/png"))),
        Source::FileId(id) => put(&mut out, "file_id", Some(id.as_str())),
        Source::Text(_) => {
            return Err(Error::unsupported(path, format!("{path}: expected a picture's URL or bytes, got text")));
        }
    }
    // The API's own types want the member.
    put(&mut out, "detail", media.detail.as_deref().or(if is_ours { None } else { Some("auto") }));
    out.extend(media.rest.iter().map(|(name, value)| (name.clone(), value.clone())));
    Ok(Value::Object(out))
}

fn file(media: &Media) -> Value {
    let mut out = Map::new();
    out.insert("type".into(), "input_file".into());
    match &media.source {
        Source::Url(url) => put(&mut out, "file_url", Some(url.as_str())),
        Source::FileId(id) => put(&mut out, "file_id", Some(id.as_str())),
        Source::Base64(data) => {
            out.insert("filename".into(), media.filename.as_deref().unwrap_or("document.pdf").into());
            put(&mut out, "file_data", Some(inline(media, data, "application/pdf")));
        }
        Source::Text(text) => return json!({"type": "input_text", "text": text}),
    }
    out.extend(media.rest.iter().map(|(name, value)| (name.clone(), value.clone())));
    Value::Object(out)
}

fn inline(media: &Media, data: &str, usual: &str) -> String {
    format!("data:{};base64,{data}", media.mime.as_deref().unwrap_or(usual))
}
