//! An application: every document of a text, lists taken apart.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use godwit_common::link::MANIFEST_MAX;
use godwit_common::{ObjectKey, WorkloadId};

use crate::catalog::{self, Handling};
use crate::error::{Collector, ManifestError, ManifestErrors};
use crate::field::Field;
use crate::model::{Application, Dependent, Workload};
use crate::needs::Needs;
use crate::node::{Data, Node};
use crate::source::{self, Document};
use crate::{custom, dependent, hint, metadata, scale_only, workload};

/// The most objects of one application. Each of them becomes objects in every eligible cluster.
pub const MAX_OBJECTS: usize = 1_000;

/// Reads the manifests of one application: YAML with any number of documents, or JSON; lists are taken apart.
///
/// There must be at least one workload (a Deployment, StatefulSet, DaemonSet, Job or CronJob, or a custom resource that says
/// that it is one), and no two objects with one identity. All mistakes are reported together, up to a limit.
pub fn parse_application(text: &str) -> Result<Application, ManifestErrors> {
    parse_application_in(text, DEFAULT_NAMESPACE)
}

/// The same, with a valid namespace for the objects that name none, as `kubectl --namespace` gives it.
pub fn parse_application_in(text: &str, namespace: &str) -> Result<Application, ManifestErrors> {
    let errors = RefCell::new(Collector::default());
    let documents = source::read(text, &errors);
    let mut reading = Reading {
        errors: &errors,
        namespace,
        objects: 0,
        seen: BTreeMap::new(),
        workloads: Vec::new(),
        dependents: Vec::new(),
        scaled: Vec::new(),
        needs: Needs::default(),
    };
    for document in &documents {
        reading.take(document, &document.root, "", None);
    }
    let Reading { seen, mut workloads, mut dependents, mut scaled, needs, .. } = reading;
    let mut errors = errors.into_inner();
    scale_only::check_alike(&workloads, &mut errors);
    if workloads.iter().any(|(workload, _)| workload.scale_only) {
        // All of it but the counts is GitOps'.
        dependents.clear();
        scaled.clear();
    } else {
        needs.settle(&mut workloads, |key| seen.contains_key(&identity(key)), &mut errors);
    }
    for (id, error) in scaled {
        if !workloads.iter().any(|(workload, _)| workload.id == id) {
            errors.push(not_here(error, &id));
        }
    }
    if errors.is_empty() && workloads.is_empty() {
        errors.push(no_workload(dependents.len()));
    }
    let workloads = workloads.into_iter().map(|(workload, _)| workload).collect();
    errors.finish(Application { workloads, dependents })
}

fn no_workload(dependents: usize) -> ManifestError {
    const REMEDY: &str = "an application has at least one Deployment, StatefulSet, DaemonSet, Job or CronJob";
    let (problem, marked) = match dependents {
        0 => ("the text is empty", ""),
        _ => (
            "none of the objects is a workload",
            " (a custom resource is one with the annotation godwit.dev/workload: \"true\")",
        ),
    };
    source::whole_text(problem, &format!("{REMEDY}{marked}"))
}

/// The bounds of an autoscaler are divided as the replicas of its workload are: they come together.
fn not_here(error: ManifestError, scaled: &WorkloadId) -> ManifestError {
    let problem = format!("it scales {scaled}, which is none of this application's workloads");
    ManifestError { problem, remedy: format!("apply it together with {scaled}"), ..error }
}

/// The namespace of an object that names none, as in Kubernetes.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// What makes two objects the same to an API server: its group, and not the version.
type Identity = [String; 4];

fn identity(key: &ObjectKey) -> Identity {
    [catalog::group_of(&key.api_version), &key.kind, &key.namespace, &key.name].map(str::to_owned)
}

struct Reading<'a> {
    errors: &'a RefCell<Collector>,
    namespace: &'a str,
    objects: usize,
    /// Each identity, with the document that first had it.
    seen: BTreeMap<Identity, usize>,
    /// Each with an error about it that lacks the problem: what it needs is known at the end only.
    workloads: Vec<(Workload, ManifestError)>,
    dependents: Vec<Dependent>,
    /// What autoscalers scale, each with an error about the autoscaler that lacks the problem.
    scaled: Vec<(WorkloadId, ManifestError)>,
    needs: Needs,
}

