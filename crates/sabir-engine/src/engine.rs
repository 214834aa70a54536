//! The engine as its users see it.
//!
//! Invariant: a call sees one configuration from beginning to end, whatever reloads meanwhile.

use std::sync::Arc;

use arc_swap::ArcSwap;
use sabir_store::Ledger;

use crate::{
    call::{Answer, Call, Failure},
    config::Config,
};

/// One engine: configuration, connections, ledger.
#[derive(Debug)]
pub struct Engine {
    config: ArcSwap<Config>,
    ledger: Option<Arc<dyn Ledger>>,
}

impl Engine {
    /// The configuration now.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Where rows go; `None` if nothing is kept (`observability.durability = "off"`).
    pub fn ledger(&self) -> Option<&Arc<dyn Ledger>> {
        self.ledger.as_ref()
    }

    /// Runs a call from beginning to end.
    pub async fn run(&self, call: Call) -> Result<Answer, Box<Failure>> {
        let _ = call;
        unimplemented!("being written")
    }
}
