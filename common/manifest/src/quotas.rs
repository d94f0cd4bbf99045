//! Reading quotas: how much a namespace may hold over all clusters together.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::WorkloadId;
use godwit_common::link::EXTENDED_RESOURCES_MAX;
use godwit_common::quota::Quota;

use crate::error::{Collector, ManifestErrors};
use crate::field::{Field, Object};
use crate::godwit::{self, Kind};
use crate::requests;
use crate::source::{self, Document};

/// What ResourceQuotas put before the names of resources. A quota of ours bounds requests in any case.
const REQUESTS: &str = "requests.";
/// The key of the number of replicas.
const REPLICAS: &str = "replicas";

/// The quota of one namespace, as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaSpec {
    /// The namespace: the quota's name.
    pub namespace: Arc<str>,
    /// The bounds; at least one.
    pub quota: Quota,
}

/// Reads quotas: YAML or JSON, one quota a document, at least one, and no two of one namespace. All mistakes are
/// reported together, up to a limit.
pub fn parse_quotas(text: &str) -> Result<Vec<QuotaSpec>, ManifestErrors> {
    let errors = RefCell::new(Collector::default());
    let documents = source::read(text, &errors);
    let mut namespaces = BTreeSet::new();
    let mut quotas = Vec::new();
    for document in &documents {
        quotas.extend(read(document, &errors, &mut namespaces));
    }
    let mut errors = errors.into_inner();
    if errors.is_empty() && quotas.is_empty() {
        errors.push(source::whole_text("the text is empty", "write at least one quota"));
    }
    errors.finish(quotas)
}

fn read(
    document: &Document,
    errors: &RefCell<Collector>,
    namespaces: &mut BTreeSet<Arc<str>>,
) -> Option<QuotaSpec> {
    let report = godwit::report(errors, document);
    let field = Field::root(&document.root, String::new(), &report);
    let object = field.object()?;
    godwit::check_type(&object, Kind::Quota)?;
    object.only(&["apiVersion", "kind", "metadata", "spec"]);
    let namespace = namespace_of(&object, namespaces);
    let spec = object.require("spec", "write the bounds under spec.hard")?.object()?;
    spec.only(&["hard"]);
    let hard = spec.require("hard", "write the bounds there, such as replicas: 100")?.object()?;
    let quota = bounds(&hard);
    Some(QuotaSpec { namespace: namespace?, quota })
}

fn namespace_of(object: &Object<'_>, namespaces: &mut BTreeSet<Arc<str>>) -> Option<Arc<str>> {
    let metadata = object.require("metadata", "write one with the namespace as its name")?.object()?;
    metadata.only(&["name", "labels", "annotations"]);
    let field = metadata.require("name", "write the namespace that the quota is for")?;
    let name = field.text()?;
    if let Err(error) = WorkloadId::new(name, "Kind", "name") {
        field.refuse(error.to_string(), "write the name of a namespace");
        return None;
    }
    let namespace: Arc<str> = name.into();
    if !namespaces.insert(Arc::clone(&namespace)) {
        field.refuse(format!("there is already a quota for {name}"), "remove one of the two");
        return None;
    }
    Some(namespace)
}

fn bounds(hard: &Object<'_>) -> Quota {
    let before = hard.at.mistakes();
    let mut quota = Quota::default();
    let mut extended = BTreeMap::new();
    let mut named = BTreeSet::new();
    for (key, field) in hard.fields() {
        let name = key.strip_prefix(REQUESTS).unwrap_or(key);
        if !named.insert(name) {
            let problem = format!("{name} is bounded twice, with and without {REQUESTS}");
            field.refuse(problem, "remove one of the two");
        } else if name == REPLICAS {
            quota.replicas = replicas(&field);
        } else if check_name(key, name, &field)
            && let Some(amount) = requests::amount_of(name, &field)
        {
            match name {
                "cpu" => quota.cpu_millis = Some(amount),
                "memory" => quota.memory_bytes = Some(amount),
                "ephemeral-storage" => quota.ephemeral_bytes = Some(amount),
                other => {
                    extended.insert(Arc::from(other), amount);
                }
            }
        }
    }
    if extended.len() > EXTENDED_RESOURCES_MAX {
        let problem = format!("{} extended resources are too many", extended.len());
        hard.at.refuse(problem, format!("bound at most {EXTENDED_RESOURCES_MAX}"));
    }
    quota.extended = extended.into_iter().collect();
    if quota == Quota::default() && hard.at.mistakes() == before {
        hard.at.refuse("it bounds nothing", "write at least one bound, such as replicas: 100");
    }
    quota
}

fn check_name(key: &str, name: &str, field: &Field<'_>) -> bool {
    match key {
        "pods" | "count/pods" => {
            field.refuse("pods come and go, and replicas are what is counted", "write replicas");
            false
        }
        _ if key.starts_with("limits.") => {
            field.refuse("limits are not counted", "bound the requests, such as cpu: 40");
            false
        }
        _ => requests::check_name(name, field),
    }
}

