//! Pure translators: a request into an HTTP request, bytes back into an answer.
//!
//! Invariant: no socket, no clock, no environment, no random number. What a provider needs from
//! the world (a key, the time for a signature) it is given.

mod google_cloud;
pub mod openai_compat;
pub mod openai_responses;
mod parts;
pub mod provider;
mod providers;
pub mod sign;

pub use parts::set_content_type;
pub use provider::{
    Capabilities, CredentialScheme, Decoder, Encoded, Glance, HttpRequest, HttpResponse, Outbound, Passage, Provider,
    Script, Spec, Step, StepOutcome, Target,
};
pub use providers::{all, find};
