//! Reading policies.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use godwit_common::{ClusterName, PolicyName};

use crate::MAX_REPLICAS;
use crate::application::DEFAULT_NAMESPACE;
use crate::catalog;
use crate::error::{Collector, ManifestErrors};
use crate::field::{Field, Object};
use crate::policy::{ClusterShare, Mode, PolicySpec, Rebalance};
use crate::source::{self, Document};
use crate::{duration, metadata, strategy};

/// The only version of a policy there is.
const API_VERSION: &str = "godwit.dev/v1";
/// The most clusters that one policy names.
pub(crate) const CLUSTERS_MAX: usize = 10_000;
/// The largest weight: shares are exact in 64 bits, and no ratio that anyone means needs more.
const WEIGHT_MAX: u32 = 1_000_000;
/// Priorities lie between this and its negative.
const PRIORITY_MAX: i32 = 1_000;
/// Past an hour a lost cluster is an operator's decision, and no longer a time-out's.
const LOST_AFTER_MAX: Duration = Duration::from_secs(3600);

const DEFAULT_SHARE: ClusterShare = ClusterShare { weight: 1, min: 0, max: None };

/// Reads policies: YAML or JSON, one policy a document, at least one, and no two of one name. What a policy leaves out
/// has its default in the result. All mistakes are reported together, up to a limit.
pub fn parse_policies(text: &str) -> Result<Vec<PolicySpec>, ManifestErrors> {
    let errors = RefCell::new(Collector::default());
    let documents = source::read(text, &errors);
    let mut names = BTreeSet::new();
    let mut policies = Vec::new();
    for document in &documents {
        if let Some(policy) = read(document, &errors, &mut names) {
            policies.push(policy);
        }
    }
    let mut errors = errors.into_inner();
    if errors.is_empty() && policies.is_empty() {
        errors.push(source::whole_text("the text is empty", "write at least one policy"));
    }
    errors.finish(policies)
}

fn read(
    document: &Document,
    errors: &RefCell<Collector>,
    names: &mut BTreeSet<PolicyName>,
) -> Option<PolicySpec> {
    let report = metadata::report((errors, DEFAULT_NAMESPACE), document, &document.root);
    let field = Field::root(&document.root, String::new(), &report);
    let object = field.object()?;
    let (api_version, kind) = metadata::type_of(&object)?;
    if catalog::group_of(api_version) != catalog::GODWIT_GROUP {
        field.refuse(
            format!("{kind} of {api_version} is not a policy"),
            "apply applications and policies each on their own",
        );
        return None;
    }
    if kind != "Policy" || api_version != API_VERSION {
        field.refuse(
            format!("there is no {kind} in {api_version}"),
            format!("write apiVersion: {API_VERSION} and kind: Policy"),
        );
        return None;
    }
    object.only(&["apiVersion", "kind", "metadata", "spec"]);
    let name = name_of(&object, names);
    let spec = object.require("spec", "say how to divide")?.object()?;
    read_spec(&spec, name?)
}

fn name_of(object: &Object<'_>, names: &mut BTreeSet<PolicyName>) -> Option<PolicyName> {
    let metadata = object.require("metadata", "write one with a name")?.object()?;
    metadata.only(&["name", "labels", "annotations"]);
    let field = metadata.require("name", "give the policy a name")?;
    match field.text()?.parse::<PolicyName>() {
        Ok(name) if names.insert(name.clone()) => Some(name),
        Ok(name) => {
            field.refuse(format!("there is already a policy {name}"), "remove one of the two, or rename it");
            None
        }
        Err(error) => {
            field.refuse(error.to_string(), "choose another name");
            None
        }
    }
}

fn read_spec(spec: &Object<'_>, name: PolicyName) -> Option<PolicySpec> {
    spec.only(&[
        "clusters",
        "default",
        "lostAfter",
        "maxSkew",
        "maxUnavailable",
        "mode",
        "priority",
        "rebalance",
        "strategy",
        "tiers",
    ]);
    let default = spec.get("default").map(|field| share(&field));
    let policy = PolicySpec {
        name,
        strategy: strategy::read(spec),
        default,
        clusters: clusters(spec),
        rebalance: rebalance(spec),
        lost_after: lost_after(spec),
        mode: mode(spec),
        priority: priority(spec),
        max_unavailable: max_unavailable(spec),
    };
    check_whole(spec, &policy);
    Some(policy)
}

