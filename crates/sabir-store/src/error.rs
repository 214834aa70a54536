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
    /// The writer is gone.
    #[error("the ledger is closed")]
    Closed,
}
