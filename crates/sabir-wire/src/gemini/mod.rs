//! Google's generateContent and its embeddings, all directions.
//!
//! Invariant: `parse` and `render` are the door's side (a request comes in, an answer goes out),
//! `emit` and `decode` the provider's side (a request goes out, an answer comes in); what one side
//! writes the other side reads. The model stands in the URL, never in a body.

pub mod decode;
pub mod embed;
pub mod emit;
pub mod error;
mod finish;
pub mod glance;
mod ids;
pub mod image;
pub mod model;
pub mod parse;
mod part;
pub mod predict;
pub mod render;
mod schema;
mod seal;
mod usage;

pub(crate) use seal::SEALED;

use std::borrow::Cow;

use sabir_types::{Map, Value};

/// The provider types whose thought signatures Gemini's models accept.
pub(crate) const SIGNERS: &[&str] = &["google_ai_studio_gemini", "gcp_vertex_gemini", "vertex"];

/// A member's name in camel case; the wire takes both spellings (`inline_data`, `inlineData`).
fn camel(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                out.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Takes a member by its camel case name, whichever way it is spelt. `null` is absent.
fn take(map: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let value = match map.shift_remove(name) {
        Some(value) => value,
        None => {
            let key = map.keys().find(|key| key.contains('_') && camel(key) == name)?.clone();
            map.shift_remove(&key)?
        }
    };
    if value.is_null() { None } else { Some(value) }
}

/// The model's name without the resource path that answers put before it.
fn short(model: &str) -> &str {
    model.rsplit_once("models/").map_or(model, |(_, name)| name)
}

#[cfg(test)]
mod tests;
