//! Label and field selectors.

use serde_json::Value;

use crate::object::{self, fields, items, text};

/// Which labels an object must have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LabelSelector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
}

impl LabelSelector {
    /// Reads the form of the query string: `a=b,c!=d,e in (f,g),!h`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parts = split_outside_parentheses(text);
        let requirements = parts
            .into_iter()
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(requirement)
            .collect::<Result<_, _>>()?;
        Ok(Self { requirements })
    }

    /// Reads the form of specs: `matchLabels` and `matchExpressions`.
    pub(crate) fn of_spec(selector: &Value) -> Result<Self, String> {
        let mut read = Self::of_map(&selector["matchLabels"]);
        for expression in items(&selector["matchExpressions"]) {
            read.requirements.push(of_expression(expression)?);
        }
        Ok(read)
    }

    /// Reads the form of services and replication: a plain map.
    pub(crate) fn of_map(labels: &Value) -> Self {
        let requirements = fields(labels)
            .map(|(key, value)| Requirement {
                key: key.clone(),
                test: Test::In(vec![text(value).to_owned()]),
            })
            .collect();
        Self { requirements }
    }

    /// Whether it asks for nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether `labels` satisfy it.
    pub(crate) fn matches(&self, labels: &Value) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels.get(&requirement.key).and_then(Value::as_str);
            requirement.test.accepts(value)
        })
    }
}

impl std::fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, Requirement { key, test }) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match test {
                Test::In(values) => match values.as_slice() {
                    [one] => write!(f, "{key}={one}")?,
                    many => write!(f, "{key} in ({})", many.join(","))?,
                },
                Test::NotIn(values) => write!(f, "{key} notin ({})", values.join(","))?,
                Test::Exists => write!(f, "{key}")?,
                Test::Absent => write!(f, "!{key}")?,
                Test::Above(bound) => write!(f, "{key}>{bound}")?,
                Test::Below(bound) => write!(f, "{key}<{bound}")?,
            }
        }
        Ok(())
    }
}

impl Test {
    fn accepts(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Test::In(values) => value.is_some_and(|value| values.iter().any(|one| one == value)),
            Test::NotIn(values) => !value.is_some_and(|value| values.iter().any(|one| one == value)),
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Above(bound) => number().is_some_and(|number| number > *bound),
            Test::Below(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

/// One expression of a spec: of a label selector or of a node selector term.
fn of_expression(expression: &Value) -> Result<Requirement, String> {
    let values: Vec<String> =
        items(&expression["values"]).iter().map(|value| text(value).to_owned()).collect();
    let bound = || {
        values
            .first()
            .and_then(|value| value.parse().ok())
            .ok_or("Gt and Lt need one whole number".to_owned())
    };
    let test = match text(&expression["operator"]) {
        "In" => Test::In(values),
        "NotIn" => Test::NotIn(values),
        "Exists" => Test::Exists,
        "DoesNotExist" => Test::Absent,
        "Gt" => Test::Above(bound()?),
        "Lt" => Test::Below(bound()?),
        other => return Err(format!("{other:?} is not a valid label selector operator")),
    };
    let key = text(&expression["key"]).to_owned();
    Ok(Requirement { key, test })
}

/// Whether one expression accepts `labels`; one that cannot be read accepts nothing.
pub(crate) fn expression_matches(expression: &Value, labels: &Value) -> bool {
    of_expression(expression).is_ok_and(|requirement| {
        let value = labels.get(&requirement.key).and_then(Value::as_str);
        requirement.test.accepts(value)
    })
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut inside = false;
    text.split(move |c| {
        match c {
            '(' => inside = true,
            ')' => inside = false,
            _ => {}
        }
        c == ',' && !inside
    })
    .collect()
}

fn requirement(part: &str) -> Result<Requirement, String> {
    let of = |key: &str, test: Test| {
        let key = key.trim();
        let valid = !key.is_empty()
            && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
        if valid {
            Ok(Requirement { key: key.to_owned(), test })
        } else {
            Err(format!("unable to parse requirement: {part:?} names no valid label key"))
        }
    };
    let value = |text: &str| vec![text.trim().to_owned()];
    if let Some((key, rest)) = part.split_once("!=") {
        of(key, Test::NotIn(value(rest)))
    } else if let Some((key, rest)) = part.split_once("==") {
        of(key, Test::In(value(rest)))
    } else if let Some((key, rest)) = part.split_once('=') {
        of(key, Test::In(value(rest)))
    } else if let Some((key, values)) = set_form(part, " notin ") {
        of(key, Test::NotIn(values))
    } else if let Some((key, values)) = set_form(part, " in ") {
        of(key, Test::In(values))
    } else if let Some(key) = part.strip_prefix('!') {
        of(key, Test::Absent)
    } else {
        of(part, Test::Exists)
    }
}

fn set_form<'a>(part: &'a str, operator: &str) -> Option<(&'a str, Vec<String>)> {
    let (key, rest) = match part.split_once(operator) {
        Some(found) => found,
        None => part.split_once(&format!("{}(", operator.trim_end()))?,
    };
    let values = rest.trim().trim_start_matches('(').strip_suffix(')')?;
    Some((key, values.split(',').map(|value| value.trim().to_owned()).collect()))
}

/// Which fields an object must have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FieldSelector {
    terms: Vec<(Vec<String>, bool, String)>,
}

/// The fields that can be selected besides the name and the namespace.
const SELECTABLE: &[(&str, &[&str])] = &[
    (
        "pods",
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        ],
    ),
    (
        "events",
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
    ("nodes", &["spec.unschedulable"]),
    ("namespaces", &["status.phase"]),
    ("secrets", &["type"]),
    ("replicasets.apps", &["status.replicas"]),
    ("jobs.batch", &["status.successful"]),
];

impl FieldSelector {
    /// Reads `a.b=c,d!=e` for `resource`.
    pub(crate) fn parse(text: &str, resource: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (path, equal, value) = if let Some((path, value)) = part.split_once("!=") {
                (path, false, value)
            } else if let Some((path, value)) = part.split_once("==") {
                (path, true, value)
            } else if let Some((path, value)) = part.split_once('=') {
                (path, true, value)
            } else {
                return Err(format!("invalid field selector {part:?}: no operator"));
            };
            let known = matches!(path, "metadata.name" | "metadata.namespace")
                || SELECTABLE.iter().any(|(name, paths)| *name == resource && paths.contains(&path));
            if !known {
                return Err(format!("field label not supported: {path}"));
            }
            let steps = path.split('.').map(str::to_owned).collect();
            terms.push((steps, equal, value.to_owned()));
        }
        Ok(Self { terms })
    }

