//! Answers as items.
//!
//! Invariants: usage and raw answer are JSON objects or nothing; the raw answer is in the words of
//! the call's dialect, whoever answered; no error says anything about a key.

use sabir_engine::{Content, Facts, Failure, Summary, call::RawCall};
use sabir_types::{Block, ChatResponse, Choice, Error, ErrorKind, Map, Protocol, Response, Value};
use sabir_wire::{anthropic, gemini, openai, responses};

use super::{dialect::Dialect, parse::Ask, proto::ModelResponseItem, raw::Names};
use crate::doors::shared;

/// An item that is not an answer: it has the call's names and nothing else.
pub(super) fn blank(ask: &Ask) -> ModelResponseItem {
    ModelResponseItem {
        request_id: Some(ask.request_id.clone()),
        custom_id: ask.custom_id.clone(),
        ..ModelResponseItem::default()
    }
}

/// A whole answer.
pub(super) fn whole(facts: &Facts, content: &Content, summary: &Summary, ask: &Ask) -> ModelResponseItem {
    let Content::Neutral(response) = content else {
        return failed(&Error::internal("an answer came in nobody's words"), ask);
    };
    let shown = match (&**response, ask.media) {
        (Response::Chat(chat), None) => {
            let content = chat.choices.first().map(text).unwrap_or_default();
            Ok((content, raw_answer(facts, chat, summary, ask)))
        }
        (response, Some(media)) => media.shown(response, own(summary, ask), facts, &ask.model),
        _ => Err(Error::internal("this door cannot write such an answer")),
    };
    match shown {
        Ok((content, raw)) => {
            ModelResponseItem { content, usage: usage(summary), raw_response: raw.to_string(), ..blank(ask) }
        }
        Err(error) => failed(&error, ask),
    }
}

/// The words of an answer; those of a refusal if there are no others.
fn text(choice: &Choice) -> String {
    let text: String = choice.content.iter().filter_map(Block::as_text).collect();
    if !text.is_empty() {
        return text;
    }
    let refusal = |block: &Block| match block {
        Block::Refusal { text } => Some(text.clone()),
        _ => None,
    };
    choice.content.iter().filter_map(refusal).collect()
}

/// Usage and cost; nothing if nothing is known.
pub(super) fn usage(summary: &Summary) -> String {
    if summary.usage.is_empty() && summary.cost.is_none() {
        return String::new();
    }
    let mut usage = openai::render::usage(&summary.usage);
    usage["total_cost"] = summary.cost.map_or(Value::Null, Value::from);
    usage.to_string()
}

/// The provider's own answer if it speaks the dialect; otherwise the same answer in the dialect.
fn raw_answer(facts: &Facts, chat: &ChatResponse, summary: &Summary, ask: &Ask) -> Value {
    if let Some(own) = own(summary, ask) {
        return Value::Object(own);
    }
    let shown = ChatResponse { usage: summary.usage.clone(), ..chat.clone() };
    let names = Names::of(facts, ask, chat.id.as_deref(), chat.created);
    let bytes = match ask.dialect {
        Dialect::Chat => openai::render::chat(&shown, &names.frame()),
        Dialect::Messages => anthropic::render::chat(&shown, names.face()),
        Dialect::Gemini => gemini::render::chat(&shown),
        Dialect::Responses => return responses::render::response(&shown, &names.responses()),
    };
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// The provider's own answer, if it is in the call's dialect.
fn own(summary: &Summary, ask: &Ask) -> Option<Map<String, Value>> {
    let last = summary.calls.iter().rev().find(|call| !call.failed)?;
    if speaks(last) != Some(ask.dialect.protocol()) {
        return None;
    }
    let mut own = serde_json::from_str(&last.raw_response).ok()?;
    tame(&mut own);
    Some(own)
}

/// The words that a call was answered in.
fn speaks(call: &RawCall) -> Option<Protocol> {
    if call.api_type == "responses" {
        return Some(Protocol::Responses);
    }
    let provider = sabir_providers::all().iter().find(|provider| provider.spec().id == call.provider_type)?;
    Some(provider.spec().protocol)
}

/// Takes out the nulls that clients stumble over.
fn tame(answer: &mut Map<String, Value>) {
    for list in ["choices", "candidates"] {
        let Some(Value::Array(items)) = answer.get_mut(list) else { continue };
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            for name in ["message", "content", "finishReason"] {
                if item.get(name).is_some_and(Value::is_null) {
                    item.shift_remove(name);
                }
            }
        }
    }
}

/// A call that came to nothing. What the provider said comes along, if it said it in the dialect's words.
pub(super) fn failure(failure: &Failure, ask: &Ask) -> ModelResponseItem {
    let mut item = failed(&failure.error, ask);
    let speaks = failure.protocol == Some(ask.dialect.protocol());
    // What a provider says about a key stays here.
    let about_a_key = matches!(failure.error.kind(), ErrorKind::Authentication | ErrorKind::Permission);
    if speaks
        && !about_a_key
        && let Some(upstream) = failure.error.upstream()
        && let Ok(Value::Object(own)) = serde_json::from_slice(&upstream.body)
    {
        item.raw_response = Value::Object(own).to_string();
    }
    item
}

/// An error in an item.
pub(super) fn failed(error: &Error, ask: &Ask) -> ModelResponseItem {
    ModelResponseItem { error: message(error), ..blank(ask) }
}

/// What a caller is told of an error: nothing but this text tells a call that can be tried again from others.
pub(super) fn message(error: &Error) -> String {
    let shown = shared::shown(error);
    format!("{}: {}", shown.kind().as_str(), shown.message())
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
