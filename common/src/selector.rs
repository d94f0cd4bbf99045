//! Label selectors, as Kubernetes has them: over nodes, clusters and workloads alike.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

mod text;

/// Labels, or annotations: text by text.
pub type Labels = BTreeMap<Arc<str>, Arc<str>>;

/// What labels must be like. An empty selector chooses everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LabelSelector {
    /// Labels that must be there with these values (`matchLabels`).
    pub labels: Labels,
    /// Requirements that must all hold (`matchExpressions`).
    pub expressions: Vec<Requirement>,
}

/// One requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirement {
    /// The label.
    pub key: Arc<str>,
    /// What it must be.
    pub test: Test,
}

/// What a label must be; the names are those of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Test {
    /// It is there, and is one of these.
    In(BTreeSet<Arc<str>>),
    /// It is absent, or none of these.
    NotIn(BTreeSet<Arc<str>>),
    /// It is there.
    Exists,
    /// It is absent.
    DoesNotExist,
    /// It is a whole number above this.
    Gt(i64),
    /// It is a whole number below this.
    Lt(i64),
}

impl LabelSelector {
    /// Whether it chooses everything.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.expressions.is_empty()
    }

    /// Whether labels, looked up by `label`, are as they must be.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.labels.iter().all(|(key, value)| label(key) == Some(value))
            && self.expressions.iter().all(|one| one.test.holds(label(&one.key)))
    }

    /// The labels that it looks at.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.labels.keys().chain(self.expressions.iter().map(|one| &one.key))
    }
}

impl Test {
    /// Whether a label, or its absence, is as it must be.
    pub fn holds(&self, label: Option<&str>) -> bool {
        let number = || label.and_then(|label| label.parse::<i64>().ok());
        match self {
            Self::In(values) => label.is_some_and(|label| values.contains(label)),
            Self::NotIn(values) => label.is_none_or(|label| !values.contains(label)),
            Self::Exists => label.is_some(),
            Self::DoesNotExist => label.is_none(),
            Self::Gt(bound) => number().is_some_and(|number| number > *bound),
            Self::Lt(bound) => number().is_some_and(|number| number < *bound),
        }
    }

    /// The operator's name.
    pub fn operator(&self) -> &'static str {
        match self {
            Self::In(_) => "In",
            Self::NotIn(_) => "NotIn",
            Self::Exists => "Exists",
            Self::DoesNotExist => "DoesNotExist",
            Self::Gt(_) => "Gt",
            Self::Lt(_) => "Lt",
        }
    }

    /// The values, as a manifest lists them.
    pub fn values(&self) -> Vec<Arc<str>> {
        match self {
            Self::In(values) | Self::NotIn(values) => values.iter().cloned().collect(),
            Self::Exists | Self::DoesNotExist => Vec::new(),
            Self::Gt(bound) | Self::Lt(bound) => vec![bound.to_string().into()],
        }
    }

    /// The test of an operator and its values, or what is wrong with them.
    pub fn new(operator: &str, values: &[Arc<str>]) -> Result<Self, TestError> {
        let set = || values.iter().cloned().collect();
        match (operator, values) {
            ("In" | "NotIn", []) => Err(TestError::NoValues),
            ("In", _) => Ok(Self::In(set())),
            ("NotIn", _) => Ok(Self::NotIn(set())),
            ("Exists", []) => Ok(Self::Exists),
            ("DoesNotExist", []) => Ok(Self::DoesNotExist),
            ("Exists" | "DoesNotExist", _) => Err(TestError::Values),
            ("Gt" | "Lt", [bound]) => {
                let bound = bound.parse().map_err(|_| TestError::NoNumber)?;
                Ok(if operator == "Gt" { Self::Gt(bound) } else { Self::Lt(bound) })
            }
            ("Gt" | "Lt", _) => Err(TestError::NoNumber),
            _ => Err(TestError::Operator),
        }
    }
}

/// Why there is no such test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestError {
    /// No such operator is known.
    Operator,
    /// In and NotIn need values.
    NoValues,
    /// Exists and DoesNotExist have no values.
    Values,
    /// Gt and Lt need exactly one whole number.
    NoNumber,
}

impl fmt::Display for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "the operator is not known; write In, NotIn, Exists, DoesNotExist, Gt or Lt",
            Self::NoValues => "In and NotIn need at least one value; list them",
            Self::Values => "Exists and DoesNotExist take no values; remove them",
            Self::NoNumber => "Gt and Lt take exactly one value, a whole number; write it in quotes",
        })
    }
}

impl std::error::Error for TestError {}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, test } = self;
        let listed =
            |values: &BTreeSet<Arc<str>>| values.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
        match test {
            Test::In(values) => write!(f, "{key} in ({})", listed(values)),
            Test::NotIn(values) => write!(f, "{key} not in ({})", listed(values)),
            Test::Exists => write!(f, "{key}"),
            Test::DoesNotExist => write!(f, "!{key}"),
            Test::Gt(bound) => write!(f, "{key} > {bound}"),
            Test::Lt(bound) => write!(f, "{key} < {bound}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(operator: &str, values: &[&str]) -> Result<Test, TestError> {
        let values: Vec<Arc<str>> = values.iter().map(|value| (*value).into()).collect();
        Test::new(operator, &values)
    }

    #[test]
    fn every_operator_means_what_it_means_in_kubernetes() {
        for (operator, values, label, holds) in [
            ("In", &["a", "b"][..], Some("a"), true),
            ("In", &["a"], Some("c"), false),
            ("In", &["a"], None, false),
            ("NotIn", &["a"], Some("a"), false),
            ("NotIn", &["a"], Some("b"), true),
            ("NotIn", &["a"], None, true),
            ("Exists", &[], Some(""), true),
            ("Exists", &[], None, false),
            ("DoesNotExist", &[], None, true),
            ("DoesNotExist", &[], Some("x"), false),
            ("Gt", &["3"], Some("4"), true),
            ("Gt", &["3"], Some("3"), false),
            ("Gt", &["3"], Some("x"), false),
            ("Lt", &["-3"], Some("-4"), true),
            ("Lt", &["3"], None, false),
        ] {
            let test = test(operator, values).unwrap();
            assert_eq!(test.holds(label), holds, "{operator} {values:?} {label:?}");
            assert_eq!((test.operator(), test.values().len()), (operator, values.len()));
        }
    }

    #[test]
    fn what_is_no_test_is_refused() {
        assert_eq!(test("In", &[]), Err(TestError::NoValues));
        assert_eq!(test("Exists", &["a"]), Err(TestError::Values));
        assert_eq!(test("Gt", &["a"]), Err(TestError::NoNumber));
        assert_eq!(test("Lt", &["1", "2"]), Err(TestError::NoNumber));
        assert_eq!(test("Like", &["a"]), Err(TestError::Operator));
    }

    #[test]
    fn a_selector_holds_as_a_whole() {
        let labels: Labels = [("tier".into(), "web".into()), ("n".into(), "7".into())].into();
        let matches = |selector: &LabelSelector| selector.matches(|key| labels.get(key).map(AsRef::as_ref));
        let mut selector = LabelSelector::default();
        assert!(selector.is_empty() && matches(&selector));
        selector.labels.insert("tier".into(), "web".into());
        selector.expressions.push(Requirement { key: "n".into(), test: Test::Gt(6) });
        assert!(matches(&selector));
        selector.expressions.push(Requirement { key: "gpu".into(), test: Test::Exists });
        assert!(!matches(&selector));
    }
}
