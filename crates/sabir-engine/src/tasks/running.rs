//! A task while it runs.
//!
//! Invariant: whatever ends a handler (its end, a panic, a lost lease, the end of the process) is
//! told to the store, or the store finds out by the lease.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use sabir_store::{
    State, StoreError,
    state::{End, Hold, Part, TaskRow, TaskState},
};
use sabir_types::{Error, ErrorKind, Result};
use tokio_util::sync::CancellationToken;

use super::{BEAT, Handler, LEASE, Outcome, Tasks, stored};

/// How many times to try to write how a task ended.
const TRIES: usize = 5;

/// A task as its handler has it.
#[derive(Debug, Clone)]
pub struct Running {
    /// The task as it was when it was taken from the queue.
    pub task: TaskRow,
    tasks: Arc<Tasks>,
    cancelled: CancellationToken,
}

impl Running {
    /// Somebody wants it to end, or it went to another worker.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// The process is about to stop: what cannot be finished soon is best given back.
    pub fn stopping(&self) -> &CancellationToken {
        &self.tasks.stopping
    }

    /// Where the task is kept.
    pub fn state(&self) -> &Arc<dyn State> {
        &self.tasks.state
    }

    /// Says how far it is, as JSON.
    pub async fn progress(&self, progress: String) -> Result<()> {
        self.write(Vec::new(), Some(progress)).await
    }

    /// Keeps parts and says how far it is. An error of the kind `Cancelled` says that the task is
    /// no longer this worker's.
    pub async fn write(&self, parts: Vec<Part>, progress: Option<String>) -> Result<()> {
        let written = self.tasks.state.write_parts(self.task.id, self.tasks.worker, parts, progress).await;
        self.holds(stored(written)?)
    }

    /// Removes the parts from this number on.
    pub async fn cut(&self, from: u32) -> Result<()> {
        let cut = self.tasks.state.cut_parts(self.task.id, self.tasks.worker, from).await;
        self.holds(stored(cut)?)
    }

    fn holds(&self, hold: Hold) -> Result<()> {
        self.tasks.changed();
        match hold {
            Hold::Held => Ok(()),
            Hold::Cancelling => {
                self.cancelled.cancel();
                Ok(())
            }
            Hold::Lost => {
                self.cancelled.cancel();
                Err(Error::new(ErrorKind::Cancelled, "the task is no longer this worker's"))
            }
        }
    }
}

pub(super) async fn run(tasks: &Arc<Tasks>, handler: &dyn Handler, task: TaskRow, cancelled: CancellationToken) {
    let (id, worker) = (task.id, tasks.worker);
    let running = Running { task, tasks: tasks.clone(), cancelled: cancelled.clone() };
    let mut work = AssertUnwindSafe(handler.run(running)).catch_unwind();
    let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + BEAT, BEAT);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome.unwrap_or_else(|_| {
                tracing::error!(%id, "a task's handler panicked");
                Outcome::End(End { state: TaskState::Failed, result: None, progress: None })
            }),
            () = tasks.over.cancelled() => break Outcome::GiveBack,
            _ = beat.tick() => match tasks.state.beat(id, worker, LEASE).await {
                Ok(Hold::Held) => {}
                Ok(Hold::Cancelling) => cancelled.cancel(),
                Ok(Hold::Lost) | Err(StoreError::Closed) => return,
                // The next beat may come through before the lease has run out.
                Err(error) => tracing::warn!(%id, %error, "a task's lease could not be renewed"),
            },
        }
    };
    drop(work);
    for left in (0..TRIES).rev() {
        let told = match &outcome {
            Outcome::End(end) => tasks.state.end_task(id, worker, end.clone()).await,
            Outcome::GiveBack => tasks.state.give_back(id, worker).await,
        };
        match told {
            Ok(_) | Err(StoreError::Closed) => return,
            Err(error) if left == 0 => tracing::error!(%id, %error, "how a task ended could not be written"),
            Err(_) => tokio::time::sleep(BEAT / 6).await,
        }
    }
}
