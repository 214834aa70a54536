//! Batches of our own: many requests in a file, run one after another through the same doors.
//!
//! Invariants: a request that has its result is not run again, whatever happens to the process;
//! what is run is a call like any other, in its caller's name and in the ledger.

mod check;
mod inside;
mod lines;
mod output;
mod progress;
mod run;

use std::sync::Arc;

use sabir_engine::tasks::Tasks;
use sabir_store::state::TaskRow;
use sabir_types::{Error, Map, Result, Uuid, Value};
use serde::{Deserialize, Serialize};

pub use lines::Lines;
pub use progress::{LineError, Progress, Stage};

use crate::app::WeakApp;

/// The kind of tasks that are OpenAI's batches.
pub const BATCH: &str = "batch";
/// The kind of tasks that are Anthropic's message batches.
pub const MESSAGES: &str = "message_batch";
/// What the files of message batches are for: nobody lists them.
pub const MESSAGES_PURPOSE: &str = "sabir_message_batch";
/// The labels of results.
pub const SUCCEEDED: &str = "succeeded";
/// See [`SUCCEEDED`].
pub const ERRORED: &str = "errored";
/// See [`SUCCEEDED`].
pub const EXPIRED: &str = "expired";
/// See [`SUCCEEDED`].
pub const CANCELED: &str = "canceled";

/// Whose words the requests and the results of a batch are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// Lines with `method`, `url` and `body`.
    OpenAi,
    /// Lines with `params`.
    Anthropic,
}

/// What is kept of the order of a batch.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    /// Whose words.
    pub shape: Shape,
    /// The batch as its caller knows it.
    pub name: String,
    /// The file with the requests.
    pub input: Uuid,
    /// Where they go.
    pub endpoint: String,
    /// When those that have not begun expire, in milliseconds since 1970.
    pub deadline: i64,
    /// `completion_window`, as the caller wrote it.
    pub window: String,
    /// What the caller says about it.
    pub metadata: Option<Map<String, Value>>,
    /// After how many seconds the results may be removed.
    pub keep: Option<i64>,
}

impl Asked {
    /// Of a task.
    pub fn of(task: &TaskRow) -> Result<Self> {
        serde_json::from_slice(&task.request)
            .map_err(|e| Error::internal(format!("batch {} cannot be read", task.id)).with_source(e))
    }

    /// For a task.
    pub fn written(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::internal("a batch could not be written").with_source(e))
    }
}

/// Says who runs batches.
pub fn handle(tasks: &Arc<Tasks>, app: &WeakApp, concurrency: usize) {
    run::handle(tasks, app, concurrency);
}
