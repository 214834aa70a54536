//! What is asked and answered, typed.
//!
//! Invariant: reading is lenient, since a gateway may speak for any provider: null and absent are
//! the same, and members that are not known here are kept in `rest`.

mod chat;
mod embedding;
mod feedback;
mod file;
mod inference;
mod job;
mod listing;
pub(crate) mod loose;
mod media;
mod model;
mod response;

pub use chat::{
    ChatCompletion, ChatCompletionChunk, ChatCompletionRequest, Choice, ChunkChoice, Content, Delta, Function, Message,
    Part, ToolCall, Usage,
};
pub use embedding::{Embedding, EmbeddingInput, EmbeddingList, EmbeddingRequest, EmbeddingUsage};
pub use feedback::{FeedbackRequest, FeedbackResponse};
pub use file::{
    Deleted, FileCounts, FileObject, UploadObject, UploadPart, VectorStore, VectorStoreFile, VectorStoreFileBatch,
    VectorStoreMatch,
};
pub use inference::{ContentBlock, InferenceChunk, InferenceRequest, InferenceResponse, InferenceUsage};
pub use job::{Batch, FineTuningCheckpoint, FineTuningEvent, FineTuningJob, RequestCounts};
pub use listing::{InferenceList, ListInferencesRequest, StoredInference};
pub use media::{Image, ImageList, Moderation, ModerationList, Ranked, RerankList, Transcription};
pub use model::{Model, ModelList};
pub use response::{OutputItem, OutputPart, Response, ResponseUsage};

use serde::{Deserialize, Deserializer};

/// Null counts as absent.
fn lenient<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
