//! Ids for tool calls that the provider gave none.
//!
//! Invariant: an id depends on the answer alone, so that a retried or replayed answer has the same
//! ids; ids made here never go out on the wire, where calls and results then match by name and order.

use sabir_types::Map;
use serde_json::Value;

/// What every id made here begins with.
const OURS: &str = "gcall_";

/// Whether an id was made here.
pub(super) fn is_ours(id: &str) -> bool {
    id.starts_with(OURS)
}

/// The id of the `number`th call of an answer, or of one that has no id itself but calls `name`.
pub(super) fn of_answer(response: Option<&str>, name: &str, choice: u32, number: u32) -> String {
    match response {
        Some(response) => format!("{OURS}{response}_{choice}_{number}"),
        None => format!("{OURS}{:016x}_{choice}_{number}", fnv(name.as_bytes())),
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

/// FNV-1a: short, and the same in every build, unlike the standard library's hasher.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
