//! The keys that an issuer publishes: fetched when first needed, kept, and looked at again.
//!
//! Invariants: one fetch at a time; a name that nobody knows makes the gateway ask again, but not
//! more often than every few seconds, whatever callers send; while the issuer does not answer, the
//! keys that were there count on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Method;
use parking_lot::Mutex;
use sabir_types::{Error, Map, Result, Value};

use super::PublicKey;
use crate::{
    token::{exchange, request},
    transport::Transport,
};

/// How long keys count before somebody looks whether there are others.
const FRESH: Duration = Duration::from_secs(600);
/// How long to wait between two questions.
const PAUSE: Duration = Duration::from_secs(10);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The keys of one issuer.
#[derive(Debug, Default)]
pub(crate) struct Issuer {
    held: Mutex<Held>,
    /// Whoever asks holds this.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default, Clone)]
struct Held {
    /// Where they are from: another address means other keys.
    url: String,
    keys: Arc<Vec<PublicKey>>,
    fetched: Option<Instant>,
    asked: Option<Instant>,
    /// How the last question failed, if it did.
    failure: Option<Error>,
}

impl Held {
    fn knows(&self, id: Option<&str>) -> bool {
        self.keys.iter().any(|key| key.may_be(id))
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.fetched.is_some_and(|fetched| now.duration_since(fetched) < FRESH)
    }

    fn may_ask(&self, now: Instant) -> bool {
        self.asked.is_none_or(|asked| now.duration_since(asked) >= PAUSE)
    }
}

impl Issuer {
    /// The keys at that address, for a token that names one of them.
    pub(crate) async fn keys(&self, url: &str, id: Option<&str>, transport: &Transport) -> Result<Arc<Vec<PublicKey>>> {
        let held = self.held(url);
        let now = Instant::now();
        let is_known = held.knows(id);
        if is_known && (held.is_fresh(now) || !held.may_ask(now)) {
            return Ok(held.keys);
        }
        if is_known {
            // Whoever finds nobody at it looks again; the others go on with what is there.
            if let Ok(_turn) = self.turn.try_lock() {
                self.ask(url, transport).await;
                return Ok(self.held(url).keys);
            }
            return Ok(held.keys);
        }
        let _turn = self.turn.lock().await;
        let mut held = self.held(url);
        if !held.knows(id) && held.may_ask(Instant::now()) {
            self.ask(url, transport).await;
            held = self.held(url);
        }
        match held.failure {
            Some(failure) if held.fetched.is_none() => Err(failure),
            _ => Ok(held.keys),
        }
    }

    fn held(&self, url: &str) -> Held {
        let mut held = self.held.lock();
        if held.url != url {
            *held = Held { url: url.to_owned(), ..Held::default() };
        }
        held.clone()
    }

    async fn ask(&self, url: &str, transport: &Transport) {
        let asked = Instant::now();
        let outcome = match tokio::time::timeout(PATIENCE, Box::pin(fetch(url, transport))).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::bad_upstream(format!("the keys at {url} did not come in time"))),
        };
        let mut held = self.held.lock();
        if held.url != url {
            return;
        }
        held.asked = Some(asked);
        match outcome {
            Ok(keys) => {
                (held.keys, held.fetched, held.failure) = (Arc::new(keys), Some(asked), None);
            }
            Err(error) => {
                tracing::warn!(%error, "the keys that tokens are checked with could not be fetched");
                held.failure = Some(error);
            }
        }
    }
}

async fn fetch(url: &str, transport: &Transport) -> Result<Vec<PublicKey>> {
    let (status, body) = exchange(transport, request(Method::GET, url, Bytes::new())?, PATIENCE).await?;
    if !status.is_success() {
        return Err(Error::bad_upstream(format!("the keys at {url} came with status {}", status.as_u16())));
    }
    let wrong = |what: &str| Error::bad_upstream(format!("the answer of {url} {what}"));
    let set: Map<String, Value> = serde_json::from_slice(&body).map_err(|_| wrong("is not a JSON object"))?;
    PublicKey::set(&set).map_err(wrong)
}

#[cfg(test)]
#[path = "issuer_tests.rs"]
mod tests;
