//! A request, read whole: for a provider that speaks another protocol.
//!
//! Invariant: every member is understood, kept in `rest` for providers of the same protocol, or
//! refused by its path; none is dropped. Two things of an item mean nothing outside of the server
//! that made it and go: its `id`, but for a thought's, and its `status`.

mod item;
mod part;
mod tool;

use sabir_types::{Block, ChatRequest, Effort, Map, Params, Protocol, Reasoning, Request, Rest, Result, Value};

use self::item::Conversation;
use super::{
    LOGPROBS,
    fields::{Fields, shown, wrong},
};
use crate::openai::peek;

/// The prefix of members that are for the gateway, not for a provider.
const OURS: &str = "tensorzero::";

/// Reads a request. `previous_response_id`, `conversation`, `background` and `prompt` stay in
/// `rest`: they mean nothing without a server that keeps answers, so a door has to look at them.
pub fn chat(body: &[u8]) -> Result<Request> {
    let text = peek::text(body)?;
    let value: Value = serde_json::from_str(text).map_err(|e| peek::not_json(&e))?;
    let mut all = Fields::new(value, "", "an object")?;
    // The model is the door's business.
    all.value("model");
    let mut chat = ChatRequest {
        parallel_tool_calls: all.flag("parallel_tool_calls")?,
        stream: all.flag("stream")?.unwrap_or(false),
        service_tier: all.text("service_tier")?,
        metadata: all.object("metadata")?.unwrap_or_default(),
        user: all.text("user")?,
        store: all.flag("store")?,
        prompt_cache_key: all.text("prompt_cache_key")?,
        params: Params {
            temperature: all.number("temperature")?,
            top_p: all.number("top_p")?,
            max_tokens: all.count("max_output_tokens")?,
            top_logprobs: match all.count("top_logprobs")? {
                None => None,
                Some(count) => Some(u32::try_from(count).map_err(|_| wrong("top_logprobs", "expected 0 to 20"))?),
            },
            ..Params::default()
        },
        ..ChatRequest::default()
    };
    let mut kept = Map::new();
    conversation(&mut all, &mut chat)?;
    for (at, value) in all.list("tools")?.unwrap_or_default().into_iter().enumerate() {
        tool::read(value, &format!("tools[{at}]"), &mut chat.tools)?;
    }
    if let Some(value) = all.value("tool_choice") {
        chat.tool_choice = tool::choice(&value)?;
        if chat.tool_choice.is_none() {
            kept.insert("tool_choice".into(), value);
        }
    }
    text_options(&mut all, &mut chat, &mut kept)?;
    reasoning(&mut all, &mut chat, &mut kept)?;
    include(&mut all, &mut chat, &mut kept)?;
    let mut members = all.rest();
    members.retain(|name, _| !name.starts_with(OURS));
    members.extend(kept);
    chat.rest = Rest { protocol: Some(Protocol::Responses), members };
    Ok(Request::Chat(Box::new(chat)))
}

fn conversation(all: &mut Fields, chat: &mut ChatRequest) -> Result<()> {
    let mut conversation = Conversation::default();
    if let Some(text) = all.text("instructions")?.filter(|text| !text.is_empty()) {
        conversation.instruct(Block::text(text));
    }
    // What a server keeps holds the calls that these results answer.
    let elsewhere = ["previous_response_id", "conversation", "prompt"].iter().any(|name| all.has(name));
    match all.value("input") {
        Some(Value::String(text)) => conversation.say(text),
        Some(Value::Array(items)) => {
            for (at, item) in items.into_iter().enumerate() {
                conversation.push(item, &format!("input[{at}]"), !elsewhere)?;
            }
        }
        Some(_) => return Err(wrong("input", "expected a string or an array of items")),
        None if elsewhere => {}
        None => return Err(wrong("input", "missing")),
    }
    (chat.system, chat.messages) = conversation.end();
    if chat.messages.is_empty() && !elsewhere {
        if chat.system.is_empty() {
            return Err(wrong("input", "is empty: expected at least one item"));
        }
        // Instructions alone are a request here; elsewhere somebody has to speak first.
        let spoken = std::mem::take(&mut chat.system);
        chat.messages.push(sabir_types::Message::new(sabir_types::Role::User, spoken));
    }
    Ok(())
}

/// `text`: the form of the answer and how long-winded it is.
fn text_options(all: &mut Fields, chat: &mut ChatRequest, kept: &mut Map<String, Value>) -> Result<()> {
    let Some(value) = all.value("text") else { return Ok(()) };
    let mut text = Fields::new(value, "text", "an object")?;
    chat.verbosity = text.text("verbosity")?;
    let mut others = Map::new();
    if let Some(format) = text.value("format") {
        chat.response_format = tool::format(&format)?;
        if chat.response_format.is_none() {
            others.insert("format".into(), format);
        }
    }
    others.extend(text.rest());
    if !others.is_empty() {
        kept.insert("text".into(), Value::Object(others));
    }
    Ok(())
}

fn reasoning(all: &mut Fields, chat: &mut ChatRequest, kept: &mut Map<String, Value>) -> Result<()> {
    let Some(value) = all.value("reasoning") else { return Ok(()) };
    let mut fields = Fields::new(value, "reasoning", "an object")?;
    let effort = match fields.text("effort")? {
        None => None,
        Some(word) => Some(
            Effort::parse(&word)
                .ok_or_else(|| wrong("reasoning.effort", &format!("no such effort: `{}`", shown(&word))))?,
        ),
    };
    let older = fields.text("generate_summary")?;
    let summary = fields.text("summary")?.or(older);
    if effort.is_some() || summary.is_some() {
        chat.reasoning = Some(Reasoning { effort, summary, ..Reasoning::default() });
    }
    let others = fields.rest();
    if !others.is_empty() {
        kept.insert("reasoning".into(), Value::Object(others));
    }
    Ok(())
}

/// `include`: what else the answer shall hold.
fn include(all: &mut Fields, chat: &mut ChatRequest, kept: &mut Map<String, Value>) -> Result<()> {
    let Some(mut list) = all.list("include")? else { return Ok(()) };
    let before = list.len();
    list.retain(|entry| entry != LOGPROBS);
    if list.len() < before || chat.params.top_logprobs.is_some_and(|count| count > 0) {
        chat.params.logprobs = Some(true);
    }
    if !list.is_empty() {
        kept.insert("include".into(), list.into());
    }
    Ok(())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
