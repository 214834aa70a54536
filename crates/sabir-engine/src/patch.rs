//! Changes to bodies and headers that configuration and callers ask for.
//!
//! Invariant: a pointer that leads nowhere is an error that names it, never ignored.

use bytes::Bytes;
use http::HeaderMap;
use sabir_types::{Error, Map, Result, Value};
use sabir_wire::multipart;

use crate::{
    call::{CallOptions, Filtered},
    plan::{BodyChange, Endpoint, HeaderChange},
};

/// Applies all changes to a body that are meant for this endpoint: the configuration's first,
/// then the caller's.
pub(crate) fn body(body: Bytes, endpoint: &Endpoint, options: &CallOptions) -> Result<Bytes> {
    let mut changes = endpoint.extra_body.iter().chain(meant(&options.extra_body, endpoint)).peekable();
    if changes.peek().is_none() {
        return Ok(body);
    }
    if multipart::boundary(&body).is_some() {
        let message = "`extra_body` changes objects, and the body of this call is a form";
        return Err(Error::unsupported("extra_body", message));
    }
    let mut document: Value = serde_json::from_slice(&body)
        .map_err(|e| Error::internal("a body to be changed is not JSON").with_source(e))?;
    for change in changes {
        apply(&mut document, change)?;
    }
    let changed =
        serde_json::to_vec(&document).map_err(|e| Error::internal("a body cannot be written").with_source(e))?;
    Ok(changed.into())
}

/// Applies all changes to the headers that are meant for this endpoint.
pub(crate) fn headers(headers: &mut HeaderMap, endpoint: &Endpoint, options: &CallOptions) {
    for change in endpoint.extra_headers.iter().chain(meant(&options.extra_headers, endpoint)) {
        let HeaderChange { name, value } = change;
        match value {
            Some(value) => drop(headers.insert(name.clone(), value.clone())),
            None => drop(headers.remove(name)),
        }
    }
}

/// Whether anything would be changed.
pub(crate) fn changes_body(endpoint: &Endpoint, options: &CallOptions) -> bool {
    !endpoint.extra_body.is_empty() || meant(&options.extra_body, endpoint).next().is_some()
}

fn meant<'a, T>(all: &'a [Filtered<T>], endpoint: &'a Endpoint) -> impl Iterator<Item = &'a T> {
    all.iter()
        .filter(|one| {
            let fits = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
            fits(&one.model, &endpoint.model)
                && fits(&one.provider, &endpoint.name)
                && fits(&one.variant, &endpoint.model)
        })
        .map(|one| &one.change)
}

fn apply(document: &mut Value, change: &BodyChange) -> Result<()> {
    let pointer = change.pointer.as_str();
    let wrong =
        |why: &str| Error::bad_request(format!("`{pointer}` cannot be changed: {why}")).with_param("extra_body");
    let steps: Vec<String> = match pointer.strip_prefix('/') {
        Some(rest) => rest.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect(),
        None => return Err(wrong("a JSON pointer starts with `/`")),
    };
    let Some((last, path)) = steps.split_last() else { return Err(wrong("it is empty")) };
    let mut at = document;
    for step in path {
        at = match at {
            Value::Object(map) => {
                if change.value.is_none() && !map.contains_key(step) {
                    return Ok(());
                }
                map.entry(step.clone()).or_insert_with(|| Value::Object(Map::new()))
            }
            Value::Array(items) => {
                let len = items.len();
                let index = if step == "-" { len.saturating_sub(1) } else { step.parse().unwrap_or(usize::MAX) };
                items.get_mut(index).ok_or_else(|| wrong(&format!("the array has {len} items")))?
            }
            _ => return Err(wrong(&format!("`{step}` is inside something that is neither object nor array"))),
        };
    }
    match (at, &change.value) {
        (Value::Object(map), Some(value)) => drop(map.insert(last.clone(), value.clone())),
        (Value::Object(map), None) => drop(map.shift_remove(last)),
        (Value::Array(items), Some(value)) if last == "-" => items.push(value.clone()),
        (Value::Array(items), change) => {
            let len = items.len();
            let index: usize = last.parse().unwrap_or(usize::MAX);
            match change {
                Some(value) if index < len => items[index] = value.clone(),
                Some(value) if index == len => items.push(value.clone()),
                None if index < len => drop(items.remove(index)),
                _ => return Err(wrong(&format!("the array has {len} items"))),
            }
        }
        _ => return Err(wrong(&format!("`{last}` would be inside something that is neither object nor array"))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(mut document: Value, pointer: &str, value: Option<Value>) -> Result<Value> {
        apply(&mut document, &BodyChange { pointer: pointer.into(), value })?;
        Ok(document)
    }

    #[test]
    fn pointers_reach_everything() {
        assert_eq!(after(json!({"a":1}), "/a", Some(json!(2))).unwrap(), json!({"a":2}));
        assert_eq!(after(json!({}), "/a/b", Some(json!(2))).unwrap(), json!({"a":{"b":2}}));
        assert_eq!(after(json!({"a":[1]}), "/a/-", Some(json!(2))).unwrap(), json!({"a":[1,2]}));
        assert_eq!(after(json!({"a":[1,{"b":1}]}), "/a/1/b", None).unwrap(), json!({"a":[1,{}]}));
        assert_eq!(after(json!({"a/b":1}), "/a~1b", None).unwrap(), json!({}));
        assert_eq!(after(json!({"a":1}), "/x/y", None).unwrap(), json!({"a":1}));
    }

    #[test]
    fn a_pointer_that_leads_nowhere_is_named() {
        let error = after(json!({"a":[1]}), "/a/7", Some(json!(2))).unwrap_err();
        assert_eq!(error.message(), "`/a/7` cannot be changed: the array has 1 items");
        assert!(after(json!({"a":1}), "/a/b", Some(json!(2))).is_err());
        assert!(after(json!({"a":1}), "a", Some(json!(2))).is_err());
    }
}
