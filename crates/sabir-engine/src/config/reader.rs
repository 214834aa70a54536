//! Reads a table key by key and remembers which keys there could have been.
//!
//! Invariant: a key that nobody asked for is a problem, and so is a value of the wrong type; a
//! message says what kind of value it got, never the value.

use std::{cell::RefCell, time::Duration};

use super::{
    near,
    problem::{Place, Problem},
    tree::{self, Entry, Kind, Node, Table},
};

/// What was found out while reading: what is wrong, and what is only worth knowing.
#[derive(Debug, Default)]
pub(super) struct Log {
    problems: RefCell<Vec<Problem>>,
    notes: RefCell<Vec<Problem>>,
}

impl Log {
    pub(super) fn problem(&self, place: Option<&Place>, key: &str, message: impl Into<String>) {
        self.problems.borrow_mut().push(Problem {
            place: place.cloned(),
            key: key.to_owned(),
            message: message.into(),
        });
    }

    pub(super) fn note(&self, place: Option<&Place>, key: &str, message: impl Into<String>) {
        self.notes.borrow_mut().push(Problem { place: place.cloned(), key: key.to_owned(), message: message.into() });
    }

    /// The problems and the notes.
    pub(super) fn into_parts(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems.into_inner(), self.notes.into_inner())
    }
}

/// A table that is being read.
pub(super) struct Reader<'t> {
    table: &'t Table,
    /// Where the table stands: what a missing key is reported at.
    place: Option<&'t Place>,
    path: String,
    log: &'t Log,
    known: Vec<&'static str>,
}

impl<'t> Reader<'t> {
    /// The whole document.
    pub(super) fn root(table: &'t Table, log: &'t Log) -> Self {
        Self { table, place: None, path: String::new(), log, known: Vec::new() }
    }

    /// The table in an entry; anything else is a problem.
    pub(super) fn of(entry: &'t Entry, path: String, log: &'t Log) -> Option<Self> {
        Self::of_node(&entry.node, &entry.place, path, log)
    }

    /// The table in a node.
    pub(super) fn of_node(node: &'t Node, place: &'t Place, path: String, log: &'t Log) -> Option<Self> {
        match &node.kind {
            Kind::Table(table) => Some(Self { table, place: Some(place), path, log, known: Vec::new() }),
            _ => {
                wrong(log, node, &path, "a table");
                None
            }
        }
    }

