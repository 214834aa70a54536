//! Counters for `/metrics`, in Prometheus's text format.
//!
//! Invariant: the number of series is bounded, whatever names callers make up.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use parking_lot::RwLock;
use sabir_engine::{Facts, Summary};
use sabir_types::ErrorKind;

use crate::rate_limits;

/// How many models have series of their own; the others share one.
const MODELS: usize = 500;
/// Upper ends of the buckets of the gateway's own time, in microseconds.
const BUCKETS: [u64; 8] = [50, 100, 250, 500, 1_000, 10_000, 100_000, 1_000_000];

/// An endpoint and a model.
type Key = (&'static str, Arc<str>);
/// A model and one of its providers.
type Target = (Arc<str>, Arc<str>);

/// The gateway's counters.
#[derive(Debug, Default)]
pub struct Metrics {
    answered: RwLock<HashMap<Key, Arc<Series>>>,
    failed: RwLock<HashMap<(&'static str, ErrorKind), Arc<AtomicU64>>>,
    feedback: AtomicU64,
    limits: RwLock<HashMap<Target, Arc<Limits>>>,
}

/// What a model's provider said last about how much it still takes; `u64::MAX` where it said nothing.
#[derive(Debug)]
struct Limits {
    requests: AtomicU64,
    tokens: AtomicU64,
}

#[derive(Debug, Default)]
struct Series {
    calls: AtomicU64,
    cached: AtomicU64,
    input_tokens: AtomicU64,
    output_tokens: AtomicU64,
    overhead_us: AtomicU64,
    buckets: [AtomicU64; BUCKETS.len()],
}

impl Metrics {
    /// A call ended with an answer (for a stream: when its last frame went out).
    pub fn answered(&self, endpoint: &'static str, facts: &Facts, summary: &Summary) {
        let series = self.series(endpoint, &facts.model_name);
        series.calls.fetch_add(1, Relaxed);
        series.cached.fetch_add(u64::from(facts.cached), Relaxed);
        series.input_tokens.fetch_add(summary.usage.input_tokens.unwrap_or(0), Relaxed);
        series.output_tokens.fetch_add(summary.usage.output_tokens.unwrap_or(0), Relaxed);
        series.overhead_us.fetch_add(facts.overhead_us, Relaxed);
        if let Some(bucket) = BUCKETS.iter().position(|end| facts.overhead_us <= *end) {
            series.buckets[bucket].fetch_add(1, Relaxed);
        }
        if !facts.cached {
            self.limited(facts);
        }
    }

    /// Keeps what the provider says about how much it still takes.
    fn limited(&self, facts: &Facts) {
        let Some(said) = rate_limits::read(&facts.headers, SystemTime::now()) else { return };
        let key = (facts.model_name.clone(), facts.provider_name.clone());
        let known = self.limits.read().get(&key).cloned();
        let limits = match known {
            Some(limits) => limits,
            None => {
                let mut all = self.limits.write();
                // Figures of different providers do not add up: those beyond the last place are not kept.
                if all.len() >= MODELS && !all.contains_key(&key) {
                    return;
                }
                let unknown = || Limits { requests: AtomicU64::new(u64::MAX), tokens: AtomicU64::new(u64::MAX) };
                all.entry(key).or_insert_with(|| Arc::new(unknown())).clone()
            }
        };
        for (slot, window) in [(&limits.requests, said.requests), (&limits.tokens, said.tokens)] {
            if let Some(remaining) = window.remaining {
                slot.store(remaining, Relaxed);
            }
        }
    }

    /// A call ended with an error.
    pub fn failed(&self, endpoint: &'static str, kind: ErrorKind) {
        let key = (endpoint, kind);
        if let Some(counter) = self.failed.read().get(&key) {
            counter.fetch_add(1, Relaxed);
            return;
        }
        self.failed.write().entry(key).or_default().fetch_add(1, Relaxed);
    }

    /// Feedback was given.
    pub fn feedback(&self) {
        self.feedback.fetch_add(1, Relaxed);
    }

    /// All of them as text.
    pub fn render(&self) -> String {
        let mut all: Vec<_> = self.answered.read().iter().map(|(key, series)| (key.clone(), series.clone())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let mut out = String::new();
        let mut counter = |name: &str, help: &str, pick: fn(&Series) -> &AtomicU64| {
            head(&mut out, name, "counter", help);
            for ((endpoint, model), series) in &all {
                let value = pick(series).load(Relaxed);
                line(&mut out, &format!("{name}{{endpoint=\"{endpoint}\",model_name=\"{}\"}}", escape(model)), value);
            }
        };
        // The first four carry the names that dashboards made for TensorZero ask for.
        counter("tensorzero_inferences_total", "Answered calls.", |s| &s.calls);
        counter("tensorzero_input_tokens_total", "Tokens that went in.", |s| &s.input_tokens);
        counter("tensorzero_output_tokens_total", "Tokens that came out.", |s| &s.output_tokens);
        counter("sabir_cached_total", "Calls that were answered from the cache.", |s| &s.cached);
        let failed = self.failed.read();
        let mut errors: Vec<_> =
            failed.iter().map(|((endpoint, kind), n)| (*endpoint, kind.as_str(), n.load(Relaxed))).collect();
        errors.sort_unstable();
        head(&mut out, "tensorzero_requests_total", "counter", "Calls, answered or not.");
        let mut totals: HashMap<&str, u64> = HashMap::new();
        for ((endpoint, _), series) in &all {
            *totals.entry(endpoint).or_default() += series.calls.load(Relaxed);
        }
        for (endpoint, _, number) in &errors {
            *totals.entry(endpoint).or_default() += number;
        }
        let mut totals: Vec<_> = totals.into_iter().collect();
        totals.sort_unstable();
        for (endpoint, number) in totals {
            line(&mut out, &format!("tensorzero_requests_total{{endpoint=\"{endpoint}\"}}"), number);
        }
        head(&mut out, "sabir_errors_total", "counter", "Calls that came to nothing, by kind of error.");
        for (endpoint, kind, number) in &errors {
            line(&mut out, &format!("sabir_errors_total{{endpoint=\"{endpoint}\",kind=\"{kind}\"}}"), *number);
        }
        head(&mut out, "sabir_feedback_total", "counter", "Pieces of feedback.");
        line(&mut out, "sabir_feedback_total", self.feedback.load(Relaxed));
        overhead(&mut out, &all);
        self.remaining(&mut out);
        out
    }

    fn remaining(&self, out: &mut String) {
        let mut all: Vec<_> = self.limits.read().iter().map(|(key, limits)| (key.clone(), limits.clone())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let name = "sabir_provider_remaining";
        head(out, name, "gauge", "What a provider still takes, as it said with its last answer.");
        for ((model, provider), limits) in all {
            for (unit, figure) in [("requests", &limits.requests), ("tokens", &limits.tokens)] {
                let figure = figure.load(Relaxed);
                if figure != u64::MAX {
                    let (model, provider) = (escape(&model), escape(&provider));
                    let labels = format!("model_name=\"{model}\",provider_name=\"{provider}\",unit=\"{unit}\"");
                    line(out, &format!("{name}{{{labels}}}"), figure);
                }
            }
        }
    }

    fn series(&self, endpoint: &'static str, model: &Arc<str>) -> Arc<Series> {
        let key = (endpoint, model.clone());
        if let Some(series) = self.answered.read().get(&key) {
            return series.clone();
        }
        let mut all = self.answered.write();
        let key = if all.len() < MODELS { key } else { (endpoint, "other".into()) };
        all.entry(key).or_default().clone()
    }
}

fn overhead(out: &mut String, all: &[(Key, Arc<Series>)]) {
    let name = "tensorzero_inference_latency_overhead_seconds";
    head(out, name, "histogram", "The gateway's own share of a call's time.");
    for ((endpoint, model), series) in all {
        let labels = format!("endpoint=\"{endpoint}\",model_name=\"{}\"", escape(model));
        let mut sum = 0;
        for (end, count) in BUCKETS.iter().zip(&series.buckets) {
            sum += count.load(Relaxed);
            line(out, &format!("{name}_bucket{{{labels},le=\"{}\"}}", *end as f64 / 1e6), sum);
        }
        let calls = series.calls.load(Relaxed);
        line(out, &format!("{name}_bucket{{{labels},le=\"+Inf\"}}"), calls);
        line(out, &format!("{name}_sum{{{labels}}}"), series.overhead_us.load(Relaxed) as f64 / 1e6);
        line(out, &format!("{name}_count{{{labels}}}"), calls);
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    out.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
}

fn line(out: &mut String, series: &str, value: impl std::fmt::Display) {
    out.push_str(&format!("{series} {value}\n"));
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(model: &str) -> Facts {
        Facts {
            inference_id: sabir_types::new_id(),
            episode_id: sabir_types::new_id(),
            variant_name: model.into(),
            model_name: model.into(),
            provider_name: "p".into(),
            provider_type: "dummy",
            headers: http::HeaderMap::new(),
            cached: false,
            warnings: Vec::new(),
            overhead_us: 80,
        }
    }

    #[test]
    fn calls_are_counted_by_model() {
        let metrics = Metrics::default();
        let mut summary = Summary::default();
        summary.usage.input_tokens = Some(7);
        metrics.answered("inference", &facts("a\"b"), &summary);
        metrics.answered("inference", &facts("a\"b"), &summary);
        metrics.failed("inference", ErrorKind::RateLimited);
        let text = metrics.render();
        for wanted in [
            "tensorzero_inferences_total{endpoint=\"inference\",model_name=\"a\\\"b\"} 2",
            "tensorzero_input_tokens_total{endpoint=\"inference\",model_name=\"a\\\"b\"} 14",
            "tensorzero_requests_total{endpoint=\"inference\"} 3",
            "sabir_errors_total{endpoint=\"inference\",kind=\"rate_limited\"} 1",
            "le=\"0.00005\"} 0",
            "le=\"0.0001\"} 2",
        ] {
            assert!(text.contains(wanted), "{wanted} is missing in\n{text}");
        }
    }

    #[test]
    fn made_up_names_share_a_series() {
        let metrics = Metrics::default();
        for n in 0..MODELS + 50 {
            metrics.answered("inference", &facts(&n.to_string()), &Summary::default());
        }
        assert_eq!(metrics.answered.read().len(), MODELS + 1);
    }
}
