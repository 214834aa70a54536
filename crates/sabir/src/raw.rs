//! Answers as they come: their bytes, or their events with names.
//!
//! Invariants: dropping one ends the call; silence that is longer than the timeout is an error;
//! unlike with [`RawStream`](crate::RawStream), the end of the body is the end, whatever came before it,
//! since not every protocol has an end marker.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use http::Method;
use http_body::Body as _;
use sabir_wire::sse::{SseDecoder, SseEvent};
use tokio::time::Sleep;

use crate::{
    answer::Meta,
    client::Sabir,
    error::{Error, Phase, Result},
    link::Incoming,
    settings::Clock,
};

/// An answer's body while it comes: a stream of bytes. Dropping it ends the call.
pub struct BodyStream {
    meta: Meta,
    body: Option<Incoming>,
    clock: Clock,
    sleep: Pin<Box<Sleep>>,
}

impl BodyStream {
    pub(crate) fn new(meta: Meta, body: Incoming, clock: Clock) -> Self {
        let sleep = Box::pin(tokio::time::sleep_until(clock.silence().0));
        Self { meta, body: Some(body), clock, sleep }
    }

    /// The status, the headers and how often the call was tried again.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Writes what is left into a file while it comes; how much that was.
    pub async fn write_to(mut self, path: impl AsRef<std::path::Path>) -> Result<u64> {
        use tokio::io::AsyncWriteExt as _;
        let path = path.as_ref();
        let failed = |e: std::io::Error| Error::Request(format!("`{}` cannot be written: {e}", path.display()));
        let mut file = tokio::fs::File::create(path).await.map_err(failed)?;
        let mut written = 0;
        while let Some(piece) = self.next().await {
            let piece = piece?;
            file.write_all(&piece).await.map_err(failed)?;
            written += piece.len() as u64;
        }
        file.flush().await.map_err(failed)?;
        Ok(written)
    }
}

impl Stream for BodyStream {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            let Some(body) = &mut this.body else { return Poll::Ready(None) };
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.sleep.as_mut().reset(this.clock.silence().0);
                    match frame.into_data() {
                        Ok(data) if !data.is_empty() => return Poll::Ready(Some(Ok(data))),
                        _ => continue,
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    this.body = None;
                    return Poll::Ready(Some(Err(Error::connection("the connection broke within the answer", error))));
                }
                Poll::Ready(None) => {
                    this.body = None;
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    std::task::ready!(this.sleep.as_mut().poll(cx));
                    this.body = None;
                    let (_, elapsed) = this.clock.sooner(this.sleep.deadline(), Phase::Read, this.clock.timeouts.read);
                    return Poll::Ready(Some(Err(Error::Timeout(elapsed))));
                }
            }
        }
    }
}

impl fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyStream").field("meta", &self.meta).finish_non_exhaustive()
    }
}

/// The body of an answer, piece by piece.
pub type RawBody = BodyStream;

/// One event of a stream, with its name if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedEvent {
    /// The event's name.
    pub name: Option<String>,
    /// Its data.
    pub data: String,
}

impl Sabir {
    /// Any call whose answer is read piece by piece, whatever it is.
    pub async fn request_body(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<RawBody> {
        self.plain(method, path, body).open().await
    }
}

impl BodyStream {
    /// The body read as server-sent events.
    pub fn events(self) -> NamedEvents {
        NamedEvents { body: self, reader: EventReader::default(), failed: false }
    }
}

/// Reads events out of bytes; `[DONE]` ends them.
#[derive(Debug, Default)]
pub struct EventReader {
    decoder: SseDecoder,
    held: VecDeque<NamedEvent>,
    over: bool,
}

impl EventReader {
    /// Takes more bytes; `None` for the end of them. Half an event at the end is an error.
    pub fn feed(&mut self, bytes: Option<&[u8]>) -> Result<()> {
        if self.over {
            return Ok(());
        }
        let Some(bytes) = bytes else {
            self.over = true;
            return self.finish();
        };
        let (held, over) = (&mut self.held, &mut self.over);
        let fed = self.decoder.feed(bytes, &mut |event: SseEvent<'_>| {
            *over |= event.data.starts_with("[DONE]");
            if !*over && !event.data.is_empty() {
                held.push_back(NamedEvent { name: event.event.map(str::to_owned), data: event.data.to_owned() });
            }
            Ok(())
        });
        fed.map_err(|error| {
            self.over = true;
            Error::Decode { message: error.message().to_owned(), body: bytes.to_vec().into() }
        })
    }

    /// The next event that is there.
    pub fn pop(&mut self) -> Option<NamedEvent> {
        self.held.pop_front()
    }

    /// Whether no more bytes count.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The last event may lack its blank line, but half of one was cut off.
    fn finish(&mut self) -> Result<()> {
        let mut whole = true;
        let held = &mut self.held;
        let finished = self.decoder.finish(&mut |event: SseEvent<'_>| {
            if event.data.is_empty() || event.data.starts_with("[DONE]") {
                return Ok(());
            }
            whole = serde_json::from_str::<serde::de::IgnoredAny>(event.data).is_ok();
            if whole {
                held.push_back(NamedEvent { name: event.event.map(str::to_owned), data: event.data.to_owned() });
            }
            Ok(())
        });
        if finished.is_err() || !whole {
            let message = "the stream ended within an event".to_owned();
            return Err(Error::Connection { message, source: None });
        }
        Ok(())
    }
}

/// The events of an answer; `[DONE]` ends them as the end of the body does.
#[derive(Debug)]
pub struct NamedEvents {
    body: RawBody,
    reader: EventReader,
    failed: bool,
}

impl NamedEvents {
    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<NamedEvent>> {
        loop {
            if let Some(event) = self.reader.pop() {
                return Some(Ok(event));
            }
            if self.failed || self.reader.is_over() {
                return None;
            }
            let bytes = match self.body.next().await.transpose() {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            };
            if let Err(error) = self.reader.feed(bytes.as_deref()) {
                return Some(Err(error));
            }
        }
    }
}
