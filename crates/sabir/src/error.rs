//! What can go wrong.
//!
//! Invariant: an answer that is an error keeps its status, headers and body, whichever way it came;
//! no message holds a key.

use std::{error::Error as StdError, fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_types::Value;

use crate::answer::Meta;

/// The result of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The gateway could not be reached, or the connection broke.
    #[error("{message}")]
    Connection {
        /// What happened.
        message: String,
        /// Why.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// Something took longer than it may.
    #[error("{0}")]
    Timeout(Elapsed),
    /// 400: the request is wrong.
    #[error("{0}")]
    BadRequest(Box<StatusError>),
    /// 401: the key is missing or wrong.
    #[error("{0}")]
    Authentication(Box<StatusError>),
    /// 403: the key may not do this.
    #[error("{0}")]
    PermissionDenied(Box<StatusError>),
    /// 404: there is no such model, path or id.
    #[error("{0}")]
    NotFound(Box<StatusError>),
    /// 409: it cannot be done in the present state.
    #[error("{0}")]
    Conflict(Box<StatusError>),
    /// 422: the request can be read, but makes no sense.
    #[error("{0}")]
    UnprocessableEntity(Box<StatusError>),
    /// 429: too many calls.
    #[error("{0}")]
    RateLimit(Box<StatusError>),
    /// 500 and above: the gateway or the provider failed.
    #[error("{0}")]
    Server(Box<StatusError>),
    /// Any other status that is not a success.
    #[error("{0}")]
    Status(Box<StatusError>),
    /// An error in the middle of a stream.
    #[error("the stream brought an error: {message}")]
    Stream {
        /// What the gateway says.
        message: String,
        /// The event.
        body: Box<Value>,
    },
    /// The answer is not what it should be.
    #[error("the answer cannot be read: {message}")]
    Decode {
        /// What is wrong with it.
        message: String,
        /// What came.
        body: Bytes,
    },
    /// The request cannot be sent as it is.
    #[error("{0}")]
    Request(String),
    /// The client cannot be made as it is asked for.
    #[error("{0}")]
    Config(String),
    /// The model would not answer what was asked of it.
    #[error("the model refused: {0}")]
    Refused(String),
    /// The answer ended before it was whole: its tokens were used up, or a filter cut it.
    #[error("the answer is not whole: it ended with `{reason}`")]
    Unfinished {
        /// Why it ended, in the provider's word.
        reason: String,
        /// What came.
        body: Bytes,
    },
    /// A webhook is not signed by who it should be.
    #[error("the webhook cannot be trusted: {0}")]
    Signature(String),
    /// Something that was waited for did not come about.
    #[error("{0}")]
    Waiting(String),
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
}

/// What took longer than it may, and how long that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed {
    /// What took too long.
    pub phase: Phase,
    /// How long it may take.
    pub after: Duration,
}

/// A part of a call that has a timeout of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Opening a connection.
    Connect,
    /// Silence before an answer or within one.
    Read,
    /// Sending the request.
    Write,
    /// All of the call, with its retries and its answer.
    Total,
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.after.as_millis();
        match self.phase {
            Phase::Connect => write!(f, "no connection was there within {ms} ms"),
            Phase::Read => write!(f, "nothing came within {ms} ms"),
            Phase::Write => write!(f, "nothing more could be sent within {ms} ms"),
            Phase::Total => write!(f, "the call took longer than {ms} ms"),
        }
    }
}

/// An answer whose status is not a success.
#[derive(Debug)]
pub struct StatusError {
    meta: Meta,
    body: Bytes,
    json: Option<Value>,
}

impl Error {
    /// The error for an answer with this status.
    pub(crate) fn status(meta: Meta, body: Bytes) -> Self {
        let status = meta.status();
        let json = serde_json::from_slice(&body).ok();
        let error = Box::new(StatusError { meta, body, json });
        match status.as_u16() {
            400 => Self::BadRequest(error),
            401 => Self::Authentication(error),
            403 => Self::PermissionDenied(error),
            404 => Self::NotFound(error),
            409 => Self::Conflict(error),
            422 => Self::UnprocessableEntity(error),
            429 => Self::RateLimit(error),
            500.. => Self::Server(error),
            _ => Self::Status(error),
        }
    }

    pub(crate) fn connection(message: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Connection { message: message.into(), source: Some(source.into()) }
    }

    /// The answer, if there was one with a status that is not a success.
    pub fn answer(&self) -> Option<&StatusError> {
        match self {
            Self::BadRequest(error)
            | Self::Authentication(error)
            | Self::PermissionDenied(error)
            | Self::NotFound(error)
            | Self::Conflict(error)
            | Self::UnprocessableEntity(error)
            | Self::RateLimit(error)
            | Self::Server(error)
            | Self::Status(error) => Some(error),
            _ => None,
        }
    }

    /// The id to name when asking the gateway's keeper about it.
    pub fn request_id(&self) -> Option<&str> {
        self.answer()?.request_id()
    }
}

impl StatusError {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.meta.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.meta.headers()
    }

    /// The body as it came.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body, if it is JSON.
    pub fn json(&self) -> Option<&Value> {
        self.json.as_ref()
    }

    /// The id to name when asking the gateway's keeper about it.
    pub fn request_id(&self) -> Option<&str> {
        self.meta.request_id()
    }

    /// How often the call was tried again.
    pub fn retries(&self) -> u32 {
        self.meta.retries()
    }

    /// What the gateway says, in its words.
    pub fn message(&self) -> Option<&str> {
        message(self.json.as_ref()?)
    }

    /// The `code` of an error in OpenAI's shape.
    pub fn code(&self) -> Option<&str> {
        self.json.as_ref()?.get("error")?.get("code")?.as_str()
    }

    /// The `param` of an error in OpenAI's shape: what is wrong.
    pub fn param(&self) -> Option<&str> {
        self.json.as_ref()?.get("error")?.get("param")?.as_str()
    }
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status();
        match self.message() {
            Some(message) => write!(f, "status {}: {message}", status.as_u16()),
            None => write!(f, "status {}", status.as_u16()),
        }
    }
}

/// The message in an error's body: `{"error": {"message": "…"}}` or `{"error": "…"}`.
pub(crate) fn message(body: &Value) -> Option<&str> {
    let error = body.get("error")?;
    error.as_str().or_else(|| error.get("message")?.as_str())
}
