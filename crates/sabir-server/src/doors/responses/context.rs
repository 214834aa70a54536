//! What a request leaves to the gateway to remember: earlier answers, conversations, items by name.
//!
//! Invariant: a body comes out of here as it went in, or with everything in it that it named; what
//! is not kept here stays, for a provider that may know it.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memmem;
use sabir_types::{Error, ErrorKind, Map, Result, Value};
use serde::Deserialize;

use super::{conversations, kept, unsupported};
use crate::app::App;

/// A body that needs nothing that is kept here any more.
#[derive(Debug, Default)]
pub(super) struct Complete {
    pub(super) body: Bytes,
    /// The answer of ours that it follows.
    pub(super) previous: Option<String>,
    /// The conversation of ours that it belongs to.
    pub(super) conversation: Option<String>,
    /// Its own items, for that conversation.
    pub(super) own: Vec<Value>,
    /// Ids and thoughts in it may be another provider's: the translator knows which.
    pub(super) rewrite: bool,
    /// Nobody waits for the answer.
    pub(super) background: bool,
}

/// The members that name something that is kept.
#[derive(Debug, Default, Deserialize)]
struct Seen<'a> {
    #[serde(default, borrow)]
    previous_response_id: Option<Cow<'a, str>>,
    #[serde(default)]
    background: Option<bool>,
    #[serde(default)]
    store: Option<bool>,
    #[serde(default)]
    conversation: Option<Value>,
}

/// Completes a body.
pub(super) async fn complete(app: &App, caller: Option<&str>, body: Bytes) -> Result<Complete> {
    let names = ["\"previous_response_id\"", "\"background\"", "\"conversation\"", "\"item_reference\""];
    if !names.iter().any(|name| memmem::find(&body, name.as_bytes()).is_some()) {
        return Ok(Complete { body, ..Complete::default() });
    }
    let seen: Seen<'_> = serde_json::from_slice(&body)
        .map_err(|e| Error::bad_request(format!("the body is not what was expected: {e}")))?;
    let background = seen.background == Some(true);
    if background && seen.store == Some(false) {
        return Err(unsupported("background", "an answer that nobody waits for has to be kept: leave `store` out"));
    }
    let previous = seen.previous_response_id.map(Cow::into_owned).filter(|id| kept::id(id).is_some());
    let conversation = seen.conversation.as_ref().map(named).transpose()?.flatten();
    if previous.is_some() && conversation.is_some() {
        let message = "`previous_response_id` and `conversation` cannot both be given: each says what came before";
        return Err(Error::bad_request(message).with_param("conversation"));
    }
    let refers = memmem::find(&body, b"\"item_reference\"").is_some();
    if previous.is_none() && conversation.is_none() && !refers && !background {
        return Ok(Complete { body, ..Complete::default() });
    }
    let mut before = Vec::new();
    if let Some(id) = &previous {
        before = follow(app, id, caller).await?;
    }
    if let Some(name) = &conversation {
        let found = conversations::find(app, name, caller).await.map_err(|e| as_member(&e, "conversation"))?;
        before = conversations::items(app, found.id).await?;
    }
    let mut members: Map<String, Value> =
        serde_json::from_slice(&body).map_err(|e| Error::bad_request(format!("the body is not valid JSON: {e}")))?;
    // To a provider, the gateway is a caller that waits.
    members.shift_remove("background");
    let mut rewrite = false;
    let mut own = Vec::new();
    if previous.is_some() || conversation.is_some() || refers {
        own = kept::items(members.get_mut("input").map(Value::take).unwrap_or_default());
        rewrite = dereference(app, caller, &before, &mut own).await?;
        let mut items = before;
        items.extend(own.iter().cloned());
        members.insert("input".into(), items.into());
    }
    if previous.is_some() {
        members.shift_remove("previous_response_id");
    }
    if conversation.is_some() {
        members.shift_remove("conversation");
    }
    rewrite |= previous.is_some() || conversation.is_some();
    let body = serde_json::to_vec(&members)
        .map(Bytes::from)
        .map_err(|e| Error::internal("a request could not be written").with_source(e))?;
    Ok(Complete { body, previous, conversation, own, rewrite, background })
}

/// The conversation of ours that is meant, if it is one.
fn named(conversation: &Value) -> Result<Option<String>> {
    let name = match conversation {
        Value::Null => return Ok(None),
        Value::String(name) => Some(name.as_str()),
        Value::Object(members) => members.get("id").and_then(Value::as_str),
        _ => None,
    };
    let name = name.ok_or_else(|| {
        Error::bad_request("conversation: expected the id of a conversation").with_param("conversation")
    })?;
    Ok(conversations::id(name).map(|_| name.to_owned()))
}

/// What was said up to and in an earlier answer.
async fn follow(app: &App, id: &str, caller: Option<&str>) -> Result<Vec<Value>> {
    let before = kept::find(app, id, caller).await.map_err(|error| as_member(&error, "previous_response_id"))?;
    let mut items = before.input()?;
    items.extend(before.output()?);
    Ok(items)
}

/// Not the path is wrong but a member.
fn as_member(error: &Error, name: &'static str) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::new(ErrorKind::BadRequest, error.message()).with_param(name),
        _ => error.clone(),
    }
}

/// Puts items in the place of their names, where they are kept here; says whether any was.
async fn dereference(app: &App, caller: Option<&str>, before: &[Value], items: &mut [Value]) -> Result<bool> {
    let mut any = false;
    for item in items {
        let is_name = match item.get("type") {
            Some(Value::String(kind)) => kind == "item_reference",
            None | Some(Value::Null) => item.get("role").is_none(),
            _ => false,
        };
        let Some(id) = item.get("id").and_then(Value::as_str).filter(|_| is_name) else { continue };
        let found = match before.iter().find(|item| item["id"] == id) {
            Some(found) => Some(found.clone()),
            None => match conversations::item_of(app, id, caller).await? {
                Some(found) => Some(found),
                None => kept::item(app, id, caller).await?,
            },
        };
        if let Some(found) = found {
            *item = found;
            any = true;
        }
    }
    Ok(any)
}
