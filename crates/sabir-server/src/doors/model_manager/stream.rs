//! A streamed answer as items.
//!
//! Invariants: the contents of the items add up to the answer; usage stands on the last item alone;
//! dropping the stream drops the call.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use sabir_engine::{Facts, Frame, FrameStream};
use sabir_types::{Delta, Event};
use tokio::time::{Instant, Sleep};
use tonic::Status;

use super::{
    ENDPOINT,
    calls::{Late, Running},
    parse::Ask,
    proto::ModelResponseItem,
    raw::{Names, Pieces},
    render,
};
use crate::app::App;

/// Turns frames into items.
#[derive(Debug)]
pub(super) struct Writer {
    facts: Box<Facts>,
    ask: Ask,
    app: App,
    /// Made when the first events come: they name the answer.
    pieces: Option<Pieces>,
    waiting: VecDeque<ModelResponseItem>,
    failed: bool,
}

impl Writer {
    pub(super) fn new(facts: Box<Facts>, ask: Ask, app: App) -> Self {
        Self { facts, ask, app, pieces: None, waiting: VecDeque::new(), failed: false }
    }

    /// The next item of the frames so far.
    pub(super) fn next(&mut self) -> Option<ModelResponseItem> {
        self.waiting.pop_front()
    }

    /// Takes a frame.
    pub(super) fn frame(&mut self, frame: Frame) {
        match frame {
            // The call was handed over in our words: nothing can pass.
            Frame::Passed(_) => {}
            Frame::Events(events) => {
                self.failed = false;
                events.iter().for_each(|event| self.event(event));
            }
            Frame::Error(error) => {
                self.failed = true;
                self.waiting.push_back(render::failed(&error, &self.ask));
            }
            Frame::End(summary) => {
                self.app.metrics().answered(ENDPOINT, &self.facts, &summary);
                let mut pieces = match &mut self.pieces {
                    Some(pieces) if !self.failed => pieces.end(&summary.usage),
                    _ => Vec::new(),
                };
                let last = pieces.pop().unwrap_or_default();
                pieces.into_iter().for_each(|raw| self.push(String::new(), raw));
                let mut item = self.item(String::new(), last);
                item.usage = render::usage(&summary);
                // After an error, an item that says nothing would look like the end of a good answer.
                if !self.failed || !item.usage.is_empty() {
                    self.waiting.push_back(item);
                }
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let Self { pieces, facts, ask, .. } = self;
        let pieces = pieces.get_or_insert_with(|| {
            let names = match event {
                Event::Start { id, created, .. } => Names::of(facts, ask, id.as_deref(), *created),
                _ => Names::of(facts, ask, None, None),
            };
            Pieces::new(ask.dialect, names)
        });
        let mut raw = pieces.event(event);
        let content = match event {
            Event::Delta { choice: 0, delta: Delta::Text { text } | Delta::Refusal { text }, .. } => text.clone(),
            _ => String::new(),
        };
        let last = raw.pop().unwrap_or_default();
        raw.into_iter().for_each(|raw| self.push(String::new(), raw));
        if !content.is_empty() || !last.is_empty() {
            self.push(content, last);
        }
    }

    fn push(&mut self, content: String, raw_response: String) {
        let item = self.item(content, raw_response);
        self.waiting.push_back(item);
    }

    fn item(&self, content: String, raw_response: String) -> ModelResponseItem {
        ModelResponseItem { content, raw_response, ..render::blank(&self.ask) }
    }
}

/// The items of an answer.
#[derive(Debug)]
pub(super) struct Items {
    frames: FrameStream,
    writer: Writer,
    deadline: Deadline,
    over: bool,
}

impl Items {
    pub(super) fn new(running: Running, app: App) -> Self {
        let Running { frames, facts, ask, until, .. } = running;
        Self { frames, writer: Writer::new(facts, ask, app), deadline: Deadline::new(until), over: false }
    }
}

impl Stream for Items {
    type Item = Result<ModelResponseItem, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(item) = this.writer.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            if this.over {
                return Poll::Ready(None);
            }
            match Pin::new(&mut this.frames).poll_next(cx) {
                Poll::Ready(Some(frame)) => {
                    this.over = matches!(frame, Frame::End(_));
                    this.writer.frame(frame);
                }
                Poll::Ready(None) => this.over = true,
                Poll::Pending if this.deadline.is_over(cx) => {
                    this.over = true;
                    return Poll::Ready(Some(Err(Status::deadline_exceeded(Late::WHY))));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Frames that end with an error when their time is up.
#[derive(Debug)]
pub(super) struct Timed {
    /// Gone when they are at their end: the call goes with them.
    frames: Option<FrameStream>,
    deadline: Deadline,
    /// What is still to be said after the error.
    end: Option<Frame>,
}

impl Timed {
    pub(super) fn new(frames: FrameStream, until: Option<Instant>) -> Self {
        Self { frames: Some(frames), deadline: Deadline::new(until), end: None }
    }
}

impl Stream for Timed {
    type Item = Frame;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        let this = self.get_mut();
        let Some(frames) = &mut this.frames else { return Poll::Ready(this.end.take()) };
        match Pin::new(frames).poll_next(cx) {
            Poll::Pending if this.deadline.is_over(cx) => {
                this.frames = None;
                this.end = Some(Frame::End(Box::default()));
                Poll::Ready(Some(Frame::Error(Late::error())))
            }
            polled => polled,
        }
    }
}

/// When a caller stops waiting, if they do.
#[derive(Debug)]
struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    fn new(until: Option<Instant>) -> Self {
        Self(until.map(|until| Box::pin(tokio::time::sleep_until(until))))
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.0.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready())
    }
}
