//! Answers that were given before, and calls that are under way: the same call again costs nothing.
//!
//! Invariants: only whole, good answers are kept; two calls share an answer only if door, model
//! and every byte that decides the answer are the same; a shared call ends when the last caller
//! who waits for it leaves.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use futures_util::{FutureExt, StreamExt};
use parking_lot::Mutex;
use sabir_store::ModelCallRow;
use sabir_types::{Accumulator, Request, Response, Result, Usage};
use tokio::sync::Notify;

use crate::{
    call::{Answer, Call, Content, Facts, Failure, Frame, FrameStream, Source, Summary},
    config::CacheSettings,
    plan::Model,
};

/// What identifies an answer.
pub(crate) type Key = blake3::Hash;

/// An answer that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    made: Instant,
    pub(crate) facts: Facts,
    pub(crate) answer: KeptAnswer,
    pub(crate) summary: Summary,
    /// The model call that it came from.
    pub(crate) call: Option<ModelCallRow>,
    size: u32,
}

/// What is kept of it.
#[derive(Debug)]
pub(crate) enum KeptAnswer {
    /// All at once.
    Whole(Content),
    /// Piece by piece.
    Stream(Vec<Frame>),
}

/// All kept answers and all shared calls.
pub(crate) struct Cache {
    kept: moka::sync::Cache<Key, Arc<Kept>>,
    flights: Mutex<HashMap<Key, Weak<Flight>>>,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("kept", &self.kept.entry_count()).finish_non_exhaustive()
    }
}

impl Cache {
    pub(crate) fn new(settings: &CacheSettings) -> Self {
        let kept = moka::sync::Cache::builder()
            .max_capacity(settings.max_bytes as u64)
            .weigher(|_, kept: &Arc<Kept>| kept.size)
            .time_to_live(settings.ttl)
            .build();
        Self { kept, flights: Mutex::new(HashMap::new()) }
    }

    /// A kept answer that is not older than asked for.
    pub(crate) fn find(&self, key: &Key, max_age_s: Option<u64>) -> Option<Arc<Kept>> {
        let kept = self.kept.get(key)?;
        let fresh = max_age_s.is_none_or(|max| kept.made.elapsed() <= Duration::from_secs(max));
        fresh.then_some(kept)
    }

    /// Forgets all kept answers: the configuration that they came from is no more.
    pub(crate) fn forget(&self) {
        self.kept.invalidate_all();
    }

    pub(crate) fn keep(&self, key: Key, kept: Kept) {
        self.kept.insert(key, Arc::new(kept));
    }

    /// The shared call of that key: an existing one, or the one that `begin` starts.
    pub(crate) fn join(&self, key: Key, begin: impl FnOnce() -> Arc<Flight>) -> (Arc<Flight>, bool) {
        let mut flights = self.flights.lock();
        if let Some(flight) = flights.get(&key).and_then(Weak::upgrade)
            && !flight.is_over()
        {
            return (flight, false);
        }
        flights.retain(|_, flight| flight.strong_count() > 0);
        let flight = begin();
        flights.insert(key, Arc::downgrade(&flight));
        (flight, true)
    }
}

impl Kept {
    pub(crate) fn new(facts: Facts, answer: KeptAnswer, summary: Summary, call: Option<ModelCallRow>) -> Self {
        let size = match &answer {
            KeptAnswer::Whole(Content::Passed { body, .. }) => body.len(),
            // Events and blocks weigh more in memory than on the wire; the raw body is a measure.
            _ => 0,
        } + call.as_ref().map_or(1024, |call| 3 * call.raw_response.len() + call.raw_request.len());
        Self { made: Instant::now(), facts, answer, summary, call, size: u32::try_from(size + 512).unwrap_or(u32::MAX) }
    }
}

/// What a call that cost nothing consumed.
pub(crate) fn nothing() -> Usage {
    Usage { input_tokens: Some(0), output_tokens: Some(0), ..Usage::default() }
}

/// The key of a call under a configuration (its hash). The caller's tags, credentials and episode
/// are no part of it.
pub(crate) fn key(call: &Call, config: &str, model: &Model, request: impl FnOnce() -> Result<Vec<u8>>) -> Result<Key> {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(call.door.as_str().as_bytes());
    part(call.operation.as_str().as_bytes());
    part(config.as_bytes());
    part(model.name.as_bytes());
    part(&[u8::from(call.stream), u8::from(call.options.rewrite), u8::from(call.options.include_raw)]);
    match &call.source {
        Source::Wire { body, model: span, .. } if !call.options.rewrite => match span {
            Some(span) => {
                part(&body[..span.start]);
                part(&body[span.end..]);
            }
            None => part(body),
        },
        _ => part(&request()?),
    }
    if let Source::Wire { headers, .. } = &call.source {
        // These decide what the provider does; the others only tell it who asks.
        for (name, value) in headers.iter().filter(|(name, _)| {
            let name = name.as_str();
            name.ends_with("-beta") || name.ends_with("-version")
        }) {
            part(name.as_str().as_bytes());
            part(value.as_bytes());
        }
    }
    let changes = format!("{:?} {:?}", call.options.extra_body, call.options.extra_headers);
    part(changes.as_bytes());
    Ok(hasher.finalize())
}

/// The answer that events add up to.
pub(crate) fn answer_of(frames: &[Frame]) -> Response {
    let mut answer = Accumulator::new();
    for frame in frames {
        if let Frame::Events(events) = frame {
            events.iter().for_each(|event| answer.push(event));
        }
    }
    Response::Chat(Box::new(answer.finish()))
}

/// A request as bytes that decide its answer.
pub(crate) fn canonical(request: &Request) -> Result<Vec<u8>> {
    serde_json::to_vec(request).map_err(|e| sabir_types::Error::internal("a request cannot be written").with_source(e))
}

