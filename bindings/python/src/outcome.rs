//! How a call ended, as Python sees it; and pieces of a stream put together.
//!
//! Invariant: an outcome has all that an exception needs; nothing of an answer is left out.

use pyo3::{prelude::*, types::PyBytes};
use sabir::{ChatPieces, Error, HeaderMap, InferencePieces, Meta};

use crate::stream::Stream;

/// How a call ended: `kind` is `ok`, `end` or what went wrong.
#[pyclass(frozen)]
pub(crate) struct Outcome {
    #[pyo3(get)]
    kind: &'static str,
    #[pyo3(get)]
    message: Option<String>,
    #[pyo3(get)]
    status: Option<u16>,
    #[pyo3(get)]
    headers: Vec<(String, String)>,
    #[pyo3(get)]
    retries: u32,
    body: Option<Vec<u8>>,
    /// The name of an event.
    #[pyo3(get)]
    name: Option<String>,
    #[pyo3(get)]
    stream: Option<Py<Stream>>,
}

#[pymethods]
impl Outcome {
    /// The body, or the data of an event.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.body.as_deref().map(|body| PyBytes::new(py, body))
    }
}

impl Outcome {
    fn bare(kind: &'static str) -> Self {
        Self {
            kind,
            message: None,
            status: None,
            headers: Vec::new(),
            retries: 0,
            body: None,
            name: None,
            stream: None,
        }
    }

    /// An answer, or the head of a streamed one.
    pub(crate) fn answer(meta: &Meta, body: Option<Vec<u8>>, stream: Option<Py<Stream>>) -> Self {
        let (status, headers, retries) = (Some(meta.status().as_u16()), listed(meta.headers()), meta.retries());
        Self { status, headers, retries, body, stream, ..Self::bare("ok") }
    }

    /// The data of an event.
    pub(crate) fn event(data: String) -> Self {
        Self { body: Some(data.into_bytes()), ..Self::bare("ok") }
    }

    /// The data of an event with a name.
    pub(crate) fn named(name: Option<String>, data: String) -> Self {
        Self { name, ..Self::event(data) }
    }

    /// A piece of a body.
    pub(crate) fn piece(bytes: Vec<u8>) -> Self {
        Self { body: Some(bytes), ..Self::bare("ok") }
    }

    /// The end of a stream, or of something without an answer.
    pub(crate) fn end() -> Self {
        Self::bare("end")
    }

    /// The client is closed.
    pub(crate) fn closed() -> Self {
        Self::error(&Error::Closed)
    }

    pub(crate) fn error(error: &Error) -> Self {
        let message = Some(error.to_string());
        if let Some(answer) = error.answer() {
            return Self {
                message,
                status: Some(answer.status().as_u16()),
                headers: listed(answer.headers()),
                retries: answer.retries(),
                body: Some(answer.body().to_vec()),
                ..Self::bare("status")
            };
        }
        let (kind, body) = match error {
            Error::Connection { .. } => ("connection", None),
            Error::Timeout(_) => ("timeout", None),
            Error::Decode { body, .. } => ("decode", Some(body.to_vec())),
            Error::Config(_) => ("config", None),
            Error::Closed => ("closed", None),
            _ => ("request", None),
        };
        Self { message, body, ..Self::bare(kind) }
    }
}

/// Headers that are not text have no place in Python's.
fn listed(headers: &HeaderMap) -> Vec<(String, String)> {
    let pair = |(name, value): (&sabir::HeaderName, &sabir::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().map(pair).collect()
}

/// Puts the pieces of a streamed answer together.
#[pyclass]
pub(crate) struct Accumulator(Kind);

enum Kind {
    Chat(sabir::Accumulator<ChatPieces>),
    Inference(sabir::Accumulator<InferencePieces>),
}

#[pymethods]
impl Accumulator {
    /// One for chat completions, or for inferences.
    #[new]
    fn new(chat: bool) -> Self {
        Self(if chat { Kind::Chat(sabir::Accumulator::new()) } else { Kind::Inference(sabir::Accumulator::new()) })
    }

    /// Takes the data of an event; whether it is JSON.
    fn push(&mut self, data: &[u8]) -> bool {
        let Ok(piece) = serde_json::from_slice(data) else { return false };
        match &mut self.0 {
            Kind::Chat(all) => all.push(&piece),
            Kind::Inference(all) => all.push(&piece),
        }
        true
    }

    /// What came so far, as JSON.
    fn json(&self) -> String {
        match &self.0 {
            Kind::Chat(all) => all.json().to_string(),
            Kind::Inference(all) => all.json().to_string(),
        }
    }
}