fn replicas(field: &Field<'_>) -> Option<u64> {
    let quantity = requests::quantity(field)?;
    if !quantity.is_whole() {
        let problem = format!("{} is not valid here: a replica is not divisible", field.node.describe());
        field.refuse(problem, "write a whole number");
        return None;
    }
    Some(quantity.units())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(hard: &str) -> Result<Quota, String> {
        let head = "apiVersion: godwit.dev/v1\nkind: Quota\nmetadata: {name: shop}\n";
        let text = format!("{head}spec: {{hard: {hard}}}\n");
        match parse_quotas(&text) {
            Ok(quotas) => {
                assert_eq!((quotas.len(), &*quotas[0].namespace), (1, "shop"));
                Ok(quotas[0].quota.clone())
            }
            Err(errors) => Err(errors.to_string().replace("document 1 (line ", "(").replace("column ", "")),
        }
    }

    #[test]
    fn every_bound_is_read_as_resource_quotas_write_it() {
        let plain = quota(
            "{replicas: 100, cpu: \"40\", memory: 64Gi, ephemeral-storage: 1Ti, nvidia.com/gpu: 8, a.b/c: \"2k\"}",
        )
        .unwrap();
        let expected = Quota {
            replicas: Some(100),
            cpu_millis: Some(40_000),
            memory_bytes: Some(64 << 30),
            ephemeral_bytes: Some(1 << 40),
            extended: vec![("a.b/c".into(), 2_000), ("nvidia.com/gpu".into(), 8)],
        };
        assert_eq!(plain, expected);
        let pages = vec![("hugepages-2Mi".into(), 4 << 20)];
        assert_eq!(quota("{hugepages-2Mi: 4Mi}").unwrap().extended, pages);
        let prefixed = quota("{requests.cpu: 500m, requests.nvidia.com/gpu: 0}").unwrap();
        let gpu = vec![("nvidia.com/gpu".into(), 0)];
        assert_eq!(prefixed, Quota { cpu_millis: Some(500), extended: gpu, ..Quota::default() });
        // A fleet may have more than any node.
        assert_eq!(quota("{memory: 1Ei}").unwrap().memory_bytes, Some(1 << 60));
    }

    #[test]
    fn mistakes_are_named_with_place_value_and_remedy() {
        for (hard, message) in [
            (
                "{}",
                "(4, 14): Quota shop: spec.hard: it bounds nothing; write at least one bound, such as replicas: 100",
            ),
            (
                "{cpu: ~}",
                "(4, 14): Quota shop: spec.hard: it bounds nothing; write at least one bound, such as replicas: 100",
            ),
            (
                "{replicas: 1.5}",
                "(4, 25): Quota shop: spec.hard.replicas: 1.5 is not valid here: a replica is not divisible; write a whole number",
            ),
            (
                "{replicas: -1}",
                "(4, 25): Quota shop: spec.hard.replicas: -1 is not a quantity; it must not be negative",
            ),
            (
                "{nvidia.com/gpu: 1m}",
                "(4, 31): Quota shop: spec.hard[nvidia.com/gpu]: \"1m\" is not valid here: a device is not divisible; write a whole number",
            ),
            (
                "{memroy: 1Gi}",
                "(4, 23): Quota shop: spec.hard.memroy: there is no such resource; did you mean \"memory\"? (other resources have a domain, such as example.com/gpu)",
            ),
            (
                "{pods: 3}",
                "(4, 21): Quota shop: spec.hard.pods: pods come and go, and replicas are what is counted; write replicas",
            ),
            (
                "{limits.cpu: 3}",
                "(4, 27): Quota shop: spec.hard[limits.cpu]: limits are not counted; bound the requests, such as cpu: 40",
            ),
            (
                "{cpu: 1, requests.cpu: 2}",
                "(4, 37): Quota shop: spec.hard[requests.cpu]: cpu is bounded twice, with and without requests.; remove one of the two",
            ),
            (
                "{\"a b/c\": 3}",
                "(4, 24): Quota shop: spec.hard[a b/c]: \"a b/c\" is not the name of an extended resource: what stands before / is not a DNS name of at most 244 characters; write one such as nvidia.com",
            ),
            (
                "{requests.kubernetes.io/x: 3}",
                "(4, 41): Quota shop: spec.hard[requests.kubernetes.io/x]: \"kubernetes.io/x\" is not the name of an extended resource: kubernetes.io is kept for Kubernetes' own; write the name that a device plugin gives",
            ),
            (
                "{hugepages-: 3}",
                "(4, 27): Quota shop: spec.hard.hugepages-: there is no such resource; known are cpu, memory, ephemeral-storage (other resources have a domain, such as example.com/gpu)",
            ),
            ("3", "(4, 14): Quota shop: spec.hard: 3 is not valid here; write a mapping"),
        ] {
            assert_eq!(quota(hard), Err(message.to_owned()), "{hard}");
        }
    }

    #[test]
    fn only_so_many_extended_resources_are_bounded() {
        let hard = |count: usize| {
            let bounds: Vec<String> = (0..count).map(|number| format!("a.b/n{number}: 1")).collect();
            format!("{{{}}}", bounds.join(", "))
        };
        assert_eq!(quota(&hard(64)).unwrap().extended.len(), 64);
        let many = "(4, 14): Quota shop: spec.hard: 65 extended resources are too many; bound at most 64";
        assert_eq!(quota(&hard(65)), Err(many.to_owned()));
    }

    #[test]
    fn a_quota_is_a_document_of_its_own_kind() {
        let errors = |text: &str| parse_quotas(text).unwrap_err().to_string();
        assert_eq!(errors(""), "the text is empty; write at least one quota");
        let one =
            "{apiVersion: godwit.dev/v1, kind: Quota, metadata: {name: a}, spec: {hard: {replicas: 1}}}\n";
        assert!(errors(&format!("{one}---\n{one}")).contains("there is already a quota for a; remove one"));
        assert!(errors(&one.replace("name: a", "name: A_")).contains("namespace \"A_\" is not valid"));
        assert!(errors(&one.replace("Quota", "Policy")).contains("Policy of godwit.dev/v1 is not a quota"));
        assert!(errors(&one.replace("Quota", "Qouta")).contains("kind: Policy or kind: Quota"));
        assert!(errors(&one.replace("hard", "soft")).contains("spec.soft: this field is unknown"));
    }
}
