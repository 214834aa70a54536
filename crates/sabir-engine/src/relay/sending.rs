//! The caller's body on its way to the provider.
//!
//! Invariant: no more of it is in memory than was read to look for a model's name, plus the piece
//! that is under way.

use std::{
    fmt,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use http::HeaderMap;
use parking_lot::Mutex;
use sabir_types::{Error, ErrorKind, Result};
use tokio::time::Instant;

use super::keep::Keep;
use crate::{
    outgoing,
    transport::{Outgoing, Pieces},
};

/// The body of a request that is to be relayed.
#[derive(Default)]
pub struct RelayBody {
    beginning: Bytes,
    /// What comes after it.
    rest: Option<Pieces>,
    /// How much all of it is, if that is known.
    length: Option<u64>,
}

impl fmt::Debug for RelayBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayBody").field("length", &self.length).finish_non_exhaustive()
    }
}

impl RelayBody {
    /// A body that is here.
    pub fn whole(bytes: Bytes) -> Self {
        Self { length: Some(bytes.len() as u64), beginning: bytes, rest: None }
    }

    /// A body that comes piece by piece; `length` is how much it is, if that is known.
    pub fn streamed(pieces: impl Stream<Item = Result<Bytes>> + Send + 'static, length: Option<u64>) -> Self {
        if length == Some(0) {
            return Self::default();
        }
        Self { beginning: Bytes::new(), rest: Some(Box::pin(pieces)), length }
    }

    /// Reads up to so many bytes of it, or all if it is less. A caller who sends nothing for so long is late.
    pub(super) async fn read(&mut self, most: usize, patience: Duration) -> Result<()> {
        let Some(rest) = &mut self.rest else { return Ok(()) };
        let mut all = BytesMut::new();
        while all.len() < most {
            match tokio::time::timeout(patience, rest.next()).await {
                Ok(Some(piece)) => all.extend_from_slice(&piece?),
                Ok(None) => {
                    self.rest = None;
                    self.length = Some(all.len() as u64);
                    break;
                }
                Err(_) => {
                    let ms = patience.as_millis();
                    let message = format!("nothing of the request's body arrived for {ms} ms");
                    return Err(Error::new(ErrorKind::Timeout, message));
                }
            }
        }
        self.beginning = all.freeze();
        Ok(())
    }

    /// What was read.
    pub(super) fn beginning(&self) -> &[u8] {
        &self.beginning
    }

    /// Puts a model's name where another stands, or before all members.
    pub(super) fn rename(&mut self, span: Option<Range<usize>>, model: &str) {
        let before = self.beginning.len();
        self.beginning = outgoing::rename(&self.beginning, span, model);
        self.length = self.length.map(|length| (length + self.beginning.len() as u64).saturating_sub(before as u64));
    }

    /// The body as it is sent, and what is seen of it meanwhile.
    pub(super) fn sending(self, headers: &HeaderMap) -> (Outgoing, Sent) {
        let mut keep = Keep::new(headers);
        if self.rest.is_none() {
            keep.feed(&self.beginning);
        }
        let sent = Sent(Arc::new(Mutex::new(State { keep, last: Instant::now(), waits: false, error: None })));
        let Some(rest) = self.rest else { return (Outgoing::from(self.beginning), sent) };
        let first = (!self.beginning.is_empty()).then(|| Ok(self.beginning));
        let pieces = Box::pin(stream::iter(first).chain(rest));
        (Outgoing::streamed(Box::pin(Tapped { pieces, sent: sent.clone() }), self.length), sent)
    }
}

/// What has been seen of a body that is sent.
#[derive(Clone)]
pub(crate) struct Sent(Arc<Mutex<State>>);

struct State {
    keep: Keep,
    /// When a piece was last taken.
    last: Instant,
    /// Whether the next piece was asked for and has not come.
    waits: bool,
    error: Option<Error>,
}

/// Who is late.
pub(super) enum Late {
    Caller,
    Provider,
}

impl Sent {
    /// Why the caller's body broke off, if it did.
    pub(super) fn broken(&self) -> Option<Error> {
        self.0.lock().error.clone()
    }

    /// What the row holds of it.
    pub(super) fn kept(&self) -> Bytes {
        self.0.lock().keep.row()
    }

    /// Waits for the head of the answer: while the body is on its way, as long as pieces of it come.
    pub(super) async fn until_late<T>(
        &self,
        answer: impl Future<Output = T>,
        provider: Duration,
        caller: Duration,
    ) -> Result<T, Late> {
        let begun = Instant::now();
        let mut answer = std::pin::pin!(answer);
        loop {
            let (last, waits) = self.progress(begun);
            let deadline = last + if waits { caller } else { provider };
            // A body that is not taken at first may be asked for later, when less patience is left.
            let look = deadline.min(Instant::now() + caller);
            if let Ok(answer) = tokio::time::timeout_at(look, &mut answer).await {
                return Ok(answer);
            }
            if Instant::now() >= deadline && self.progress(begun) == (last, waits) {
                return Err(if waits { Late::Caller } else { Late::Provider });
            }
        }
    }

    /// When something last happened, and whether the next piece is up to the caller.
    fn progress(&self, begun: Instant) -> (Instant, bool) {
        let state = self.0.lock();
        (state.last.max(begun), state.waits)
    }
}

/// The pieces on their way.
struct Tapped {
    pieces: Pieces,
    sent: Sent,
}

impl Stream for Tapped {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let piece = self.pieces.as_mut().poll_next(cx);
        let mut state = self.sent.0.lock();
        state.waits = piece.is_pending();
        if let Poll::Ready(piece) = &piece {
            state.last = Instant::now();
            match piece {
                Some(Ok(piece)) => state.keep.feed(piece),
                Some(Err(error)) => state.error = Some(error.clone()),
                None => {}
            }
        }
        drop(state);
        piece
    }
}
