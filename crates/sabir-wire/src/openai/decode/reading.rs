//! How the providers of the OpenAI family differ in what they answer.
//!
//! Invariant: data only; a difference is a field here, not a branch on a name. Whole answers, streams and glances are
//! read by the same fields.

use sabir_types::{ChatResponse, Error, ErrorKind, Operation, Result};

use super::{ChatStream, Glimpse, glance, inline::Inline, whole};
use crate::openai::error;

/// How to read one provider's answers.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Whether thoughts stand as `<think>…</think>` before the text.
    pub inline_thoughts: bool,
    /// Whether such a thought has no `<think>` before it, since the model's template holds that.
    pub unopened: bool,
    /// What its codes (or types) of errors mean, where the status or the usual words do not say.
    pub codes: &'static [(&'static str, ErrorKind)],
}

impl Reading {
    /// As OpenAI answers.
    pub const USUAL: Self = Self { inline_thoughts: false, unopened: false, codes: &[] };

    /// How to tell thoughts from text, if they stand in it.
    pub(super) fn inline(&self) -> Option<Inline> {
        self.inline_thoughts.then(|| if self.unopened { Inline::opened() } else { Inline::default() })
    }

    /// Reads a chat answer with a success status.
    pub fn chat(&self, body: &[u8]) -> Result<ChatResponse> {
        whole::read(body, self)
    }

    /// Reads a streamed chat answer from the beginning.
    pub fn stream(&self) -> ChatStream {
        ChatStream::reading(*self)
    }

    /// Looks at a whole answer with a success status.
    pub fn glance(&self, operation: Operation, body: &[u8]) -> Result<Glimpse> {
        glance::whole(operation, body, self)
    }

    /// Looks at one event of a stream.
    pub fn glance_event(&self, data: &str) -> Result<Glimpse> {
        glance::event(data, self)
    }

    /// Reads an answer with a failure status.
    pub fn error(&self, status: u16, body: &[u8]) -> Error {
        error::decode_with(status, body, self.codes)
    }
}
