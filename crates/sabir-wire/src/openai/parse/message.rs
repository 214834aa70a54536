//! Messages of a conversation.
//!
//! Invariant: every tool result answers a call of an earlier assistant message; results that stand
//! side by side become one user turn.

use sabir_types::{
    Block, CallKind, Map, Message, Protocol, Result, Role, Thinking, ToolCall, ToolResult, Unknown, Value,
};

use super::{
    super::details,
    object::{object, wrong},
    part::{self, Content},
    tool::shown,
};
use crate::signed;

object!(MessageIn: "an object with `role`" {
    "role" => role: String,
    "content" => content: Content,
    "name" => name: String,
    "refusal" => refusal: String,
    "tool_calls" => tool_calls: Vec<CallIn>,
    "tool_call_id" => tool_call_id: String,
    "function_call" => function_call: FunctionCallIn,
    "audio" => audio: Value,
    "reasoning_content" => reasoning_content: String,
    "reasoning" => reasoning: String,
    "reasoning_details" => reasoning_details: Value,
    "annotations" => annotations: Vec<Value>,
});

object!(CallIn: "an object with `id` and `function`" {
    "id" => id: String,
    "type" => kind: String,
    "index" => index: u64,
    "function" => function: FunctionCallIn,
    "custom" => custom: CustomCallIn,
});

object!(FunctionCallIn: "an object with `name` and `arguments`" {
    "name" => name: String,
    "arguments" => arguments: String,
});

object!(CustomCallIn: "an object with `name` and `input`" {
    "name" => name: String,
    "input" => input: String,
});

/// A conversation as it is read, message by message.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    system: Vec<Block>,
    messages: Vec<Message>,
    /// The calls that were made so far.
    calls: Vec<(String, CallKind)>,
    /// Old-style calls have no id: they are numbered.
    legacy: Vec<(String, String)>,
    /// The last message came from tools.
    in_results: bool,
}

impl Conversation {
    /// System blocks and turns.
    pub(super) fn end(self) -> (Vec<Block>, Vec<Message>) {
        (self.system, self.messages)
    }

    pub(super) fn push(&mut self, mut message: MessageIn, path: &str) -> Result<()> {
        let Some(role) = message.role.take() else { return Err(wrong(&format!("{path}.role"), "missing")) };
        match role.as_str() {
            "system" | "developer" => {
                let blocks = self.content(&mut message, path)?;
                if self.messages.is_empty() && message.name.is_none() && message.rest.is_empty() {
                    self.system.extend(blocks);
                } else {
                    self.turn(Role::System, blocks, message);
                }
            }
            "user" => {
                let blocks = self.content(&mut message, path)?;
                self.turn(Role::User, blocks, message);
            }
            "assistant" => {
                let blocks = self.assistant(&mut message, path)?;
                self.turn(Role::Assistant, blocks, message);
            }
            "tool" => {
                let id =
                    message.tool_call_id.take().ok_or_else(|| wrong(&format!("{path}.tool_call_id"), "missing"))?;
                let Some(kind) = self.calls.iter().rev().find(|(call, _)| *call == id).map(|(_, kind)| *kind) else {
                    let what = format!("no tool call has the id `{}` in the messages before", shown(&id));
                    return Err(wrong(&format!("{path}.tool_call_id"), &what));
                };
                self.result(id, kind, message, path)?;
            }
            "function" => {
                let name = message.name.clone().ok_or_else(|| wrong(&format!("{path}.name"), "missing"))?;
                let Some((_, id)) = self.legacy.iter().rev().find(|(call, _)| *call == name) else {
                    let what = format!("no function call to `{}` in the messages before", shown(&name));
                    return Err(wrong(&format!("{path}.name"), &what));
                };
                self.result(id.clone(), CallKind::Function, message, path)?;
            }
            other => {
                let what = format!(
                    "expected `system`, `developer`, `user`, `assistant`, `tool` or `function`, got `{}`",
                    shown(other)
                );
                return Err(wrong(&format!("{path}.role"), &what));
            }
        }
        Ok(())
    }

    fn content(&self, message: &mut MessageIn, path: &str) -> Result<Vec<Block>> {
        let path = format!("{path}.content");
        part::blocks(message.content.take().ok_or_else(|| wrong(&path, "missing"))?, &path)
    }

