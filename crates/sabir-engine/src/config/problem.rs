//! What is wrong with a configuration, and where.
//!
//! Invariant: a problem names file, line and column, and never repeats a value that could be a secret.

use std::{fmt, path::PathBuf, sync::Arc};

use sabir_types::{Error, ErrorKind};

/// A file (or a text) that configuration was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its name as the user gave it.
    pub name: String,
    /// What its relative paths are relative to.
    pub dir: PathBuf,
}

/// A spot in a file. Line and column count from 1, columns in characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Place {
    /// The start of a file.
    pub fn start(file: &Arc<SourceFile>) -> Self {
        Self { file: Arc::clone(file), line: 1, column: 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.name, self.line, self.column)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, if it has a place.
    pub place: Option<Place>,
    /// The key's path (`models.fast.routing`), if it is about a key.
    pub key: String,
    /// What was expected and what was got.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong, in the order of the files. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// A single one without a place.
    pub fn one(message: impl Into<String>) -> Self {
        Self(vec![Problem { place: None, key: String::new(), message: message.into() }])
    }

    /// Sorts by place and drops repetitions; `None` if nothing is wrong.
    pub(super) fn of(mut problems: Vec<Problem>) -> Option<Self> {
        if problems.is_empty() {
            return None;
        }
        let key =
            |problem: &Problem| problem.place.as_ref().map(|place| (place.file.name.clone(), place.line, place.column));
        problems.sort_by_key(key);
        problems.dedup();
        Some(Self(problems))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Self::new(ErrorKind::Config, problems.to_string())
    }
}
