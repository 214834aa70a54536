//! Files, uploads and vector stores.

use sabir_types::Value;

use super::loose::records;

records! {
    /// What was deleted.
    Deleted {
        /// Its id.
        id: String,
        /// What it was.
        object: String,
        /// Whether it is gone.
        deleted: bool,
    }

    /// A file.
    FileObject {
        /// Its id.
        id: String,
        /// Always `file`.
        object: String,
        /// How long it is.
        bytes: Option<i64>,
        /// When it was made, in seconds since 1970.
        created_at: i64,
        /// When it goes, in seconds since 1970.
        expires_at: Option<i64>,
        /// What it is called.
        filename: String,
        /// What it is for.
        purpose: String,
        /// How far it is: `uploaded`, `processed`, `error`.
        status: Option<String>,
        /// Why it is no good.
        status_details: Option<String>,
    }

    /// A file that is uploaded part by part.
    UploadObject {
        /// Its id.
        id: String,
        /// Always `upload`.
        object: String,
        /// How long the file will be.
        bytes: Option<i64>,
        /// When it was begun, in seconds since 1970.
        created_at: i64,
        /// Until when it can be ended, in seconds since 1970.
        expires_at: Option<i64>,
        /// What the file is called.
        filename: String,
        /// What the file is for.
        purpose: String,
        /// How far it is: `pending`, `completed`, `cancelled`, `expired`.
        status: String,
        /// The file, when it is completed.
        file: Option<FileObject>,
    }

    /// A part of an upload.
    UploadPart {
        /// Its id.
        id: String,
        /// Always `upload.part`.
        object: String,
        /// The upload that it belongs to.
        upload_id: String,
        /// When it was made, in seconds since 1970.
        created_at: i64,
    }

    /// How many files are how far.
    FileCounts {
        /// Those at work.
        in_progress: i64,
        /// Those that are done.
        completed: i64,
        /// Those that failed.
        failed: i64,
        /// Those that were given up.
        cancelled: i64,
        /// All of them.
        total: i64,
    }

    /// A place where files can be searched.
    VectorStore {
        /// Its id.
        id: String,
        /// Always `vector_store`.
        object: String,
        /// When it was made, in seconds since 1970.
        created_at: i64,
        /// What it is called.
        name: Option<String>,
        /// How far it is: `in_progress`, `completed`, `expired`.
        status: String,
        /// How much it takes.
        usage_bytes: i64,
        /// Its files.
        file_counts: FileCounts,
        /// When it goes.
        expires_after: Option<Value>,
        /// The same in seconds since 1970.
        expires_at: Option<i64>,
        /// When it was used last, in seconds since 1970.
        last_active_at: Option<i64>,
        /// The caller's own notes.
        metadata: Option<Value>,
    }

    /// A file in a vector store.
    VectorStoreFile {
        /// The file's id.
        id: String,
        /// Always `vector_store.file`.
        object: String,
        /// The store's id.
        vector_store_id: String,
        /// When it was put there, in seconds since 1970.
        created_at: i64,
        /// How far it is: `in_progress`, `completed`, `cancelled`, `failed`.
        status: String,
        /// Why it failed.
        last_error: Option<Value>,
        /// How much it takes.
        usage_bytes: i64,
        /// What it can be filtered by.
        attributes: Option<Value>,
        /// How it is cut up.
        chunking_strategy: Option<Value>,
    }

    /// Files that are put into a vector store together.
    VectorStoreFileBatch {
        /// Its id.
        id: String,
        /// Always `vector_store.file_batch`.
        object: String,
        /// The store's id.
        vector_store_id: String,
        /// When it was begun, in seconds since 1970.
        created_at: i64,
        /// How far it is: `in_progress`, `completed`, `cancelled`, `failed`.
        status: String,
        /// Its files.
        file_counts: FileCounts,
    }

    /// Something that was found.
    VectorStoreMatch {
        /// The file that it is in.
        file_id: String,
        /// What that file is called.
        filename: String,
        /// How well it fits, from 0 to 1.
        score: f64,
        /// What the file can be filtered by.
        attributes: Option<Value>,
        /// The parts that were found.
        content: Vec<Value>,
    }
}