    fn turn(&mut self, role: Role, content: Vec<Block>, message: MessageIn) {
        self.in_results = false;
        self.messages.push(Message { role, content, name: message.name, rest: message.rest });
    }

    fn result(&mut self, id: String, kind: CallKind, mut message: MessageIn, path: &str) -> Result<()> {
        let content = self.content(&mut message, path)?;
        let block = Block::ToolResult(ToolResult { id, name: message.name, content, kind, ..ToolResult::default() });
        match self.messages.last_mut() {
            Some(last) if self.in_results => last.content.push(block),
            _ => self.messages.push(Message::new(Role::User, vec![block])),
        }
        self.in_results = true;
        Ok(())
    }

    fn assistant(&mut self, message: &mut MessageIn, path: &str) -> Result<Vec<Block>> {
        let mut blocks = Vec::new();
        // Some servers write the thought under both names.
        let text = message.reasoning_content.take().or(message.reasoning.take()).filter(|text| !text.is_empty());
        let details = message.reasoning_details.take();
        if let Some(thoughts) = details.as_ref().and_then(details::unpack) {
            // They hold the words too.
            blocks.extend(thoughts.into_iter().map(Block::Thinking));
        } else if text.is_some() || details.is_some() {
            let mut rest = Map::new();
            if let Some(details) = details {
                rest.insert("reasoning_details".into(), details);
            }
            blocks.push(Block::Thinking(Thinking { text, rest, ..Thinking::default() }));
        }
        if let Some(content) = message.content.take() {
            let parts = part::blocks(content, &format!("{path}.content"))?;
            // SDKs send the empty text of an answer with tool calls back.
            blocks.extend(parts.into_iter().filter(|block| block.as_text() != Some("")));
        }
        if let (Some(annotations), Some(Block::Text(text))) =
            (message.annotations.take(), blocks.iter_mut().find(|block| block.as_text().is_some()))
        {
            text.citations = annotations;
        }
        if let Some(text) = message.refusal.take() {
            blocks.push(Block::Refusal { text });
        }
        if let Some(data) = message.audio.take() {
            let mut audio = Map::new();
            audio.insert("audio".into(), data);
            let data = Value::Object(audio);
            blocks.push(Block::Unknown(Unknown {
                protocol: Some(Protocol::OpenAi),
                model: None,
                provider: None,
                data,
            }));
        }
        for (at, call) in message.tool_calls.take().unwrap_or_default().into_iter().enumerate() {
            let call = call.call(&format!("{path}.tool_calls[{at}]"))?;
            self.calls.push((call.id.clone(), call.kind));
            blocks.push(Block::ToolCall(call));
        }
        if let Some(call) = message.function_call.take() {
            let id = format!("call_{}", self.legacy.len());
            let at = format!("{path}.function_call");
            let call = function(id, call, &at)?;
            self.legacy.push((call.name.clone(), call.id.clone()));
            blocks.push(Block::ToolCall(call));
        }
        signed::gather(&mut blocks);
        if blocks.is_empty() {
            blocks.push(Block::text(""));
        }
        Ok(blocks)
    }
}

impl CallIn {
    fn call(self, path: &str) -> Result<ToolCall> {
        let id = self.id.ok_or_else(|| wrong(&format!("{path}.id"), "missing"))?;
        match (self.kind.as_deref(), self.function, self.custom) {
            (Some("function") | None, Some(call), _) => function(id, call, &format!("{path}.function")),
            (Some("custom"), _, Some(call)) => {
                let name = call.name.ok_or_else(|| wrong(&format!("{path}.custom.name"), "missing"))?;
                let arguments = call.input.unwrap_or_default();
                Ok(ToolCall { id, name, arguments, kind: CallKind::Custom, ..ToolCall::default() })
            }
            (Some("function") | None, None, _) => Err(wrong(&format!("{path}.function"), "missing")),
            (Some("custom"), _, None) => Err(wrong(&format!("{path}.custom"), "missing")),
            (Some(other), ..) => {
                let what = format!("expected `function` or `custom`, got `{}`", shown(other));
                Err(wrong(&format!("{path}.type"), &what))
            }
        }
    }
}

fn function(id: String, call: FunctionCallIn, path: &str) -> Result<ToolCall> {
    let name = call.name.ok_or_else(|| wrong(&format!("{path}.name"), "missing"))?;
    Ok(ToolCall { id, name, arguments: call.arguments.unwrap_or_default(), ..ToolCall::default() })
}
