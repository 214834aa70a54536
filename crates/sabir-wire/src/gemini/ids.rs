//! Ids for tool calls that the provider gave none.
//!
//! Invariant: an id depends on the conversation and its answer alone, so that a retried or replayed
//! answer has the same ids, and no two calls of a conversation have the same; ids made here never go
//! out on the wire, where calls and results then match by name and order.

use sabir_types::Map;
use serde_json::Value;

/// What every id made here begins with.
const OURS: &str = "gcall_";

/// Whether an id was made here.
pub(super) fn is_ours(id: &str) -> bool {
    id.starts_with(OURS)
}

/// The id of the `number`th call of an answer. `before`: how many calls its conversation held
/// already, which tells answers apart that have no id of their own.
pub(super) fn of_answer(response: Option<&str>, before: usize, choice: u32, number: u32) -> String {
    match response {
        Some(response) => format!("{OURS}{response}_{choice}_{number}"),
        None => format!("{OURS}after{before}_{choice}_{number}"),
    }
}

/// The id of the `number`th call of a request's conversation.
pub(super) fn of_request(number: usize) -> String {
    format!("{OURS}{number}")
}

/// The arguments of a call as text. They come as an object and are only there if there are any.
pub(super) fn arguments(args: Option<Value>) -> String {
    match args {
        None | Some(Value::Null) => Value::Object(Map::new()).to_string(),
        Some(args) => args.to_string(),
    }
}
