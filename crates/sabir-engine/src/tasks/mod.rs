//! Work that goes on when its caller has gone: queued in the store, run by handlers, resumed after
//! a restart.
//!
//! Invariants: a task is run by one worker at a time; a task that this process can no longer finish
//! goes back to the queue, whether the process stops or is killed; no more tasks of a kind run at
//! once than its handler allows.

mod running;

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use parking_lot::Mutex;
use sabir_store::{
    State, StoreError,
    state::{End, NewTask, TaskRow, TaskState},
};
use sabir_types::{Error, ErrorKind, Result, Uuid, new_id};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use running::Running;

/// How long a worker that says nothing keeps a task.
const LEASE: Duration = Duration::from_secs(10);
/// How often a worker says that it is there.
const BEAT: Duration = Duration::from_secs(3);
/// How often to look for tasks that nobody told this process of: another process's, and those
/// whose worker is gone.
const POLL: Duration = Duration::from_secs(1);
/// How often what has expired is removed.
const SWEEP: Duration = Duration::from_secs(600);

/// Runs tasks of one kind.
pub trait Handler: Send + Sync + 'static {
    /// Runs a task until it ends, is cancelled ([`Running::cancelled`]) or the process stops
    /// ([`Running::stopping`]). Dropping the future must be safe at any moment: the task is then
    /// begun again, here or in another process.
    fn run(&self, task: Running) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>>;
}

/// What came of a task.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It has ended.
    End(End),
    /// It goes on later, from where its parts and its progress are.
    GiveBack,
}

impl Outcome {
    /// It ended with this result.
    pub fn done(result: impl Into<Bytes>) -> Self {
        Self::End(End { state: TaskState::Done, result: Some(result.into()), progress: None })
    }

    /// It failed; the result says why, in the handler's own form.
    pub fn failed(result: impl Into<Bytes>) -> Self {
        Self::End(End { state: TaskState::Failed, result: Some(result.into()), progress: None })
    }

    /// It was cancelled, with what there is of a result.
    pub fn cancelled(result: Option<Bytes>) -> Self {
        Self::End(End { state: TaskState::Cancelled, result, progress: None })
    }
}

/// A store's answer in the engine's words.
pub fn stored<T>(answer: std::result::Result<T, StoreError>) -> Result<T> {
    answer.map_err(|error| {
        let message = format!("what is kept could not be read or written: {error}");
        Error::new(ErrorKind::Unavailable, message).with_source(error)
    })
}

struct Kind {
    handler: Arc<dyn Handler>,
    limit: usize,
    running: usize,
}

/// The tasks of this process and the way to those of the store.
pub struct Tasks {
    state: Arc<dyn State>,
    /// This process among those that share the store.
    worker: Uuid,
    kinds: Mutex<HashMap<String, Kind>>,
    /// How to stop those that run here.
    here: Mutex<HashMap<Uuid, CancellationToken>>,
    wake: Notify,
    changes: watch::Sender<u64>,
    started: AtomicBool,
    /// No new tasks; those that run are to come to an end soon.
    stopping: CancellationToken,
    /// Those that still run are given back.
    over: CancellationToken,
    tracker: TaskTracker,
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks").field("worker", &self.worker).finish_non_exhaustive()
    }
}

impl Tasks {
    /// Tasks that are kept there.
    pub fn new(state: Arc<dyn State>) -> Arc<Self> {
        Arc::new(Self {
            state,
            worker: new_id(),
            kinds: Mutex::default(),
            here: Mutex::default(),
            wake: Notify::new(),
            changes: watch::Sender::new(0),
            started: AtomicBool::new(false),
            stopping: CancellationToken::new(),
            over: CancellationToken::new(),
            tracker: TaskTracker::new(),
        })
    }

    /// Where tasks are kept, and what else is.
    pub fn state(&self) -> &Arc<dyn State> {
        &self.state
    }

    /// Has tasks of this kind run by `handler`, `limit` of them at once.
    pub fn handle(&self, kind: &str, limit: usize, handler: Arc<dyn Handler>) {
        self.kinds.lock().insert(kind.to_owned(), Kind { handler, limit, running: 0 });
        self.wake.notify_one();
    }

    /// Begins to run tasks, also those that an earlier process left. Needs a runtime; once is enough.
    pub fn start(self: &Arc<Self>) {
        if !self.started.swap(true, Ordering::Relaxed) {
            self.tracker.spawn(self.clone().dispatch());
        }
    }

    /// Queues a task. When this returns, it is committed and will be run.
    pub async fn submit(self: &Arc<Self>, task: NewTask) -> Result<()> {
        if self.stopping.is_cancelled() {
            return Err(Error::new(ErrorKind::Unavailable, "the gateway is shutting down"));
        }
        stored(self.state.add_task(task).await)?;
        self.start();
        self.wake.notify_one();
        self.changed();
        Ok(())
    }

