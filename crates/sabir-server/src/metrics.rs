//! Counters for `/metrics`, in Prometheus's text format.

use sabir_engine::{Facts, Summary};

/// The gateway's counters.
#[derive(Debug, Default)]
pub struct Metrics {}

impl Metrics {
    /// A call ended with an answer (for a stream: when its last frame went out).
    pub fn answered(&self, endpoint: &'static str, facts: &Facts, summary: &Summary) {
        let _ = (endpoint, facts, summary);
    }

    /// A call ended with an error.
    pub fn failed(&self, endpoint: &'static str, kind: sabir_types::ErrorKind) {
        let _ = (endpoint, kind);
    }

    /// All of them as text.
    pub fn render(&self) -> String {
        String::new()
    }
}
