//! What can go wrong, in one type.
//!
//! Invariant: retry policy and doors look at [`Error::kind`] and [`Error::retry_after`], nothing else.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

/// A result with Sabir's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's request is wrong (400).
    BadRequest,
    /// The conversation is longer than the model can read (400).
    ContextLength,
    /// The provider's filter refused the request (400).
    ContentFilter,
    /// The target cannot do what was asked for: an operation, a block, a parameter (400).
    Unsupported,
    /// The key is missing or wrong (401).
    Authentication,
    /// The key may not do this (403).
    Permission,
    /// No such model, function, route or row (404).
    NotFound,
    /// The provider says that the request conflicts with another (409).
    Conflict,
    /// The body is over the limit (413).
    TooLarge,
    /// Too many requests or tokens for now (429, retried).
    RateLimited,
    /// The account is out of money or quota (429, not retried).
    QuotaExceeded,
    /// Something took longer than it may (408 from the gateway, 504 from upstream).
    Timeout,
    /// The caller left.
    Cancelled,
    /// The provider failed (5xx, overloaded).
    Upstream,
    /// The provider's answer cannot be read: garbage, half an answer, a wrong content type.
    BadUpstream,
    /// The provider cannot be reached: no address, no connection, TLS, reset.
    Connection,
    /// Something that is coming but not built yet (501).
    NotImplemented,
    /// The configuration does not allow it or is broken (500).
    Config,
    /// The gateway is going down or cannot take more (503).
    Unavailable,
    /// Our own fault (500).
    Internal,
}

impl ErrorKind {
    /// Its name in the ledger, in logs and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::ContextLength => "context_length",
            Self::ContentFilter => "content_filter",
            Self::Unsupported => "unsupported",
            Self::Authentication => "authentication",
            Self::Permission => "permission",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::RateLimited => "rate_limited",
            Self::QuotaExceeded => "quota_exceeded",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Upstream => "upstream",
            Self::BadUpstream => "bad_upstream",
            Self::Connection => "connection",
            Self::NotImplemented => "not_implemented",
            Self::Config => "config",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::BadRequest,
            Self::ContextLength,
            Self::ContentFilter,
            Self::Unsupported,
            Self::Authentication,
            Self::Permission,
            Self::NotFound,
            Self::Conflict,
            Self::TooLarge,
            Self::RateLimited,
            Self::QuotaExceeded,
            Self::Timeout,
            Self::Cancelled,
            Self::Upstream,
            Self::BadUpstream,
            Self::Connection,
            Self::NotImplemented,
            Self::Config,
            Self::Unavailable,
            Self::Internal,
        ]
        .into_iter()
        .find(|k| k.as_str() == name)
    }

    /// Whether trying the same target again may help.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited | Self::Timeout | Self::Upstream | Self::BadUpstream | Self::Connection | Self::Conflict
        )
    }

    /// Whether another target may do better. Only what the caller did wrong ends the call at once.
    pub fn may_fall_back(self) -> bool {
        !matches!(self, Self::BadRequest | Self::TooLarge | Self::Cancelled | Self::NotImplemented | Self::Unavailable)
    }
}

/// What the provider itself said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpstreamError {
    /// The HTTP status.
    pub status: u16,
    /// Its `code`, as text.
    pub code: Option<String>,
    /// Its `type`.
    pub kind: Option<String>,
    /// Its `param`.
    pub param: Option<String>,
    /// Its id for the request.
    pub request_id: Option<String>,
    /// The content type of the body.
    pub content_type: Option<String>,
    /// The body, verbatim (a prefix of it if it was long).
    pub body: Vec<u8>,
}

/// Anything that went wrong. Cheap to clone: followers of a shared call get the same error.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
    retry_after: Option<Duration>,
    should_retry: Option<bool>,
    upstream: Option<Box<UpstreamError>>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of a kind. The message is lower case, has no full stop and names the thing.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            param: None,
            code: None,
            retry_after: None,
            should_retry: None,
            upstream: None,
            source: None,
        }))
    }

    /// The caller's request is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadRequest, message)
    }

    /// The provider's answer cannot be read.
    pub fn bad_upstream(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadUpstream, message)
    }

    /// The target cannot do this.
    pub fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message).with_param(param)
    }

    /// Our own fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Says which field of the request is meant.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.0.param = Some(param.into());
        self
    }

    /// Gives it the word by which clients of a door's protocol tell it from others of its kind.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.0.code = Some(code);
        self
    }

    /// Says how long to wait before the next try.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after = wait;
        self
    }

    /// Overrides the kind's answer to "may I try again" (the provider's `x-should-retry`).
    #[must_use]
    pub fn with_should_retry(mut self, yes: bool) -> Self {
        self.0.should_retry = Some(yes);
        self
    }

    /// Keeps the provider's own words.
    #[must_use]
    pub fn with_upstream(mut self, upstream: UpstreamError) -> Self {
        self.0.upstream = Some(Box::new(upstream));
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The field of the request that is meant.
    pub fn param(&self) -> Option<&str> {
        self.0.param.as_deref()
    }

    /// The word by which clients of a door's protocol tell it from others of its kind.
    pub fn code(&self) -> Option<&'static str> {
        self.0.code
    }

    /// How long to wait before the next try, as the provider said.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What the provider itself said.
    pub fn upstream(&self) -> Option<&UpstreamError> {
        self.0.upstream.as_deref()
    }

    /// Whether trying the same target again may help.
    pub fn is_retryable(&self) -> bool {
        self.0.should_retry.unwrap_or_else(|| self.0.kind.is_retryable())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind).field("message", &self.0.message);
        if let Some(param) = &self.0.param {
            out.field("param", param);
        }
        if let Some(upstream) = &self.0.upstream {
            out.field("status", &upstream.status);
        }
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}
