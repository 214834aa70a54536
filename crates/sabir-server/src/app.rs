//! What every handler is given.

use std::sync::{Arc, Weak};

use sabir_engine::{Engine, tasks::Tasks};
use sabir_types::{Error, ErrorKind, Result};

use crate::{doors, gate::Pass, metrics::Metrics};

/// What every handler is given; cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Inner>);

/// An [`App`] that does not keep it alive: what its own engine holds on to.
#[derive(Debug, Clone)]
pub struct WeakApp(Weak<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Arc<Engine>,
    metrics: Metrics,
    pass: Pass,
}

impl App {
    /// An application over an engine. Inside a runtime, tasks that an earlier process left go on.
    pub fn new(engine: Arc<Engine>) -> Self {
        let app = Self(Arc::new(Inner { engine, metrics: Metrics::default(), pass: Pass::default() }));
        if let Some(tasks) = app.engine().tasks() {
            let concurrency = app.engine().config().gateway.batches.concurrency;
            doors::handle(tasks, &WeakApp(Arc::downgrade(&app.0)), concurrency);
            if tokio::runtime::Handle::try_current().is_ok() {
                tasks.start();
            }
        }
        app
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    /// The counters.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// What lets the gateway call itself.
    pub fn pass(&self) -> &Pass {
        &self.0.pass
    }

    /// What goes on when its caller has gone, and where it is kept. `what` needs it.
    pub fn tasks(&self, what: &str) -> Result<&Arc<Tasks>> {
        self.engine().tasks().ok_or_else(|| {
            let message = format!("{what} cannot be kept: this gateway keeps nothing (observability is off)");
            Error::new(ErrorKind::Unsupported, message)
        })
    }
}

impl WeakApp {
    /// The application, if it is still there.
    pub fn upgrade(&self) -> Option<App> {
        self.0.upgrade().map(App)
    }
}
