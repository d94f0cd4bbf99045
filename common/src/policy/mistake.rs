//! What is wrong with a policy, and where.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Something that a policy cannot mean. Its [`fmt::Display`] is the place as manifests write it, the problem and the
/// remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it is.
    pub place: Place,
    /// What is wrong, with the value.
    pub problem: String,
    /// What to do about it.
    pub remedy: Cow<'static, str>,
}

/// Where something stands in a policy: a way from the whole inwards, empty for the whole. Each form of a policy has its
/// own way of writing it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place(pub Vec<Step>);

/// A step inwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Into a field; its name is that in manifests.
    Field(&'static str),
    /// To an item of a list, counted from 0.
    Item(usize),
    /// To an entry of a mapping.
    Entry(Arc<str>),
    /// To an item of a list whose order means nothing, by what it says.
    Value(Arc<str>),
}

impl Mistake {
    pub(super) fn new(
        steps: &[Step],
        problem: impl Into<String>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { place: Place(steps.to_vec()), problem: problem.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, problem, remedy } = self;
        match place.0.as_slice() {
            [] => write!(f, "{problem}; {remedy}"),
            [..] => write!(f, "{place}: {problem}; {remedy}"),
        }
    }
}

impl std::error::Error for Mistake {}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            match step {
                Step::Field(name) => write!(f, "{dot}{name}")?,
                Step::Item(item) => write!(f, "[{item}]")?,
                Step::Entry(key) => write!(f, "[{key}]")?,
                // The problem says it.
                Step::Value(_) => {}
            }
        }
        Ok(())
    }
}
