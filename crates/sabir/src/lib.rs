//! The Rust SDK: one client for a gateway over HTTP and for the engine in this process.
//!
//! ```no_run
//! # async fn example() -> sabir::Result<()> {
//! use sabir::{Sabir, types::ChatCompletionRequest};
//!
//! let client = Sabir::http("http://127.0.0.1:3000").build()?;
//! let request = ChatCompletionRequest::new("dummy::echo").user("Hello");
//! let answer = client.chat().create(&request).await?;
//! assert_eq!(answer.text(), "Hello");
//!
//! let mut stream = client.chat().stream(&request).await?;
//! while let Some(piece) = stream.next().await {
//!     print!("{}", piece?.text());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `embedded`, `Sabir::embedded` makes the same client with a gateway of its own
//! in this process. [`blocking`] has the same calls for programs without an async runtime.
//!
//! Invariant: both ways, and both surfaces, give the same answers and the same errors.

mod accumulate;
mod answer;
pub mod blocking;
mod builder;
mod call;
mod calls;
mod chat_engine;
mod client;
mod completion_engine;
#[cfg(feature = "embedded")]
mod embedded;
mod environment;
mod error;
mod form;
mod helpers;
mod link;
mod model;
mod pages;
mod parse;
mod path;
mod raw;
pub mod resources;
mod retry;
pub mod schema;
mod settings;
mod spec;
mod stream;
pub mod tool;
pub mod types;
pub mod webhook;

pub use accumulate::{
    Accumulator, Chat as ChatPieces, ChatEvent, ChatEventStream, ChatEvents, Inference as InferencePieces, Pieces,
    ResponseEvent, Responses as ResponsePieces,
};
pub use answer::{Answer, Member, Meta};
pub use builder::{AzureBuilder, HttpBuilder};
pub use call::{Binary, Call, FromAnswer, Nothing, Pending, Surface};
pub use calls::{ChatStream, InferenceStream, ResponseStream};
pub use chat_engine::{ChatEngine, ChatStep};
pub use client::Sabir;
pub use completion_engine::{Bar, Completed, CompletionEngine, Completions, ErrorMode, Limits, Progress};
#[cfg(feature = "embedded")]
pub use embedded::EmbeddedBuilder;
pub use environment::Environment;
pub use error::{Elapsed, Error, Phase, Result, StatusError};
pub use form::{Form, Upload};
pub use helpers::Poll;
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
pub use link::{BodyError, Incoming, Outgoing, Sending, Transport};
pub use model::{Model, ModelOutput, Parameters, Prompt};
pub use pages::{Items, Page, PageStream, Pages};
pub use parse::Parsed;
pub use raw::{BodyStream, EventReader, NamedEvent, NamedEvents, RawBody};
pub use resources::{Chat, Embeddings, Models};
pub use retry::{Pace, delay};
pub use sabir_macros::tool;
pub use settings::{KeyFuture, KeyProvider, Options, Timeouts};
pub use stream::{AnswerStream, Event, EventStream, RawStream};

/// The page about this crate, whose blocks are compiled with the tests.
#[cfg(all(doctest, feature = "embedded"))]
#[doc = include_str!("../../../docs/rust.md")]
#[derive(Debug)]
pub struct Documents;
