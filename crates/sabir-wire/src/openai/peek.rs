//! A quick look at a request's body: what the door must know before the engine takes over.
//!
//! Invariant: the whole body is checked to be JSON, but no value of it is built; a member that the
//! door decides by stands in the body exactly once, so that a provider cannot read another one.

use std::{borrow::Cow, fmt, ops::Range};

use sabir_types::{Error, Operation, Result};
use serde::{
    Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::multipart;

/// What the door must know of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peek {
    /// The model, as the caller wrote it. Empty only where the request need not name it.
    pub model: String,
    /// Where the model's name stands in the body, quotes included.
    pub model_at: Option<Range<usize>>,
    /// Whether the answer should come as events.
    pub stream: bool,
    /// `stream_options.include_usage`.
    pub include_usage: Option<bool>,
    /// Whether there are members for the gateway only (`tensorzero::…`).
    pub extended: bool,
    /// Whether the caller offers `functions` and expects `function_call` in the answer.
    pub legacy_functions: bool,
    /// How many answers are wanted.
    pub n: Option<u32>,
    /// `encoding_format` of an embeddings request.
    pub encoding_format: Option<String>,
}

/// Looks at a chat request.
pub fn peek(body: &[u8]) -> Result<Peek> {
    look(body, Rules { model: true, needs: "messages" })
}

/// Looks at an embeddings request.
pub fn embedding(body: &[u8]) -> Result<Peek> {
    look(body, Rules { model: true, needs: "input" })
}

/// Looks at a request of the Responses API.
pub fn response(body: &[u8]) -> Result<Peek> {
    look(body, Rules { model: true, needs: "input" })
}

/// Looks at a chat request whose model stands in the path (Azure's deployments).
pub fn deployment(body: &[u8]) -> Result<Peek> {
    look(body, Rules { model: false, needs: "messages" })
}

/// Looks at an embeddings request whose model stands in the path.
pub fn embedding_deployment(body: &[u8]) -> Result<Peek> {
    look(body, Rules { model: false, needs: "input" })
}

/// Looks at a request for pictures, sound, verdicts or an order, or at a form. `named`: the model stands
/// elsewhere, or there is a usual one.
pub fn media(operation: Operation, body: &[u8], named: bool) -> Result<Peek> {
    let needs = match operation {
        Operation::Image | Operation::ImageEdit => "prompt",
        Operation::Rerank => "query",
        Operation::Transcribe | Operation::Translate => "file",
        _ => "input",
    };
    let rules = Rules { model: !named, needs };
    if multipart::boundary(body).is_some() { form(body, rules) } else { look(body, rules) }
}

/// Looks at a form, whose model's name stands without quotes.
fn form(body: &[u8], rules: Rules) -> Result<Peek> {
    let mut peek = Peek::default();
    let mut needed = false;
    let mut names: Vec<Cow<'_, str>> = Vec::new();
    for part in multipart::parse(body)? {
        needed |= part.name == rules.needs;
        match &*part.name {
            "model" | "stream" if names.contains(&part.name) => {
                return Err(Error::bad_request(format!("`{}` is there twice", part.name)).with_param(&*part.name));
            }
            "model" => {
                part.text()?.clone_into(&mut peek.model);
                peek.model_at = Some(part.at.clone());
            }
            "stream" => peek.stream = matches!(part.text()?.to_ascii_lowercase().as_str(), "true" | "1"),
            name => peek.extended |= name.starts_with("tensorzero::"),
        }
        names.push(part.name);
    }
    if peek.model.is_empty() && rules.model {
        return Err(Error::bad_request("`model` is missing: expected a model's name").with_param("model"));
    }
    if !needed {
        return Err(Error::bad_request(format!("`{}` is missing", rules.needs)).with_param(rules.needs));
    }
    Ok(peek)
}

#[derive(Clone, Copy)]
struct Rules {
    model: bool,
    needs: &'static str,
}

