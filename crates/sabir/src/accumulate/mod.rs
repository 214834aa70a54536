//! Pieces of a streamed answer, put together again.
//!
//! Invariant: the whole has what the gateway would have answered without streaming; members that
//! nobody knows are kept.

mod events;
mod responses;

use std::marker::PhantomData;

use sabir_types::{Map, Value};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    error::{Error, Result},
    types::{ChatCompletion, ChatCompletionChunk, InferenceChunk, InferenceResponse},
};

/// A kind of streamed answer.
pub trait Pieces: sealed::Sealed + std::fmt::Debug + Unpin {
    /// A piece of it.
    type Piece: DeserializeOwned;
    /// All of it.
    type Whole: DeserializeOwned;
    /// Puts a piece to what came before it.
    #[doc(hidden)]
    fn put(whole: &mut Value, piece: &Value);
    /// What is missing until all of it is there.
    #[doc(hidden)]
    fn complete(whole: &mut Value);
}

pub use self::{
    events::{ChatEvent, ChatEventStream, ChatEvents},
    responses::{ResponseEvent, Responses},
};

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Chat {}
    impl Sealed for super::Inference {}
    impl Sealed for super::Responses {}
}

/// Chat completions in OpenAI's shape.
#[derive(Debug)]
pub struct Chat;

/// Inferences in TensorZero's shape.
#[derive(Debug)]
pub struct Inference;

/// Puts the pieces of one answer together.
#[derive(Debug)]
pub struct Accumulator<K> {
    whole: Value,
    kind: PhantomData<fn() -> K>,
}

impl<K: Pieces> Default for Accumulator<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Pieces> Accumulator<K> {
    /// One without any piece.
    pub fn new() -> Self {
        Self { whole: Value::Object(Map::new()), kind: PhantomData }
    }

    /// Takes the next piece.
    pub fn push(&mut self, piece: &Value) {
        K::put(&mut self.whole, piece);
    }

    /// What came so far, as JSON.
    pub fn json(&self) -> Value {
        let mut whole = self.whole.clone();
        K::complete(&mut whole);
        whole
    }

    /// What came so far.
    pub fn whole(&self) -> Result<K::Whole> {
        let whole = self.json();
        let text = whole.to_string();
        serde_json::from_value(whole).map_err(|e| Error::Decode { message: e.to_string(), body: text.into() })
    }
}

impl Pieces for Chat {
    type Piece = ChatCompletionChunk;
    type Whole = ChatCompletion;

    fn put(whole: &mut Value, piece: &Value) {
        let (Some(whole), Some(piece)) = (whole.as_object_mut(), piece.as_object()) else { return };
        for (name, value) in piece {
            match (name.as_str(), value) {
                ("choices", Value::Array(choices)) => {
                    let all = list(whole, "choices");
                    choices.iter().for_each(|choice| put_choice(all, choice));
                }
                ("object", _) => drop(whole.insert(name.clone(), "chat.completion".into())),
                // A later piece that does not know takes nothing away.
                (_, Value::Null) => drop(whole.entry(name).or_insert(Value::Null)),
                _ => drop(whole.insert(name.clone(), value.clone())),
            }
        }
    }

    fn complete(whole: &mut Value) {
        let Some(choices) = whole.get_mut("choices").and_then(Value::as_array_mut) else { return };
        choices.sort_by_key(|choice| choice.get("index").and_then(Value::as_u64));
        for message in choices.iter_mut().filter_map(|choice| choice.get_mut("message")?.as_object_mut()) {
            message.entry("content").or_insert(Value::Null);
            let Some(calls) = message.get_mut("tool_calls").and_then(Value::as_array_mut) else { continue };
            calls.sort_by_key(|call| call.get("index").and_then(Value::as_u64));
            for call in calls.iter_mut().filter_map(Value::as_object_mut) {
                call.remove("index");
            }
        }
    }
}

fn put_choice(all: &mut Vec<Value>, piece: &Value) {
    let Some(piece) = piece.as_object() else { return };
    let index = piece.get("index").cloned().unwrap_or(json!(0));
    let Some(choice) = indexed(all, &index) else { return };
    for (name, value) in piece {
        match (name.as_str(), value) {
            ("delta", Value::Object(delta)) => {
                let message = choice.entry("message").or_insert_with(|| json!({}));
                if let Some(message) = message.as_object_mut() {
                    grow(message, delta);
                }
            }
            ("logprobs", Value::Object(logprobs)) => {
                let known = choice.entry("logprobs").or_insert(Value::Null);
                if !known.is_object() {
                    *known = json!({});
                }
                if let Some(known) = known.as_object_mut() {
                    grow(known, logprobs);
                }
            }
            (_, Value::Null) => drop(choice.entry(name).or_insert(Value::Null)),
            _ => drop(choice.insert(name.clone(), value.clone())),
        }
    }
}