    /// Whether `object` satisfies it.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.terms.iter().all(|(path, equal, wanted)| {
            let found = path.iter().fold(object, |value, step| &value[step.as_str()]);
            let same = match found {
                Value::String(found) => found == wanted,
                Value::Null => wanted.is_empty() || wanted == "false",
                Value::Bool(found) => wanted == if *found { "true" } else { "false" },
                other => serde_json::from_str(wanted).is_ok_and(|wanted: Value| wanted == *other),
            };
            same == *equal
        })
    }
}

/// Both selectors of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Selection {
    /// By label.
    pub(crate) labels: LabelSelector,
    /// By field.
    pub(crate) fields: FieldSelector,
}

impl Selection {
    /// Whether `object` is selected.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.labels.matches(&object["metadata"]["labels"]) && self.fields.matches(object)
    }

    /// The one name that can be selected, if there is only one.
    pub(crate) fn of_name(name: &str) -> Self {
        let path = vec!["metadata".to_owned(), "name".to_owned()];
        Self {
            labels: LabelSelector::default(),
            fields: FieldSelector { terms: vec![(path, true, name.to_owned())] },
        }
    }
}

/// Whether `selector`, in the form of specs, selects `object`. An empty one selects nothing.
pub(crate) fn spec_selects(selector: &Value, object: &Value) -> bool {
    LabelSelector::of_spec(selector)
        .is_ok_and(|parsed| !parsed.is_empty() && parsed.matches(&object["metadata"]["labels"]))
        && !object::name(object).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn matches(selector: &str, labels: Value) -> bool {
        LabelSelector::parse(selector).expect("a selector").matches(&labels)
    }

    #[test]
    fn equality_and_sets() {
        let labels = || json!({"app": "web", "tier": "front"});
        assert!(matches("", labels()));
        assert!(matches("app=web,tier!=back", labels()));
        assert!(matches("app==web, tier in (front, back),!canary", labels()));
        assert!(matches("tier notin (back),app", labels()));
        assert!(matches("canary notin (yes)", labels()));
        assert!(!matches("app in (api,db)", labels()));
        assert!(!matches("canary", labels()));
        assert!(LabelSelector::parse("a b").is_err());
    }

    #[test]
    fn expressions_of_specs() {
        let selector = json!({
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["front"]}],
        });
        let parsed = LabelSelector::of_spec(&selector).expect("a selector");
        assert!(parsed.matches(&json!({"app": "web", "tier": "front"})));
        assert!(!parsed.matches(&json!({"app": "web"})));
        assert_eq!(parsed.to_string(), "app=web,tier=front");
        assert!(LabelSelector::of_spec(&json!({"matchExpressions": [{"operator": "Near"}]})).is_err());
    }

    #[test]
    fn fields_are_selected_where_they_are_indexed() {
        let pod = json!({"metadata": {"name": "a"}, "spec": {"nodeName": "n1"}});
        let parsed = FieldSelector::parse("spec.nodeName=n1,status.phase!=Running", "pods");
        assert!(parsed.expect("known fields").matches(&pod));
        assert!(FieldSelector::parse("spec.nodeName=n1", "services").is_err());
        assert!(FieldSelector::parse("metadata.name", "pods").is_err());
    }
}