/// The members that the door decides by, as they stand in the body.
#[derive(Default)]
struct Top<'a> {
    model: Option<&'a RawValue>,
    messages: Option<&'a RawValue>,
    input: Option<&'a RawValue>,
    prompt: Option<&'a RawValue>,
    query: Option<&'a RawValue>,
    stream: Option<&'a RawValue>,
    stream_options: Option<&'a RawValue>,
    functions: Option<&'a RawValue>,
    n: Option<&'a RawValue>,
    encoding_format: Option<&'a RawValue>,
    extended: bool,
    twice: Option<&'static str>,
}

fn look(body: &[u8], rules: Rules) -> Result<Peek> {
    let text = text(body)?;
    let top = top(text)?;
    if let Some(name) = top.twice {
        return Err(Error::bad_request(format!("`{name}` is there twice")).with_param(name));
    }
    let mut peek = Peek { extended: top.extended, ..Peek::default() };
    match top.model.filter(|raw| !is_null(raw)) {
        Some(raw) => {
            peek.model = string(raw, "model")?;
            if peek.model.is_empty() {
                return Err(Error::bad_request("`model` is empty: expected a model's name").with_param("model"));
            }
            peek.model_at = range(text, raw.get());
        }
        None if rules.model => {
            return Err(Error::bad_request("`model` is missing: expected a model's name").with_param("model"));
        }
        None => {}
    }
    let needed = match rules.needs {
        "messages" => top.messages,
        "prompt" => top.prompt,
        "query" => top.query,
        "input" => top.input,
        name => return Err(Error::bad_request(format!("`{name}` is missing: expected a form")).with_param(name)),
    };
    let Some(needed) = needed.filter(|raw| !is_null(raw)) else {
        return Err(Error::bad_request(format!("`{}` is missing", rules.needs)).with_param(rules.needs));
    };
    if rules.needs == "messages" {
        check_messages(needed)?;
    }
    peek.stream = boolean(top.stream, "stream")?.unwrap_or(false);
    peek.include_usage = match top.stream_options {
        Some(raw) if !is_null(raw) => include_usage(raw)?,
        _ => None,
    };
    peek.legacy_functions = top.functions.is_some_and(|raw| !is_null(raw));
    peek.n = count(top.n)?;
    peek.encoding_format = match top.encoding_format {
        Some(raw) if !is_null(raw) => Some(string(raw, "encoding_format")?),
        _ => None,
    };
    Ok(peek)
}

/// The body as text, or what is wrong with it.
pub(crate) fn text(body: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(body)
        .map_err(|e| Error::bad_request(format!("the body is not UTF-8 text (byte {})", e.valid_up_to())))?;
    match text.bytes().find(|b| !b.is_ascii_whitespace()) {
        Some(b'{') => Ok(text),
        None => Err(Error::bad_request("the body is empty: expected a JSON object")),
        Some(first) => {
            // What is not JSON at all is told as such first.
            serde_json::from_str::<IgnoredAny>(text).map_err(|e| not_json(&e))?;
            Err(Error::bad_request(format!("the body is {}: expected a JSON object", kind(first))))
        }
    }
}

/// The message for a body that is not JSON.
pub(crate) fn not_json(error: &serde_json::Error) -> Error {
    Error::bad_request(format!("the body is not valid JSON: {error}"))
}

fn top(text: &str) -> Result<Top<'_>> {
    let mut de = serde_json::Deserializer::from_str(text);
    let top = de.deserialize_map(TopVisitor).map_err(|e| not_json(&e))?;
    de.end().map_err(|e| not_json(&e))?;
    Ok(top)
}

struct TopVisitor;

