//! The provider's answer on its way to the caller.
//!
//! Invariant: what a caller can take for the end of an answer goes out when the row is committed;
//! a caller who leaves before that stops the provider, and the row says so.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use sabir_providers::HttpResponse;
use sabir_store::{Ack, Status};
use sabir_types::{Error, ErrorKind, Result};

use super::{keep::Keep, late, sending::Sent};
use crate::{
    plan::Endpoint,
    record::{Outcome, Recorder, money},
    stream::unrecorded,
    transport::Body,
};

/// What ends a stream of events of OpenAI's.
const DONE: &[u8] = b"data: [DONE]";

/// The body of a relayed answer. Dropping it cancels the call and records that.
pub struct RelayedBody {
    pieces: Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>,
    whole: Option<Bytes>,
}

impl fmt::Debug for RelayedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayedBody").field("whole", &self.whole.as_ref().map(Bytes::len)).finish_non_exhaustive()
    }
}

impl RelayedBody {
    /// None at all.
    pub(super) fn none() -> Self {
        Self { pieces: Box::pin(stream::empty()), whole: Some(Bytes::new()) }
    }

    /// A body that is here, with its row committed.
    pub(super) async fn whole(bytes: Bytes, mut session: Session) -> Result<Self, (Error, Session)> {
        session.feed(&bytes);
        match session.settle(None).await {
            Ok(()) => Ok(Self { pieces: Box::pin(stream::empty()), whole: Some(bytes) }),
            Err(error) => Err((error, session)),
        }
    }

    /// A body that comes.
    pub(super) fn streamed(body: Body, session: Session, left: Option<u64>, idle: Duration) -> Self {
        let run = Running { body, session, left, idle, over: false };
        let pieces = stream::unfold(run, |mut run| async move { run.next().await.map(|piece| (piece, run)) });
        Self { pieces: Box::pin(pieces), whole: None }
    }

    /// All of it, if it is here already.
    pub fn take_whole(&mut self) -> Option<Bytes> {
        self.whole.take()
    }
}

impl Stream for RelayedBody {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        match self.whole.take() {
            Some(whole) if !whole.is_empty() => Poll::Ready(Some(Ok(whole))),
            _ => self.pieces.as_mut().poll_next(cx),
        }
    }
}

struct Running {
    body: Body,
    session: Session,
    /// How much is still to come, if that is known.
    left: Option<u64>,
    idle: Duration,
    over: bool,
}

impl Running {
    async fn next(&mut self) -> Option<Result<Bytes>> {
        if self.over {
            return None;
        }
        let piece = match tokio::time::timeout(self.idle, self.body.chunk()).await {
            Ok(piece) => piece,
            Err(_) => Some(Err(match &self.session.endpoint {
                Some(endpoint) => late(endpoint, self.idle, "the next piece of its answer"),
                None => Error::new(ErrorKind::Timeout, "the next piece of the answer took too long"),
            })),
        };
        match piece {
            None => {
                self.over = true;
                self.session.settle(None).await.err().map(Err)
            }
            Some(Err(error)) => {
                self.over = true;
                // The caller sees that it broke off, whatever becomes of the row.
                drop(self.session.settle(Some(error.clone())).await);
                // What came before it goes out first: an error ends the connection at once.
                tokio::task::yield_now().await;
                Some(Err(error))
            }
            Some(Ok(piece)) => {
                self.session.feed(&piece);
                self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
                let is_last = self.left == Some(0) || (self.session.is_stream() && ends(&piece));
                if is_last {
                    self.over = self.left == Some(0);
                    if let Err(error) = self.session.settle(None).await {
                        self.over = true;
                        return Some(Err(error));
                    }
                }
                Some(Ok(piece))
            }
        }
    }
}

/// Whether a piece holds the end of a stream of events.
fn ends(piece: &[u8]) -> bool {
    let from = piece.len().saturating_sub(DONE.len() + 8);
    memchr::memmem::find(&piece[from..], DONE).is_some()
}

/// One call on its way: its row, and what was seen of both bodies.
pub(super) struct Session {
    recorder: Option<Recorder>,
    sent: Sent,
    answer: Option<Keep>,
    endpoint: Option<Arc<Endpoint>>,
    status: StatusCode,
    durable: bool,
}

impl Session {
    pub(super) fn new(recorder: Recorder, sent: Sent, durable: bool) -> Self {
        Self { recorder: Some(recorder), sent, answer: None, endpoint: None, status: StatusCode::OK, durable }
    }

    pub(super) fn recorder(&mut self) -> &mut Recorder {
        self.recorder.get_or_insert_with(Recorder::none)
    }

    pub(super) fn sent(&self) -> &Sent {
        &self.sent
    }

    /// The head of the answer is there.
    pub(super) fn answered(&mut self, keep: Keep, endpoint: Arc<Endpoint>, status: StatusCode) {
        let is_stream = keep.is_stream();
        self.recorder().streamed(is_stream);
        self.answer = Some(keep);
        self.endpoint = Some(endpoint);
        self.status = status;
    }

    pub(super) fn into_parts(mut self) -> (Recorder, Sent) {
        (self.recorder.take().unwrap_or_else(Recorder::none), self.sent.clone())
    }

    fn feed(&mut self, piece: &[u8]) {
        self.recorder().first_event();
        if let Some(answer) = &mut self.answer {
            answer.feed(piece);
        }
    }

    fn is_stream(&self) -> bool {
        self.answer.as_ref().is_some_and(Keep::is_stream)
    }

    /// Closes the row, and waits for it if the ledger is durable. Only the first time counts.
    async fn settle(&mut self, error: Option<Error>) -> Result<()> {
        let Some(ack) = self.close(error) else { return Ok(()) };
        if self.durable { ack.wait().await.map_err(|lost| unrecorded(&lost)) } else { Ok(()) }
    }

    fn close(&mut self, error: Option<Error>) -> Option<Ack> {
        let (mut recorder, outcome) = self.fill(error)?;
        recorder.end(&outcome);
        let status = if outcome.error.is_some() { Status::Error } else { Status::Ok };
        Some(recorder.close(status, None, &outcome))
    }

    /// Takes the row and writes what was seen into it.
    fn fill(&mut self, error: Option<Error>) -> Option<(Recorder, Outcome)> {
        let mut recorder = self.recorder.take()?;
        recorder.sent(self.sent.kept(), true);
        let mut outcome = Outcome { error, ..Outcome::default() };
        if let Some(answer) = &self.answer {
            let row = answer.row();
            outcome.usage = answer.usage();
            if let Some(endpoint) = &self.endpoint {
                outcome.cost = money(endpoint, &row, answer.is_stream(), &outcome.usage);
                if !self.status.is_success() && !self.status.is_redirection() && outcome.error.is_none() {
                    let body = Bytes::copy_from_slice(answer.text());
                    let resp = HttpResponse { status: self.status, headers: HeaderMap::new(), body };
                    outcome.error = Some(endpoint.provider.error(&resp));
                }
            }
            recorder.received(row);
        }
        Some((recorder, outcome))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let left = Error::new(ErrorKind::Cancelled, "the caller left before the end");
        if let Some((mut recorder, outcome)) = self.fill(Some(left)) {
            recorder.cancel(None, &outcome);
        }
    }
}
