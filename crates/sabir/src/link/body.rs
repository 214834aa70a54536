//! The bodies that go out and come in.
//!
//! Invariant: who waits can always tell how far the sending is, so that a connection that takes
//! nothing any more is told from a gateway that is thinking.

use std::{
    error::Error as StdError,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use parking_lot::Mutex;
use tokio::time::Instant;

/// What a body ends with that broke.
pub type BodyError = Box<dyn StdError + Send + Sync>;
/// The body of an answer that has not been read yet. Dropping it ends the call.
pub type Incoming = UnsyncBoxBody<Bytes, BodyError>;

/// How much of a long body is handed over at once.
const PIECE: usize = 64 << 10;

/// The body of a request.
pub struct Outgoing {
    source: Source,
    progress: Arc<Progress>,
}

enum Source {
    Bytes(Bytes),
    Stream(UnsyncBoxBody<Bytes, BodyError>),
}

/// How far the sending of a body is.
pub(crate) struct Progress(Mutex<(Instant, bool)>);

impl Progress {
    /// When a piece was taken last, and whether that was all.
    pub(crate) fn state(&self) -> (Instant, bool) {
        *self.0.lock()
    }

    fn went_on(&self, is_over: bool) {
        *self.0.lock() = (Instant::now(), is_over);
    }
}

impl Outgoing {
    pub(crate) fn bytes(bytes: Bytes) -> Self {
        Self::new(Source::Bytes(bytes))
    }

    pub(crate) fn stream(body: impl Body<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        Self::new(Source::Stream(UnsyncBoxBody::new(body)))
    }

    fn new(source: Source) -> Self {
        let is_empty = matches!(&source, Source::Bytes(bytes) if bytes.is_empty());
        Self { source, progress: Arc::new(Progress(Mutex::new((Instant::now(), is_empty)))) }
    }

    pub(crate) fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match &mut self.source {
            Source::Bytes(bytes) if bytes.is_empty() => None,
            Source::Bytes(bytes) => {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                Some(Ok(Frame::data(piece)))
            }
            Source::Stream(body) => ready!(Pin::new(body).poll_frame(cx)),
        };
        let is_over = frame.is_none() || self.is_end_stream();
        self.progress.went_on(is_over);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Bytes(bytes) => bytes.is_empty(),
            Source::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Stream(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("size", &self.size_hint()).finish_non_exhaustive()
    }
}
