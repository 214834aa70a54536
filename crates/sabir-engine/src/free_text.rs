//! Tools that take free text, for providers whose tools take JSON only.
//!
//! Invariant: the model is offered a tool with one member, `input`; what it writes there is the text
//! that the caller gets, and what the caller sends back goes out in that form again.

use std::collections::HashMap;

use sabir_providers::{Decoder, Spec};
use sabir_types::{Block, CallKind, ChatRequest, Delta, Event, Request, Response, Result, ToolChoice, ToolKind, Value};
use serde_json::json;

/// The member that holds the text.
const INPUT: &str = "input";

/// Whether a request has tools or calls that have to be wrapped for a provider.
pub(crate) fn wraps(chat: &ChatRequest, spec: &Spec) -> bool {
    let is_custom = |block: &Block| match block {
        Block::ToolCall(call) => call.kind == CallKind::Custom,
        Block::ToolResult(result) => result.kind == CallKind::Custom,
        _ => false,
    };
    !spec.can.custom_tools
        && (chat.tools.iter().any(|tool| matches!(tool.kind, ToolKind::Custom { .. }))
            || chat.messages.iter().flat_map(|message| &message.content).any(is_custom))
}

/// Wraps the tools, the choice among them, and the calls that were made.
pub(crate) fn wrap(chat: &mut ChatRequest) {
    for tool in &mut chat.tools {
        let ToolKind::Custom { format } = &tool.kind else { continue };
        let mut about = json!({"type": "string", "description": "the whole input of the tool, as plain text"});
        if let Some(grammar) = format.as_ref().and_then(grammar) {
            about["description"] =
                format!("the whole input of the tool, as plain text. It has to follow this grammar:\n{grammar}").into();
        }
        let parameters =
            json!({"type": "object", "properties": {INPUT: about}, "required": [INPUT], "additionalProperties": false});
        tool.kind = ToolKind::Function { parameters: Some(parameters), strict: None };
    }
    if let Some(ToolChoice::Tool { kind, .. }) = &mut chat.tool_choice {
        *kind = CallKind::Function;
    }
    for block in chat.messages.iter_mut().flat_map(|message| &mut message.content) {
        match block {
            Block::ToolCall(call) if call.kind == CallKind::Custom => {
                call.kind = CallKind::Function;
                call.arguments = json!({INPUT: call.arguments}).to_string();
            }
            Block::ToolResult(result) => result.kind = CallKind::Function,
            _ => {}
        }
    }
}

/// The grammar of a tool's format, in Chat Completions' form or in Responses'.
fn grammar(format: &Value) -> Option<&str> {
    let inner = format.get("grammar").unwrap_or(format);
    inner.get("definition")?.as_str()
}

/// The names of a request's tools that take free text, if they are wrapped for this provider.
pub(crate) fn wrapped(req: &Request, spec: &Spec) -> Vec<String> {
    let Request::Chat(chat) = req else { return Vec::new() };
    if spec.can.custom_tools {
        return Vec::new();
    }
    let custom = chat.tools.iter().filter(|tool| matches!(tool.kind, ToolKind::Custom { .. }));
    custom.map(|tool| tool.name.clone()).collect()
}

/// Unwraps the calls of an answer.
pub(crate) fn unwrap(names: &[String], answer: &mut Response) {
    let Response::Chat(chat) = answer else { return };
    for block in chat.choices.iter_mut().flat_map(|choice| &mut choice.content) {
        if let Block::ToolCall(call) = block
            && names.contains(&call.name)
        {
            call.kind = CallKind::Custom;
            call.arguments = text(std::mem::take(&mut call.arguments));
        }
    }
}

/// The text that a call's arguments hold. A model that wrote something else has written text too.
fn text(arguments: String) -> String {
    match serde_json::from_str::<Value>(&arguments) {
        Ok(Value::Object(mut members)) if members.len() == 1 => match members.remove(INPUT) {
            Some(Value::String(text)) => text,
            _ => arguments,
        },
        _ => arguments,
    }
}

/// A decoder that hands out unwrapped calls.
pub(crate) fn unwrapping(names: Vec<String>, inner: Box<dyn Decoder>) -> Box<dyn Decoder> {
    if names.is_empty() { inner } else { Box::new(Unwrapping { inner, names, open: HashMap::new() }) }
}

/// Holds the arguments of wrapped calls back until they are whole: half a JSON text is no text.
struct Unwrapping {
    inner: Box<dyn Decoder>,
    names: Vec<String>,
    /// The arguments so far, by choice and block.
    open: HashMap<(u32, u32), String>,
}

impl Unwrapping {
    fn sort(&mut self, events: Vec<Event>, out: &mut Vec<Event>) {
        for event in events {
            match event {
                Event::Delta { choice, block, delta: Delta::ToolCall { id, name, .. } }
                    if self.names.contains(&name) =>
                {
                    self.open.insert((choice, block), String::new());
                    out.push(Event::Delta {
                        choice,
                        block,
                        delta: Delta::ToolCall { id, name, kind: CallKind::Custom },
                    });
                }
                Event::Delta { choice, block, delta: Delta::Arguments { text } } => {
                    match self.open.get_mut(&(choice, block)) {
                        Some(all) => all.push_str(&text),
                        None => out.push(Event::Delta { choice, block, delta: Delta::Arguments { text } }),
                    }
                }
                Event::Finish { choice, .. } => {
                    self.end(Some(choice), out);
                    out.push(event);
                }
                event => out.push(event),
            }
        }
    }

    /// Hands out what was held back, of one choice or of all.
    fn end(&mut self, of: Option<u32>, out: &mut Vec<Event>) {
        let mut ended: Vec<_> =
            self.open.keys().copied().filter(|(choice, _)| of.is_none_or(|of| of == *choice)).collect();
        ended.sort_unstable();
        for (choice, block) in ended {
            if let Some(arguments) = self.open.remove(&(choice, block)) {
                out.push(Event::Delta { choice, block, delta: Delta::Arguments { text: text(arguments) } });
            }
        }
    }
}

impl Decoder for Unwrapping {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<()> {
        let mut events = Vec::new();
        let fed = self.inner.feed(bytes, &mut events);
        self.sort(events, out);
        fed
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<()> {
        let mut events = Vec::new();
        let finished = self.inner.finish(&mut events);
        self.sort(events, out);
        self.end(None, out);
        finished
    }
}
