//! A memory of targets that fail: they are passed over for a while if there is another one.
//!
//! Invariant: a circuit never makes a call fail that could have been tried; when every target of
//! a model is out, the first is tried all the same.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// When a circuit opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct CircuitPolicy {
    /// Failures within the window that open it; 0 switches circuits off.
    pub failures: u32,
    /// The window.
    pub window: Duration,
    /// How long it stays open; then one call probes the target.
    pub open_for: Duration,
}

/// The circuits of all targets, by key.
#[derive(Debug, Default)]
pub(crate) struct Circuits {
    /// How many targets have a failure on record: the common case is none, and costs one load.
    marked: AtomicUsize,
    all: Mutex<HashMap<Arc<str>, Circuit>>,
}

#[derive(Debug)]
struct Circuit {
    failures: u32,
    since: Instant,
    open_until: Option<Instant>,
    probing: bool,
}

impl Circuits {
    /// Whether a call may go there. After the pause, the first to ask is let through as a probe.
    pub(crate) fn allows(&self, key: &str) -> bool {
        if self.marked.load(Ordering::Relaxed) == 0 {
            return true;
        }
        let mut all = self.all.lock();
        let Some(circuit) = all.get_mut(key) else { return true };
        match circuit.open_until {
            None => true,
            Some(until) if Instant::now() < until || circuit.probing => false,
            Some(_) => {
                circuit.probing = true;
                true
            }
        }
    }

    /// The target answered.
    pub(crate) fn succeeded(&self, key: &str) {
        if self.marked.load(Ordering::Relaxed) > 0 && self.all.lock().remove(key).is_some() {
            self.marked.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A probe came to no verdict (the caller left, or the request itself was wrong).
    pub(crate) fn undecided(&self, key: &str) {
        if self.marked.load(Ordering::Relaxed) > 0
            && let Some(circuit) = self.all.lock().get_mut(key)
        {
            circuit.probing = false;
        }
    }

    /// The target failed.
    pub(crate) fn failed(&self, key: &Arc<str>, policy: CircuitPolicy) {
        if policy.failures == 0 {
            return;
        }
        let now = Instant::now();
        let mut all = self.all.lock();
        if !all.contains_key(key) {
            self.marked.fetch_add(1, Ordering::Relaxed);
        }
        let circuit =
            all.entry(key.clone()).or_insert(Circuit { failures: 0, since: now, open_until: None, probing: false });
        if circuit.open_until.is_none() && now.duration_since(circuit.since) > policy.window {
            circuit.failures = 0;
            circuit.since = now;
        }
        circuit.failures += 1;
        if circuit.failures >= policy.failures || circuit.probing {
            circuit.open_until = Some(now + policy.open_for);
            circuit.probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_failures_and_closes_after_a_good_probe() {
        let circuits = Circuits::default();
        let key: Arc<str> = "openai|x".into();
        let policy =
            CircuitPolicy { failures: 2, window: Duration::from_secs(10), open_for: Duration::from_millis(20) };
        circuits.failed(&key, policy);
        assert!(circuits.allows(&key), "one failure is not enough");
        circuits.failed(&key, policy);
        assert!(!circuits.allows(&key), "two failures open it");
        std::thread::sleep(Duration::from_millis(30));
        assert!(circuits.allows(&key), "after the pause one probe goes through");
        assert!(!circuits.allows(&key), "but only one");
        circuits.failed(&key, policy);
        assert!(!circuits.allows(&key), "a failed probe opens it again");
        std::thread::sleep(Duration::from_millis(30));
        assert!(circuits.allows(&key));
        circuits.succeeded(&key);
        assert!(circuits.allows(&key) && circuits.allows(&key), "a good probe closes it");
    }
}
