//! Answers as they come: their bytes, or their events with names.
//!
//! Invariants: dropping one ends the call; silence that is longer than the timeout is an error;
//! unlike with [`RawStream`](crate::RawStream), the end of the body is the end, whatever came before it,
//! since not every protocol has an end marker.

use std::{collections::VecDeque, fmt, time::Duration};

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use sabir_wire::sse::{SseDecoder, SseEvent};

use crate::{
    answer::Meta,
    client::Sabir,
    error::{Error, Result},
    link::Body,
};

/// The body of an answer, piece by piece.
pub struct RawBody {
    meta: Meta,
    body: Body,
    timeout: Duration,
}

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
        let (meta, body) = self.send(method, path, body).await?;
        Ok(RawBody { meta, body, timeout: self.timeout() })
    }
}

impl RawBody {
    /// What came before the body.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        loop {
            let Ok(frame) = tokio::time::timeout(self.timeout, self.body.frame()).await else {
                return Some(Err(Error::Timeout(self.timeout)));
            };
            match frame? {
                Err(error) => return Some(Err(Error::connection("the connection broke within the answer", error))),
                Ok(frame) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Some(Ok(data)),
                    _ => {}
                },
            }
        }
    }

    /// The body read as server-sent events.
    pub fn events(self) -> NamedEvents {
        NamedEvents { body: self, decoder: SseDecoder::new(), held: VecDeque::new(), over: false }
    }
}

impl fmt::Debug for RawBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawBody").field("meta", &self.meta).finish_non_exhaustive()
    }
}

/// The events of an answer; `[DONE]` ends them as the end of the body does.
#[derive(Debug)]
pub struct NamedEvents {
    body: RawBody,
    decoder: SseDecoder,
    held: VecDeque<NamedEvent>,
    over: bool,
}

impl NamedEvents {
    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<NamedEvent>> {
        loop {
            if let Some(event) = self.held.pop_front() {
                return Some(Ok(event));
            }
            if self.over {
                return None;
            }
            match self.body.next().await {
                Some(Ok(bytes)) => {
                    if let Err(error) = self.take(&bytes) {
                        self.over = true;
                        return Some(Err(Error::Decode { message: error.message().to_owned(), body: bytes }));
                    }
                }
                Some(Err(error)) => {
                    self.over = true;
                    return Some(Err(error));
                }
                None => {
                    self.over = true;
                    if let Err(error) = self.finish() {
                        return Some(Err(error));
                    }
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), sabir_types::Error> {
        let (held, over) = (&mut self.held, &mut self.over);
        self.decoder.feed(bytes, &mut |event: SseEvent<'_>| {
            *over |= event.data.starts_with("[DONE]");
            if !*over && !event.data.is_empty() {
                held.push_back(NamedEvent { name: event.event.map(str::to_owned), data: event.data.to_owned() });
            }
            Ok(())
        })
    }

    /// The body ended. Its last event may lack the blank line, but half of one was cut off.
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
