//! Answers that come piece by piece.
//!
//! Invariants: dropping a stream ends the call; a stream that ends without its end marker is an
//! error, never a short answer; nothing is handed out twice.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::Stream;
use http_body::Body as _;
use sabir_types::Value;
use sabir_wire::sse::SseDecoder;
use tokio::time::{Instant, Sleep};

use crate::{
    accumulate::{Accumulator, Pieces},
    answer::Meta,
    error::{self, Error, Result},
    link::Body,
};

/// How long the end of the body may take after the end marker.
const DRAIN: Duration = Duration::from_millis(100);

/// A stream of events: each item is the data of one, without the end marker.
pub struct RawStream {
    meta: Meta,
    body: Option<Body>,
    decoder: SseDecoder,
    held: VecDeque<String>,
    timeout: Duration,
    sleep: Pin<Box<Sleep>>,
    marked: bool,
    /// What ended the stream; it comes after the events that are held.
    failed: Option<Error>,
}

impl RawStream {
    pub(crate) fn new(meta: Meta, body: Body, timeout: Duration) -> Self {
        let sleep = Box::pin(tokio::time::sleep(timeout));
        let (decoder, held) = (SseDecoder::new(), VecDeque::new());
        Self { meta, body: Some(body), decoder, held, timeout, sleep, marked: false, failed: None }
    }

    /// What came before the first event.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<String>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    fn fail(&mut self, error: Error) {
        self.body = None;
        self.failed = Some(error);
    }

    fn take(&mut self, bytes: Option<&[u8]>) -> Result<(), sabir_types::Error> {
        let (held, marked) = (&mut self.held, &mut self.marked);
        let mut on_event = |event: sabir_wire::sse::SseEvent<'_>| {
            // What comes after the marker is no part of the answer.
            *marked |= event.data == "[DONE]";
            if !*marked {
                held.push_back(event.data.to_owned());
            }
            Ok(())
        };
        match bytes {
            Some(bytes) => self.decoder.feed(bytes, &mut on_event),
            None => self.decoder.finish(&mut on_event),
        }
    }
}

impl Stream for RawStream {
    type Item = Result<String>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(data) = this.held.pop_front() {
                return Poll::Ready(Some(Ok(data)));
            }
            let Some(body) = &mut this.body else { return Poll::Ready(this.failed.take().map(Err)) };
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let was_marked = this.marked;
                    let data = frame.into_data().unwrap_or_default();
                    if let Err(error) = this.take(Some(&data)) {
                        this.fail(Error::Decode { message: error.message().to_owned(), body: data });
                    } else if !was_marked {
                        let wait = if this.marked { DRAIN } else { this.timeout };
                        this.sleep.as_mut().reset(Instant::now() + wait);
                    }
                }
                Poll::Ready(end) => {
                    this.body = None;
                    if end.is_none() && !this.marked {
                        // The marker may lack its blank line; whatever else does was cut off.
                        drop(this.take(None));
                    }
                    if !this.marked {
                        this.held.clear();
                        this.fail(match end {
                            Some(Err(error)) => Error::connection("the connection broke within a stream", error),
                            _ => {
                                let message = "the stream ended before its end marker".to_owned();
                                Error::Connection { message, source: None }
                            }
                        });
                    }
                }
                Poll::Pending => {
                    ready!(this.sleep.as_mut().poll(cx));
                    this.body = None;
                    if !this.marked {
                        this.fail(Error::Timeout(this.timeout));
                    }
                }
            }
        }
    }
}

impl fmt::Debug for RawStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawStream").field("meta", &self.meta).finish_non_exhaustive()
    }
}

/// A streamed answer: its pieces, and the whole of what came so far.
#[derive(Debug)]
pub struct AnswerStream<K: Pieces> {
    raw: RawStream,
    whole: Accumulator<K>,
}

impl<K: Pieces> AnswerStream<K> {
    pub(crate) fn new(raw: RawStream) -> Self {
        Self { raw, whole: Accumulator::new() }
    }

    /// What came before the first piece.
    pub fn meta(&self) -> &Meta {
        self.raw.meta()
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<K::Piece>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// What came so far, as a whole answer.
    pub fn so_far(&self) -> Result<K::Whole> {
        self.whole.whole()
    }

    /// Reads the rest and gives the whole answer.
    pub async fn whole(mut self) -> Result<K::Whole> {
        while let Some(piece) = self.next().await {
            piece?;
        }
        self.so_far()
    }
}

impl<K: Pieces> Stream for AnswerStream<K> {
    type Item = Result<K::Piece>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(data) = ready!(Pin::new(&mut this.raw).poll_next(cx)) else { return Poll::Ready(None) };
        Poll::Ready(Some(data.and_then(|data| {
            let piece = read(&data)?;
            this.whole.push(&piece);
            serde_json::from_value(piece).map_err(|e| undecodable(&e, &data))
        })))
    }
}

/// One event as JSON; an error that came as one is an error.
pub(crate) fn read(data: &str) -> Result<Value> {
    let piece: Value = serde_json::from_str(data).map_err(|e| undecodable(&e, data))?;
    if piece.get("error").is_none_or(Value::is_null) {
        return Ok(piece);
    }
    let message = error::message(&piece).unwrap_or("it has no message").to_owned();
    Err(Error::Stream { message, body: Box::new(piece) })
}

fn undecodable(error: &serde_json::Error, data: &str) -> Error {
    Error::Decode { message: error.to_string(), body: data.to_owned().into() }
}
