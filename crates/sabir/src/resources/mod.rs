//! Everything that OpenAI's protocol has, resource by resource.
//!
//! Invariant: the calls are made of tables; see [`endpoints`].

mod admin;
mod beta;
mod openai;
mod table;

pub use self::{admin::*, beta::*, openai::*, table::Endpoint};
use crate::{blocking, client::Sabir};

/// Every endpoint that has a method here.
pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    [openai::OPENAI, beta::BETA, admin::ADMIN].into_iter().flatten()
}

/// The resources of one surface.
macro_rules! roots {
    ($($name:ident: $kind:ident;)*) => {
        roots!(@impl [Sabir] $($name: $kind;)*);
        roots!(@impl [blocking::Sabir] $($name: $kind;)*);
    };
    (@impl [$surface:ty] $($name:ident: $kind:ident;)*) => {
        impl $surface {
            $(
                #[doc = concat!("The calls of `", stringify!($name), "`.")]
                pub fn $name(&self) -> $kind<Self> {
                    $kind(self.clone())
                }
            )*
        }
    };
}

roots! {
    admin: Admin;
    audio: Audio;
    batches: Batches;
    beta: Beta;
    chat: Chat;
    completions: Completions;
    containers: Containers;
    content_provenance_checks: ContentProvenanceChecks;
    conversations: Conversations;
    decisions: Decisions;
    embeddings: Embeddings;
    evals: Evals;
    files: Files;
    fine_tuning: FineTuning;
    images: Images;
    live: Live;
    models: Models;
    moderations: Moderations;
    realtime: Realtime;
    responses: Responses;
    safety: Safety;
    skills: Skills;
    uploads: Uploads;
    vector_stores: VectorStores;
    videos: Videos;
    webhooks: Webhooks;
}
