//! A stream that is under way: from the provider's bytes to the caller's frames.
//!
//! Invariants: the end of the answer goes out only after its ledger row is committed; dropping
//! the stream drops the provider's connection and records what had come as cancelled.

use std::{
    cell::Cell,
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use sabir_providers::StepOutcome;
use sabir_store::{Status, StoreError};
use sabir_types::{Accumulator, Error, ErrorKind, Event, FinishReason, Operation, Protocol, Response, Result, Usage};
use sabir_wire::sse::SseEvent;
use tokio::time::Sleep;

use crate::{
    attempt::{ANSWER_LIMIT, Feed, framing},
    call::{Frame, FrameStream, Summary},
    ends::{Holder, Marker},
    engine::Engine,
    plan::Endpoint,
    record::{Outcome, Recorder, money},
};

/// How many bytes are joined before they go out as one frame.
const JOIN: usize = 64 * 1024;
/// How long to wait for the end of the connection after the end of the stream.
const LINGER: Duration = Duration::from_millis(200);

/// What a stream needs to know from the beginning.
pub(crate) struct Begun {
    pub(crate) engine: Arc<Engine>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) recorder: Recorder,
    pub(crate) first: Vec<Frame>,
    pub(crate) feed: Feed,
    /// What the first event said of usage, if the stream goes through: it may be long past at the end.
    pub(crate) seen: Option<Box<Usage>>,
    pub(crate) protocol: Protocol,
    pub(crate) between: Option<Duration>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) include_raw: bool,
    pub(crate) include_answer: bool,
    pub(crate) durable: bool,
}

type Commit = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

enum Phase {
    Reading,
    /// The end was seen; what is held back waits for the connection to end.
    Lingering,
    Committing(Commit),
    Done,
}

struct Running {
    begun: Begun,
    phase: Phase,
    queue: VecDeque<Frame>,
    /// What goes out last, after the commit.
    last: Vec<Frame>,
    answer: Accumulator,
    usage: Usage,
    finish: Option<FinishReason>,
    error: Option<Error>,
    marker: Marker,
    holder: Holder,
    size: usize,
    sleep: Option<Pin<Box<Sleep>>>,
    last_event: Instant,
    summary: Option<Box<Summary>>,
    /// The caller has seen the error already.
    told: bool,
}

/// Starts the rest of a stream.
pub(crate) fn run(mut begun: Begun) -> FrameStream {
    let first = std::mem::take(&mut begun.first);
    let mut running = Running {
        marker: Marker::of(begun.protocol),
        usage: begun.seen.take().map(|seen| *seen).unwrap_or_default(),
        holder: Holder::default(),
        size: 0,
        begun,
        phase: Phase::Reading,
        queue: VecDeque::new(),
        last: Vec::new(),
        answer: Accumulator::new(),
        finish: None,
        error: None,
        sleep: None,
        last_event: Instant::now(),
        summary: None,
        told: false,
    };
    for frame in first {
        running.take(frame);
    }
    if matches!(running.begun.feed, Feed::Decoded(..)) {
        running.look_back();
    }
    FrameStream(Box::pin(running))
}

impl Stream for Running {
    type Item = Frame;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        let this = self.get_mut();
        loop {
            if let Some(frame) = this.queue.pop_front() {
                return Poll::Ready(Some(frame));
            }
            match &mut this.phase {
                Phase::Reading | Phase::Lingering => match this.read(cx) {
                    Poll::Ready(()) => this.close(),
                    Poll::Pending if this.queue.is_empty() => return Poll::Pending,
                    Poll::Pending => {}
                },
                Phase::Committing(commit) => {
                    let committed = ready!(commit.as_mut().poll(cx));
                    this.phase = Phase::Done;
                    if let Err(error) = committed {
                        // The caller must not take an answer for granted that is not kept.
                        this.last.clear();
                        this.last.push(Frame::Error(unrecorded(&error)));
                    }
                    this.queue.extend(this.last.drain(..));
                    this.queue.extend(this.summary.take().map(Frame::End));
                }
                Phase::Done => return Poll::Ready(None),
            }
        }
    }
}

/// The error of an answer that could not be kept.
pub(crate) fn unrecorded(error: &StoreError) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the answer could not be recorded: {error}"))
}

