//! Why a policy was refused.

use std::fmt;

/// Says which field of a policy is wrong, and how. Whoever gets it refuses the policy whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// The path of the field, such as `policy.spec.clusters[east].weight`.
    pub field: String,
    /// What is wrong with it, the value, and the remedy.
    pub problem: String,
}

impl FieldError {
    pub(super) fn new(field: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self { field: field.into(), problem: problem.to_string() }
    }

    /// The same error as seen from what holds the field.
    pub(super) fn within(mut self, parent: &str) -> Self {
        self.field = match (parent, self.field.as_str()) {
            ("", field) => field.to_owned(),
            (parent, "") => parent.to_owned(),
            (parent, field) => format!("{parent}.{field}"),
        };
        self
    }
}