/// What no single field shows: that replicas can be placed at all.
fn check_whole(spec: &Object<'_>, policy: &PolicySpec) {
    strategy::check_share(spec, policy);
    let alike = policy.clusters.is_empty() && policy.default.is_none();
    let mut shares = policy.clusters.values().chain(&policy.default);
    if !alike && !shares.any(|share| (share.weight > 0 || share.min > 0) && share.max != Some(0)) {
        spec.at.refuse(
            "no cluster can ever get a replica: every weight is 0",
            "give the default or one of the clusters a weight above 0",
        );
    }
}

/// A cluster's share; what it leaves out has [`DEFAULT_SHARE`]'s value.
fn share(field: &Field<'_>) -> ClusterShare {
    let Some(object) = field.object() else {
        return DEFAULT_SHARE;
    };
    object.only(&["weight", "min", "max"]);
    let number = |key, max| object.get(key).and_then(|field| field.count(max));
    let share = ClusterShare {
        weight: number("weight", WEIGHT_MAX).unwrap_or(DEFAULT_SHARE.weight),
        min: number("min", MAX_REPLICAS).unwrap_or(DEFAULT_SHARE.min),
        max: number("max", MAX_REPLICAS),
    };
    if let Some(max) = share.max.filter(|max| *max < share.min) {
        object.at.refuse(format!("min {} is larger than max {max}", share.min), "lower min or raise max");
    }
    share
}

fn clusters(spec: &Object<'_>) -> BTreeMap<ClusterName, ClusterShare> {
    let Some(object) = spec.get("clusters").and_then(|field| field.object()) else {
        return BTreeMap::new();
    };
    let mut clusters = BTreeMap::new();
    for (name, field) in object.fields() {
        match name.parse::<ClusterName>() {
            Ok(name) => {
                clusters.insert(name, share(&field));
            }
            Err(error) => field.refuse(error.to_string(), "write the name of a cluster"),
        }
        if clusters.len() > CLUSTERS_MAX {
            let problem = format!("there are more than {CLUSTERS_MAX} clusters");
            object.at.refuse(problem, "name only those that differ from the default");
            break;
        }
    }
    clusters
}

fn rebalance(spec: &Object<'_>) -> Rebalance {
    let choices =
        [("never", Rebalance::Never), ("gradual", Rebalance::Gradual), ("always", Rebalance::Always)];
    let chosen = spec.get("rebalance").and_then(|field| field.choice(&choices));
    chosen.unwrap_or(Rebalance::Never)
}

fn mode(spec: &Object<'_>) -> Mode {
    let Some(field) = spec.get("mode") else {
        return Mode::Available;
    };
    if matches!(field.node.as_text(), Some("atMost" | "at_most")) {
        field.refuse(
            "the mode atMost is not available: it needs a fence that stops the old copies before new ones start",
            "write mode: available, where both copies may run during a partition",
        );
        return Mode::Available;
    }
    field.choice(&[("available", Mode::Available)]).unwrap_or(Mode::Available)
}

fn priority(spec: &Object<'_>) -> i32 {
    let field = spec.get("priority");
    let number = field.and_then(|field| field.integer(i64::from(-PRIORITY_MAX), i64::from(PRIORITY_MAX)));
    number.and_then(|number| i32::try_from(number).ok()).unwrap_or(0)
}

fn lost_after(spec: &Object<'_>) -> Option<Duration> {
    let field = spec.get("lostAfter")?;
    let text = match field.node.as_text() {
        Some(text) => text.to_owned(),
        None => field.node.describe(),
    };
    let duration = duration::parse(&text).filter(|duration| *duration <= LOST_AFTER_MAX);
    if duration.is_none() {
        field.refuse_value("a duration from 0s to 1h, such as 10s or 1m30s");
    }
    duration
}

fn max_unavailable(spec: &Object<'_>) -> u32 {
    let field = spec.get("maxUnavailable");
    field.and_then(|field| field.count(MAX_REPLICAS)).unwrap_or(0)
}
