//! What callers may say about a call beside the request: TensorZero's extension members, which both
//! doors understand.
//!
//! Invariant: what is not supported yet is refused by name; a wrong value is refused by its path.

use std::collections::HashMap;

use http::{HeaderName, HeaderValue};
use sabir_engine::{
    CallOptions,
    call::{CacheOptions, Filtered},
    plan::{BodyChange, HeaderChange},
};
use sabir_types::{Error, ErrorKind, Map, Result, Secret, Uuid, Value};

/// The earliest moment that an episode id may hold: 2020-01-23, as TensorZero has it.
const EARLIEST: u64 = 1_579_751_960;
/// How far a caller's clock may be ahead.
const AHEAD: u64 = 60;

/// Members that are known but come later.
const LATER: &[&str] =
    &["internal_dynamic_variant_config", "namespace", "provider_tools", "include_aggregated_response"];

/// The path of a member: callers of the OpenAI door write a prefix.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// What stands before each name (`tensorzero::`).
    pub prefix: &'a str,
}

impl Reader<'_> {
    fn wrong(self, name: &str, what: &str) -> Error {
        let path = format!("{}{name}", self.prefix);
        Error::bad_request(format!("{path}: {what}")).with_param(path)
    }

    /// Refuses what comes later, unless it is empty.
    pub fn refuse_later(self, members: &Map<String, Value>, but: &[&str]) -> Result<()> {
        for name in LATER.iter().filter(|name| !but.contains(name)) {
            match members.get(*name) {
                None | Some(Value::Null | Value::Bool(false)) => {}
                Some(Value::Array(list)) if list.is_empty() => {}
                Some(Value::Object(map)) if map.is_empty() => {}
                Some(_) => {
                    let path = format!("{}{name}", self.prefix);
                    let message = format!("`{path}` is not supported yet");
                    return Err(Error::new(ErrorKind::NotImplemented, message).with_param(path));
                }
            }
        }
        Ok(())
    }

    /// Reads a yes or no; absent and null mean no.
    pub fn flag(self, members: &Map<String, Value>, name: &str) -> Result<bool> {
        match members.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(yes)) => Ok(*yes),
            Some(_) => Err(self.wrong(name, "expected true or false")),
        }
    }

    /// Reads a text; absent and null mean none.
    pub fn text<'m>(self, members: &'m Map<String, Value>, name: &str) -> Result<Option<&'m str>> {
        match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "expected a string")),
        }
    }

    /// Reads an episode id: a UUIDv7 of a moment that has been.
    pub fn episode(self, members: &Map<String, Value>, now: u64) -> Result<Option<Uuid>> {
        let Some(text) = self.text(members, "episode_id")? else { return Ok(None) };
        episode(text, now).map(Some).map_err(|what| self.wrong("episode_id", &what))
    }

    /// Reads labels.
    pub fn tags(self, members: &Map<String, Value>, internal: bool) -> Result<Vec<(String, String)>> {
        let map = match members.get("tags") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(self.wrong("tags", "expected an object of strings")),
        };
        let mut tags = Vec::with_capacity(map.len());
        for (key, value) in map {
            let Value::String(value) = value else {
                return Err(self.wrong(&format!("tags.{key}"), "expected a string"));
            };
            if key.starts_with("tensorzero::") && !internal {
                return Err(self.wrong(&format!("tags.{key}"), "names that begin with `tensorzero::` are reserved"));
            }
            tags.push((key.clone(), value.clone()));
        }
        Ok(tags)
    }

    /// Reads everything that becomes an option of the call.
    pub fn options(self, members: &Map<String, Value>) -> Result<CallOptions> {
        let internal = self.flag(members, "internal")?;
        Ok(CallOptions {
            tags: self.tags(members, internal)?,
            credentials: self.credentials(members)?,
            dryrun: self.flag(members, "dryrun")?,
            cache: self.cache(members)?,
            extra_body: self.body_changes(members)?,
            extra_headers: self.header_changes(members)?,
            include_raw: ["include_raw_response", "include_raw_usage", "include_original_response"]
                .iter()
                .map(|name| self.flag(members, name))
                .try_fold(false, |any, flag| flag.map(|flag| any | flag))?,
            ..CallOptions::default()
        })
    }

    fn credentials(self, members: &Map<String, Value>) -> Result<HashMap<String, Secret>> {
        match members.get("credentials") {
            None | Some(Value::Null) => Ok(HashMap::new()),
            Some(Value::Object(map)) => map
                .iter()
                .map(|(key, value)| match value {
                    Value::String(secret) => Ok((key.clone(), Secret::new(secret.clone()))),
                    _ => Err(self.wrong(&format!("credentials.{key}"), "expected a string")),
                })
                .collect(),
            Some(_) => Err(self.wrong("credentials", "expected an object of strings")),
        }
    }

    fn cache(self, members: &Map<String, Value>) -> Result<Option<CacheOptions>> {
        let map = match members.get("cache_options") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(self.wrong("cache_options", "expected an object")),
        };
        if let Some(name) = map.keys().find(|name| !matches!(name.as_str(), "enabled" | "max_age_s")) {
            return Err(self.wrong(&format!("cache_options.{name}"), "no such member"));
        }
        let max_age_s = match map.get("max_age_s") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let age = value.as_u64();
                Some(age.ok_or_else(|| self.wrong("cache_options.max_age_s", "expected a number of seconds"))?)
            }
        };
        let (read, write) = match map.get("enabled") {
            None | Some(Value::Null) => (false, false),
            Some(mode) => mode.as_str().and_then(cache_mode).ok_or_else(|| {
                self.wrong("cache_options.enabled", "expected `on`, `off`, `read_only` or `write_only`")
            })?,
        };
        Ok(Some(CacheOptions { read, write, max_age_s }))
    }

    fn body_changes(self, members: &Map<String, Value>) -> Result<Vec<Filtered<BodyChange>>> {
        self.changes(members, "extra_body", "pointer", |pointer, value, _| {
            if pointer.is_empty() || pointer.starts_with('/') {
                Ok(BodyChange { pointer: pointer.to_owned(), value })
            } else {
                Err("expected a JSON pointer that begins with `/`")
            }
        })
    }

    fn header_changes(self, members: &Map<String, Value>) -> Result<Vec<Filtered<HeaderChange>>> {
        self.changes(members, "extra_headers", "name", |name, value, delete| {
            let name = HeaderName::try_from(name).map_err(|_| "expected a header's name")?;
            let value = match (value, delete) {
                (_, true) => None,
                (Some(Value::String(text)), false) => {
                    Some(HeaderValue::try_from(text).map_err(|_| "expected a header's value")?)
                }
                _ => return Err("expected `value` to be a string"),
            };
            Ok(HeaderChange { name, value })
        })
    }

    fn changes<T>(
        self,
        members: &Map<String, Value>,
        list: &str,
        key: &str,
        make: impl Fn(&str, Option<Value>, bool) -> Result<T, &'static str>,
    ) -> Result<Vec<Filtered<T>>> {
        let items = match members.get(list) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(self.wrong(list, "expected an array")),
        };
        let mut changes = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let path = format!("{list}[{at}]");
            let Value::Object(item) = item else { return Err(self.wrong(&path, "expected an object")) };
            let known = ["model_name", "provider_name", "model_provider_name", "variant_name", "value", "delete", key];
            if let Some(name) = item.keys().find(|name| !known.contains(&name.as_str())) {
                return Err(self.wrong(&format!("{path}.{name}"), "no such member"));
            }
            let text = |name: &str| match item.get(name) {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(text)) => Ok(Some(text.clone())),
                Some(_) => Err(self.wrong(&format!("{path}.{name}"), "expected a string")),
            };
            let Some(target) = text(key)? else { return Err(self.wrong(&format!("{path}.{key}"), "missing")) };
            let delete = match item.get("delete") {
                None | Some(Value::Null | Value::Bool(false)) => false,
                Some(Value::Bool(true)) => true,
                Some(_) => return Err(self.wrong(&format!("{path}.delete"), "expected true")),
            };
            let value = item.get("value").cloned();
            if delete == value.is_some() {
                return Err(self.wrong(&path, "expected `value` or `delete`, and not both"));
            }
            let change = make(&target, value, delete).map_err(|what| self.wrong(&path, what))?;
            let (mut model, mut provider) = (text("model_name")?, text("provider_name")?);
            if let Some(both) = text("model_provider_name")? {
                let parts =
                    both.strip_prefix("tensorzero::model_name::").and_then(|rest| rest.split_once("::provider_name::"));
                let Some((named, at)) = parts else {
                    let what = "expected `tensorzero::model_name::MODEL::provider_name::PROVIDER`";
                    return Err(self.wrong(&format!("{path}.model_provider_name"), what));
                };
                (model, provider) = (Some(named.to_owned()), Some(at.to_owned()));
            }
            changes.push(Filtered { model, provider, variant: text("variant_name")?, change });
        }
        Ok(changes)
    }
}

