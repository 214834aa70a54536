//! Tasks: work that goes on when its caller has gone, and after a restart.
//!
//! Invariants: a task is run by one worker at a time, for as long as its lease is renewed; what a
//! worker writes after it lost the task changes nothing; an ended task does not run again.

use std::{fmt::Debug, time::Duration};

use bytes::Bytes;
use sabir_types::Uuid;

use crate::Answer;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Waits for a worker.
    Queued,
    /// Is run by one.
    Running,
    /// Ended with a result.
    Done,
    /// Ended without.
    Failed,
    /// Was stopped.
    Cancelled,
}

impl TaskState {
    /// Whether it does not change any more.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// A task to queue.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Its id, a UUIDv7: tasks are run in this order.
    pub id: Uuid,
    /// Which handler it is for.
    pub kind: String,
    /// Who asked for it, if the gateway asks for keys.
    pub caller: Option<String>,
    /// Labels.
    pub tags: Vec<(String, String)>,
    /// What to do, in its handler's own form.
    pub request: Bytes,
    /// How far it is, as JSON.
    pub progress: Option<String>,
    /// When it may be removed once it has ended, in milliseconds since 1970; `None` keeps it.
    pub expires: Option<i64>,
    /// Parts that it begins with.
    pub parts: Vec<Part>,
}

impl NewTask {
    /// A task of this kind with a new id and nothing that is optional.
    pub fn new(kind: &str, request: impl Into<Bytes>) -> Self {
        Self {
            id: sabir_types::new_id(),
            kind: kind.to_owned(),
            caller: None,
            tags: Vec::new(),
            request: request.into(),
            progress: None,
            expires: None,
            parts: Vec::new(),
        }
    }
}

/// A task as it is kept. Times are milliseconds since 1970.
#[derive(Debug, Clone)]
pub struct TaskRow {
    /// Its id.
    pub id: Uuid,
    /// Which handler it is for.
    pub kind: String,
    /// Where it stands.
    pub state: TaskState,
    /// Who asked for it.
    pub caller: Option<String>,
    /// Labels.
    pub tags: Vec<(String, String)>,
    /// How many times a worker has begun it.
    pub attempt: u32,
    /// Somebody wants it to end.
    pub cancelling: bool,
    /// When it was queued.
    pub created: i64,
    /// When it was first begun.
    pub started: Option<i64>,
    /// When it ended.
    pub ended: Option<i64>,
    /// When it may be removed.
    pub expires: Option<i64>,
    /// How far it is, as JSON.
    pub progress: Option<String>,
    /// What to do.
    pub request: Bytes,
    /// What came of it.
    pub result: Option<Bytes>,
}

/// Something that a task brings forth before it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number within the task, below 2^24. The first part with a number stays.
    pub number: u32,
    /// What it is, in its handler's own words.
    pub label: String,
    /// Its content.
    pub data: Bytes,
}

/// Which parts of a task to find, in the order of their numbers.
#[derive(Debug, Clone, Default)]
pub struct PartQuery {
    /// Only from this number on.
    pub from: u32,
    /// At most that many.
    pub limit: Option<u32>,
    /// Leave the content out.
    pub without_data: bool,
}

/// How a task ends.
#[derive(Debug, Clone)]
pub struct End {
    /// `Done`, `Failed` or `Cancelled`.
    pub state: TaskState,
    /// What came of it.
    pub result: Option<Bytes>,
    /// How far it came, as JSON; `None` leaves what was there.
    pub progress: Option<String>,
}

/// Whether a worker still has a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It does.
    Held,
    /// It does, and somebody wants it to end.
    Cancelling,
    /// The task went to another worker, has ended or was deleted.
    Lost,
}

/// Which tasks to find.
#[derive(Debug, Clone, Default)]
pub struct TaskQuery {
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only this caller's.
    pub caller: Option<String>,
    /// Only in one of these states; none means any.
    pub states: Vec<TaskState>,
    /// Only those that come after this one in the order asked for.
    pub after: Option<Uuid>,
    /// Only those that come before this one in the order asked for; the nearest are found.
    pub before: Option<Uuid>,
    /// Oldest first; newest first otherwise.
    pub ascending: bool,
    /// At most that many.
    pub limit: Option<u32>,
}

/// Keeps tasks.
pub trait TaskStore: Send + Sync + Debug {
    /// Queues a task.
    fn add_task(&self, task: NewTask) -> Answer<'_, ()>;

    /// Hands the oldest task of these kinds that waits, or whose worker has let its lease run out,
    /// to this worker. A worker does not get a task back that it has.
    fn claim_task(&self, kinds: Vec<String>, worker: Uuid, lease: Duration) -> Answer<'_, Option<TaskRow>>;

    /// Renews the lease.
    fn beat(&self, id: Uuid, worker: Uuid, lease: Duration) -> Answer<'_, Hold>;

    /// Adds parts and says how far the task is, at once or not at all. `None` leaves the progress.
    fn write_parts(&self, id: Uuid, worker: Uuid, parts: Vec<Part>, progress: Option<String>) -> Answer<'_, Hold>;

    /// Removes the parts from this number on, for a task that is begun anew.
    fn cut_parts(&self, id: Uuid, worker: Uuid, from: u32) -> Answer<'_, Hold>;

    /// Ends a task; false if the worker has lost it.
    fn end_task(&self, id: Uuid, worker: Uuid, end: End) -> Answer<'_, bool>;

    /// Puts a task back into the queue; false if the worker has lost it.
    fn give_back(&self, id: Uuid, worker: Uuid) -> Answer<'_, bool>;

    /// One task.
    fn task(&self, id: Uuid) -> Answer<'_, Option<TaskRow>>;

    /// The tasks that fit.
    fn tasks(&self, query: TaskQuery) -> Answer<'_, Vec<TaskRow>>;

    /// The parts of a task.
    fn parts(&self, id: Uuid, query: PartQuery) -> Answer<'_, Vec<Part>>;

    /// Stops a task: one that waits is cancelled at once, one that runs is told so at its next
    /// beat, one that has ended stays. The state from then on; `None` if there is no such task.
    fn cancel_task(&self, id: Uuid) -> Answer<'_, Option<TaskState>>;

    /// Removes a task and its parts, whatever its state; false if there is none.
    fn delete_task(&self, id: Uuid) -> Answer<'_, bool>;
}
