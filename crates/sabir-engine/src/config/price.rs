//! `[gateway.prices]` and files of prices, the built-in one among them.
//!
//! Invariant: a price says for whom it is and what it asks; one that does not is a problem with its place.

use std::{fs, path::PathBuf, sync::Arc};

use time::{Date, Time, macros::format_description};

use super::{
    near,
    problem::SourceFile,
    reader::{Log, Reader},
    registry,
    tree::{self, Node},
};
use crate::price::{Price, Prices, Rates};

/// The built-in prices.
const BUILT_IN: &str = include_str!("../../data/prices.toml");

/// Reads `prices` of the gateway's table: the user's file first, then what is built in.
pub(super) fn read(gateway: &mut Reader<'_>) -> Prices {
    let mut list = Vec::new();
    let mut built_in = true;
    let log = gateway.log();
    if let Some(mut r) = gateway.table("prices") {
        built_in = r.boolean("built_in").unwrap_or(true);
        if let (Some(name), Some(entry)) = (r.text("file"), r.entry("file")) {
            let path = entry.node.place.file.dir.join(name);
            match fs::read_to_string(&path) {
                Ok(text) => {
                    let dir = path.parent().map(PathBuf::from).unwrap_or_default();
                    list = file(&text, &SourceFile { name: path.display().to_string(), dir }, true, log);
                }
                Err(error) => r.problem(entry, format!("the file of prices cannot be read: {}", error.kind())),
            }
        }
        r.finish();
    }
    if built_in {
        list.extend(self::built_in(log));
    }
    Prices::new(list)
}

/// The built-in prices.
pub(super) fn built_in(log: &Log) -> Vec<Price> {
    file(BUILT_IN, &SourceFile { name: "built-in prices".to_owned(), dir: PathBuf::new() }, false, log)
}

fn file(text: &str, source: &SourceFile, is_own: bool, log: &Log) -> Vec<Price> {
    let mut problems = Vec::new();
    let table = tree::parse(text, &Arc::new(source.clone()), &mut problems);
    for problem in problems {
        log.problem(problem.place.as_ref(), &problem.key, problem.message);
    }
    let mut root = Reader::root(&table, log);
    let nodes = root.list("price").unwrap_or_default();
    let all = nodes.iter().enumerate().filter_map(|(index, node)| price(node, index, is_own, log)).collect();
    root.finish();
    all
}

fn price(node: &Node, index: usize, is_own: bool, log: &Log) -> Option<Price> {
    let mut r = Reader::of_node(node, &node.place, format!("price[{index}]"), log)?;
    let provider = r.required("provider").and_then(|name| {
        let found = registry::named(sabir_providers::all(), name);
        if found.is_none()
            && let Some(entry) = r.entry("provider")
        {
            let ids = sabir_providers::all().iter().map(|provider| provider.spec().id);
            r.problem(entry, format!("unknown provider type{}", near::did_you_mean(name, ids)));
        }
        found
    });
    let models: Vec<String> =
        r.texts("models").unwrap_or_default().iter().map(|(model, _)| (*model).to_owned()).collect();
    match r.entry("models") {
        None => r.missing("models"),
        Some(entry) if models.is_empty() => r.problem(entry, "a price is for at least one model"),
        Some(_) => {}
    }
    let rates = rates(&mut r);
    let above = r.table("above").and_then(|mut above| {
        let limit = above.integer("input_tokens", 1, u64::MAX);
        if limit.is_none() && above.entry("input_tokens").is_none() {
            above.missing("input_tokens");
        }
        let rates = self::rates(&mut above);
        above.finish();
        Some((limit?, rates))
    });
    let up_to = r.integer("up_to_input_tokens", 1, u64::MAX);
    let batch = money(&mut r, "batch");
    let stated = r.text("stated").map(str::to_owned);
    let until = day(&mut r, "until").map(|day| day.with_time(Time::MAX).assume_utc().unix_timestamp());
    let as_of = day(&mut r, "as_of").map(|day| day.to_string());
    let source = r.text("source").map(str::to_owned);
    if rates.input.is_none() && stated.is_none() && r.entry("input").is_none() && r.entry("stated").is_none() {
        r.missing("input");
    }
    r.finish();
    let provider = provider?.spec().id;
    Some(Price { provider, models, rates, above, up_to, batch, stated, until, as_of, source, is_own })
}

fn rates(r: &mut Reader<'_>) -> Rates {
    Rates {
        input: money(r, "input"),
        output: money(r, "output"),
        cache_read: money(r, "cache_read"),
        cache_write: money(r, "cache_write"),
        cache_write_1h: money(r, "cache_write_1h"),
        audio_input: money(r, "audio_input"),
        audio_output: money(r, "audio_output"),
    }
}

fn money(r: &mut Reader<'_>, name: &'static str) -> Option<f64> {
    let number = r.number(name)?;
    if number < 0.0 {
        let entry = r.entry(name)?;
        r.problem(entry, "a price is not negative");
        return None;
    }
    Some(number)
}

fn day(r: &mut Reader<'_>, name: &'static str) -> Option<Date> {
    let text = r.text(name)?;
    let day = Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
    if day.is_none() {
        let entry = r.entry(name)?;
        r.problem(entry, "expected a day like `2026-11-25`");
    }
    day
}

#[cfg(test)]
#[path = "price_tests.rs"]
mod tests;