/// Puts what came to what is there: texts and lists grow, lists of numbered things by their
/// numbers, and what names something stays.
fn grow(there: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (name, value) in more {
        let Some(known) = there.get_mut(name).filter(|known| !known.is_null()) else {
            let mut start = value.clone();
            if let Value::Array(items) = value
                && items.iter().any(numbered)
            {
                let mut all = Vec::new();
                items.iter().for_each(|item| put_item(&mut all, item));
                start = all.into();
            }
            there.insert(name.clone(), start);
            continue;
        };
        match (known, value) {
            (_, Value::Null) => {}
            (Value::String(known), Value::String(more)) => match name.as_str() {
                // Some providers repeat these with each piece, or leave them empty.
                "role" | "id" | "type" | "name" | "index" if !more.is_empty() => known.clone_from(more),
                "role" | "id" | "type" | "name" | "index" => {}
                _ => known.push_str(more),
            },
            (Value::Array(known), Value::Array(more)) => more.iter().for_each(|item| put_item(known, item)),
            (Value::Object(known), Value::Object(more)) => grow(known, more),
            (known, value) => *known = value.clone(),
        }
    }
}

fn numbered(item: &Value) -> bool {
    item.get("index").is_some_and(Value::is_number)
}

fn put_item(all: &mut Vec<Value>, item: &Value) {
    let index = item.get("index").filter(|index| index.is_number());
    if let (Some(index), Some(piece)) = (index, item.as_object())
        && let Some(known) = indexed(all, index)
    {
        grow(known, piece);
        return;
    }
    all.push(item.clone());
}

/// The member of a list with this number; it is put there if it is missing.
fn indexed<'a>(all: &'a mut Vec<Value>, index: &Value) -> Option<&'a mut Map<String, Value>> {
    let at = all.iter().position(|item| item.get("index") == Some(index)).unwrap_or_else(|| {
        all.push(json!({"index": index}));
        all.len() - 1
    });
    all.get_mut(at)?.as_object_mut()
}

impl Pieces for Inference {
    type Piece = InferenceChunk;
    type Whole = InferenceResponse;

    fn put(whole: &mut Value, piece: &Value) {
        let (Some(whole), Some(piece)) = (whole.as_object_mut(), piece.as_object()) else { return };
        for (name, value) in piece {
            match (name.as_str(), value) {
                ("content", Value::Array(blocks)) => {
                    let all = list(whole, "content");
                    blocks.iter().for_each(|block| put_block(all, block));
                }
                (_, Value::Null) => drop(whole.entry(name).or_insert(Value::Null)),
                _ => drop(whole.insert(name.clone(), value.clone())),
            }
        }
    }

    fn complete(whole: &mut Value) {
        let Some(blocks) = whole.get_mut("content").and_then(Value::as_array_mut) else { return };
        for block in blocks.iter_mut().filter_map(Value::as_object_mut) {
            if block.get("type").and_then(Value::as_str) != Some("tool_call") {
                block.remove("id");
                continue;
            }
            let raw = block.get("raw_arguments").and_then(Value::as_str).filter(|raw| !raw.is_empty());
            let raw = raw.unwrap_or("{}").to_owned();
            let arguments = serde_json::from_str(&raw).ok().filter(Value::is_object);
            block.insert("raw_arguments".into(), raw.into());
            block.insert("name".into(), block.get("raw_name").cloned().unwrap_or_default());
            block.insert("arguments".into(), arguments.unwrap_or_default());
        }
    }
}

fn put_block(all: &mut Vec<Value>, piece: &Value) {
    let Some(piece) = piece.as_object() else { return };
    let same = |block: &&mut Value| ["type", "id"].iter().all(|name| block.get(*name) == piece.get(*name));
    let block = match all.iter_mut().find(same) {
        Some(block) => block,
        None => {
            let mut start = Map::new();
            start
                .extend(["type", "id"].iter().filter_map(|name| Some(((*name).to_owned(), piece.get(*name)?.clone()))));
            all.push(Value::Object(start));
            let Some(block) = all.last_mut() else { return };
            block
        }
    };
    let Some(block) = block.as_object_mut() else { return };
    for (name, value) in piece {
        match name.as_str() {
            "type" | "id" | "summary_id" => {}
            "summary_text" => {
                let part = piece.get("summary_id").and_then(Value::as_str).and_then(|id| id.parse::<usize>().ok());
                put_summary(list(block, "summary"), part.unwrap_or(0), value.as_str().unwrap_or_default());
            }
            _ => match (block.get_mut(name), value) {
                (Some(Value::String(known)), Value::String(more)) => known.push_str(more),
                (Some(_), Value::Null) => {}
                _ => drop(block.insert(name.clone(), value.clone())),
            },
        }
    }
}

fn put_summary(parts: &mut Vec<Value>, at: usize, text: &str) {
    // Parts are numbered from zero, one after another.
    let at = at.min(parts.len());
    if at == parts.len() {
        parts.push(json!({"type": "summary_text", "text": ""}));
    }
    if let Some(Value::String(known)) = parts.get_mut(at).and_then(|part| part.get_mut("text")) {
        known.push_str(text);
    }
}

/// The list of this name; it is put there if there is none.
fn list<'a>(members: &'a mut Map<String, Value>, name: &str) -> &'a mut Vec<Value> {
    let value = members.entry(name).or_insert(Value::Null);
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    match value {
        Value::Array(items) => items,
        _ => unreachable!("it was made a list above"),
    }
}

#[cfg(test)]
mod tests;
