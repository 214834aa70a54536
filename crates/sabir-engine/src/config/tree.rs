//! A TOML document as a tree that knows where each value stands, and several of them as one.
//!
//! Invariant: every node carries the place that a message about it points at; merging keeps it.

use std::sync::Arc;

use sabir_types::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem, SourceFile};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Date(String),
    List(Vec<Node>),
    Table(Table),
}

/// A table, in the order of the files.
#[derive(Debug, Clone, Default)]
pub(super) struct Table(pub(super) Vec<Entry>);

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) node: Node,
}

impl Table {
    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.name == name)
    }

    /// Adds the entries of another file. Tables grow together; anything else may be said once.
    pub(super) fn merge(&mut self, other: Self, path: &str, problems: &mut Vec<Problem>) {
        for entry in other.0 {
            let Some(mine) = self.0.iter_mut().find(|mine| mine.name == entry.name) else {
                self.0.push(entry);
                continue;
            };
            let path = join(path, &entry.name);
            match (&mut mine.node.kind, entry.node.kind) {
                (Kind::Table(table), Kind::Table(more)) => table.merge(more, &path, problems),
                _ => problems.push(Problem {
                    place: Some(entry.place),
                    key: path,
                    message: format!("duplicate key: it is also set at {}", mine.place),
                }),
            }
        }
    }
}

impl Node {
    /// What it is, for messages.
    pub(super) fn what(&self) -> &'static str {
        match self.kind {
            Kind::Text(_) => "a string",
            Kind::Integer(_) => "an integer",
            Kind::Float(_) => "a float",
            Kind::Bool(_) => "a boolean",
            Kind::Date(_) => "a date",
            Kind::List(_) => "an array",
            Kind::Table(_) => "a table",
        }
    }

    /// As JSON, with the keys of tables in their order.
    pub(super) fn json(&self) -> Value {
        match &self.kind {
            Kind::Text(text) | Kind::Date(text) => Value::from(text.as_str()),
            Kind::Integer(number) => Value::from(*number),
            Kind::Float(number) => Value::from(*number),
            Kind::Bool(yes) => Value::from(*yes),
            Kind::List(nodes) => nodes.iter().map(Self::json).collect(),
            Kind::Table(table) => {
                Value::Object(table.0.iter().map(|entry| (entry.name.clone(), entry.node.json())).collect())
            }
        }
    }

    /// As JSON with sorted keys, so that the same settings give the same text.
    pub(super) fn normal(&self) -> Value {
        match &self.kind {
            Kind::Table(table) => {
                let mut entries: Vec<&Entry> = table.0.iter().collect();
                entries.sort_by(|a, b| a.name.cmp(&b.name));
                let entries = entries.into_iter().map(|entry| (entry.name.clone(), entry.node.normal()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
            Kind::List(nodes) => nodes.iter().map(Self::normal).collect(),
            _ => self.json(),
        }
    }
}

/// `a.b`, with quotes where TOML needs them.
pub(super) fn join(path: &str, name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match (path.is_empty(), plain) {
        (true, true) => name.to_owned(),
        (true, false) => format!("{name:?}"),
        (false, true) => format!("{path}.{name}"),
        (false, false) => format!("{path}.{name:?}"),
    }
}

/// Reads one document; what cannot be read becomes problems.
pub(super) fn parse(text: &str, file: &Arc<SourceFile>, problems: &mut Vec<Problem>) -> Table {
    let lines = Lines::new(text, file);
    let (root, errors) = DeTable::parse_recoverable(text);
    let before = problems.len();
    for error in errors {
        let place = lines.place(error.span().map_or(text.len(), |span| span.start));
        problems.push(Problem {
            place: Some(place),
            key: String::new(),
            message: error.message().trim().replace('\n', ", "),
        });
    }
    // What a recovering parser makes of the rest would only give misleading messages.
    if problems.len() > before {
        return Table::default();
    }
    lines.table(root.into_inner(), "", problems)
}

struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    file: &'t Arc<SourceFile>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str, file: &'t Arc<SourceFile>) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts, file }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        Place { file: Arc::clone(self.file), line: line as u32, column: column as u32 + 1 }
    }

    fn table(&self, table: DeTable<'_>, path: &str, problems: &mut Vec<Problem>) -> Table {
        let entries = table.into_iter().map(|(key, value)| {
            let place = self.place(key.span().start);
            let name = key.into_inner().into_owned();
            let path = join(path, &name);
            // A table's own span is its header or its braces; the key is what a reader looks for.
            let at = match value.get_ref() {
                DeValue::Table(_) => place.clone(),
                _ => self.place(value.span().start),
            };
            let node = self.node(value.into_inner(), at, &path, problems);
            Entry { name, place, node }
        });
        let mut entries: Vec<Entry> = entries.collect();
        entries.sort_by_key(|entry| (entry.place.line, entry.place.column));
        Table(entries)
    }

    fn node(&self, value: DeValue<'_>, place: Place, path: &str, problems: &mut Vec<Problem>) -> Node {
        let mut out_of_range = |what: &str, text: &str| {
            let message = format!("expected {what} that fits into 64 bits, got {text}");
            problems.push(Problem { place: Some(place.clone()), key: path.to_owned(), message });
        };
        let kind = match value {
            DeValue::String(text) => Kind::Text(text.into_owned()),
            DeValue::Integer(number) => {
                Kind::Integer(i64::from_str_radix(number.as_str(), number.radix()).unwrap_or_else(|_| {
                    out_of_range("an integer", number.as_str());
                    0
                }))
            }
            DeValue::Float(number) => Kind::Float(number.as_str().parse().unwrap_or_else(|_| {
                out_of_range("a float", number.as_str());
                0.0
            })),
            DeValue::Boolean(yes) => Kind::Bool(yes),
            DeValue::Datetime(date) => Kind::Date(date.to_string()),
            DeValue::Array(items) => Kind::List(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(index, item)| {
                        let at = self.place(item.span().start);
                        self.node(item.into_inner(), at, &format!("{path}[{index}]"), problems)
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Kind::Table(self.table(table, path, problems)),
        };
        Node { place, kind }
    }
}
