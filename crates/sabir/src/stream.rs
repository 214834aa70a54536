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
    error::{self, Error, Phase, Result},
    link::Incoming,
    raw::NamedEvent,
    settings::Clock,
};

/// How long the end of the body may take after the end marker.
const DRAIN: Duration = Duration::from_millis(100);

/// How one knows that a stream came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By `[DONE]`.
    Marker,
    /// By `[DONE]`, or by an event whose type says so.
    Typed,
    /// By nothing more coming.
    Silent,
}

/// The types of events after which nothing has to come, and whether nothing does.
const LAST: [(&str, bool); 9] = [
    ("response.completed", true),
    ("response.failed", true),
    ("response.incomplete", true),
    ("message_stop", true),
    ("error", true),
    ("transcript.text.done", false),
    ("speech.audio.done", false),
    ("image_generation.completed", false),
    ("image_edit.completed", false),
];

impl Ending {
    /// What the answers of this path end with.
    pub(crate) fn of(path: &str) -> Self {
        let bare = path.split('?').next().unwrap_or_default();
        match bare {
            bare if bare.ends_with("/completions") || bare.ends_with("/inference") => Self::Marker,
            // What an agent does goes on for as long as it does something.
            bare if bare.contains("/agents/") => Self::Silent,
            _ => Self::Typed,
        }
    }

    /// Whether an event is the last one; whether nothing at all comes after it.
    fn reached(self, data: &str) -> Option<bool> {
        #[derive(serde::Deserialize)]
        struct Kind<'a> {
            #[serde(borrow, rename = "type")]
            kind: std::borrow::Cow<'a, str>,
        }
        if self != Self::Typed {
            return None;
        }
        let kind = serde_json::from_str::<Kind<'_>>(data).ok()?.kind;
        LAST.iter().find(|(last, _)| *last == kind).map(|(_, nothing)| *nothing)
    }
}

/// A stream of events: each item is the data of one, without the end marker.
pub struct RawStream {
    meta: Meta,
    body: Option<Incoming>,
    decoder: SseDecoder,
    held: VecDeque<NamedEvent>,
    clock: Clock,
    sleep: Pin<Box<Sleep>>,
    ending: Ending,
    /// Whether the stream may end now.
    complete: bool,
    /// Whether nothing more is part of the answer.
    marked: bool,
    /// What ended the stream; it comes after the events that are held.
    failed: Option<Error>,
}

impl RawStream {
    pub(crate) fn new(meta: Meta, body: Incoming, clock: Clock, ending: Ending) -> Self {
        let sleep = Box::pin(tokio::time::sleep_until(clock.silence().0));
        let (decoder, held) = (SseDecoder::new(), VecDeque::new());
        let (complete, marked, failed) = (ending == Ending::Silent, false, None);
        Self { meta, body: Some(body), decoder, held, clock, sleep, ending, complete, marked, failed }
    }

    /// What came before the first event.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<String>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next event with its name; `None` at the end.
    pub async fn next_event(&mut self) -> Option<Result<NamedEvent>> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    fn fail(&mut self, error: Error) {
        self.body = None;
        self.failed = Some(error);
    }

    fn take(&mut self, bytes: Option<&[u8]>) -> Result<(), sabir_types::Error> {
        let (held, marked, complete, ending) = (&mut self.held, &mut self.marked, &mut self.complete, self.ending);
        let mut on_event = |event: sabir_wire::sse::SseEvent<'_>| {
            // What comes after the marker is no part of the answer.
            *marked |= event.data == "[DONE]";
            if !*marked {
                held.push_back(NamedEvent { name: event.event.map(str::to_owned), data: event.data.to_owned() });
                if let Some(nothing_more) = ending.reached(event.data) {
                    *complete = true;
                    *marked |= nothing_more;
                }
            }
            Ok(())
        };
        match bytes {
            Some(bytes) => self.decoder.feed(bytes, &mut on_event),
            None => self.decoder.finish(&mut on_event),
        }
    }
}

impl RawStream {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<NamedEvent>>> {
        let this = self;
        loop {
            if let Some(event) = this.held.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            let Some(body) = &mut this.body else { return Poll::Ready(this.failed.take().map(Err)) };
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let was_marked = this.marked;
                    let data = frame.into_data().unwrap_or_default();
                    if let Err(error) = this.take(Some(&data)) {
                        this.fail(Error::Decode { message: error.message().to_owned(), body: data });
                    } else if !was_marked {
                        let until = if this.marked { Instant::now() + DRAIN } else { this.clock.silence().0 };
                        this.sleep.as_mut().reset(until);
                    }
                }
                Poll::Ready(end) => {
                    this.body = None;
                    if end.is_none() && !this.marked {
                        // The marker may lack its blank line; whatever else does was cut off.
                        drop(this.take(None));
                    }
                    if !(this.marked || this.complete && end.is_none()) {
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
                        let (at, read) = (this.sleep.deadline(), this.clock.timeouts.read);
                        this.fail(Error::Timeout(this.clock.sooner(at, Phase::Read, read).1));
                    }
                }
            }
        }
    }
}

impl Stream for RawStream {
    type Item = Result<String>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let event = ready!(self.get_mut().poll_event(cx));
        Poll::Ready(event.map(|event| Ok(event?.data)))
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

/// A stream of events that are JSON, each read as one type.
pub struct EventStream<T> {
    raw: RawStream,
    kind: std::marker::PhantomData<fn() -> T>,
}

/// An event and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<T> {
    /// What its `event` line says.
    pub name: Option<String>,
    /// Its data.
    pub data: T,
}

impl<T> EventStream<T> {
    pub(crate) fn new(raw: RawStream) -> Self {
        Self { raw, kind: std::marker::PhantomData }
    }

    /// What came before the first event.
    pub fn meta(&self) -> &Meta {
        self.raw.meta()
    }
}

impl<T: serde::de::DeserializeOwned> EventStream<T> {
    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Event<T>>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl<T: serde::de::DeserializeOwned> Stream for EventStream<T> {
    type Item = Result<Event<T>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(event) = ready!(self.get_mut().raw.poll_event(cx)) else { return Poll::Ready(None) };
        Poll::Ready(Some(event.and_then(|NamedEvent { name, data }| {
            let value = read(&data)?;
            let value = serde_json::from_value(value).map_err(|e| undecodable(&e, &data))?;
            Ok(Event { name, data: value })
        })))
    }
}

impl<T> fmt::Debug for EventStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("raw", &self.raw).finish()
    }
}

/// One event as JSON; an error that came as one is an error.
pub(crate) fn read(data: &str) -> Result<Value> {
    let piece: Value = serde_json::from_str(data).map_err(|e| undecodable(&e, data))?;
    if piece.get("type").is_some_and(|kind| kind == "error") && piece.get("error").is_none() {
        let message = piece.get("message").and_then(Value::as_str).unwrap_or("it has no message").to_owned();
        return Err(Error::Stream { message, body: Box::new(piece) });
    }
    if piece.get("error").is_none_or(Value::is_null) {
        return Ok(piece);
    }
    // What an event of another type says of an error is not the stream's.
    if piece.get("type").is_some_and(|kind| kind != "error") {
        return Ok(piece);
    }
    let message = error::message(&piece).unwrap_or("it has no message").to_owned();
    Err(Error::Stream { message, body: Box::new(piece) })
}

fn undecodable(error: &serde_json::Error, data: &str) -> Error {
    Error::Decode { message: error.to_string(), body: data.to_owned().into() }
}