impl<'de> Visitor<'de> for TopVisitor {
    type Value = Top<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut top = Top::default();
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            let (slot, name) = match &*key {
                "model" => (&mut top.model, "model"),
                "messages" => (&mut top.messages, "messages"),
                "input" => (&mut top.input, "input"),
                "prompt" => (&mut top.prompt, "prompt"),
                "query" => (&mut top.query, "query"),
                "stream" => (&mut top.stream, "stream"),
                "stream_options" => (&mut top.stream_options, "stream_options"),
                "functions" => (&mut top.functions, "functions"),
                "n" => (&mut top.n, "n"),
                "encoding_format" => (&mut top.encoding_format, "encoding_format"),
                other => {
                    top.extended |= other.starts_with("tensorzero::");
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if slot.is_some() {
                top.twice = Some(name);
            }
            *slot = Some(map.next_value()?);
        }
        Ok(top)
    }
}

/// A member's name, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }

            fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        de.deserialize_str(KeyVisitor)
    }
}

/// Reads `include_usage` and checks that the rest is an object.
fn include_usage(raw: &RawValue) -> Result<Option<bool>> {
    struct Options;
    impl<'de> Visitor<'de> for Options {
        type Value = Option<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = None;
            while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
                if key != "include_usage" {
                    map.next_value::<IgnoredAny>()?;
                } else if found.replace(map.next_value::<&RawValue>()?).is_some() {
                    return Err(A::Error::custom("`include_usage` is there twice"));
                }
            }
            Ok(found)
        }
    }
    if first(raw) != b'{' {
        return Err(expected("stream_options", "an object", raw));
    }
    let found = serde_json::Deserializer::from_str(raw.get())
        .deserialize_map(Options)
        .map_err(|_| Error::bad_request("`include_usage` is there twice").with_param("stream_options.include_usage"))?;
    boolean(found, "stream_options.include_usage")
}

fn check_messages(raw: &RawValue) -> Result<()> {
    let text = raw.get();
    if first(raw) != b'[' {
        return Err(expected("messages", "an array of messages", raw));
    }
    match text[1..].bytes().find(|b| !b.is_ascii_whitespace()) {
        Some(b'{') => Ok(()),
        Some(b']') | None => {
            Err(Error::bad_request("`messages` is empty: expected at least one message").with_param("messages"))
        }
        Some(other) => {
            Err(Error::bad_request(format!("messages[0]: expected an object with `role`, got {}", kind(other)))
                .with_param("messages[0]"))
        }
    }
}

fn boolean(raw: Option<&RawValue>, name: &str) -> Result<Option<bool>> {
    match raw.map(RawValue::get) {
        None | Some("null") => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(raw.map_or_else(|| Error::internal("no value"), |raw| expected(name, "true or false", raw))),
    }
}

fn count(raw: Option<&RawValue>) -> Result<Option<u32>> {
    let Some(raw) = raw.filter(|raw| !is_null(raw)) else { return Ok(None) };
    match raw.get().parse::<u32>() {
        Ok(n) if n > 0 => Ok(Some(n)),
        _ => Err(expected("n", "a whole number from 1", raw)),
    }
}

fn string(raw: &RawValue, name: &str) -> Result<String> {
    if first(raw) != b'"' {
        return Err(expected(name, "a string", raw));
    }
    serde_json::from_str(raw.get())
        .map_err(|e| Error::bad_request(format!("{name}: not a readable string: {e}")).with_param(name))
}

/// Where `part`, which is a slice of `whole`, stands in it.
fn range(whole: &str, part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let range = start..start + part.len();
    (whole.get(range.clone()) == Some(part)).then_some(range)
}

fn expected(name: &str, what: &str, got: &RawValue) -> Error {
    let got = match kind(first(got)) {
        // A number or a word is short enough to be shown.
        "a number" | "a boolean" if got.get().len() <= 20 => got.get(),
        kind => kind,
    };
    Error::bad_request(format!("{name}: expected {what}, got {got}")).with_param(name)
}

fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

fn first(raw: &RawValue) -> u8 {
    raw.get().as_bytes().first().copied().unwrap_or_default()
}

/// What a JSON value is, by its first byte.
fn kind(first: u8) -> &'static str {
    match first {
        b'{' => "an object",
        b'[' => "an array",
        b'"' => "a string",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        _ => "a number",
    }
}

#[cfg(test)]
#[path = "peek_tests.rs"]
mod tests;
