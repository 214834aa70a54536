//! Files among parameters, in every form that clients send them in.
//!
//! Invariant: bytes are standard base64, without the mark that the clients put before them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sabir_types::{Error, Map, Result, Value};

/// What clients write before bytes.
const BYTES: &str = "bytes:";

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum File {
    /// With its bytes, in base64.
    Bytes { name: Option<String>, mime: Option<String>, data: String },
    /// Somewhere else.
    Address(String),
    /// Kept by the provider under this name.
    Kept(String),
}

/// The files of a member: one, or several.
pub(super) fn all(value: Value, path: &str) -> Result<Vec<File>> {
    match value {
        Value::Null => Ok(Vec::new()),
        // The name of a file and its bytes, or files.
        Value::Array(items) if !is_named(&items) => items
            .into_iter()
            .enumerate()
            .filter(|(_, item)| !item.is_null())
            .map(|(at, item)| one(item, &format!("{path}[{at}]")))
            .collect(),
        one_ => Ok(vec![one(one_, path)?]),
    }
}

/// Whether a list is one file: `[NAME, BYTES]`, then its media type and headers.
fn is_named(items: &[Value]) -> bool {
    let has_mark = |item: &Value| item.as_str().is_some_and(|text| text.starts_with(BYTES));
    match items {
        [name, data, rest @ ..] => {
            rest.len() <= 2
                && has_mark(data)
                && !has_mark(name)
                && (name.is_string() || name.is_null())
                && rest.first().is_none_or(|mime| mime.is_null() || mime.is_string() && !has_mark(mime))
        }
        _ => false,
    }
}

fn one(value: Value, path: &str) -> Result<File> {
    let expected =
        || Error::bad_request(format!("`{path}`: expected bytes, a file or an address")).with_param(path.to_owned());
    match value {
        Value::String(text) => match text.strip_prefix(BYTES) {
            Some(data) => Ok(File::Bytes { name: None, mime: None, data: data.to_owned() }),
            None if text.contains("://") || text.starts_with("data:") => Ok(File::Address(text)),
            None => Err(expected()),
        },
        Value::Array(items) if is_named(&items) => {
            let text = |at: usize| items.get(at).and_then(Value::as_str).map(str::to_owned);
            let data = text(1).unwrap_or_default().split_off(BYTES.len());
            Ok(File::Bytes { name: text(0).filter(|name| !name.is_empty()), mime: text(2), data })
        }
        Value::Object(members) => kept(&members).ok_or_else(expected),
        _ => Err(expected()),
    }
}

fn kept(members: &Map<String, Value>) -> Option<File> {
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    text("file_id").map(File::Kept).or_else(|| text("image_url").or_else(|| text("url")).map(File::Address))
}

/// The bytes themselves.
pub(super) fn decoded(data: &str, path: &str) -> Result<Vec<u8>> {
    STANDARD
        .decode(data)
        .map_err(|_| Error::bad_request(format!("`{path}`: the bytes are not base64")).with_param(path))
}

/// Takes the mark off bytes, in every vendor's members for them. What a model or a tool said is not
/// looked at: there it is a text.
pub(super) fn unmark(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(unmark),
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                match (name.as_str(), value) {
                    ("args" | "response" | "input", _) => {}
                    ("data" | "file_data" | "thought_signature" | "thoughtSignature", Value::String(text)) => {
                        if let Some(bytes) = text.strip_prefix(BYTES) {
                            *text = bytes.to_owned();
                        }
                    }
                    (_, value) => unmark(value),
                }
            }
        }
        _ => {}
    }
}

/// A name in the letters of Python's SDK.
pub(super) fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bytes(name: Option<&str>, mime: Option<&str>, data: &str) -> File {
        File::Bytes { name: name.map(Into::into), mime: mime.map(Into::into), data: data.into() }
    }

    #[test]
    fn files_come_in_many_forms() {
        let named = bytes(Some("a.png"), Some("image/png"), "YWJj");
        for (value, wanted) in [
            (json!(null), vec![]),
            (json!("bytes:YWJj"), vec![bytes(None, None, "YWJj")]),
            (json!(["a.png", "bytes:YWJj"]), vec![bytes(Some("a.png"), None, "YWJj")]),
            (json!(["a.png", "bytes:YWJj", "image/png"]), vec![named.clone()]),
            (json!(["a.png", "bytes:YWJj", "image/png", {"x": "y"}]), vec![named.clone()]),
            (json!([null, "bytes:YWJj", null]), vec![bytes(None, None, "YWJj")]),
            (json!([["a.png", "bytes:YWJj", "image/png"]]), vec![named.clone()]),
            (json!([["a.png", "bytes:YWJj", "image/png"], null, "bytes:eHl6"]), vec![named, bytes(None, None, "eHl6")]),
            (json!(["bytes:YWJj", "bytes:eHl6"]), vec![bytes(None, None, "YWJj"), bytes(None, None, "eHl6")]),
            (json!(["bytes:YWJj"]), vec![bytes(None, None, "YWJj")]),
            (json!({"file_id": "f1"}), vec![File::Kept("f1".into())]),
            (json!("https://x.example/a.png"), vec![File::Address("https://x.example/a.png".into())]),
            (
                json!({"image_url": "data:image/png;base64,YWJj"}),
                vec![File::Address("data:image/png;base64,YWJj".into())],
            ),
        ] {
            assert_eq!(all(value.clone(), "image").unwrap(), wanted, "{value}");
        }
    }

    #[test]
    fn bytes_lose_their_mark_where_they_are_bytes() {
        let mut value = json!([
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "bytes:AQI="}},
            {"type": "input_file", "file_data": "bytes:AQI="},
            {"type": "text", "text": "bytes:AQI="},
            {"type": "tool_use", "input": {"data": "bytes:AQI="}},
        ]);
        unmark(&mut value);
        assert_eq!(value[0]["source"]["data"], "AQI=");
        assert_eq!(value[1]["file_data"], "AQI=");
        assert_eq!(value[2]["text"], "bytes:AQI=");
        assert_eq!(value[3]["input"]["data"], "bytes:AQI=");
    }

    #[test]
    fn what_is_no_file_is_named() {
        for (value, path) in
            [(json!(1), "image"), (json!("a.png"), "image"), (json!([["a.png"], 1]), "image[0]"), (json!({}), "image")]
        {
            assert_eq!(all(value, "image").unwrap_err().param(), Some(path));
        }
        assert_eq!(decoded("!", "file").unwrap_err().param(), Some("file"));
        assert_eq!(decoded("YWJj", "file").unwrap(), b"abc");
    }
}
