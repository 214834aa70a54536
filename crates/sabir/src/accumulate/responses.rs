//! The events of the Responses API, put together.
//!
//! Invariant: when the last event brings the whole answer, that counts; where a provider leaves its
//! output out, what came piece by piece does.

use sabir_types::{Map, Value};
use serde_json::json;

use super::Pieces;
use crate::types::{Response, loose::records};

/// Answers of the Responses API.
#[derive(Debug)]
pub struct Responses;

records! {
    /// An event of a streamed answer.
    ResponseEvent {
        /// What it is, like `response.output_text.delta`.
        kind = "type": String,
        /// Which one it is.
        sequence_number: Option<i64>,
        /// The item that it is about.
        output_index: Option<i64>,
        /// The part of the item that it is about.
        content_index: Option<i64>,
        /// More of a text.
        delta: Option<String>,
        /// The answer, as far as it is.
        response: Option<Response>,
    }
}

impl ResponseEvent {
    /// The text that it adds to what the model says.
    pub fn text(&self) -> &str {
        match self.kind.as_str() {
            "response.output_text.delta" => self.delta.as_deref().unwrap_or_default(),
            _ => "",
        }
    }
}

/// A list of parts in an item, and what an event calls the number of one.
type Parts = Option<(&'static str, &'static str)>;

const CONTENT: Parts = Some(("content", "content_index"));
const SUMMARY: Parts = Some(("summary", "summary_index"));

/// Where a text grows: the start of the events' type, the parts (none if it is the item itself),
/// and the member.
const TEXTS: [(&str, Parts, &str); 9] = [
    ("response.output_text", CONTENT, "text"),
    ("response.refusal", CONTENT, "refusal"),
    ("response.reasoning_text", CONTENT, "text"),
    ("response.reasoning_summary_text", SUMMARY, "text"),
    ("response.function_call_arguments", None, "arguments"),
    ("response.mcp_call_arguments", None, "arguments"),
    ("response.custom_tool_call_input", None, "input"),
    ("response.code_interpreter_call_code", None, "code"),
    ("response.audio.transcript", None, "transcript"),
];

impl Pieces for Responses {
    type Piece = ResponseEvent;
    type Whole = Response;

    fn put(whole: &mut Value, piece: &Value) {
        let kind = piece.get("type").and_then(Value::as_str).unwrap_or_default();
        if let Some(response @ Value::Object(_)) = piece.get("response") {
            return put_response(whole, response);
        }
        let Some(whole) = whole.as_object_mut() else { return };
        let Some(item) = at(whole, "output", piece.get("output_index")) else { return };
        match kind {
            "response.output_item.added" | "response.output_item.done" => {
                *item = piece.get("item").cloned().unwrap_or_default();
                return;
            }
            "response.content_part.added" | "response.content_part.done" => {
                return put_part(item, "content", piece.get("content_index"), piece.get("part"));
            }
            "response.reasoning_summary_part.added" | "response.reasoning_summary_part.done" => {
                return put_part(item, "summary", piece.get("summary_index"), piece.get("part"));
            }
            "response.output_text.annotation.added" => {
                let Some(item) = object(item) else { return };
                let part = at(item, "content", piece.get("content_index"));
                let annotation = (piece.get("annotation_index"), piece.get("annotation"));
                return part.map_or((), |part| put_part(part, "annotations", annotation.0, annotation.1));
            }
            _ => {}
        }
        let Some((start, end)) = kind.rsplit_once('.') else { return };
        let Some((_, part, member)) = TEXTS.iter().find(|(known, ..)| *known == start) else { return };
        let Some(item) = object(item) else { return };
        let there = match part {
            None => item,
            Some((list, number)) => {
                let part = at(item, list, piece.get(*number));
                let Some(part) = part.and_then(object) else { return };
                // A part that nobody announced.
                let kind = start.trim_start_matches("response.").replace("reasoning_summary_", "summary_");
                part.entry("type").or_insert_with(|| kind.into());
                part
            }
        };
        match (end, piece.get("delta"), piece.get(*member)) {
            ("delta", Some(Value::String(more)), _) => match there.get_mut(*member) {
                Some(Value::String(known)) => known.push_str(more),
                _ => drop(there.insert((*member).to_owned(), more.clone().into())),
            },
            ("done", _, Some(text)) => drop(there.insert((*member).to_owned(), text.clone())),
            _ => {}
        }
    }

    fn complete(whole: &mut Value) {
        // What a number was never said for is not there.
        if let Some(Value::Array(items)) = whole.get_mut("output") {
            items.retain(|item| !item.is_null());
        }
    }
}

fn put_response(whole: &mut Value, response: &Value) {
    let is_empty = |value: &Value| value.get("output").and_then(Value::as_array).is_none_or(Vec::is_empty);
    let known = whole.get_mut("output").map(Value::take);
    *whole = response.clone();
    if let (true, Some(known), Some(members)) = (is_empty(response), known, whole.as_object_mut()) {
        members.insert("output".into(), known);
    }
}

fn put_part(item: &mut Value, list: &str, index: Option<&Value>, part: Option<&Value>) {
    let there = object(item).and_then(|item| at(item, list, index));
    if let (Some(there), Some(part)) = (there, part) {
        *there = part.clone();
    }
}

/// How many things an answer can have. More is a mistake that should not take all memory.
const MOST: u64 = 10_000;

/// The thing of a list with this number; the list grows up to it.
fn at<'a>(members: &'a mut Map<String, Value>, list: &str, index: Option<&Value>) -> Option<&'a mut Value> {
    let index = index.and_then(Value::as_u64).filter(|index| *index < MOST)?;
    let index = usize::try_from(index).ok()?;
    let list = super::list(members, list);
    if list.len() <= index {
        list.resize(index + 1, Value::Null);
    }
    list.get_mut(index)
}

fn object(value: &mut Value) -> Option<&mut Map<String, Value>> {
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Accumulator;

    fn whole(events: Value) -> Response {
        let mut all = Accumulator::<Responses>::new();
        events.as_array().unwrap().iter().for_each(|event| all.push(event));
        all.whole().unwrap()
    }

    #[test]
    fn pieces_make_an_answer() {
        let answer = whole(json!([
            {"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}},
            {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "content": []}},
            {"type": "response.content_part.added", "output_index": 0, "content_index": 0,
             "part": {"type": "output_text", "text": ""}},
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hel"},
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "lo"},
            {"type": "response.output_item.added", "output_index": 2,
             "item": {"type": "function_call", "name": "f", "arguments": ""}},
            {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{\"a\""},
            {"type": "response.function_call_arguments.done", "output_index": 2, "arguments": "{\"a\":1}"},
            {"type": "response.completed", "response": {"id": "r", "status": "completed", "created_at": 1.5}},
        ]));
        assert_eq!(
            (answer.text().as_str(), answer.status.as_deref(), answer.created_at),
            ("Hello", Some("completed"), 1.5)
        );
        assert_eq!(answer.output.len(), 2);
        assert_eq!(answer.function_calls().next().unwrap().arguments.as_deref(), Some("{\"a\":1}"));
    }

    #[test]
    fn the_last_event_counts() {
        let answer = whole(json!([
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "wrong"},
            {"type": "response.completed", "response": {"id": "r", "output": [
                {"type": "message", "content": [{"type": "output_text", "text": "right"}]}
            ]}},
        ]));
        assert_eq!(answer.text(), "right");
        let huge =
            json!([{"type": "response.output_text.delta", "output_index": 1e15, "content_index": 0, "delta": "x"}]);
        assert!(whole(huge).output.is_empty());
    }
}
