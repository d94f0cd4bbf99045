//! Why a message was refused.

use std::fmt;

use godwit_common::NameError;

/// Says which field of a message is wrong, and how. Whoever gets it refuses the message whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct WireError {
    /// The path of the field, such as `report.statuses[3].uid`.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl WireError {
    pub(super) fn new(field: &str, problem: impl fmt::Display) -> Self {
        Self { field: field.to_owned(), problem: problem.to_string() }
    }

    /// A choice that was not made, or made among alternatives that this build does not know.
    pub(super) fn unknown(field: &str) -> Self {
        Self::new(field, "the peer says nothing that this version knows: upgrade the older side")
    }

    /// The same error as seen from the message that holds the field.
    pub(super) fn within(mut self, parent: &str) -> Self {
        self.field = match self.field.as_str() {
            "" => parent.to_owned(),
            field => format!("{parent}.{field}"),
        };
        self
    }
}

/// A name is wrong as a part of what it identifies: the error's own text says which part.
impl From<NameError> for WireError {
    fn from(error: NameError) -> Self {
        Self::new("", error)
    }
}
