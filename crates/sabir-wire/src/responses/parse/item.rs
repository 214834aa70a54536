//! Items of a conversation.
//!
//! Invariant: what the model did stands in one assistant turn until somebody else speaks; results
//! of tools that stand side by side become one user turn; an item of an unknown type is kept
//! verbatim in the turn of the side that makes such items.

use sabir_types::{Block, CallKind, Error, Map, Message, Protocol, Result, Role, ToolCall, ToolResult, Unknown, Value};

use super::{
    super::{
        fields::{Fields, shown, wrong},
        is_item, namespace, thought,
    },
    part,
};
use crate::signed;

/// A conversation as it is read, item by item.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    system: Vec<Block>,
    messages: Vec<Message>,
    /// The ids of the calls that were made so far.
    calls: Vec<String>,
    /// The last item was the result of a tool.
    in_results: bool,
}

impl Conversation {
    /// System blocks and turns.
    pub(super) fn end(mut self) -> (Vec<Block>, Vec<Message>) {
        self.messages.iter_mut().for_each(|message| signed::gather(&mut message.content));
        (self.system, self.messages)
    }

    /// A leading instruction.
    pub(super) fn instruct(&mut self, block: Block) {
        self.system.push(block);
    }

    /// The user says something.
    pub(super) fn say(&mut self, text: String) {
        self.messages.push(Message::user(text));
    }

    /// Takes an item. `complete`: the calls that results answer must have been here before.
    pub(super) fn push(&mut self, item: Value, path: &str, complete: bool) -> Result<()> {
        let fields = Fields::new(item.clone(), path, "an item")?;
        let kind = match item.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            None | Some(Value::Null) if fields.has("role") => "message",
            None | Some(Value::Null) if fields.has("id") => "item_reference",
            _ => return Err(wrong(&format!("{path}.type"), "expected the type of an item")),
        };
        let results = std::mem::take(&mut self.in_results);
        match kind {
            "message" => self.message(fields, path)?,
            "reasoning" => self.model(Block::Thinking(thought::read(&item))),
            "function_call" => self.call(fields, "arguments", CallKind::Function)?,
            "custom_tool_call" => self.call(fields, "input", CallKind::Custom)?,
            "function_call_output" => self.result(fields, path, CallKind::Function, results, complete)?,
            "custom_tool_call_output" => self.result(fields, path, CallKind::Custom, results, complete)?,
            "item_reference" => {
                let message = format!("{path}: a reference to an item is not supported: send the item itself");
                return Err(Error::unsupported(path, message));
            }
            kind if !is_item(&item) => {
                let what = format!("no item of the type `{}` is known", shown(kind));
                return Err(Error::unsupported(path, format!("{path}.type: {what}")));
            }
            kind => {
                let answers = kind.ends_with("_output") || kind.ends_with("_response");
                let block = Block::Unknown(verbatim(item));
                if answers { self.messages.push(Message::new(Role::User, vec![block])) } else { self.model(block) }
            }
        }
        Ok(())
    }

    fn message(&mut self, mut fields: Fields, path: &str) -> Result<()> {
        let role = fields.need("role")?;
        let Some(content) = fields.value("content") else { return Err(fields.missing("content")) };
        let blocks = part::blocks(content, &fields.at("content"))?;
        for name in ["type", "id", "status"] {
            fields.value(name);
        }
        let rest = fields.rest();
        match role.as_str() {
            "system" | "developer" if self.messages.is_empty() && rest.is_empty() => self.system.extend(blocks),
            "system" | "developer" => self.turn(Role::System, blocks, rest),
            "user" => self.turn(Role::User, blocks, rest),
            "assistant" => match self.messages.last_mut() {
                Some(last) if last.role == Role::Assistant && (rest.is_empty() || last.rest == rest) => {
                    last.content.extend(blocks);
                }
                // What was thought and done before the first word is part of the same turn.
                Some(last) if last.role == Role::Assistant && last.rest.is_empty() && !speaks(last) => {
                    last.content.extend(blocks);
                    last.rest = rest;
                }
                _ => self.turn(Role::Assistant, blocks, rest),
            },
            other => {
                let what = format!("expected `user`, `assistant`, `system` or `developer`, got `{}`", shown(other));
                return Err(wrong(&format!("{path}.role"), &what));
            }
        }
        Ok(())
    }

    fn turn(&mut self, role: Role, content: Vec<Block>, rest: Map<String, Value>) {
        self.messages.push(Message { role, content, name: None, rest });
    }

    /// The model did this.
    fn model(&mut self, block: Block) {
        match self.messages.last_mut() {
            Some(last) if last.role == Role::Assistant => last.content.push(block),
            _ => self.messages.push(Message::new(Role::Assistant, vec![block])),
        }
    }

    fn call(&mut self, mut fields: Fields, arguments: &str, kind: CallKind) -> Result<()> {
        let name = fields.need("name")?;
        let call = ToolCall {
            id: fields.need("call_id")?,
            name: match fields.text("namespace")? {
                Some(namespace) => namespace::full(&namespace, &name),
                None => name,
            },
            arguments: fields.text(arguments)?.unwrap_or_default(),
            kind,
            ..ToolCall::default()
        };
        self.calls.push(call.id.clone());
        self.model(Block::ToolCall(call));
        Ok(())
    }

    fn result(&mut self, mut fields: Fields, path: &str, kind: CallKind, beside: bool, complete: bool) -> Result<()> {
        let id = fields.need("call_id")?;
        if complete && !self.calls.contains(&id) {
            let what = format!("no tool call has the id `{}` in the items before", shown(&id));
            return Err(wrong(&format!("{path}.call_id"), &what));
        }
        let content = match fields.value("output") {
            None => Vec::new(),
            Some(content) => part::blocks(content, &fields.at("output"))?,
        };
        let block = Block::ToolResult(ToolResult { id, content, kind, ..ToolResult::default() });
        match self.messages.last_mut() {
            Some(last) if beside => last.content.push(block),
            _ => self.messages.push(Message::new(Role::User, vec![block])),
        }
        self.in_results = true;
        Ok(())
    }
}

fn speaks(message: &Message) -> bool {
    message.content.iter().any(|block| matches!(block, Block::Text(_) | Block::Refusal { .. }))
}

fn verbatim(data: Value) -> Unknown {
    Unknown { protocol: Some(Protocol::Responses), model: None, provider: None, data }
}
