//! The forms of what selectors ask for: what no cluster and no workload can be like is a slip of the pen.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;

use super::Check;
use crate::policy::mistake::{Mistake, Step};
use crate::policy::{ALL_NAMESPACES, ClusterSelector, WorkloadSelector};
use crate::selector::{LabelSelector, Requirement, Test};
use crate::{label, name};

pub(super) fn clusters(check: &mut Check, selector: &ClusterSelector) {
    // The type of names and exclude has checked them.
    let ClusterSelector { names: _, exclude: _, labels, regions, zones, providers } = selector;
    label_selector(check, labels);
    values(check, "regions", regions, topology);
    values(check, "zones", zones, topology);
    values(check, "providers", providers, topology);
}

pub(super) fn workloads(check: &mut Check, selector: &WorkloadSelector) {
    let WorkloadSelector { namespaces, names, labels } = selector;
    values(check, "namespaces", namespaces, |check, namespace| {
        if namespace != ALL_NAMESPACES {
            form(check, name::check_namespace(namespace));
        }
    });
    values(check, "names", names, |check, text| form(check, name::check_object_name(text)));
    label_selector(check, labels);
}

impl LabelSelector {
    /// What is wrong with it; nothing if labels can be like that.
    #[must_use]
    pub fn check(&self) -> Vec<Mistake> {
        let mut check = Check::default();
        label_selector(&mut check, self);
        check.mistakes
    }
}

fn label_selector(check: &mut Check, selector: &LabelSelector) {
    let LabelSelector { labels, expressions } = selector;
    check.field("matchLabels", |check| {
        for (key, value) in labels {
            check.within(Step::Entry(key.clone()), |check| {
                form(check, label::check_key(key).and_then(|()| label::check_value(value)));
            });
        }
    });
    check.items("matchExpressions", expressions, |check, Requirement { key, test }| {
        check.field("key", |check| form(check, label::check_key(key)));
        match test {
            Test::In(texts) | Test::NotIn(texts) => {
                values(check, "values", texts, |check, text| form(check, label::check_value(text)));
            }
            Test::Exists | Test::DoesNotExist | Test::Gt(_) | Test::Lt(_) => {}
        }
    });
}

fn values(
    check: &mut Check,
    name: &'static str,
    texts: &BTreeSet<Arc<str>>,
    look: impl Fn(&mut Check, &str),
) {
    check.field(name, |check| {
        for text in texts {
            check.within(Step::Value(text.clone()), |check| look(check, text));
        }
    });
}

/// Regions, zones and providers are seen as labels. What is not known of a cluster matches no text at all.
fn topology(check: &mut Check, text: &str) {
    match text {
        "" => check.refuse("the text is empty", "write a value, or remove it"),
        text => form(check, label::check_value(text)),
    }
}

fn form(check: &mut Check, result: Result<(), impl Display>) {
    if let Err(error) = result {
        check.refuse(error.to_string(), "correct it");
    }
}
