//! What comes back from a call: the value and what came with it.
//!
//! Invariant: the body is kept as it came, so nothing that the types do not know is lost.

use std::ops::Deref;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_types::Value;

use crate::error::{Error, Result};

/// A value with the status, the headers and the bytes that it came with.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    value: T,
    meta: Meta,
    body: Bytes,
}

/// What comes with every answer.
#[derive(Debug, Clone)]
pub struct Meta {
    status: StatusCode,
    headers: HeaderMap,
    retries: u32,
}

impl<T> Answer<T> {
    pub(crate) fn new(value: T, meta: Meta, body: Bytes) -> Self {
        Self { value, meta, body }
    }

    pub(crate) fn map<U>(self, read: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { value: read(self.value), meta: self.meta, body: self.body }
    }

    /// The value alone.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The status, the headers and how often the call was tried again.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.meta.headers()
    }

    /// The id of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.meta.request_id()
    }

    /// The body as it came.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as JSON, with everything that the value's type may not know.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .map_err(|e| Error::Decode { message: e.to_string(), body: self.body.clone() })
    }

    /// A member of the body, by a JSON pointer like `/usage/total_tokens`: this tells what is null
    /// from what is not there.
    pub fn member(&self, pointer: &str) -> Result<Member> {
        Ok(match self.json()?.pointer_mut(pointer) {
            None => Member::Missing,
            Some(Value::Null) => Member::Null,
            Some(value) => Member::Value(value.take()),
        })
    }
}

/// A member of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Member {
    /// It is not there.
    Missing,
    /// It is there, and null.
    Null,
    /// It is there.
    Value(Value),
}

impl<T> Deref for Answer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl Meta {
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, retries: u32) -> Self {
        Self { status, headers, retries }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// How often the call was tried again.
    pub fn retries(&self) -> u32 {
        self.retries
    }

    /// The id of the request: the provider's where it gave one, else the gateway's.
    pub fn request_id(&self) -> Option<&str> {
        self.text("x-request-id").or_else(|| self.inference_id())
    }

    /// The id under which the ledger keeps the call.
    pub fn inference_id(&self) -> Option<&str> {
        self.text("x-sabir-inference-id")
    }

    /// The episode that the call belongs to.
    pub fn episode_id(&self) -> Option<&str> {
        self.text("x-sabir-episode-id")
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
