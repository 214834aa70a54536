//! Calls that are more than one request: waiting for something, and uploading in parts.
//!
//! Invariants: waiting ends; what runs ends when whoever waits for it leaves.

mod files;
mod runs;
mod stores;

use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::{
    answer::Answer,
    call::Call,
    client::{Sabir, number},
    error::{Error, Result},
};

/// How something is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Poll {
    /// How long between two looks. As long as the service says unless told otherwise, or a second.
    pub every: Option<Duration>,
    /// How long in all. Without limit unless told otherwise.
    pub at_most: Option<Duration>,
}

impl Poll {
    /// As the service says, and without limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// With so long between two looks.
    #[must_use]
    pub fn every(mut self, wait: Duration) -> Self {
        self.every = Some(wait);
        self
    }

    /// No longer than this.
    #[must_use]
    pub fn at_most(mut self, limit: Duration) -> Self {
        self.at_most = Some(limit);
        self
    }

    /// Looks until it is done.
    async fn until<T>(self, what: &str, look: impl Fn() -> Call<T>, is_done: impl Fn(&T) -> bool) -> Result<Answer<T>>
    where
        T: DeserializeOwned + 'static,
    {
        const USUAL: Duration = Duration::from_secs(1);
        let begun = Instant::now();
        let custom = self.every.map(|every| every.as_millis().to_string());
        loop {
            let mut call = look().header("x-stainless-poll-helper", "true");
            if let Some(every) = &custom {
                call = call.header("x-stainless-custom-poll-interval", every);
            }
            let answer = call.await?;
            if is_done(&answer) {
                return Ok(answer);
            }
            let asked = number(answer.headers(), "openai-poll-after-ms").map(Duration::from_millis);
            let wait = self.every.or(asked).unwrap_or(USUAL);
            if self.at_most.is_some_and(|limit| begun.elapsed() + wait > limit) {
                let limit = self.at_most.unwrap_or_default().as_millis();
                return Err(Error::Waiting(format!("{what} was not done within {limit} ms")));
            }
            tokio::time::sleep(wait).await;
        }
    }
}

/// The id in an answer that has no type of its own.
fn id(value: &Answer<sabir_types::Value>) -> Result<String> {
    let id = value.get("id").and_then(sabir_types::Value::as_str);
    id.map(str::to_owned)
        .ok_or_else(|| Error::Decode { message: "the answer has no id".to_owned(), body: value.body().clone() })
}

fn client<C: crate::Surface>(surface: &C) -> Sabir {
    surface.client().clone()
}
