//! What a door hands to the engine, and what it gets back.
//!
//! Invariant: a door never sees a provider, a key or a ledger row; the engine never sees a
//! protocol's answer format.

use std::{
    fmt,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, StatusCode};
use sabir_types::{Error, Event, Operation, Protocol, Request, Response, Result, Secret, Usage, Uuid, Value, Warning};

use crate::plan::{BodyChange, HeaderChange};

/// One call, as a door hands it over.
#[derive(Debug)]
pub struct Call {
    /// The inference id.
    pub id: Uuid,
    /// The episode that it belongs to.
    pub episode_id: Uuid,
    /// When the gateway began to work on it.
    pub started: Instant,
    /// The protocol of the door.
    pub door: Protocol,
    /// What kind of work it is.
    pub operation: Operation,
    /// The model as the caller wrote it.
    pub asked: String,
    /// The model to look up: `asked` without the door's own prefixes.
    pub model: String,
    /// Whether the answer should come as events.
    pub stream: bool,
    /// The request itself.
    pub source: Source,
    /// Who is calling.
    pub caller: Option<Arc<str>>,
    /// Everything else.
    pub options: CallOptions,
}

/// A request as the door has it.
pub enum Source {
    /// A body in the door's protocol, read only as far as the door needed. It can go through
    /// untouched to a provider that speaks the same protocol.
    Wire {
        /// The body.
        body: Bytes,
        /// Where the model's name stands in it, quotes included; `None` if it is not in the body.
        model: Option<Range<usize>>,
        /// Reads all of it, for a provider that speaks another protocol.
        parse: fn(&[u8]) -> Result<Request>,
        /// The caller's headers that a provider of the same protocol should see.
        headers: HeaderMap,
    },
    /// A request that was read completely, because the door's protocol is nobody else's.
    Neutral {
        /// The body, for the ledger.
        body: Bytes,
        /// The request.
        request: Box<Request>,
    },
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire { body, .. } => write!(f, "Wire({} bytes)", body.len()),
            Self::Neutral { body, .. } => write!(f, "Neutral({} bytes)", body.len()),
        }
    }
}

impl Source {
    /// The body that came in.
    pub fn body(&self) -> &Bytes {
        match self {
            Self::Wire { body, .. } | Self::Neutral { body, .. } => body,
        }
    }
}

/// What a caller may say about a call beside the request.
#[derive(Debug, Default)]
pub struct CallOptions {
    /// The function's name for the ledger; `None` means `tensorzero::default`.
    pub function_name: Option<String>,
    /// The variant's name for the answer and the ledger; `None` means the model's name.
    pub variant_name: Option<String>,
    /// Labels.
    pub tags: Vec<(String, String)>,
    /// Values for `dynamic::` credentials.
    pub credentials: std::collections::HashMap<String, Secret>,
    /// Run it, but keep nothing.
    pub dryrun: bool,
    /// What may be answered from the cache and kept in it.
    /// `None`: as the configuration says.
    pub cache: Option<CacheOptions>,
    /// Changes to the body.
    pub extra_body: Vec<Filtered<BodyChange>>,
    /// Changes to the headers.
    pub extra_headers: Vec<Filtered<HeaderChange>>,
    /// Keep the model calls' raw bodies for the door.
    pub include_raw: bool,
    /// Hand out the whole answer at the end of a stream ([`Summary::answer`]).
    pub include_answer: bool,
    /// Refuse what the target cannot do, even where leaving it out is harmless.
    pub strict: Option<bool>,
    /// The caller asked for usage on the stream, so that it comes on an untouched one too.
    pub usage_asked: bool,
    /// Whether the body holds members that are for the gateway only, so that it cannot go through untouched.
    pub rewrite: bool,
}

/// A change that may be meant for one model or provider only.
#[derive(Debug, Clone)]
pub struct Filtered<T> {
    /// Only for this model.
    pub model: Option<String>,
    /// Only for this provider of it.
    pub provider: Option<String>,
    /// Only for this variant.
    pub variant: Option<String>,
    /// The change.
    pub change: T,
}

