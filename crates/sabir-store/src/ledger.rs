//! What the ledger holds and how to ask it.
//!
//! Invariant: rows are only added. Bodies are kept as the bytes that travelled; what can be
//! derived from them is derived when it is read, not when it is written.

use std::sync::Arc;

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

/// What a ledger's question comes back as.
pub type Answer<'a, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, crate::StoreError>> + Send + 'a>>;

/// Appends rows and finds them again.
pub trait Ledger: Send + Sync + std::fmt::Debug {
    /// Takes an entry. Never blocks and never fails at once: the acknowledgement says how it went.
    fn append(&self, entry: Entry) -> Ack;

    /// Inferences that fit, in the order asked for, each with its model calls.
    fn inferences(&self, query: InferenceQuery) -> Answer<'_, Vec<Record>>;

    /// Feedback on any of these targets, oldest first.
    fn feedback(&self, targets: Vec<Uuid>) -> Answer<'_, Vec<FeedbackRow>>;

    /// Whether there is an inference, or an inference of an episode, with that id.
    fn exists(&self, kind: TargetKind, id: Uuid) -> Answer<'_, bool>;

    /// From now on an inference is found only by who asks for hidden ones, also one whose row is
    /// still to come; false if there is none yet, or if it is hidden already. The row stays.
    fn hide(&self, id: Uuid) -> Answer<'_, bool>;

    /// Waits until everything appended so far is committed.
    fn flush(&self) -> Answer<'_, ()>;

    /// Whether it can be read and written now.
    fn health(&self) -> Answer<'_, ()>;

    /// What is kept beside the ledger, if this backend keeps such things.
    fn state(self: Arc<Self>) -> Option<Arc<dyn crate::State>> {
        None
    }
}

/// Which inferences to find.
#[derive(Debug, Clone, Default)]
pub struct InferenceQuery {
    /// Only these.
    pub ids: Option<Vec<Uuid>>,
    /// Only of this function.
    pub function_name: Option<String>,
    /// Only of this variant.
    pub variant_name: Option<String>,
    /// Only of this episode.
    pub episode_id: Option<Uuid>,
    /// Only those that fit.
    pub filter: Option<Filter>,
    /// Only older than this one (exclusive).
    pub before: Option<Uuid>,
    /// Only newer than this one (exclusive).
    pub after: Option<Uuid>,
    /// Only those whose input or output contains this text, without regard to case.
    pub search: Option<String>,
    /// Also those that failed or whose caller left.
    pub include_failed: bool,
    /// Also those that their callers deleted.
    pub include_hidden: bool,
    /// In which order; newest first unless told otherwise.
    pub order_by: Vec<OrderBy>,
    /// At most that many.
    pub limit: Option<u64>,
    /// Passing over that many.
    pub offset: u64,
}

/// A condition on inferences.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of them.
    And(Vec<Filter>),
    /// Any of them.
    Or(Vec<Filter>),
    /// Not that.
    Not(Box<Filter>),
    /// A label is (or is not) that; a label that is not there fits neither.
    Tag {
        /// The label.
        key: String,
        /// Its value.
        value: String,
        /// Equal, or not.
        equal: bool,
    },
    /// When it was made, in milliseconds since 1970.
    Time {
        /// Compared with.
        millis: i64,
        /// How.
        comparison: Comparison,
    },
    /// The newest value of a number metric, of the inference or its episode.
    FloatMetric {
        /// The metric.
        name: String,
        /// Compared with.
        value: f64,
        /// How.
        comparison: Comparison,
    },
    /// The newest value of a boolean metric, of the inference or its episode.
    BooleanMetric {
        /// The metric.
        name: String,
        /// Its value.
        value: bool,
    },
    /// Whether it has a demonstration.
    Demonstration(bool),
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `!=`
    NotEqual,
}

/// One key to sort by.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderBy {
    /// What to sort by.
    pub key: OrderKey,
    /// The largest first.
    pub descending: bool,
}

/// What to sort by.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderKey {
    /// When it was made.
    Timestamp,
    /// The newest value of a metric; those without one come last.
    Metric(String),
}
