//! What the ledger holds and how to ask it.
//!
//! Invariant: rows are only added. Bodies are kept as the bytes that travelled; what can be
//! derived from them is derived when it is read, not when it is written.

use bytes::Bytes;
use sabir_types::{ErrorKind, FinishReason, Operation, Protocol, Usage, Uuid};

/// How a call or a model call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// With an answer.
    Ok,
    /// With an error.
    Error,
    /// The caller left before the end.
    Cancelled,
}

/// One call as the caller saw it. `id` (a UUIDv7) holds the time when it began.
#[derive(Debug, Clone)]
pub struct InferenceRow {
    /// The inference id.
    pub id: Uuid,
    /// The episode that it belongs to.
    pub episode_id: Uuid,
    /// The door that it came through: the protocol of `input`.
    pub door: Protocol,
    /// What kind of work it was.
    pub operation: Operation,
    /// The function asked for (`tensorzero::default` for a call by model name).
    pub function_name: String,
    /// The variant that answered (the model's name for a call by model name).
    pub variant_name: String,
    /// The model asked for, as the caller wrote it.
    pub model: String,
    /// The caller's body, as it came; `None` when the first model call's `raw_request` is the same
    /// but for the model's name (a body that went through untouched).
    pub input: Option<Bytes>,
    /// The answer as JSON of `sabir_types::Response`; `None` when it is to be read from the last
    /// model call's `raw_response` in the door's own protocol (an answer that went through untouched).
    pub output: Option<String>,
    /// Labels.
    pub tags: Vec<(String, String)>,
    /// The sum over all model calls.
    pub usage: Usage,
    /// Money, where prices are known; in the unit of the configured prices.
    pub cost: Option<f64>,
    /// Whether the answer was streamed.
    pub stream: bool,
    /// Whether it came from the cache.
    pub cached: bool,
    /// Microseconds to the first event.
    pub ttft_us: Option<u64>,
    /// Microseconds in all.
    pub total_us: u64,
    /// Who called (the key's public name), if the gateway asks for keys.
    pub caller: Option<String>,
    /// Why the model stopped.
    pub finish_reason: Option<FinishReason>,
    /// How it ended.
    pub status: Status,
    /// What went wrong.
    pub error: Option<(ErrorKind, String)>,
}

/// One call to a provider: each retry and each fallback is one.
#[derive(Debug, Clone)]
pub struct ModelCallRow {
    /// Its id.
    pub id: Uuid,
    /// The inference that it was made for.
    pub inference_id: Uuid,
    /// The model's name in the configuration, or `provider::model`.
    pub model_name: String,
    /// The provider's name in that model's routing.
    pub provider_name: String,
    /// The provider type (`openai`).
    pub provider_type: &'static str,
    /// The protocol that the raw bodies are written in.
    pub protocol: Protocol,
    /// The body that was sent.
    pub raw_request: Bytes,
    /// The body that came back, as far as it came.
    pub raw_response: Bytes,
    /// The HTTP status, if one came.
    pub http_status: Option<u16>,
    /// The provider's id for the request.
    pub request_id: Option<String>,
    /// What it consumed.
    pub usage: Usage,
    /// Money, where prices are known.
    pub cost: Option<f64>,
    /// Whether it came from the cache.
    pub cached: bool,
    /// Microseconds to the first event.
    pub ttft_us: Option<u64>,
    /// Microseconds in all.
    pub total_us: u64,
    /// Why the model stopped.
    pub finish_reason: Option<FinishReason>,
    /// How it ended.
    pub status: Status,
    /// What went wrong.
    pub error: Option<(ErrorKind, String)>,
}

/// One inference with its model calls: written together or not at all.
#[derive(Debug, Clone)]
pub struct Record {
    /// The call.
    pub inference: InferenceRow,
    /// Its model calls, in the order in which they were made.
    pub calls: Vec<ModelCallRow>,
}

/// What feedback is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// One inference.
    Inference,
    /// All inferences of an episode.
    Episode,
}

/// What feedback says.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedbackKind {
    /// A boolean metric.
    Boolean(bool),
    /// A number metric.
    Float(f64),
    /// A remark.
    Comment(String),
    /// What should have been answered, as JSON.
    Demonstration(String),
}

/// One piece of feedback. `id` (a UUIDv7) holds the time when it was given.
#[derive(Debug, Clone)]
pub struct FeedbackRow {
    /// The feedback id.
    pub id: Uuid,
    /// What it is about.
    pub target_kind: TargetKind,
    /// The id of that.
    pub target_id: Uuid,
    /// The metric's name, `comment` or `demonstration`.
    pub metric_name: String,
    /// What it says.
    pub value: FeedbackKind,
    /// Labels.
    pub tags: Vec<(String, String)>,
}

/// Something to add.
#[derive(Debug, Clone)]
pub enum Entry {
    /// An inference.
    Inference(Box<Record>),
    /// Feedback.
    Feedback(Box<FeedbackRow>),
}

/// The promise that an entry will be there; resolves when it is.
#[derive(Debug)]
pub struct Ack(pub(crate) Option<tokio::sync::oneshot::Receiver<Result<(), crate::StoreError>>>);

impl Ack {
    /// An entry that nobody needs to wait for (durability `async` or `off`).
    pub fn done() -> Self {
        Self(None)
    }

    /// Waits until the entry is committed.
    pub async fn wait(self) -> Result<(), crate::StoreError> {
        match self.0 {
            None => Ok(()),
            Some(receiver) => receiver.await.unwrap_or(Err(crate::StoreError::Closed)),
        }
    }
}
