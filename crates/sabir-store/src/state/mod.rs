//! What outlives a request and is not a record of it: tasks, files, conversations.
//!
//! Invariant: an answer means that the change is committed. Rows of the ledger are only added;
//! these change, and go when they are deleted or expire.

mod conversations;
mod files;
mod tasks;

pub use conversations::{Conversation, ConversationItem, ConversationStore};
pub use files::{FileQuery, FileRow, FileStore};
pub use tasks::{End, Hold, NewTask, Part, PartQuery, TaskQuery, TaskRow, TaskState, TaskStore};

use crate::Answer;

/// All that a backend keeps beside the ledger.
pub trait State: TaskStore + FileStore + ConversationStore {
    /// Removes what has expired by `now` (milliseconds since 1970): tasks that have ended, files,
    /// and uploads that were begun a day ago and never finished. Says how many rows went.
    fn sweep(&self, now: i64) -> Answer<'_, u64>;
}