    pub(super) fn log(&self) -> &'t Log {
        self.log
    }

    pub(super) fn place(&self) -> Option<&'t Place> {
        self.place
    }

    /// The path of this table.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The path of a key of this table.
    pub(super) fn path_of(&self, name: &str) -> String {
        tree::join(&self.path, name)
    }

    /// All entries: for tables whose keys are names that the user chose.
    pub(super) fn entries(&self) -> &'t [Entry] {
        &self.table.0
    }

    /// The entry of that name. From here on the key is known.
    pub(super) fn entry(&mut self, name: &'static str) -> Option<&'t Entry> {
        self.known.push(name);
        self.table.get(name)
    }

    /// The table of that name.
    pub(super) fn table(&mut self, name: &'static str) -> Option<Reader<'t>> {
        let entry = self.entry(name)?;
        Reader::of(entry, self.path_of(name), self.log)
    }

    /// A string.
    pub(super) fn text(&mut self, name: &'static str) -> Option<&'t str> {
        let entry = self.entry(name)?;
        match &entry.node.kind {
            Kind::Text(text) => Some(text),
            _ => self.wrong(entry, "a string"),
        }
    }

    /// A string that must be there.
    pub(super) fn required(&mut self, name: &'static str) -> Option<&'t str> {
        if self.table.get(name).is_none() {
            self.known.push(name);
            self.missing(name);
            return None;
        }
        self.text(name)
    }

    /// Yes or no.
    pub(super) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        let entry = self.entry(name)?;
        match entry.node.kind {
            Kind::Bool(yes) => Some(yes),
            _ => self.wrong(entry, "a boolean"),
        }
    }

    /// A whole number from `min` to `max`.
    pub(super) fn integer(&mut self, name: &'static str, min: u64, max: u64) -> Option<u64> {
        let entry = self.entry(name)?;
        let fits = match entry.node.kind {
            Kind::Integer(number) => u64::try_from(number).ok().filter(|number| (min..=max).contains(number)),
            _ => return self.wrong(entry, "an integer"),
        };
        if fits.is_none() {
            let message = if max >= i64::MAX as u64 {
                format!("expected an integer of at least {min}")
            } else {
                format!("expected an integer from {min} to {max}")
            };
            self.problem(entry, message);
        }
        fits
    }

    /// A finite number, whole or not.
    pub(super) fn number(&mut self, name: &'static str) -> Option<f64> {
        let entry = self.entry(name)?;
        match entry.node.kind {
            #[expect(clippy::cast_precision_loss, reason = "money and seconds are far below 2^53")]
            Kind::Integer(number) => Some(number as f64),
            Kind::Float(number) if number.is_finite() => Some(number),
            Kind::Float(_) => self.wrong(entry, "a finite number"),
            _ => self.wrong(entry, "a number"),
        }
    }

    /// A duration in whole milliseconds, longer than nothing.
    pub(super) fn millis(&mut self, name: &'static str) -> Option<Duration> {
        self.integer(name, 1, MAX_MILLIS).map(Duration::from_millis)
    }

    /// A duration in seconds, whole or not.
    pub(super) fn seconds(&mut self, name: &'static str) -> Option<Duration> {
        let number = self.number(name)?;
        let fits = (0.0..=MAX_MILLIS as f64 / 1000.0).contains(&number);
        match Duration::try_from_secs_f64(number) {
            Ok(duration) if fits => Some(duration),
            _ => {
                let entry = self.table.get(name)?;
                self.problem(entry, "expected a number of seconds that is not negative and not longer than a year");
                None
            }
        }
    }

    /// One of some words.
    pub(super) fn one_of<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        if let Some(entry) = self.table.get(name) {
            let hint = near::did_you_mean(text, names.iter().copied());
            self.problem(entry, format!("expected {}{hint}", near::any_of(&names)));
        }
        None
    }

    /// The items of an array.
    pub(super) fn list(&mut self, name: &'static str) -> Option<&'t [Node]> {
        let entry = self.entry(name)?;
        match &entry.node.kind {
            Kind::List(items) => Some(items),
            _ => self.wrong(entry, "an array"),
        }
    }

    /// The strings of an array, each with its node.
    pub(super) fn texts(&mut self, name: &'static str) -> Option<Vec<(&'t str, &'t Node)>> {
        let items = self.list(name)?;
        let path = self.path_of(name);
        let text = |(index, node): (usize, &'t Node)| match &node.kind {
            Kind::Text(text) => Some((text.as_str(), node)),
            _ => {
                wrong(self.log, node, &format!("{path}[{index}]"), "a string");
                None
            }
        };
        Some(items.iter().enumerate().filter_map(text).collect())
    }

    /// A key that is understood elsewhere but does nothing here. It leaves a note unless it only
    /// switches off what is not there anyway.
    pub(super) fn passive(&mut self, name: &'static str) {
        let path = self.path_of(name);
        if let Some(entry) = self.entry(name)
            && !is_off(&entry.node)
        {
            self.log.note(Some(&entry.place), &path, NOT_YET);
        }
    }

    /// A key of a type that is checked, and then does nothing. See [`Reader::passive`].
    pub(super) fn passive_boolean(&mut self, name: &'static str) {
        if self.boolean(name) == Some(true) {
            self.passive(name);
        }
    }

    /// Says what is wrong with an entry of this table.
    pub(super) fn problem(&self, entry: &Entry, message: impl Into<String>) {
        self.log.problem(Some(&entry.node.place), &self.path_of(&entry.name), message);
    }

    /// Says that a key is missing.
    pub(super) fn missing(&self, name: &str) {
        self.log.problem(self.place, &self.path, format!("missing key `{name}`"));
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        for entry in &self.table.0 {
            if !self.known.contains(&entry.name.as_str()) {
                let hint = near::did_you_mean(&entry.name, self.known.iter().copied());
                self.log.problem(Some(&entry.place), &self.path_of(&entry.name), format!("unknown key{hint}"));
            }
        }
    }

    fn wrong<T>(&self, entry: &Entry, expected: &str) -> Option<T> {
        wrong(self.log, &entry.node, &self.path_of(&entry.name), expected);
        None
    }
}

/// What a note says about a setting that does nothing.
pub(super) const NOT_YET: &str = "accepted, but not supported yet: it has no effect";

/// A year.
const MAX_MILLIS: u64 = 365 * 24 * 3600 * 1000;

/// Says that a value has the wrong type.
pub(super) fn wrong(log: &Log, node: &Node, path: &str, expected: &str) {
    log.problem(Some(&node.place), path, format!("expected {expected}, got {}", node.what()));
}

/// `false`, `enabled = false`, `type = "disabled"`, or a table of nothing but that.
fn is_off(node: &Node) -> bool {
    let Kind::Table(table) = &node.kind else { return matches!(node.kind, Kind::Bool(false)) };
    let disabled = |kind: &Kind| matches!(kind, Kind::Text(text) if text == "disabled");
    table.get("enabled").is_some_and(|entry| is_off(&entry.node))
        || table.get("type").is_some_and(|entry| disabled(&entry.node.kind))
        || table.0.iter().all(|entry| is_off(&entry.node))
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
