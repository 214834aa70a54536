//! The members of a request that is an object, or a form with files.
//!
//! Invariant: what is taken is gone, and what is left goes into `rest` as it came; a form's texts
//! become numbers only where a number is asked for.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sabir_types::{Error, Map, Media, Protocol, Rest, Result, Source, Value};

use super::parse::{self, by_name, standard, wrong};
use crate::multipart::{self, Writer};

/// What names of members for the gateway begin with.
const OURS: &str = "tensorzero::";

/// A request's members.
pub(crate) struct Fields {
    members: Map<String, Value>,
    files: Vec<(String, Media)>,
    /// Whether numbers may be written as texts.
    is_form: bool,
}

impl Fields {
    /// Reads an object, without the members that are for the gateway.
    pub(crate) fn object(body: &[u8]) -> Result<Self> {
        let mut members = parse::members(body)?;
        members.retain(|name, value| !name.starts_with(OURS) && !value.is_null());
        members.remove("model");
        Ok(Self { members, files: Vec::new(), is_form: false })
    }

    /// Reads a form, or an object if it is none.
    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        if multipart::boundary(body).is_none() {
            return Self::object(body);
        }
        let mut fields = Self { members: Map::new(), files: Vec::new(), is_form: true };
        for part in multipart::parse(body)? {
            let (name, many) = match part.name.strip_suffix("[]") {
                Some(name) => (name, true),
                None => (&*part.name, false),
            };
            if part.filename.is_some() {
                let mime = part.mime.map(str::to_owned);
                let media = Media {
                    filename: part.filename.as_deref().filter(|name| !name.is_empty()).map(str::to_owned),
                    ..Media::new(Source::Base64(STANDARD.encode(part.data)), mime)
                };
                fields.files.push((name.to_owned(), media));
                continue;
            }
            let value = Value::from(part.text()?);
            match fields.members.get_mut(name) {
                Some(Value::Array(values)) => values.push(value),
                Some(first) if many => *first = Value::Array(vec![first.take(), value]),
                Some(_) => return Err(wrong(name, "is there twice")),
                None if many => drop(fields.members.insert(name.to_owned(), Value::Array(vec![value]))),
                None => drop(fields.members.insert(name.to_owned(), value)),
            }
        }
        fields.members.remove("model");
        Ok(fields)
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.members.shift_remove(name)
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name, "expected a string")),
        }
    }

    /// A text that the request cannot do without.
    pub(crate) fn required(&mut self, name: &str) -> Result<String> {
        self.text(name)?.ok_or_else(|| wrong(name, "missing"))
    }

    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>> {
        let expected = || wrong(name, "expected an array of strings");
        let text = |value| match value {
            Value::String(text) => Ok(text),
            _ => Err(expected()),
        };
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => values.into_iter().map(text).collect(),
            Some(value) if self.is_form => Ok(vec![text(value)?]),
            Some(_) => Err(expected()),
        }
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(yes)) => Ok(Some(yes)),
            Some(Value::String(text)) if self.is_form => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => Ok(Some(true)),
                "false" | "0" | "" => Ok(Some(false)),
                _ => Err(wrong(name, "expected true or false")),
            },
            Some(_) => Err(wrong(name, "expected true or false")),
        }
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<f64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = match &value {
            Value::String(text) if self.is_form => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            value => value.as_f64(),
        };
        number.map(Some).ok_or_else(|| wrong(name, "expected a number"))
    }

    pub(crate) fn whole(&mut self, name: &str) -> Result<Option<u64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = match &value {
            Value::String(text) if self.is_form => text.trim().parse().ok(),
            value => value.as_u64(),
        };
        number.map(Some).ok_or_else(|| wrong(name, "expected a whole number from 0"))
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u32>> {
        let Some(number) = self.whole(name)? else { return Ok(None) };
        u32::try_from(number).map(Some).map_err(|_| wrong(name, "is too large"))
    }

    /// The files of that name.
    pub(crate) fn files(&mut self, name: &str) -> Vec<Media> {
        let (found, others) = std::mem::take(&mut self.files).into_iter().partition(|(named, _)| named == name);
        self.files = others;
        let found: Vec<(String, Media)> = found;
        found.into_iter().map(|(_, media)| media).collect()
    }

    /// What is left, for a provider of the same protocol.
    pub(crate) fn rest(self, protocol: Protocol) -> Result<Rest> {
        if let Some((name, _)) = self.files.first() {
            return Err(wrong(name, "no such file is expected here"));
        }
        if let Some(name) = self.members.keys().find(|name| name.starts_with(OURS)) {
            return Err(wrong(name, "cannot stand in a form: use the headers `x-sabir-…`"));
        }
        Ok(Rest { protocol: Some(protocol), members: self.members })
    }
}

