//! Answers that come piece by piece.
//!
//! Invariants: a stream that Python lets go of ends its call; what comes is handed out in order, and
//! to one who waits at a time.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use pyo3::prelude::*;
use sabir::{Meta, NamedEvents, RawBody, RawStream};
use tokio::runtime::Handle;

use crate::{
    client::Shared,
    outcome::Outcome,
    waiting::{self, Task},
};

/// How many events are taken at once, if so many are there: each wait costs two switches of threads.
const AHEAD: usize = 64;

/// What an answer is read as.
pub(crate) enum Inside {
    Marked(Box<RawStream>),
    Events(Box<NamedEvents>, Meta),
    Bytes(RawBody),
}

impl Inside {
    pub(crate) fn events(body: RawBody) -> Self {
        let meta = body.meta().clone();
        Self::Events(Box::new(body.events()), meta)
    }

    fn meta(&self) -> &Meta {
        match self {
            Self::Marked(stream) => stream.meta(),
            Self::Events(_, meta) => meta,
            Self::Bytes(body) => body.meta(),
        }
    }

    async fn next(&mut self) -> Option<Outcome> {
        let piece = match self {
            Self::Marked(stream) => stream.next().await?.map(Outcome::event),
            Self::Events(events, _) => events.next().await?.map(|event| Outcome::named(event.name, event.data)),
            Self::Bytes(body) => body.next().await?.map(|bytes| Outcome::piece(bytes.to_vec())),
        };
        Some(piece.unwrap_or_else(|error| Outcome::error(&error)))
    }

    /// The next piece if nobody has to wait for it. Bytes may yet become events, so they stay.
    fn ready(&mut self) -> Poll<Option<Outcome>> {
        match self {
            Self::Bytes(_) => Poll::Pending,
            // Who waits next asks again, so that nobody needs to be woken for this.
            events => pin!(events.next()).poll(&mut Context::from_waker(Waker::noop())),
        }
    }
}

/// A streamed answer: one event, or one piece of the body, after another.
#[pyclass(frozen)]
pub(crate) struct Stream {
    held: Arc<Held>,
    runtime: Handle,
    /// Where it runs: a client that is let go of stays for as long as its streams are read.
    _shared: Arc<Shared>,
}

struct Held {
    inside: tokio::sync::Mutex<Option<Inside>>,
    /// What came with an earlier piece.
    ready: Mutex<VecDeque<Outcome>>,
}

impl Stream {
    /// The head of an answer, with what follows.
    pub(crate) fn opened(inside: Inside, runtime: Handle, shared: Arc<Shared>) -> Outcome {
        let meta = inside.meta().clone();
        let (inside, ready) = (tokio::sync::Mutex::new(Some(inside)), Mutex::default());
        let stream = Self { held: Arc::new(Held { inside, ready }), runtime, _shared: shared };
        match Python::try_attach(|py| Py::new(py, stream)) {
            Some(Ok(stream)) => Outcome::answer(&meta, None, Some(stream)),
            _ => Outcome::closed(),
        }
    }
}

#[pymethods]
impl Stream {
    /// The next piece, or the end. Waits for it.
    fn next(&self, py: Python<'_>) -> PyResult<Outcome> {
        match self.ready() {
            Some(outcome) => Ok(outcome),
            None => waiting::wait(py, &self.runtime, next(self.held.clone())),
        }
    }

    /// The next piece, if it is there already.
    fn ready(&self) -> Option<Outcome> {
        self.held.ready.lock().pop_front()
    }

    /// Tells `done` of the next piece, or of the end.
    fn start_next(&self, done: Py<PyAny>) -> Task {
        waiting::start(&self.runtime, next(self.held.clone()), done)
    }

    /// From now on events, where pieces of the body came so far; whether that can be.
    fn as_events(&self) -> bool {
        let Ok(mut inside) = self.held.inside.try_lock() else { return false };
        match inside.take() {
            Some(Inside::Bytes(body)) => *inside = Some(Inside::events(body)),
            other => *inside = other,
        }
        matches!(*inside, Some(Inside::Events(..)))
    }

    /// Ends the call. A piece that somebody waits for still comes.
    fn close(&self) {
        let held = self.held.clone();
        held.ready.lock().clear();
        // Where it runs, since what ends with it may want to be told there.
        self.runtime.spawn(async move { drop(held.inside.lock().await.take()) });
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.close();
    }
}

async fn next(held: Arc<Held>) -> Outcome {
    let mut lock = held.inside.lock().await;
    // Somebody else may have waited, and found more than one.
    if let Some(outcome) = held.ready.lock().pop_front() {
        return outcome;
    }
    let Some(inside) = lock.as_mut() else { return Outcome::end() };
    let Some(outcome) = inside.next().await else {
        *lock = None;
        return Outcome::end();
    };
    let mut ready = held.ready.lock();
    while ready.len() < AHEAD {
        match inside.ready() {
            Poll::Ready(Some(outcome)) => ready.push_back(outcome),
            Poll::Ready(None) => {
                *lock = None;
                break;
            }
            Poll::Pending => break,
        }
    }
    outcome
}

/// Reads events out of bytes that somebody else received.
#[pyclass]
pub(crate) struct EventReader(sabir::EventReader);

type Events = Vec<(Option<String>, String)>;

#[pymethods]
impl EventReader {
    #[new]
    fn new() -> Self {
        Self(sabir::EventReader::default())
    }

    /// Takes more bytes, or their end; the events that are whole, and whether it is over. There are no
    /// events but nothing if the end came within one.
    fn feed(&mut self, bytes: Option<&[u8]>) -> (Option<Events>, bool) {
        if self.0.feed(bytes).is_err() {
            return (None, true);
        }
        let events = std::iter::from_fn(|| self.0.pop()).map(|event| (event.name, event.data)).collect();
        (Some(events), self.0.is_over())
    }
}
