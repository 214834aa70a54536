//! `sabir ledger stats`: what each model did.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use anyhow::Result;
use sabir_store::{InferenceQuery, Ledger, Status};
use serde_json::json;

use super::{
    StatsArgs, newest,
    text::{self, Table},
};

/// The figures of one model.
#[derive(Debug, Default)]
struct Figures {
    calls: u64,
    errors: u64,
    cancelled: u64,
    cached: u64,
    input: Option<u64>,
    output: Option<u64>,
    cost: Option<f64>,
    /// Microseconds of the calls that were answered by a provider.
    times: Vec<u64>,
}

/// Runs the command.
pub(super) async fn run(args: &StatsArgs, ledger: &dyn Ledger, out: &mut dyn Write) -> Result<()> {
    let mut models: BTreeMap<String, Figures> = BTreeMap::new();
    let mut seen = 0;
    if args.last > 0 {
        newest(ledger, InferenceQuery::default(), |record| {
            let row = record.inference;
            let figures = models.entry(row.variant_name).or_default();
            figures.calls += 1;
            figures.errors += u64::from(row.status == Status::Error);
            figures.cancelled += u64::from(row.status == Status::Cancelled);
            figures.cached += u64::from(row.cached);
            add(&mut figures.input, row.usage.input_tokens);
            add(&mut figures.output, row.usage.output_tokens);
            if let Some(cost) = row.cost {
                figures.cost = Some(figures.cost.unwrap_or(0.0) + cost);
            }
            if row.status == Status::Ok && !row.cached {
                figures.times.push(row.total_us);
            }
            seen += 1;
            seen < args.last
        })
        .await?;
    }
    for figures in models.values_mut() {
        figures.times.sort_unstable();
    }
    if args.json { lines(&models, out) } else { table(&models, seen, out) }?;
    Ok(())
}

fn table(models: &BTreeMap<String, Figures>, seen: u64, out: &mut dyn Write) -> io::Result<()> {
    if models.is_empty() {
        return writeln!(out, "no inferences");
    }
    let mut table = Table::new(&[
        ("MODEL", false),
        ("CALLS", true),
        ("ERRORS", true),
        ("CANCELLED", true),
        ("CACHED", true),
        ("IN", true),
        ("OUT", true),
        ("COST", true),
        ("P50 MS", true),
        ("P95 MS", true),
    ]);
    for (model, figures) in models {
        table.push(vec![
            model.clone(),
            figures.calls.to_string(),
            figures.errors.to_string(),
            figures.cancelled.to_string(),
            figures.cached.to_string(),
            text::count(figures.input),
            text::count(figures.output),
            text::money(figures.cost),
            text::millis(figures.at(50)),
            text::millis(figures.at(95)),
        ]);
    }
    table.write(out)?;
    writeln!(out, "\nover the newest {seen} inferences; times are those of answers that came from a provider")
}

fn lines(models: &BTreeMap<String, Figures>, out: &mut dyn Write) -> io::Result<()> {
    for (model, figures) in models {
        let line = json!({
            "model": model,
            "calls": figures.calls,
            "errors": figures.errors,
            "cancelled": figures.cancelled,
            "cached": figures.cached,
            "input_tokens": figures.input,
            "output_tokens": figures.output,
            "cost": figures.cost,
            "p50_us": figures.at(50),
            "p95_us": figures.at(95),
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

impl Figures {
    /// The time that so many of a hundred did not exceed.
    fn at(&self, percent: usize) -> Option<u64> {
        let rank = (self.times.len() * percent).div_ceil(100).max(1);
        self.times.get(rank - 1).copied()
    }
}

fn add(total: &mut Option<u64>, more: Option<u64>) {
    if let Some(more) = more {
        *total = Some(total.unwrap_or(0) + more);
    }
}
