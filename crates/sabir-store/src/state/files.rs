//! Files: names and contents, the contents in chunks.
//!
//! Invariants: a file is found only when all of it is there; nobody needs to hold all of one.

use std::fmt::Debug;

use bytes::Bytes;
use sabir_types::Uuid;

use crate::Answer;

/// A file without its content. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is for (`batch`).
    pub purpose: String,
    /// Whose it is, if the gateway asks for keys.
    pub caller: Option<String>,
    /// How long it is.
    pub bytes: u64,
    /// When it was made.
    pub created: i64,
    /// When it may be removed; `None` keeps it.
    pub expires: Option<i64>,
}

/// Which files to find.
#[derive(Debug, Clone, Default)]
pub struct FileQuery {
    /// Only for this.
    pub purpose: Option<String>,
    /// Only this caller's.
    pub caller: Option<String>,
    /// Only those that come after this one in the order asked for.
    pub after: Option<Uuid>,
    /// Oldest first; newest first otherwise.
    pub ascending: bool,
    /// At most that many.
    pub limit: Option<u32>,
}

/// Keeps files.
pub trait FileStore: Send + Sync + Debug {
    /// Begins a file, of which no more than the id and the time need be known.
    fn begin_file(&self, file: FileRow) -> Answer<'_, ()>;

    /// Writes the chunk with this number, counted from 0; one that is there already is replaced.
    fn write_chunk(&self, id: Uuid, number: u32, data: Bytes) -> Answer<'_, ()>;

    /// All chunks are written: from now on the file is found, as this row says it is.
    fn finish_file(&self, file: FileRow) -> Answer<'_, ()>;

    /// One file.
    fn file(&self, id: Uuid) -> Answer<'_, Option<FileRow>>;

    /// The files that fit.
    fn files(&self, query: FileQuery) -> Answer<'_, Vec<FileRow>>;

    /// A chunk of a file; `None` after the last one.
    fn chunk(&self, id: Uuid, number: u32) -> Answer<'_, Option<Bytes>>;

    /// Removes a file, also one that is not complete; false if there is none.
    fn delete_file(&self, id: Uuid) -> Answer<'_, bool>;
}
