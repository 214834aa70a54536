//! Answers as they come: their bytes, or their events with names.
//!
//! Invariants: dropping one ends the call; silence that is longer than the timeout is an error;
//! unlike with [`RawStream`](crate::RawStream), the end of the body is the end, whatever came before it,
//! since not every protocol has an end marker.

use std::collections::VecDeque;

use bytes::Bytes;
use http::Method;
use sabir_wire::sse::{SseDecoder, SseEvent};

use crate::{
    call::BodyStream,
    client::Sabir,
    error::{Error, Result},
};

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
