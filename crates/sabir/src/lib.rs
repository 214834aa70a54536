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
mod calls;
mod client;
mod error;
mod link;
mod raw;
mod retry;
mod stream;
pub mod types;

pub use accumulate::{Accumulator, Chat as ChatPieces, Inference as InferencePieces, Pieces};
pub use answer::{Answer, Meta};
pub use calls::{Chat, ChatStream, Embeddings, InferenceStream, Models};
#[cfg(feature = "embedded")]
pub use client::EmbeddedBuilder;
pub use client::{HttpBuilder, Sabir};
pub use error::{Error, Result, StatusError};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
pub use raw::{EventReader, NamedEvent, NamedEvents, RawBody};
pub use retry::delay;
pub use stream::{AnswerStream, RawStream};
