//! What every handler is given.

use std::sync::Arc;

use sabir_engine::Engine;

use crate::metrics::Metrics;

/// What every handler is given; cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Arc<Engine>,
    metrics: Metrics,
}

impl App {
    /// An application over an engine.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self(Arc::new(Inner { engine, metrics: Metrics::default() }))
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    /// The counters.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }
}