    /// One task, if it is there and of that kind.
    pub async fn get(&self, kind: &str, id: Uuid) -> Result<Option<TaskRow>> {
        Ok(stored(self.state.task(id).await)?.filter(|task| task.kind == kind))
    }

    /// Stops a task. The state from then on; one that runs says so itself a little later.
    pub async fn cancel(&self, id: Uuid) -> Result<Option<TaskState>> {
        let state = stored(self.state.cancel_task(id).await)?;
        if let Some(token) = self.here.lock().get(&id) {
            token.cancel();
        }
        self.changed();
        Ok(state)
    }

    /// Removes a task, also one that runs.
    pub async fn delete(&self, id: Uuid) -> Result<bool> {
        let found = stored(self.state.delete_task(id).await)?;
        if let Some(token) = self.here.lock().get(&id) {
            token.cancel();
        }
        self.changed();
        Ok(found)
    }

    /// The task when it has ended, or as it is when `time` is over.
    pub async fn wait(&self, id: Uuid, time: Duration) -> Result<Option<TaskRow>> {
        let until = tokio::time::Instant::now() + time;
        let mut changes = self.watch();
        loop {
            let task = stored(self.state.task(id).await)?;
            if task.as_ref().is_none_or(|task| task.state.is_end()) || tokio::time::Instant::now() >= until {
                return Ok(task);
            }
            drop(tokio::time::timeout_at(until, changes.next()).await);
        }
    }

    /// Tells when a task of this process has changed.
    pub fn watch(&self) -> Changes {
        Changes(self.changes.subscribe())
    }

    /// Takes no more tasks, gives those that run `grace` to end, and puts the others back into the queue.
    pub async fn shutdown(&self, grace: Duration) {
        self.stopping.cancel();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait()).await.is_err() {
            tracing::info!("tasks that still run go back to the queue");
            self.over.cancel();
            self.tracker.wait().await;
        }
    }

    /// Stops without waiting, for an engine that is dropped.
    pub(crate) fn halt(&self) {
        self.stopping.cancel();
        self.over.cancel();
    }

    fn changed(&self) {
        self.changes.send_modify(|number| *number = number.wrapping_add(1));
    }

    async fn dispatch(self: Arc<Self>) {
        let mut swept: Option<tokio::time::Instant> = None;
        loop {
            if self.stopping.is_cancelled() {
                return;
            }
            if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
                swept = Some(tokio::time::Instant::now());
                if let Err(error) = self.state.sweep(now_ms()).await {
                    tracing::warn!(%error, "what has expired could not be removed");
                }
            }
            let free: Vec<String> = {
                let kinds = self.kinds.lock();
                kinds.iter().filter(|(_, kind)| kind.running < kind.limit).map(|(name, _)| name.clone()).collect()
            };
            if !free.is_empty() {
                match self.state.claim_task(free, self.worker, LEASE).await {
                    Ok(Some(task)) => {
                        self.begin(task);
                        continue;
                    }
                    Ok(None) => {}
                    Err(StoreError::Closed) => return,
                    Err(error) => tracing::warn!(%error, "no task could be taken from the queue"),
                }
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(POLL) => {}
                () = self.stopping.cancelled() => return,
            }
        }
    }

    fn begin(self: &Arc<Self>, task: TaskRow) {
        let handler = {
            let mut kinds = self.kinds.lock();
            let Some(kind) = kinds.get_mut(&task.kind) else { return };
            kind.running += 1;
            kind.handler.clone()
        };
        let cancelled = CancellationToken::new();
        if task.cancelling {
            cancelled.cancel();
        }
        self.here.lock().insert(task.id, cancelled.clone());
        let tasks = self.clone();
        self.tracker.spawn(async move {
            let (id, kind) = (task.id, task.kind.clone());
            tracing::debug!(%id, kind, attempt = task.attempt, "a task begins");
            running::run(&tasks, &*handler, task, cancelled).await;
            tasks.here.lock().remove(&id);
            if let Some(kind) = tasks.kinds.lock().get_mut(&kind) {
                kind.running = kind.running.saturating_sub(1);
            }
            tasks.wake.notify_one();
            tasks.changed();
        });
    }
}

/// Tells when a task of this process has changed.
#[derive(Debug)]
pub struct Changes(watch::Receiver<u64>);

impl Changes {
    /// Resolves at the next change, or after a moment: another process may have made one.
    pub async fn next(&mut self) {
        // That the sender is gone is noticed by who looks at the task.
        drop(tokio::time::timeout(POLL / 2, self.0.changed()).await);
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
