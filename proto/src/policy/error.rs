//! Why a policy was refused.

use std::fmt;

use godwit_common::policy::{Mistake, Place, Step};

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

impl From<Mistake> for FieldError {
    fn from(mistake: Mistake) -> Self {
        let Mistake { place, problem, remedy } = mistake;
        Self::new(path(&place), format!("{problem}; {remedy}"))
    }
}

/// A place as the message names it.
fn path(place: &Place) -> String {
    let mut path = String::new();
    let steps = place.0.as_slice();
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Field(name) => {
                let rule = match &steps[..index] {
                    // The numbers of a rule by selector are in a message of their own.
                    [Step::Field("rules"), Step::Item(_)] if *name != "clusterSelector" => "rule.",
                    _ => "",
                };
                let dot = if path.is_empty() { "" } else { "." };
                path.push_str(&format!("{dot}{rule}{}", snake_case(name)));
            }
            Step::Item(item) => path.push_str(&format!("[{item}]")),
            Step::Entry(key) => path.push_str(&format!("[{key}]")),
            // The problem says which.
            Step::Value(_) => {}
        }
    }
    path
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