/// Where a record leaves its model call for those who share it.
pub(crate) type Slot = Arc<Mutex<Option<ModelCallRow>>>;

/// One upstream call that several callers wait for.
pub(crate) struct Flight {
    log: Mutex<Log>,
    news: Notify,
    task: Mutex<Option<tokio::task::AbortHandle>>,
}

#[derive(Default)]
struct Log {
    begun: Option<Result<Beginning, Arc<Failure>>>,
    frames: Vec<Frame>,
    /// The summary came: nothing more will.
    over: bool,
    call: Option<ModelCallRow>,
}

/// How a shared call began.
#[derive(Clone)]
pub(crate) enum Beginning {
    /// With a whole answer.
    Whole(Box<Facts>, Content, Box<Summary>),
    /// With a stream.
    Stream(Box<Facts>),
}

impl Flight {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { log: Mutex::default(), news: Notify::new(), task: Mutex::new(None) })
    }

    fn is_over(&self) -> bool {
        let log = self.log.lock();
        log.over || matches!(log.begun, Some(Err(_)))
    }

    /// Runs the call in a task of its own, for all who wait. `slot` is where its record leaves the
    /// model call; `keep` gets what came of a good call.
    pub(crate) fn drive(
        self: &Arc<Self>,
        call: impl Future<Output = Result<Answer, Box<Failure>>> + Send + 'static,
        slot: Slot,
        keep: impl FnOnce(Beginning, Vec<Frame>, Option<ModelCallRow>) + Send + 'static,
    ) {
        let flight = Arc::downgrade(self);
        let task = tokio::spawn(async move {
            let result = call.await;
            let update = |change: &mut dyn FnMut(&mut Log)| {
                if let Some(flight) = flight.upgrade() {
                    change(&mut flight.log.lock());
                    flight.news.notify_waiters();
                }
            };
            match result {
                Err(failure) => {
                    let failure = Arc::new(*failure);
                    update(&mut |log| log.begun = Some(Err(failure.clone())));
                }
                Ok(Answer::Whole { facts, content, summary }) => {
                    let call = slot.lock().take();
                    let begun = Beginning::Whole(facts, content, summary);
                    keep(begun.clone(), Vec::new(), call.clone());
                    update(&mut |log| {
                        log.begun = Some(Ok(begun.clone()));
                        log.call.clone_from(&call);
                        log.over = true;
                    });
                }
                Ok(Answer::Stream { facts, mut frames }) => {
                    update(&mut |log| log.begun = Some(Ok(Beginning::Stream(facts.clone()))));
                    let (mut all, mut kept) = (Vec::new(), None);
                    while let Some(frame) = frames.next().await {
                        // The end and what was held back with it come together, so that whoever
                        // follows can commit a row before the end goes out.
                        let mut batch = vec![frame];
                        while let Some(Some(frame)) = frames.next().now_or_never() {
                            batch.push(frame);
                        }
                        let over = batch.iter().any(|frame| matches!(frame, Frame::End(_)));
                        all.extend(batch.iter().cloned());
                        let call = if over { slot.lock().take() } else { None };
                        // An error that went through as bytes is known to the record alone.
                        let failed = call.as_ref().is_some_and(|call| call.error.is_some())
                            || all.iter().any(|frame| matches!(frame, Frame::Error(_)));
                        if over && !failed {
                            kept = Some((std::mem::take(&mut all), call.clone()));
                        }
                        update(&mut |log| {
                            log.frames.append(&mut batch);
                            log.over |= over;
                            if over {
                                log.call.clone_from(&call);
                            }
                        });
                    }
                    update(&mut |log| log.over = true);
                    if let Some((frames, call)) = kept {
                        keep(Beginning::Stream(facts), frames, call);
                    }
                }
            }
        });
        *self.task.lock() = Some(task.abort_handle());
    }

    /// Waits for the beginning.
    pub(crate) async fn begun(&self) -> Result<Beginning, Arc<Failure>> {
        loop {
            let news = self.news.notified();
            if let Some(begun) = &self.log.lock().begun {
                return begun.clone();
            }
            news.await;
        }
    }

    /// The model call behind it, once it is over.
    pub(crate) fn call(&self) -> Option<ModelCallRow> {
        self.log.lock().call.clone()
    }

    /// The answer that its events add up to so far.
    pub(crate) fn answer(&self) -> Response {
        answer_of(&self.log.lock().frames)
    }

    /// What came after the first `at` frames, and whether that was all.
    async fn after(&self, at: usize) -> (Vec<Frame>, bool, Option<ModelCallRow>) {
        loop {
            let news = self.news.notified();
            {
                let log = self.log.lock();
                let more = log.frames.get(at..).unwrap_or_default();
                if log.over || !more.is_empty() {
                    return (more.to_vec(), log.over, log.call.clone());
                }
            }
            news.await;
        }
    }

    /// All frames, from the first on. The batch that holds the end goes through `before_end`.
    pub(crate) fn frames<F>(
        self: Arc<Self>,
        before_end: impl FnOnce(Vec<Frame>, Option<ModelCallRow>) -> F + Send + 'static,
    ) -> FrameStream
    where
        F: Future<Output = Vec<Frame>> + Send + 'static,
    {
        let batches = futures_util::stream::unfold((self, 0, Some(before_end)), async |(flight, at, before_end)| {
            let (more, over, call) = flight.after(at).await;
            if !over {
                let next = at + more.len();
                return Some((more, (flight, next, before_end)));
            }
            let batch = before_end?(more, call).await;
            Some((batch, (flight, usize::MAX, None)))
        });
        FrameStream(Box::pin(batches.flat_map(futures_util::stream::iter)))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        // Nobody waits any more.
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }
}
