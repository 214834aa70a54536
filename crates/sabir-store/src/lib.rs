//! What outlives a call: the ledger of inferences, model calls and feedback; tasks, files and
//! conversations.
//!
//! Invariant: a row whose acknowledgement was awaited is there after the process is killed.

#[doc(hidden)]
pub mod conformance;
#[doc(hidden)]
pub mod conformance_state;
mod error;
pub mod ledger;
pub mod sqlite;
pub mod state;

pub use error::StoreError;
pub use ledger::{
    Ack, Answer, Comparison, Entry, FeedbackKind, FeedbackRow, Filter, InferenceQuery, InferenceRow, Ledger,
    ModelCallRow, OrderBy, OrderKey, Record, Status, TargetKind,
};
pub use sqlite::SqliteLedger;
pub use state::{ConversationStore, FileStore, State, TaskStore};