impl Reading<'_> {
    /// Takes an object, or each object of a list; `of_list` is the type that a typed list gives to its items.
    fn take(&mut self, document: &Document, node: &Node, path: &str, of_list: Option<&ItemType>) {
        if let Some(items) = list_items(node) {
            let of_list = item_type(node);
            for (index, item) in items.iter().enumerate() {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}items[{index}]");
                self.take(document, item, &path, of_list.as_ref());
            }
            return;
        }
        self.objects += 1;
        if self.objects > MAX_OBJECTS + 1 {
            return;
        }
        let typed = of_list.and_then(|of_list| of_list.give_to(node));
        let node = typed.as_ref().unwrap_or(node);
        let report = metadata::report((self.errors, self.namespace), document, node);
        let field = Field::root(node, path.to_owned(), &report);
        if self.objects > MAX_OBJECTS {
            field.refuse(
                format!("the application has more than {MAX_OBJECTS} objects"),
                "divide it into several applications",
            );
        } else {
            self.take_object(&field, document.index);
        }
    }

    fn take_object(&mut self, field: &Field<'_>, document: usize) {
        let Some(object) = field.object() else {
            return;
        };
        let Some((api_version, kind)) = metadata::type_of(&object) else {
            return;
        };
        match catalog::handling(api_version, kind) {
            Handling::Workload(kind) => {
                self.take_workload(workload::read(&object, api_version, kind), field, document);
            }
            Handling::Dependent(_)
                if custom::is_marked(&object) && catalog::group_of(api_version).contains('.') =>
            {
                self.take_workload(custom::read(&object, (api_version, kind)), field, document);
            }
            Handling::Dependent(scope) => {
                if let Some(dependent) = dependent::read(&object, (api_version, kind), scope)
                    && fits(&dependent.manifest, field)
                    && self.is_new(&dependent.key, field, document)
                {
                    self.needs.note(&dependent, field);
                    self.scaled.extend(dependent.scales.clone().map(|id| (id, field.error("", ""))));
                    self.dependents.push(dependent);
                }
            }
            Handling::Refused(reason, remedy) => {
                field.refuse(format!("a {kind} cannot be handled: {reason}"), remedy);
            }
            Handling::Unknown(known) => {
                let problem = format!("Kubernetes has no {kind} in {api_version}");
                let remedy = hint::remedy(kind, known);
                field.refuse(problem, format!("{remedy} (a custom kind has a group with a dot)"));
            }
        }
    }

    fn take_workload(&mut self, workload: Option<Workload>, field: &Field<'_>, document: usize) {
        if let Some(workload) = workload
            && fits(&workload.manifest, field)
            && self.is_new(&workload.object, field, document)
        {
            self.workloads.push((workload, field.error("", "")));
        }
    }

    fn is_new(&mut self, key: &ObjectKey, field: &Field<'_>, document: usize) -> bool {
        match self.seen.entry(identity(key)) {
            Entry::Vacant(entry) => {
                entry.insert(document);
                true
            }
            Entry::Occupied(first) => {
                let problem = format!("there is already a {key}, in document {}", first.get());
                field.refuse(problem, "remove one of the two, or rename it");
                false
            }
        }
    }
}

/// Whether a cluster's API server would take an object of this size.
fn fits(manifest: &str, field: &Field<'_>) -> bool {
    let fits = manifest.len() <= MANIFEST_MAX;
    if !fits {
        let problem =
            format!("the object has {} bytes of JSON, and at most {MANIFEST_MAX} are stored", manifest.len());
        field.refuse(problem, "make it smaller, or divide it");
    }
    fits
}

/// The objects of a list: `kind: List`, or a typed list as an API server returns it.
fn list_items(node: &Node) -> Option<&Vec<Node>> {
    let kind = node.get("kind")?.as_text()?;
    if !kind.ends_with("List") {
        return None;
    }
    match &node.get("items")?.data {
        Data::List(items) => Some(items),
        Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) | Data::Map(_) => None,
    }
}

/// The type that a typed list's items have, though they need not say so.
struct ItemType {
    api_version: Node,
    kind: Node,
}

fn item_type(list: &Node) -> Option<ItemType> {
    let kind = list.get("kind")?;
    let of_item = kind.as_text()?.strip_suffix("List").filter(|kind| !kind.is_empty())?;
    Some(ItemType {
        api_version: list.get("apiVersion")?.clone(),
        kind: Node { position: kind.position, data: Data::Text(of_item.to_owned()) },
    })
}

impl ItemType {
    /// The item with its type written into it; `None` if it says its type itself, or is no mapping.
    fn give_to(&self, item: &Node) -> Option<Node> {
        let Data::Map(map) = &item.data else {
            return None;
        };
        if map.contains_key("kind") || map.contains_key("apiVersion") {
            return None;
        }
        let mut map = map.clone();
        map.insert("apiVersion".to_owned(), self.api_version.clone());
        map.insert("kind".to_owned(), self.kind.clone());
        Some(Node { position: item.position, data: Data::Map(map) })
    }
}