/// What may be answered from the cache and kept in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheOptions {
    /// May answer from the cache.
    pub read: bool,
    /// May keep the answer.
    pub write: bool,
    /// Only answers that are not older, in seconds.
    pub max_age_s: Option<u64>,
}

/// What every answer carries.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The inference id.
    pub inference_id: Uuid,
    /// The episode id.
    pub episode_id: Uuid,
    /// The variant that answered (the model's name for a call by model name).
    pub variant_name: String,
    /// The model that answered, by its name in the configuration.
    pub model_name: Arc<str>,
    /// The provider that answered, by its name in the model's routing.
    pub provider_name: Arc<str>,
    /// The provider's type.
    pub provider_type: &'static str,
    /// The provider's headers; a door picks what it passes on.
    pub headers: HeaderMap,
    /// Whether it came from the cache.
    pub cached: bool,
    /// What was left out on the way.
    pub warnings: Vec<Warning>,
    /// Microseconds that the gateway itself took so far.
    pub overhead_us: u64,
}

/// What an answer says.
#[derive(Debug, Clone)]
pub enum Content {
    /// Bytes in the door's own protocol.
    Passed {
        /// The provider's status.
        status: StatusCode,
        /// The bytes.
        body: Bytes,
    },
    /// An answer in our words.
    Neutral(Box<Response>),
}

/// What a call consumed and which model calls it took.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The sum over all model calls.
    pub usage: Usage,
    /// Money, where prices are known.
    pub cost: Option<f64>,
    /// Why the model stopped, for doors that render events.
    pub finish_reason: Option<sabir_types::FinishReason>,
    /// The model calls, if the caller asked for them.
    pub calls: Vec<RawCall>,
    /// The whole answer of a stream, if the caller asked for it.
    pub answer: Option<Box<Response>>,
}

/// One model call as the caller may see it.
#[derive(Debug, Clone)]
pub struct RawCall {
    /// Its id.
    pub id: Uuid,
    /// The provider's type.
    pub provider_type: &'static str,
    /// `chat_completions`, `responses`, `embeddings`, `image_generations`, `audio_speech` and so on.
    pub api_type: &'static str,
    /// The body that came back.
    pub raw_response: String,
    /// The provider's own usage object.
    pub raw_usage: Option<Value>,
    /// Whether it failed.
    pub failed: bool,
}

/// An answer.
#[derive(Debug)]
pub enum Answer {
    /// All at once. Its ledger row is committed.
    Whole {
        /// What every answer carries.
        facts: Box<Facts>,
        /// What it says.
        content: Content,
        /// What it consumed.
        summary: Box<Summary>,
    },
    /// Piece by piece. Its ledger row is committed before the last piece.
    Stream {
        /// What every answer carries.
        facts: Box<Facts>,
        /// The pieces.
        frames: FrameStream,
    },
}

/// One piece of a streamed answer.
#[derive(Debug, Clone)]
pub enum Frame {
    /// Bytes in the door's own protocol: whole events, so that a door can say something between two, or,
    /// where the provider's content type is not that of events, a piece of a sound.
    /// Only the last piece of an answer may lack the blank line at its end.
    Passed(Bytes),
    /// Events.
    Events(Vec<Event>),
    /// An error in the stream. It may go on after it.
    Error(Error),
    /// The end, with what the call consumed. Always the last frame, unless the caller left.
    End(Box<Summary>),
}

/// The pieces of a streamed answer. Dropping it cancels the upstream call and records that.
pub struct FrameStream(pub(crate) Pin<Box<dyn Stream<Item = Frame> + Send>>);

impl Stream for FrameStream {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for FrameStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrameStream")
    }
}

/// A call that came to nothing. Its ledger row is committed, if the ledger could be written.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What went wrong in the end.
    pub error: Error,
    /// The inference id.
    pub inference_id: Uuid,
    /// The episode id.
    pub episode_id: Uuid,
    /// What went wrong at each provider, in order.
    pub attempts: Vec<(Arc<str>, Error)>,
    /// The protocol of the provider that said it last: its own words can be passed on to a door of the same protocol.
    pub protocol: Option<Protocol>,
    /// The provider's headers.
    pub headers: HeaderMap,
    /// The model calls, if the caller asked for them.
    pub calls: Vec<RawCall>,
}
