//! How far a batch is.
//!
//! Invariant: the counts are written together with the results that they count.

use sabir_types::{Uuid, Value};
use serde::{Deserialize, Serialize};

use super::{CANCELED, ERRORED, EXPIRED, SUCCEEDED};

/// What a batch is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Its requests are looked at.
    #[default]
    Validating,
    /// They are run.
    InProgress,
    /// The results are put together.
    Finalizing,
    /// They are there.
    Finalized,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineError {
    /// A word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// The member that it is about.
    pub param: Option<String>,
    /// The line, counted from 1.
    pub line: Option<u64>,
}

/// How far a batch is. Times are seconds since 1970.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// What it is doing.
    pub stage: Stage,
    /// How many requests there are.
    pub total: u64,
    /// How many were answered.
    pub succeeded: u64,
    /// How many failed.
    pub errored: u64,
    /// How many were not begun in time.
    pub expired: u64,
    /// How many were not begun because somebody cancelled the batch.
    pub canceled: u64,
    /// When the first one began.
    pub in_progress_at: Option<i64>,
    /// When the last one had ended.
    pub finalizing_at: Option<i64>,
    /// When somebody cancelled it.
    pub cancelling_at: Option<i64>,
    /// It did not come to its end in time.
    pub late: bool,
    /// The answers.
    pub output_file: Option<Uuid>,
    /// What became of the others.
    pub error_file: Option<Uuid>,
    /// What is wrong with the requests.
    pub errors: Vec<LineError>,
    /// The model of the first request.
    pub model: Option<String>,
    /// What was consumed: input, of that from a cache, output, of that for thoughts.
    pub tokens: [u64; 4],
}

impl Progress {
    /// As it was written.
    pub fn of(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// As it is written.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Counts a result.
    pub fn count(&mut self, label: &str) {
        match label {
            SUCCEEDED => self.succeeded += 1,
            ERRORED => self.errored += 1,
            EXPIRED => self.expired += 1,
            CANCELED => self.canceled += 1,
            _ => {}
        }
    }

    /// Adds what an answer says that it consumed, in whichever words.
    pub fn add(&mut self, answer: &Value) {
        let usage = &answer["usage"];
        let number = |names: &[&str]| names.iter().find_map(|name| usage.pointer(name)?.as_u64()).unwrap_or(0);
        let found = [
            number(&["/input_tokens", "/prompt_tokens"]),
            number(&[
                "/input_tokens_details/cached_tokens",
                "/prompt_tokens_details/cached_tokens",
                "/cache_read_input_tokens",
            ]),
            number(&["/output_tokens", "/completion_tokens"]),
            number(&["/output_tokens_details/reasoning_tokens", "/completion_tokens_details/reasoning_tokens"]),
        ];
        for (sum, more) in self.tokens.iter_mut().zip(found) {
            *sum += more;
        }
    }
}
