//! Paths and queries.
//!
//! Invariant: what a caller puts into a path stays one segment of it, whatever it holds.

use std::fmt::Write;

use sabir_types::Value;

use crate::error::{Error, Result};

/// A path whose `{}` are these values, one after another.
pub(crate) fn path(template: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut path = String::with_capacity(template.len() + 32);
    let mut values = values.iter();
    for (index, literal) in template.split("{}").enumerate() {
        if index > 0 {
            let Some((name, value)) = values.next() else { continue };
            // Servers resolve dots, written in whichever way.
            if value.is_empty() || matches!(*value, "." | "..") {
                return Err(Error::Request(format!("`{name}` cannot be `{value}`")));
            }
            encode(&mut path, value, b"");
        }
        path.push_str(literal);
    }
    Ok(path)
}

/// Writes a text so that it is one segment of a path, or one part of a query; `more` is what may
/// stay as it is beside letters, digits and the marks that mean nothing anywhere.
pub(crate) fn encode(to: &mut String, text: &str, more: &[u8]) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => to.push(byte.into()),
            _ if more.contains(&byte) => to.push(byte.into()),
            // Writing to a string cannot fail.
            _ => drop(write!(to, "%{byte:02X}")),
        }
    }
}

/// Adds to a path's query.
pub(crate) fn with_query<'a>(mut path: String, pairs: impl IntoIterator<Item = &'a (String, String)>) -> String {
    for (name, value) in pairs {
        path.push(if path.contains('?') { '&' } else { '?' });
        encode(&mut path, name, b"[]:");
        path.push('=');
        encode(&mut path, value, b":,");
    }
    path
}

/// A value as pairs, for a query or a form: the members of an object as `name[member]`, the items
/// of a list as `name[]`. Null is nothing.
pub(crate) fn pairs(name: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::String(text) => into.push((name.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => into.push((name.to_owned(), value.to_string())),
        Value::Array(items) => items.iter().for_each(|item| pairs(&format!("{name}[]"), item, into)),
        Value::Object(members) => {
            members.iter().for_each(|(member, value)| pairs(&format!("{name}[{member}]"), value, into));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_stays_one_segment() {
        let made = |value| path("/files/{}/content", &[("file", value)]);
        assert_eq!(made("a b/../ü?").unwrap(), "/files/a%20b%2F..%2F%C3%BC%3F/content");
        for wrong in ["", ".", ".."] {
            assert_eq!(made(wrong).unwrap_err().to_string(), format!("`file` cannot be `{wrong}`"));
        }
    }

    #[test]
    fn nested_values_get_brackets() {
        let mut all = Vec::new();
        pairs("a", &json!({"b": [1, "x y"], "c": null, "d": true}), &mut all);
        assert_eq!(with_query("/p?q=1".to_owned(), &all), "/p?q=1&a[b][]=1&a[b][]=x%20y&a[d]=true");
    }
}