impl Running {
    /// Reads until nothing is ready (`Pending`, with frames queued or not) or all is over.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let over = match &mut self.begun.feed {
            Feed::Passed(_) | Feed::Raw(_) => self.read_passed(cx),
            Feed::Decoded(..) => self.read_decoded(cx),
            Feed::Script(_) => self.read_script(cx),
        };
        if over.is_ready() || !self.queue.is_empty() {
            return over;
        }
        self.check_time(cx)
    }

    fn read_passed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut pieces: Vec<Bytes> = Vec::new();
        let mut size = 0;
        let mut failed = None;
        let over = loop {
            let (Feed::Passed(body) | Feed::Raw(body)) = &mut self.begun.feed else { break Poll::Ready(()) };
            match body.poll_chunk(cx) {
                Poll::Pending => break Poll::Pending,
                Poll::Ready(None) => break Poll::Ready(()),
                Poll::Ready(Some(Err(error))) => {
                    failed = Some(error);
                    break Poll::Ready(());
                }
                Poll::Ready(Some(Ok(chunk))) => {
                    if let Err(error) = self.grows(&chunk) {
                        failed = Some(error);
                        break Poll::Ready(());
                    }
                    size += chunk.len();
                    pieces.push(chunk);
                    if size >= JOIN {
                        // More may be ready: the next poll goes on here.
                        cx.waker().wake_by_ref();
                        break Poll::Pending;
                    }
                }
            }
        };
        if !pieces.is_empty() {
            self.take(Frame::Passed(join(pieces, size)));
        }
        if let Some(error) = failed {
            self.broke(error);
        }
        over
    }

    fn read_decoded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut events = Vec::new();
        let over = loop {
            let Feed::Decoded(body, decoder) = &mut self.begun.feed else { break Poll::Ready(()) };
            match body.poll_chunk(cx) {
                Poll::Pending => break Poll::Pending,
                Poll::Ready(None) => break Poll::Ready(()),
                Poll::Ready(Some(Err(error))) => {
                    self.take_events(std::mem::take(&mut events));
                    self.broke(error);
                    break Poll::Ready(());
                }
                Poll::Ready(Some(Ok(chunk))) => {
                    let fed = decoder.feed(&chunk, &mut events);
                    if let Err(error) = fed.and(self.grows(&chunk)) {
                        self.take_events(std::mem::take(&mut events));
                        self.broke(error);
                        break Poll::Ready(());
                    }
                    self.marks_end(&chunk);
                    if events.len() >= 256 {
                        cx.waker().wake_by_ref();
                        break Poll::Pending;
                    }
                }
            }
        };
        self.take_events(events);
        over
    }

    fn read_script(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Feed::Script(steps) = &mut self.begun.feed else { return Poll::Ready(()) };
        // A step is taken out only when its pause, which is in the sleep, is over.
        let Some(step) = steps.front_mut() else { return Poll::Ready(()) };
        if self.sleep.is_none() && !step.wait.is_zero() {
            self.sleep = Some(Box::pin(tokio::time::sleep(std::mem::take(&mut step.wait))));
        }
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        match steps.pop_front().map(|step| step.outcome) {
            None => return Poll::Ready(()),
            Some(Ok(StepOutcome::Events(events))) => self.take_events(events),
            Some(Ok(StepOutcome::Whole(_))) => {
                self.queue.push_back(Frame::Error(Error::internal("a script streams a whole answer")));
            }
            // A script's stream goes on after an error, as TensorZero's clients expect.
            Some(Err(error)) => {
                self.error.get_or_insert_with(|| error.clone());
                self.told = true;
                self.queue.push_back(Frame::Error(error));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Ends the stream if nothing came for too long.
    fn check_time(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.begun.feed, Feed::Script(_)) {
            return Poll::Pending;
        }
        loop {
            let now = Instant::now();
            let lingering = matches!(self.phase, Phase::Lingering);
            let quiet = if lingering { Some(LINGER) } else { self.begun.between };
            let until = [quiet.map(|quiet| self.last_event + quiet), self.begun.deadline].into_iter().flatten().min();
            let Some(until) = until else { return Poll::Pending };
            if until <= now {
                if !lingering {
                    self.error = Some(self.too_late(now));
                }
                return Poll::Ready(());
            }
            let until = tokio::time::Instant::from_std(until);
            match &mut self.sleep {
                // A timer that fires too early only looks again: cheaper than moving it at every event.
                Some(sleep) if sleep.deadline() <= until && !sleep.is_elapsed() => {}
                Some(sleep) => sleep.as_mut().reset(until),
                None => self.sleep = Some(Box::pin(tokio::time::sleep_until(until))),
            }
            let Some(sleep) = &mut self.sleep else { return Poll::Pending };
            ready!(sleep.as_mut().poll(cx));
        }
    }

    fn too_late(&self, now: Instant) -> Error {
        let name = &self.begun.endpoint.name;
        match (self.begun.deadline, self.begun.between) {
            (Some(deadline), _) if deadline <= now => {
                Error::new(ErrorKind::Timeout, format!("the stream of `{name}` took longer than it may in all"))
            }
            (_, between) => {
                let ms = between.unwrap_or_default().as_millis();
                Error::new(ErrorKind::Timeout, format!("`{name}` sent nothing for {ms} ms in the middle of its stream"))
            }
        }
    }

    fn take(&mut self, frame: Frame) {
        match frame {
            Frame::Passed(bytes) if matches!(self.begun.feed, Feed::Raw(_)) => {
                self.queue.push_back(Frame::Passed(bytes));
            }
            Frame::Passed(bytes) => {
                if self.marks_end(&bytes) {
                    self.last.extend(self.holder.rest().map(Frame::Passed));
                    self.last.push(Frame::Passed(bytes));
                } else if let Some(whole) = self.holder.whole(bytes) {
                    self.queue.push_back(Frame::Passed(whole));
                }
            }
            Frame::Events(events) => self.take_events(events),
            Frame::Error(error) => {
                self.error = Some(error);
                self.begun.feed = Feed::Script(VecDeque::new());
            }
            Frame::End(_) => {}
        }
    }

    /// Looks for the end in what was read before this began.
    fn look_back(&mut self) {
        let mut seen = Bytes::new();
        let looked = self.begun.recorder.tail(TAIL, &mut |bytes| {
            seen = Bytes::copy_from_slice(bytes);
            Ok(())
        });
        if looked.is_ok() {
            self.marks_end(&seen);
        }
    }

    /// Whether the end of the stream is in these bytes, or came before them.
    fn marks_end(&mut self, bytes: &[u8]) -> bool {
        let lingering = matches!(self.phase, Phase::Lingering);
        if !lingering && self.marker.ends(bytes) {
            self.phase = Phase::Lingering;
            self.last_event = Instant::now();
            return true;
        }
        lingering
    }

    /// The connection broke off. After the end of the stream that is nobody's loss.
    fn broke(&mut self, error: Error) {
        if !matches!(self.phase, Phase::Lingering) {
            self.error.get_or_insert(error);
        }
    }

    /// Counts what came; a stream that never ends must not fill the memory.
    fn grows(&mut self, chunk: &Bytes) -> Result<()> {
        self.begun.recorder.received(chunk.clone());
        self.size += chunk.len();
        if matches!(self.phase, Phase::Reading) {
            self.last_event = Instant::now();
        }
        if self.size > ANSWER_LIMIT {
            let name = &self.begun.endpoint.name;
            return Err(Error::bad_upstream(format!(
                "the stream of `{name}` is over the limit of {ANSWER_LIMIT} bytes"
            )));
        }
        Ok(())
    }

    fn take_events(&mut self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        for event in &events {
            match event {
                Event::Usage(usage) => self.usage.update(usage.clone()),
                Event::Finish { reason, .. } => self.finish = self.finish.or(Some(*reason)),
                _ => {}
            }
            self.answer.push(event);
        }
        self.queue.push_back(Frame::Events(events));
    }

    /// All is read: closes the rows and waits for their commit.
    fn close(&mut self) {
        let passed = matches!(self.begun.feed, Feed::Passed(_) | Feed::Raw(_));
        if matches!(self.begun.feed, Feed::Passed(_)) {
            self.glance();
            // Half an event with an error behind it would be read as neither.
            let rest = self.holder.rest().filter(|_| self.error.is_none() || self.told);
            self.queue.extend(rest.map(Frame::Passed));
        } else if self.error.is_none()
            && let Feed::Decoded(_, decoder) = &mut self.begun.feed
        {
            let mut events = Vec::new();
            let finished = decoder.finish(&mut events);
            self.take_events(events);
            self.error = finished.err();
        }
        let begun = &mut self.begun;
        // The connection is done with, whatever happens next.
        begun.feed = Feed::Script(VecDeque::new());
        let mut end = Bytes::new();
        if begun.endpoint.price.is_some() {
            // A tail that cannot be read says nothing; the usage has been read already.
            let _ = begun.recorder.tail(TAIL, &mut |bytes| {
                end = Bytes::copy_from_slice(bytes);
                Ok(())
            });
        }
        let cost = money(&begun.endpoint, &end, true, &self.usage);
        let outcome =
            Outcome { usage: self.usage.clone(), cost, finish_reason: self.finish, error: self.error.clone() };
        begun.recorder.end(&outcome);
        begun.engine.verdict(&begun.endpoint, self.error.as_ref());
        let (usage, cost) = begun.recorder.totals();
        let answer = (!passed).then(|| Response::Chat(Box::new(std::mem::take(&mut self.answer).finish())));
        let calls = if begun.include_raw { begun.recorder.raw_calls() } else { Vec::new() };
        let total = Outcome { usage: usage.clone(), cost, finish_reason: self.finish, error: self.error.clone() };
        let status = if self.error.is_some() { Status::Error } else { Status::Ok };
        let ack = begun.recorder.close(status, answer.as_ref(), &total);
        let answer = answer.filter(|_| begun.include_answer).map(Box::new);
        self.summary = Some(Box::new(Summary { usage, cost, finish_reason: self.finish, calls, answer }));
        if let Some(error) = self.error.take()
            && !self.told
        {
            self.last.push(Frame::Error(error));
        }
        self.phase = if self.begun.durable {
            Phase::Committing(Box::pin(ack.wait()))
        } else {
            Phase::Committing(Box::pin(std::future::ready(Ok(()))))
        };
    }

    /// Reads what the record needs out of the bytes that went through.
    fn glance(&mut self) {
        let provider = self.begun.endpoint.provider;
        let (mut done, mut usage, mut finish, mut failed) = (false, Usage::default(), None, None);
        let ending = Cell::new(false);
        let mut cut = false;
        let mut look = |event: SseEvent<'_>| {
            match provider.glance_event(event.event, event.data) {
                Ok(glance) => {
                    done |= glance.done;
                    usage.update(glance.usage);
                    finish = finish.or(glance.finish_reason);
                }
                // What comes after the end is not part of the answer.
                Err(_) if done => {}
                Err(_) if ending.get() => cut = true,
                Err(error) => failed = Some(error),
            }
            Ok(())
        };
        let operation = self.begun.recorder.operation();
        let framed = self.begun.recorder.tail(tail(self.begun.protocol, operation), &mut |bytes| {
            let mut framing = framing(operation);
            framing.feed(bytes, &mut look)?;
            ending.set(true);
            framing.finish(&mut look)
        });
        self.usage.update(usage);
        self.finish = finish;
        if self.error.is_some() {
            return;
        }
        let broken = |how: &str| Error::bad_upstream(format!("`{}` ended its stream {how}", self.begun.endpoint.name));
        self.error = match (failed, framed) {
            (Some(error), _) => {
                // It went through like everything else.
                self.told = true;
                Some(error)
            }
            (None, Err(error)) => Some(error),
            (None, Ok(())) if cut => Some(broken("in the middle of an event")),
            (None, Ok(())) if !done && self.finish.is_none() => Some(broken("before the answer was complete")),
            _ => None,
        };
    }
}

