//! Why a policy or quota was refused, and the checks that both share.

use std::fmt;

/// Says which field of a policy or quota is wrong, and how. Whoever gets it refuses the whole message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// The path of the field, such as `policy.spec.clusters[east].weight`.
    pub field: String,
    /// What is wrong with it, the value, and the remedy.
    pub problem: String,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self { field: field.into(), problem: problem.to_string() }
    }

    /// The same error as seen from what holds the field.
    pub(crate) fn within(mut self, parent: &str) -> Self {
        self.field = match (parent, self.field.as_str()) {
            ("", field) => field.to_owned(),
            (parent, "") => parent.to_owned(),
            (parent, field) => format!("{parent}.{field}"),
        };
        self
    }
}

/// The number of entries of a list or map.
pub(crate) fn bounded_len(field: &str, len: usize, max: usize) -> Result<(), FieldError> {
    if len <= max {
        return Ok(());
    }
    Err(FieldError::new(field, format!("{len} are too many; give at most {max}")))
}