/// What a word says about the cache: whether it may be read, and whether it may be written.
pub fn cache_mode(word: &str) -> Option<(bool, bool)> {
    match word {
        "on" => Some((true, true)),
        "off" => Some((false, false)),
        "read_only" => Some((true, false)),
        "write_only" => Some((false, true)),
        _ => None,
    }
}

/// Reads an episode id.
pub fn episode(text: &str, now: u64) -> Result<Uuid, String> {
    let id = Uuid::parse_str(text).map_err(|_| "expected a UUID of version 7".to_owned())?;
    let Some(timestamp) = id.get_timestamp().filter(|_| id.get_version_num() == 7) else {
        return Err(format!("version must be 7, got {}", id.get_version_num()));
    };
    let (seconds, _) = timestamp.to_unix();
    match seconds {
        early if early < EARLIEST => Err("its timestamp is too early".into()),
        late if late > now + AHEAD => Err("its timestamp is in the future".into()),
        _ => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CallOptions> {
        Reader { prefix: "tensorzero::" }.options(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn options_are_read() {
        let options = read(
            r#"{"tags":{"a":"b"},"credentials":{"k":"s"},"dryrun":true,"cache_options":{"enabled":"on","max_age_s":5},
            "extra_body":[{"pointer":"/a","value":1},{"model_name":"m","provider_name":"p","pointer":"/b","delete":true}],
            "extra_headers":[{"name":"x-a","value":"1"}],"include_raw_usage":true}"#,
        )
        .unwrap();
        assert_eq!(options.tags, [("a".to_owned(), "b".to_owned())]);
        assert!(options.dryrun && options.include_raw && !format!("{options:?}").contains("\"s\""));
        assert_eq!(options.cache, Some(CacheOptions { read: true, write: true, max_age_s: Some(5) }));
        assert_eq!(options.extra_body[1].model.as_deref(), Some("m"));
        assert_eq!(options.extra_body[1].change, BodyChange { pointer: "/b".into(), value: None });
        assert_eq!(options.extra_headers.len(), 1);
    }

    #[test]
    fn wrong_options_are_refused_by_path() {
        for (text, wanted) in [
            (r#"{"tags":{"a":1}}"#, "tensorzero::tags.a: expected a string"),
            (r#"{"tags":{"tensorzero::x":"1"}}"#, "tensorzero::tags.tensorzero::x: names"),
            (r#"{"cache_options":{"enabled":"maybe"}}"#, "tensorzero::cache_options.enabled: expected"),
            (r#"{"extra_body":[{"pointer":"a","value":1}]}"#, "tensorzero::extra_body[0]: expected a JSON pointer"),
            (r#"{"extra_body":[{"pointer":"/a"}]}"#, "tensorzero::extra_body[0]: expected `value` or `delete`"),
            (r#"{"extra_headers":[{"name":"a b","value":"1"}]}"#, "tensorzero::extra_headers[0]: expected a header"),
            (r#"{"dryrun":"yes"}"#, "tensorzero::dryrun: expected true or false"),
        ] {
            let said = read(text).unwrap_err().message().to_owned();
            assert!(said.starts_with(wanted), "{text}: {said}");
        }
    }

    #[test]
    fn episodes_are_of_version_7_and_have_been() {
        let id = sabir_types::new_id();
        let now = id.get_timestamp().unwrap().to_unix().0;
        assert_eq!(episode(&id.to_string(), now), Ok(id));
        assert!(episode(&id.to_string(), now - 1000).unwrap_err().contains("future"));
        assert!(episode("6ba7b810-9dad-11d1-80b4-00c04fd430c8", now).unwrap_err().contains("got 1"));
        assert!(episode("x", now).is_err());
    }
}
