//! `[metrics]`: what feedback is about.
//!
//! Invariant: a metric that loads has a type, a level and a direction; none is guessed.

use std::collections::HashMap;

use super::{Level, Metric, MetricKind, reader::Reader};

/// Kinds of feedback that are not metrics but are given in the same place.
const RESERVED: [&str; 2] = ["comment", "demonstration"];

pub(super) fn read(metrics: &Reader<'_>) -> HashMap<String, Metric> {
    let mut all = HashMap::new();
    for entry in metrics.entries() {
        let path = metrics.path_of(&entry.name);
        if RESERVED.contains(&entry.name.as_str()) {
            let message = format!("`{}` is built in and cannot be the name of a metric", entry.name);
            metrics.log().problem(Some(&entry.place), &path, message);
        }
        let Some(mut reader) = Reader::of(entry, path, metrics.log()) else { continue };
        let mut need = |name: &'static str| {
            if reader.entry(name).is_none() {
                reader.missing(name);
            }
        };
        ["type", "optimize", "level"].into_iter().for_each(&mut need);
        let kind = reader.one_of("type", &[("boolean", MetricKind::Boolean), ("float", MetricKind::Float)]);
        let maximize = reader.one_of("optimize", &[("max", true), ("min", false)]);
        let level = reader.one_of("level", &[("inference", Level::Inference), ("episode", Level::Episode)]);
        let description = reader.text("description").map(str::to_owned);
        reader.finish();
        if let (Some(kind), Some(maximize), Some(level)) = (kind, maximize, level) {
            all.insert(entry.name.clone(), Metric { kind, level, maximize, description });
        }
    }
    all
}
