//! The figures of a run, as text for people and as JSON for programs.
//!
//! Invariant: both show the same figures, and one that could not be measured is a gap, never a zero.

use serde_json::{Map, Value, json};

use super::{load::Round, process::TICK_US};

/// Everything that a run found out.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// What was measured where, by name.
    pub(super) facts: Vec<(&'static str, Value)>,
    /// The tables, in the order of the run.
    pub(super) tables: Vec<Table>,
}

/// One part of the benchmark: a row for each target.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name in JSON.
    pub(super) key: String,
    /// Its title for people.
    pub(super) title: String,
    /// Its columns.
    pub(super) columns: Vec<Column>,
    /// Its rows: the target, a figure for each column.
    pub(super) rows: Vec<(String, Vec<Option<f64>>)>,
    /// What has to be said about it.
    pub(super) notes: Vec<String>,
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// Its name in JSON.
    pub(super) key: &'static str,
    /// Its title for people.
    pub(super) title: &'static str,
    /// How many decimals people see.
    pub(super) decimals: usize,
}

/// The rounds of one target in one part, put together.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    /// The median of the rounds' medians, microseconds for a whole call.
    pub(super) p50: Option<f64>,
    /// The median of the rounds' 99th percentiles.
    pub(super) p99: Option<f64>,
    /// The same for the time to the first event.
    pub(super) first: Option<f64>,
    /// Between two events.
    pub(super) gap_p50: Option<f64>,
    /// Between two events.
    pub(super) gap_p99: Option<f64>,
    /// Good calls per second.
    pub(super) rate: Option<f64>,
    /// CPU microseconds per good call: of the gateway, the upstream, the callers.
    pub(super) cpu: [Option<f64>; 3],
    /// Whether the gateway's CPU time is so little that the steps in which it is counted show.
    pub(super) rough: bool,
    /// Calls that failed.
    pub(super) failed: u64,
    /// Why the first of them did.
    pub(super) why: Option<String>,
}

impl Figures {
    /// From all rounds of a target, each with the CPU time that it took.
    pub(super) fn new(rounds: &[(Round, [Option<f64>; 3])]) -> Self {
        let over = |percentile: f64, values: fn(&Round) -> &[f64]| {
            let of_rounds = rounds.iter().filter_map(|(round, _)| quantile(values(round), percentile));
            quantile(&of_rounds.collect::<Vec<_>>(), 0.5)
        };
        let good: u64 = rounds.iter().map(|(round, _)| round.good).sum();
        let sums = [0, 1, 2].map(|who| rounds.iter().map(|(_, cpu)| cpu[who]).sum::<Option<f64>>());
        let cpu = sums.map(|sum| sum.filter(|_| good > 0).map(|sum| sum / good as f64));
        let rates: Vec<_> = rounds.iter().map(|(round, _)| round.good as f64 / round.seconds).collect();
        Self {
            p50: over(0.5, |round| &round.whole),
            p99: over(0.99, |round| &round.whole),
            first: over(0.5, |round| &round.first),
            gap_p50: over(0.5, |round| &round.gaps),
            gap_p99: over(0.99, |round| &round.gaps),
            rate: quantile(&rates, 0.5),
            cpu,
            rough: sums[0].is_some_and(|sum| sum < 20.0 * TICK_US),
            failed: rounds.iter().map(|(round, _)| round.failed).sum(),
            why: rounds.iter().find_map(|(round, _)| round.why.clone()),
        }
    }
}

/// A quantile by the nearest rank; `None` of nothing.
pub(super) fn quantile(values: &[f64], at: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (at * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

impl Report {
    /// For people.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for (name, value) in &self.facts {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            line(&mut out, &format!("{:<16} {value}", name.replace('_', " ")));
        }
        for table in &self.tables {
            table.text(&mut out);
        }
        out
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let mut all: Map<String, Value> =
            self.facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let tables = self.tables.iter().map(|table| {
            let rows = table.rows.iter().map(|(target, figures)| {
                let mut row = Map::from_iter([("target".to_owned(), json!(target))]);
                row.extend(table.columns.iter().zip(figures).map(|(c, figure)| (c.key.to_owned(), json!(figure))));
                Value::Object(row)
            });
            (table.key.clone(), json!({"rows": rows.collect::<Vec<_>>(), "notes": table.notes}))
        });
        all.insert("parts".to_owned(), Value::Object(tables.collect()));
        Value::Object(all)
    }
}

impl Table {
    fn text(&self, out: &mut String) {
        line(out, &format!("\n{}", self.title));
        let cell = |figure: &Option<f64>, column: &Column| match figure {
            Some(figure) => format!("{figure:.*}", column.decimals),
            None => "-".to_owned(),
        };
        let cells: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|(_, figures)| figures.iter().zip(&self.columns).map(|(figure, c)| cell(figure, c)).collect())
            .collect();
        let first = self.rows.iter().map(|(target, _)| target.chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..self.columns.len())
            .map(|at| {
                let longest = cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
                longest.max(self.columns[at].title.chars().count())
            })
            .collect();
        let mut head = format!("  {:first$}", "");
        for (column, width) in self.columns.iter().zip(&widths) {
            head += &format!("  {:>width$}", column.title);
        }
        line(out, &head);
        for ((target, _), cells) in self.rows.iter().zip(&cells) {
            let mut row = format!("  {target:first$}");
            for (cell, width) in cells.iter().zip(&widths) {
                row += &format!("  {cell:>width$}");
            }
            line(out, &row);
        }
        for note in &self.notes {
            line(out, &format!("  note: {note}"));
        }
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&values, 0.5), Some(50.0));
        assert_eq!(quantile(&values, 0.99), Some(99.0));
        assert_eq!(quantile(&[7.0], 0.99), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn rounds_are_put_together_by_their_medians() {
        let round =
            |whole: f64, failed| Round { good: 10, failed, seconds: 0.5, whole: vec![whole], ..Round::default() };
        let cpu = |gateway| [gateway, Some(40.0), None];
        let rounds =
            [(round(1.0, 0), cpu(Some(100.0))), (round(90.0, 2), cpu(Some(200.0))), (round(3.0, 0), cpu(Some(300.0)))];
        let figures = Figures::new(&rounds);
        assert_eq!((figures.p50, figures.rate, figures.failed), (Some(3.0), Some(20.0), 2));
        assert_eq!(figures.cpu, [Some(20.0), Some(4.0), None]);
        assert_eq!(figures.first, None);
        assert!(figures.rough, "600 µs are less than a step of the clock");
    }

    #[test]
    fn text_and_json_show_the_same_figures() {
        let table = Table {
            key: "one".to_owned(),
            title: "One caller".to_owned(),
            columns: vec![
                Column { key: "p50_us", title: "p50 µs", decimals: 1 },
                Column { key: "cpu_us", title: "CPU µs", decimals: 0 },
            ],
            rows: vec![("direct".to_owned(), vec![Some(12.34), None])],
            notes: vec!["on battery".to_owned()],
        };
        let report = Report { facts: vec![("binary_bytes", json!(7))], tables: vec![table] };
        let expected = "binary bytes     7\n\nOne caller\n          p50 µs  CPU µs\n  direct    12.3       -\n  note: on battery\n";
        assert_eq!(report.text(), expected);
        let expected = json!({"binary_bytes": 7, "parts": {"one": {
            "rows": [{"target": "direct", "p50_us": 12.34, "cpu_us": null}], "notes": ["on battery"],
        }}});
        assert_eq!(report.json(), expected);
    }
}
