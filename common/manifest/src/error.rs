//! What is wrong with a text: all of it at once, each with its place and its remedy.

use std::fmt;

/// How many errors one parse reports: enough to mend a file in one go, few enough to read.
pub const MAX_ERRORS: usize = 20;

/// A place in the text, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// Which document of the text, counted from 1; `None` for what concerns the text as a whole.
    pub document: Option<usize>,
    /// Where in the text, where that is known (fields of JSON have no position).
    pub position: Option<Position>,
    /// Which object, such as `Deployment web`; empty when unknown.
    pub object: String,
    /// Which field, such as `spec.template.spec.containers[0].image`; empty when it is none in particular.
    pub field: String,
    /// What is wrong, with the value.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(document) = self.document {
            write!(f, "document {document}")?;
            if let Some(Position { line, column }) = self.position {
                write!(f, " (line {line}, column {column})")?;
            }
            f.write_str(": ")?;
        }
        for part in [&self.object, &self.field] {
            if !part.is_empty() {
                write!(f, "{part}: ")?;
            }
        }
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}

impl std::error::Error for ManifestError {}

/// Everything that is wrong with a text, in the order of the text; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestErrors {
    errors: Vec<ManifestError>,
    more: usize,
}

impl ManifestErrors {
    /// The errors, at most [`MAX_ERRORS`] of them.
    pub fn errors(&self) -> &[ManifestError] {
        &self.errors
    }

    /// How many further errors there were.
    pub fn more(&self) -> usize {
        self.more
    }
}

/// One error a line.
impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{error}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for ManifestErrors {}

/// Gathers errors while reading goes on.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    errors: Vec<ManifestError>,
    more: usize,
}

impl Collector {
    pub(crate) fn push(&mut self, error: ManifestError) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(error);
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    pub(crate) fn count(&self) -> usize {
        self.errors.len() + self.more
    }

    /// Whether anything is wrong with a field of a document, or with something in it.
    pub(crate) fn is_any_in(&self, document: usize, field: &str) -> bool {
        let is_within = |path: &str| {
            path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.errors.iter().any(|error| error.document == Some(document) && is_within(&error.field))
    }

    /// `value` if nothing was wrong.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, ManifestErrors> {
        if self.errors.is_empty() {
            return Ok(value);
        }
        let (mut errors, more) = (self.errors, self.more);
        errors.sort_by_key(|error| error.document);
        Err(ManifestErrors { errors, more })
    }
}
