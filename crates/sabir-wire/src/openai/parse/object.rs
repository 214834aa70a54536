//! JSON objects with known members and a place for the others, and what to say of a wrong one.
//!
//! Invariant: an error names the path of the member, what was expected there and what was got;
//! the text of a wrong value is never repeated, because it may be long or private.

use sabir_types::{Error, ErrorKind, Result};
use serde::Deserialize;

/// A struct that is read from an object: each known member is optional (`null` is absent), the
/// others are kept in `rest`.
macro_rules! object {
    ($name:ident: $what:literal { $($key:literal => $field:ident: $kind:ty,)* }) => {
        #[derive(Debug, Default)]
        pub(in crate::openai::parse) struct $name {
            $(pub(in crate::openai::parse) $field: Option<$kind>,)*
            pub(in crate::openai::parse) rest: sabir_types::Map<String, sabir_types::Value>,
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
                struct Members;
                impl<'de> serde::de::Visitor<'de> for Members {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        let mut it = $name::default();
                        while let Some(key) = map.next_key::<String>()? {
                            match key.as_str() {
                                $($key => it.$field = map.next_value()?,)*
                                _ => {
                                    it.rest.insert(key, map.next_value()?);
                                }
                            }
                        }
                        Ok(it)
                    }
                }
                de.deserialize_map(Members)
            }
        }
    };
}
pub(super) use object;

/// Reads a value, with the path in the error.
pub(super) fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T> {
    let mut de = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut de).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() { wrong(&path, &say(&inner.to_string())) } else { super::super::peek::not_json(&inner) }
    })?;
    de.end().map_err(|error| super::super::peek::not_json(&error))?;
    Ok(value)
}

/// The request is wrong at a place.
pub(crate) fn wrong(path: &str, what: &str) -> Error {
    if path.is_empty() || path == "." {
        return Error::bad_request(what);
    }
    Error::bad_request(format!("{path}: {what}")).with_param(path)
}

/// Something is there that has no word in Sabir's vocabulary and cannot ride along.
pub(super) fn foreign(path: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{path}: cannot be translated")).with_param(path)
}

/// serde's words in ours: "invalid type: string \"x\", expected u64 at line 1 column 9" becomes
/// "expected a whole number from 0, got a string (line 1 column 9)".
fn say(message: &str) -> String {
    let (message, place) = match message.rfind(" at line ") {
        Some(at) => (&message[..at], format!(" ({})", &message[at + 4..])),
        None => (message, String::new()),
    };
    let Some(rest) = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: ")) else {
        return format!("{message}{place}");
    };
    let Some((got, expected)) = rest.rsplit_once(", expected ") else { return format!("{message}{place}") };
    format!("expected {}, got {}{place}", wanted(expected), found(got))
}

fn wanted(expected: &str) -> &str {
    match expected {
        "a boolean" => "true or false",
        "a sequence" => "an array",
        "a map" => "an object",
        "f64" | "f32" => "a number",
        "u64" | "u32" => "a whole number from 0",
        "i64" | "i32" => "a whole number",
        "any valid JSON value" => "a value",
        other => other,
    }
}

fn found(got: &str) -> &str {
    let kind = got.split(' ').next().unwrap_or_default();
    match kind {
        "string" => "a string",
        "sequence" => "an array",
        "map" => "an object",
        "null" | "unit" | "Option" => "null",
        // A number or a boolean is short: `integer `5`` is shown as 5.
        "integer" | "floating" | "boolean" | "number" => got.split('`').nth(1).unwrap_or("a number"),
        _ => got,
    }
}