/// How many bytes at the end of a stream hold what the record needs: the last content events, the
/// finish reason, usage, the end marker.
const TAIL: usize = 16 * 1024;

/// How many bytes at the end of a protocol's stream hold that. The last event of the Responses API
/// repeats the whole answer, and may be as long as all others; so may one that holds a picture.
fn tail(protocol: Protocol, operation: Operation) -> usize {
    if protocol == Protocol::Responses || operation != Operation::Chat { usize::MAX } else { TAIL }
}

fn join(mut pieces: Vec<Bytes>, size: usize) -> Bytes {
    if pieces.len() == 1 {
        return pieces.pop().unwrap_or_default();
    }
    let mut all = BytesMut::with_capacity(size);
    for piece in pieces {
        all.extend_from_slice(&piece);
    }
    all.freeze()
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.phase, Phase::Reading | Phase::Lingering) {
            return;
        }
        let error = Error::new(ErrorKind::Cancelled, "the caller left before the end");
        let outcome = Outcome { usage: self.usage.clone(), cost: None, finish_reason: self.finish, error: Some(error) };
        self.begun.engine.verdict(&self.begun.endpoint, outcome.error.as_ref());
        let passed = matches!(self.begun.feed, Feed::Passed(_) | Feed::Raw(_));
        let answer = (!passed).then(|| Response::Chat(Box::new(std::mem::take(&mut self.answer).finish())));
        self.begun.recorder.cancel(answer.as_ref(), &outcome);
    }
}
