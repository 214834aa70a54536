//! Sabir's own vocabulary: what a call asks for, what an answer holds, what can go wrong.
//!
//! Invariant: no I/O, no clock, no async. Every other crate speaks in these words, and a
//! protocol's own words (see `sabir-wire`) are turned into these at the edge.
#![warn(missing_docs)]

mod audio;
mod block;
mod embed;
mod error;
mod event;
mod id;
mod image;
mod moderate;
mod request;
mod rerank;
mod response;
mod secret;
mod usage;

pub use audio::{SpeechRequest, SpeechResponse, TranscribeRequest, TranscribeResponse, TranscriptFormat};
pub use block::{Block, CacheControl, CallKind, Media, Source, Text, Thinking, ToolCall, ToolResult, Unknown};
pub use embed::{EmbedFormat, EmbedInput, EmbedRequest, EmbedResponse, Vector};
pub use error::{Error, ErrorKind, Result, UpstreamError};
pub use event::{Accumulator, Delta, Event};
pub use id::new_id;
pub use image::{ImageRequest, ImageResponse, Picture};
pub use moderate::{ModerateInput, ModerateRequest, ModerateResponse, Verdict};
pub use request::{
    AudioOut, ChatRequest, Effort, Message, Operation, Params, Protocol, Reasoning, Request, ResponseFormat, Rest,
    Role, Schema, Tool, ToolChoice, ToolKind,
};
pub use rerank::{Ranked, RerankRequest, RerankResponse};
pub use response::{ChatResponse, Choice, FinishReason, Response, Warning};
pub use secret::Secret;
pub use usage::Usage;

pub use serde_json::{Map, Value};
pub use uuid::Uuid;