/// An object or a form that is being written.
pub(crate) enum Out<'a> {
    Object(Map<String, Value>),
    Form(Writer<'a>),
}

impl<'a> Out<'a> {
    pub(crate) fn object(model: &str) -> Self {
        let mut members = Map::new();
        members.insert("model".into(), model.into());
        Self::Object(members)
    }

    pub(crate) fn form(model: &'a str) -> Self {
        let mut form = Writer::new();
        form.text("model", model);
        Self::Form(form)
    }

    /// Adds a member, if there is one.
    pub(crate) fn add(&mut self, name: &str, value: Option<impl Into<Value>>) {
        let Some(value) = value else { return };
        match self {
            Self::Object(members) => drop(members.insert(name.to_owned(), value.into())),
            Self::Form(form) => add_to(form, name, value.into()),
        }
    }

    /// Adds what the request has besides, if it is in this protocol.
    pub(crate) fn rest(&mut self, rest: &Rest, protocol: Protocol) {
        if rest.protocol != Some(protocol) {
            return;
        }
        for (name, value) in &rest.members {
            match self {
                Self::Object(members) => drop(members.entry(name.clone()).or_insert_with(|| value.clone())),
                Self::Form(form) => add_to(form, name, value.clone()),
            }
        }
    }

    /// Adds a file whose bytes are here.
    pub(crate) fn file(&mut self, name: &str, media: &Media, usual: (&str, &str)) -> Result<()> {
        let Self::Form(form) = self else { return Err(Error::internal("an object holds no file")) };
        let Source::Base64(data) = &media.source else {
            let message = format!("{name}: the provider takes files with their bytes only");
            return Err(Error::unsupported(name, message));
        };
        let data = STANDARD.decode(data).map_err(|_| wrong(name, "is not base64"))?;
        let filename = media.filename.as_deref().unwrap_or(usual.0);
        let mime = media.mime.as_deref().or_else(|| by_name(Some(filename))).unwrap_or(usual.1);
        form.file(name, filename, mime, data);
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        match self {
            Self::Object(members) => written(&Value::Object(members)),
            Self::Form(form) => Ok(form.finish()),
        }
    }
}

fn add_to(form: &mut Writer<'_>, name: &str, value: Value) {
    match value {
        Value::Null => {}
        Value::String(text) => form.text(name, text),
        Value::Array(values) => {
            let name = format!("{name}[]");
            values.into_iter().for_each(|value| add_to(form, &name, value));
        }
        Value::Object(members) => {
            members.into_iter().for_each(|(key, value)| add_to(form, &format!("{name}[{key}]"), value));
        }
        other => form.text(name, other.to_string()),
    }
}

/// A value as bytes.
pub(crate) fn written(value: &Value) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::internal("a body could not be written").with_source(e))
}

/// The object of an answer with a success status; an error in disguise is one.
pub(crate) fn answer(body: &[u8]) -> Result<Map<String, Value>> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|e| Error::bad_upstream(format!("the provider's answer is not JSON: {e}")))?;
    if let Some(error) = super::error::embedded(&value) {
        return Err(error);
    }
    match value {
        Value::Object(all) => Ok(all),
        _ => Err(Error::bad_upstream("the provider's answer is not a JSON object")),
    }
}

/// A text of an answer; anything else is as if it were not there.
pub(crate) fn said(all: &mut Map<String, Value>, name: &str) -> Option<String> {
    match all.shift_remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// The usage of an answer: the provider's object, or so many of a unit.
pub(crate) fn consumed(all: &mut Map<String, Value>, unit: &str, amount: Option<Value>) -> sabir_types::Usage {
    match (all.shift_remove("usage").filter(|raw| raw.as_object().is_some_and(|raw| !raw.is_empty())), amount) {
        (Some(raw), _) => super::decode::usage(&raw),
        (None, Some(amount)) => sabir_types::Usage::of_units(unit, amount),
        (None, None) => sabir_types::Usage::default(),
    }
}

/// Base64 of any flavour, in the vocabulary's.
pub(crate) fn base64(data: String, path: &str) -> Result<String> {
    standard(data, path).map_err(|error| Error::bad_upstream(error.message()))
}
