//! Reading the scenario of a preview: a policy over clusters that are only described.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::policy::{Policy, REPLICAS_MAX};
use godwit_common::scenario::{CLUSTERS_MAX, Scenario, ScenarioCluster};
use godwit_common::{ClusterName, NameError, Taint, Traits};

use crate::error::{Collector, ManifestErrors};
use crate::field::{Field, Object};
use crate::godwit;
use crate::node::Data;
use crate::source::{self, Document};
use crate::{labels, policy, toleration};

/// The most taints of one cluster.
const TAINTS_MAX: usize = 64;

/// Reads a scenario: one document of YAML or JSON. Its policy has the fields of a policy's spec, all of them checked. All
/// mistakes are reported together, up to a limit. Whether two clusters have one name is for the planner to see.
pub fn parse_scenario(text: &str) -> Result<Scenario, ManifestErrors> {
    let errors = RefCell::new(Collector::default());
    let documents = source::read(text, &errors);
    let mut scenarios = documents.iter().map(|document| read(document, &errors));
    let first = scenarios.next().flatten();
    if let Some(second) = documents.get(1) {
        let report = godwit::report(&errors, second);
        let field = Field::root(&second.root, String::new(), &report);
        field.refuse("there is more than one scenario", "write each into a file of its own");
    }
    let mut errors = errors.into_inner();
    if errors.is_empty() && documents.is_empty() {
        errors.push(source::whole_text(
            "the text is empty",
            "write replicas, and the clusters to divide them over",
        ));
    }
    errors.finish(first.unwrap_or_default())
}

/// The scenario of a document; none after a mistake, which is reported.
fn read(document: &Document, errors: &RefCell<Collector>) -> Option<Scenario> {
    let report = godwit::report(errors, document);
    let field = Field::root(&document.root, String::new(), &report);
    let object = field.object()?;
    object.only(&["replicas", "policy", "clusters"]);
    let replicas = object.require("replicas", "write the total to divide");
    let replicas = replicas.and_then(|field| field.count(REPLICAS_MAX));
    let spec = object.mapping("policy");
    let policy = spec.map(|spec| policy::read(&spec, Policy::check_parts).placement).unwrap_or_default();
    let items = object.get("clusters").map(|field| field.items_up_to(CLUSTERS_MAX)).unwrap_or_default();
    let clusters = items.iter().filter_map(cluster).collect();
    Some(Scenario { replicas: replicas?, policy, clusters })
}

fn cluster(field: &Field<'_>) -> Option<ScenarioCluster> {
    let object = field.object()?;
    object.only(&["name", "labels", "provider", "region", "zones", "taints", "running", "room"]);
    let count = |key| object.get(key).and_then(|field| field.count(REPLICAS_MAX));
    let labels = object.mapping("labels");
    let traits = Traits {
        labels: labels.map(|labels| labels::read(&labels)).unwrap_or_default(),
        provider: trait_of(&object, "provider").into(),
        region: trait_of(&object, "region").into(),
        zones: object.get("zones").map(|field| zones(&field)).unwrap_or_default(),
    };
    let taints = object.get("taints").map(|field| field.items_up_to(TAINTS_MAX)).unwrap_or_default();
    let taints = taints.iter().filter_map(taint).collect();
    let (running, room) = (count("running").unwrap_or(0), count("room"));
    let name = object.require("name", "give the cluster a name")?;
    let parsed: Result<ClusterName, NameError> = name.text()?.parse();
    match parsed {
        Ok(name) => Some(ScenarioCluster { name, traits, taints, running, room }),
        Err(error) => {
            name.refuse(error.to_string(), "choose another name");
            None
        }
    }
}

/// Selectors see it as a label, so it must be the value of one.
fn trait_of<'a>(object: &Object<'a>, key: &str) -> &'a str {
    let valid = |field: Field<'a>| field.text().filter(|text| labels::check_value(&field, text));
    object.get(key).and_then(valid).unwrap_or_default()
}

/// Unlike in a selector, none at all is a thing to say of a cluster.
fn zones(field: &Field<'_>) -> BTreeSet<Arc<str>> {
    let is_empty = matches!(&field.node.data, Data::List(items) if items.is_empty());
    if is_empty { BTreeSet::new() } else { labels::values(field) }
}

fn taint(field: &Field<'_>) -> Option<Taint> {
    let object = field.object()?;
    object.only(&["key", "value", "effect"]);
    let key = object.require("key", "name the taint");
    let effect = object.require("effect", "write NoSchedule, PreferNoSchedule or NoExecute");
    let value = match object.get("value") {
        None => Some(""),
        Some(field) => field.text().filter(|text| labels::check_value(&field, text)),
    };
    let (key, effect) = (key?, effect?);
    let text = key.text().filter(|text| labels::check_key(&key, text));
    let effect = toleration::effect(&effect);
    Some(Taint { key: text?.into(), value: value?.into(), effect: effect? })
}
