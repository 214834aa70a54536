//! The one path that every call takes, embedded or served: plan, cache, attempt, record.
//!
//! Invariant: everything that decides anything is here; doors parse and render, nothing else.

mod attempt;
mod backoff;
mod cache;
pub mod call;
mod capability;
mod catalog;
mod circuit;
pub mod config;
mod counting;
mod ends;
mod engine;
pub mod feedback;
mod free_text;
mod hide;
pub mod history;
mod key;
mod outgoing;
mod patch;
mod pipeline;
pub mod plan;
pub mod price;
mod record;
pub mod relay;
mod sharing;
mod stream;
pub mod tasks;
mod token;
mod transport;
pub mod verify;

pub use call::{Answer, Call, CallOptions, Content, Facts, Failure, Frame, FrameStream, Source, Summary};
pub use catalog::CatalogEntry;
pub use counting::Counting;
pub use engine::Engine;
pub use relay::{Relay, RelayBody, RelayTo, Relayed};
