//! Runs batches.
//!
//! Invariants: results and their counts are written together, one by one; a batch that is stopped
//! in any way lets what is under way end for a moment and begins nothing more; the limits of
//! `[gateway.batches]` hold over all batches.

use std::{collections::HashSet, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use sabir_engine::tasks::{Handler, Outcome, Running, Tasks, now_ms, stored};
use sabir_store::state::{End, Part, PartQuery, TaskState};
use sabir_types::{Error, ErrorKind, Result, Value};
use serde_json::value::RawValue;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Asked, BATCH, CANCELED, EXPIRED, LineError, Lines, MESSAGES, Progress, SUCCEEDED, Shape, Stage, check,
    inside::Inside, output,
};
use crate::app::{App, WeakApp};

/// How many batches of a kind run at once.
const AT_ONCE: usize = 4;
/// How long requests that are under way may take when their batch is stopped.
const ENDING: Duration = Duration::from_secs(30);
/// How many results are looked through at a time.
const PAGE: u32 = 4096;

pub(super) fn handle(tasks: &Arc<Tasks>, app: &WeakApp, concurrency: usize) {
    let batches = Arc::new(Batches { app: app.clone(), slots: Semaphore::new(concurrency), next: Mutex::new(None) });
    for kind in [BATCH, MESSAGES] {
        tasks.handle(kind, AT_ONCE, batches.clone());
    }
}

struct Batches {
    app: WeakApp,
    /// The requests that may run at once.
    slots: Semaphore,
    /// When the next one may begin.
    next: Mutex<Option<Instant>>,
}

/// Why no more requests are begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Cancelled,
    Expired,
    /// The process stops: the rest is for the next one.
    Later,
}

/// A line of a batch of Anthropic's shape.
#[derive(Debug, serde::Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    custom_id: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    params: &'a RawValue,
}

/// A request's id and body.
fn request(shape: Shape, line: &Bytes) -> Result<(String, Bytes)> {
    let unreadable = |e| Error::internal("a request of a batch cannot be read").with_source(e);
    let (id, body) = match shape {
        Shape::OpenAi => {
            let line: check::Line<'_> = serde_json::from_slice(line).map_err(unreadable)?;
            (line.custom_id, line.body)
        }
        Shape::Anthropic => {
            let line: Message<'_> = serde_json::from_slice(line).map_err(unreadable)?;
            (line.custom_id, line.params)
        }
    };
    Ok((id.into_owned(), line.slice_ref(body.get().as_bytes())))
}

impl Handler for Batches {
    fn run(&self, task: Running) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>> {
        Box::pin(async move {
            let Some(app) = self.app.upgrade() else { return Outcome::GiveBack };
            let mut progress = Progress::of(task.task.progress.as_deref());
            match self.batch(&app, &task, &mut progress).await {
                Ok(Some(state)) => Outcome::End(End { state, result: None, progress: Some(progress.text()) }),
                Ok(None) => Outcome::GiveBack,
                // Somebody else has it, or nobody.
                Err(error) if error.kind() == ErrorKind::Cancelled => Outcome::GiveBack,
                Err(error) => {
                    tracing::error!(id = %task.task.id, %error, "a batch cannot be run");
                    let message = error.message().to_owned();
                    progress.errors.push(LineError { code: "server_error".into(), message, param: None, line: None });
                    Outcome::End(End { state: TaskState::Failed, result: None, progress: Some(progress.text()) })
                }
            }
        })
    }
}

impl Batches {
    /// How it ended; `None` if it goes on in another process.
    async fn batch(&self, app: &App, task: &Running, progress: &mut Progress) -> Result<Option<TaskState>> {
        let asked = Asked::of(&task.task)?;
        if progress.stage == Stage::Validating {
            if asked.shape == Shape::OpenAi {
                check::file(app, task, &asked, progress).await?;
                if !progress.errors.is_empty() {
                    return Ok(Some(TaskState::Failed));
                }
            }
            progress.stage = Stage::InProgress;
            progress.in_progress_at = Some(now_ms() / 1000);
            task.progress(progress.text()).await?;
        }
        if progress.stage == Stage::InProgress {
            if self.requests(app, task, &asked, progress).await? == Some(Stop::Later) {
                return Ok(None);
            }
            progress.stage = Stage::Finalizing;
            progress.finalizing_at = Some(now_ms() / 1000);
            task.progress(progress.text()).await?;
        }
        if progress.stage == Stage::Finalizing {
            if asked.shape == Shape::OpenAi {
                output::files(task, &asked, progress).await?;
            }
            progress.stage = Stage::Finalized;
            task.progress(progress.text()).await?;
        }
        if asked.shape == Shape::OpenAi {
            // The files have them now.
            task.cut(0).await?;
        }
        let cancelled = progress.cancelling_at.is_some();
        Ok(Some(if cancelled { TaskState::Cancelled } else { TaskState::Done }))
    }

