//! Figures, times and tables for people.
//!
//! Invariant: what a caller or a model wrote cannot steer the terminal: control characters are
//! shown as escapes.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use sabir_store::{InferenceRow, Status};
use sabir_types::{Operation, Uuid};
use time::{OffsetDateTime, macros::format_description};

/// What stands for a figure that is not known.
const NONE: &str = "-";

/// When something with this id was made, for people.
pub(super) fn time(id: Uuid) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]Z");
    made(id).and_then(|time| time.format(format).ok()).unwrap_or_else(|| NONE.into())
}

/// When something with this id was made, for programs.
pub(super) fn rfc3339(id: Uuid) -> Option<String> {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    made(id)?.format(format).ok()
}

fn made(id: Uuid) -> Option<OffsetDateTime> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(seconds) * 1_000_000_000 + i128::from(nanos)).ok()
}

/// How it ended, in a word.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Error => "error",
        Status::Cancelled => "cancelled",
    }
}

/// Which model it was about; for a call that was passed through without one, which path.
pub(super) fn subject(row: &InferenceRow) -> String {
    let tag = |name: &str| row.tags.iter().find(|(tag, _)| tag == name).map_or("", |(_, value)| value);
    if row.model.is_empty() && is_passed(row) {
        let path = tag("sabir::path").split('?').next().unwrap_or_default();
        return format!("{} {path}", tag("sabir::method"));
    }
    row.model.clone()
}

/// Whether it was passed through as it came.
pub(super) fn is_passed(row: &InferenceRow) -> bool {
    matches!(row.operation, Operation::Relay | Operation::Realtime)
}

/// A count.
pub(super) fn count(count: Option<u64>) -> String {
    count.map_or_else(|| NONE.into(), |count| count.to_string())
}

/// Microseconds as milliseconds.
pub(super) fn millis(us: Option<u64>) -> String {
    us.map_or_else(|| NONE.into(), |us| format!("{:.1}", us as f64 / 1000.0))
}

/// Money, without needless zeros.
pub(crate) fn money(cost: Option<f64>) -> String {
    let Some(cost) = cost else { return NONE.into() };
    let text = format!("{cost:.8}");
    let text = text.trim_end_matches('0');
    text.trim_end_matches('.').into()
}

/// The text without anything that a terminal would obey; lines stay lines.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' => {}
            // Also what turns the direction of writing: a line must not look like another one.
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}

/// The same for something that belongs on one line.
pub(super) fn word(text: &str) -> String {
    clean(text).replace(['\n', '\t'], " ")
}

/// Writes text, each line behind these spaces.
pub(super) fn indented(out: &mut dyn Write, spaces: usize, text: &str) -> io::Result<()> {
    for line in clean(text).lines() {
        writeln!(out, "{:spaces$}{line}", "")?;
    }
    Ok(())
}

/// A table: what is a figure stands to the right.
#[derive(Debug)]
pub(crate) struct Table {
    heads: &'static [(&'static str, bool)],
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns; `true` means figures.
    pub(crate) fn new(heads: &'static [(&'static str, bool)]) -> Self {
        Self { heads, rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row.iter().map(|cell| word(cell)).collect());
    }

    /// Writes it.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let heads: Vec<String> = self.heads.iter().map(|(head, _)| (*head).to_owned()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&heads).chain(&self.rows).collect();
        let widths: Vec<usize> = (0..self.heads.len())
            .map(|at| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0))
            .collect();
        for cells in lines {
            let mut line = String::new();
            for ((cell, width), (_, is_figure)) in cells.iter().zip(&widths).zip(self.heads) {
                let width = *width;
                // A String takes every text.
                let _ = if *is_figure { write!(line, "{cell:>width$}  ") } else { write!(line, "{cell:<width$}  ") };
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
