//! What can go wrong in a store.

/// A store's error.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The engine below said no.
    #[error("the ledger's database says: {0}")]
    Database(String),
    /// The file was written by a newer binary.
    #[error(
        "the ledger file `{file}` has schema version {found}, this binary knows versions up to {known}: use a newer binary"
    )]
    Newer {
        /// The file.
        file: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file or its folder cannot be made or opened.
    #[error("the ledger file `{file}` cannot be opened: {reason}")]
    Open {
        /// The file.
        file: String,
        /// What the system says.
        reason: String,
    },
    /// Another process writes to the file, and goes on doing so.
    #[error("the ledger's database is held by another process: {0}")]
    Busy(String),
    /// More waits to be written than may be kept in memory.
    #[error("the ledger's queue is full: {bytes} bytes wait to be written")]
    Full {
        /// How much waits.
        bytes: usize,
    },
    /// The writer is gone.
    #[error("the ledger is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy) => Self::Busy(error.to_string()),
            _ => Self::Database(error.to_string()),
        }
    }
}
