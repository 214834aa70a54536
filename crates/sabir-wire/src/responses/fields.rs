//! An object of a request, taken apart member by member.
//!
//! Invariant: `null` is absent; a member of the wrong kind is refused by its path, and its text,
//! which may be long or private, is never repeated.

use sabir_types::{Error, Map, Result, Value};

/// An object and where it stands.
#[derive(Debug)]
pub(super) struct Fields {
    members: Map<String, Value>,
    path: String,
}

impl Fields {
    /// The members of an object at a path; the body itself has an empty path.
    pub(super) fn new(value: Value, path: &str, what: &str) -> Result<Self> {
        match value {
            Value::Object(members) => Ok(Self { members, path: path.to_owned() }),
            other => Err(wrong(path, &format!("expected {what}, got {}", kind(&other)))),
        }
    }

    /// The path of a member.
    pub(super) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Whether a member is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|value| !value.is_null())
    }

    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        self.members.shift_remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.expected(name, "a string", &other)),
        }
    }

    pub(super) fn need(&mut self, name: &str) -> Result<String> {
        match self.text(name)? {
            Some(text) => Ok(text),
            None => Err(self.missing(name)),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(yes)) => Ok(Some(yes)),
            Some(other) => Err(self.expected(name, "true or false", &other)),
        }
    }

    pub(super) fn number(&mut self, name: &str) -> Result<Option<f64>> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| self.expected(name, "a number", &value)),
        }
    }

    pub(super) fn count(&mut self, name: &str) -> Result<Option<u64>> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| self.expected(name, "a whole number from 0", &value)),
        }
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(other) => Err(self.expected(name, "an object", &other)),
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(other) => Err(self.expected(name, "an array", &other)),
        }
    }

    pub(super) fn missing(&self, name: &str) -> Error {
        wrong(&self.at(name), "missing")
    }

    /// The members that nobody took, those that are `null` or empty left out: SDKs that keep
    /// answers as objects send such members back.
    pub(super) fn rest(self) -> Map<String, Value> {
        self.members.into_iter().filter(|(_, value)| !is_empty(value)).collect()
    }

    /// All members as they are, for what is kept verbatim.
    pub(super) fn whole(self) -> Value {
        Value::Object(self.members)
    }

    /// There is no place for other members here: they are named, not dropped.
    pub(super) fn nothing_else(self) -> Result<()> {
        match self.members.iter().find(|(_, value)| !is_empty(value)) {
            Some((name, _)) => {
                let path = self.at(name);
                Err(Error::unsupported(path.clone(), format!("{path}: cannot be translated")))
            }
            None => Ok(()),
        }
    }

    fn expected(&self, name: &str, what: &str, got: &Value) -> Error {
        wrong(&self.at(name), &format!("expected {what}, got {}", kind(got)))
    }
}

/// The request is wrong at a place.
pub(super) fn wrong(path: &str, what: &str) -> Error {
    if path.is_empty() {
        return Error::bad_request(what);
    }
    Error::bad_request(format!("{path}: {what}")).with_param(path)
}

/// The beginning of a word that the caller sent.
pub(super) fn shown(word: &str) -> String {
    word.chars().take(40).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}