    /// Runs what has no result yet; says what stopped it.
    async fn requests(
        &self,
        app: &App,
        task: &Running,
        asked: &Asked,
        progress: &mut Progress,
    ) -> Result<Option<Stop>> {
        let mut done = done(task).await?;
        let inside = Inside::new(app, task.task.caller.as_deref());
        let limit = app.engine().config().gateway.batches.concurrency;
        let halt = CancellationToken::new();
        let left = u64::try_from(asked.deadline - now_ms()).unwrap_or(0);
        let deadline = Instant::now() + Duration::from_millis(left);
        let mut ending = deadline;
        let mut stop = None;
        let mut lines = Lines::new(task.state().clone(), asked.input);
        let (mut number, mut over) = (0, false);
        let mut running = FuturesUnordered::new();
        loop {
            // What stops it is looked at first, so that a batch that was cancelled begins nothing.
            stop = stop.or_else(|| stopped(task, deadline));
            while stop.is_none() && !over && running.len() < limit {
                match lines.next().await? {
                    None => over = true,
                    Some((_, line)) => {
                        if !done.contains(&number) {
                            running.push(self.one(app, &inside, asked, &halt, number, line));
                        }
                        number += 1;
                    }
                }
            }
            if running.is_empty() {
                break;
            }
            let is_stopped = stop.is_some();
            tokio::select! {
                Some(made) = running.next() => {
                    let Some((part, usage)) = made? else { continue };
                    progress.count(&part.label);
                    if let Some(answer) = usage {
                        progress.add(&answer);
                    }
                    done.insert(part.number);
                    task.write(vec![part], Some(progress.text())).await?;
                }
                () = task.cancelled().cancelled(), if !is_stopped => stop = Some(Stop::Cancelled),
                () = task.stopping().cancelled(), if !is_stopped => stop = Some(Stop::Later),
                () = tokio::time::sleep_until(deadline), if !is_stopped => stop = Some(Stop::Expired),
                () = tokio::time::sleep_until(ending), if is_stopped => break,
            }
            if stop.is_some() && !is_stopped {
                halt.cancel();
                ending = Instant::now() + ENDING;
            }
        }
        drop(running);
        let label = match stop {
            Some(Stop::Cancelled) => {
                progress.cancelling_at = Some(now_ms() / 1000);
                CANCELED
            }
            Some(Stop::Expired) => {
                progress.late = true;
                EXPIRED
            }
            _ => return Ok(stop),
        };
        // Who cancels a batch of OpenAI's shape is not told what was not run.
        if label == EXPIRED || asked.shape == Shape::Anthropic {
            rest(task, asked, progress, &done, label).await?;
        }
        Ok(stop)
    }

    /// Runs one request; `None` if it was not begun.
    async fn one(
        &self,
        app: &App,
        inside: &Inside,
        asked: &Asked,
        halt: &CancellationToken,
        number: u32,
        line: Bytes,
    ) -> Result<Option<(Part, Option<Value>)>> {
        let (id, body) = request(asked.shape, &line)?;
        let tags = [("sabir::batch_id", asked.name.as_str()), ("sabir::custom_id", id.as_str())];
        let mut attempt = 0;
        loop {
            let slot = tokio::select! {
                slot = self.slot(app) => slot,
                () = halt.cancelled() => return Ok(None),
            };
            let answered = inside.post(&asked.endpoint, body.clone(), &tags).await?;
            drop(slot);
            let again = answered.retry(attempt).filter(|_| attempt < app.engine().config().gateway.batches.retries);
            if let Some(wait) = again
                && !halt.is_cancelled()
            {
                attempt += 1;
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(wait)) => continue,
                    // It stays as it is: the time is up.
                    () = halt.cancelled() => {}
                }
            }
            let (label, data) = output::answered(asked.shape, &id, &answered);
            let usage = if label == SUCCEEDED { serde_json::from_slice(&answered.body).ok() } else { None };
            return Ok(Some((Part { number, label: label.into(), data }, usage)));
        }
    }

    /// Waits until a request may begin.
    async fn slot(&self, app: &App) -> Option<tokio::sync::SemaphorePermit<'_>> {
        // Nobody closes it.
        let slot = self.slots.acquire().await.ok();
        if let Some(most) = app.engine().config().gateway.batches.requests_per_minute {
            let gap = Duration::from_secs(60) / most;
            let at = {
                let mut next = self.next.lock();
                let at = next.unwrap_or_else(Instant::now).max(Instant::now());
                *next = Some(at + gap);
                at
            };
            tokio::time::sleep_until(at).await;
        }
        slot
    }
}

fn stopped(task: &Running, deadline: Instant) -> Option<Stop> {
    if task.cancelled().is_cancelled() {
        Some(Stop::Cancelled)
    } else if task.stopping().is_cancelled() {
        Some(Stop::Later)
    } else {
        (Instant::now() >= deadline).then_some(Stop::Expired)
    }
}

/// The numbers of the requests that have a result.
async fn done(task: &Running) -> Result<HashSet<u32>> {
    let mut done = HashSet::new();
    let mut from = 0;
    loop {
        let query = PartQuery { from, limit: Some(PAGE), without_data: true };
        let parts = stored(task.state().parts(task.task.id, query).await)?;
        let Some(last) = parts.last() else { return Ok(done) };
        from = last.number + 1;
        done.extend(parts.iter().map(|part| part.number));
    }
}

/// Says of all requests that have no result that they were not run.
async fn rest(
    task: &Running,
    asked: &Asked,
    progress: &mut Progress,
    done: &HashSet<u32>,
    label: &'static str,
) -> Result<()> {
    let mut lines = Lines::new(task.state().clone(), asked.input);
    let (mut number, mut parts) = (0, Vec::new());
    loop {
        let line = lines.next().await?;
        if let Some((_, line)) = &line {
            if !done.contains(&number) {
                let (id, _) = request(asked.shape, line)?;
                progress.count(label);
                parts.push(Part { number, label: label.into(), data: output::not_run(asked.shape, &id, label) });
            }
            number += 1;
        }
        if line.is_none() || parts.len() >= PAGE as usize {
            task.write(std::mem::take(&mut parts), Some(progress.text())).await?;
        }
        if line.is_none() {
            return Ok(());
        }
    }
}
