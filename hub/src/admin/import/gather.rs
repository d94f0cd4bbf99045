//! What one cluster's agent tells, and what its API server says of an import.

use std::collections::BTreeMap;
use std::time::Duration;

use godwit_common::kind::GOES_ALONG;
use godwit_common::link::Original;
use godwit_common::text::clip;
use godwit_common::{ClusterName, ObjectKey, Uid, WorkloadId, WorkloadKind};
use godwit_hub_core::{ObjectSpec, WorkloadSpec};
use godwit_manifest as manifest;
use godwit_proto::v1;
use godwit_proto::v1::inquiry::About;
use godwit_proto::v1::inquiry_answer::Part;
use prost::Message;
use tonic::Status;

use super::application::Together;
use super::{Wanted, compare, marks};
use crate::admin::Admin;
use crate::admin::deploy::{as_list, object, workload};
use crate::inquiries::Asked;

/// How long an agent may take for one answer.
const WAIT: Duration = Duration::from_secs(12);
/// The most of what an API server says that is passed on.
const WORDS_MAX: usize = 2_000;
/// Objects of one cluster, as of one application.
const OBJECTS_MAX: usize = manifest::MAX_OBJECTS;

/// What a cluster has of the application.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) workloads: BTreeMap<WorkloadId, FoundWorkload>,
    /// What goes along and is taken.
    pub(super) objects: BTreeMap<ObjectKey, FoundObject>,
    /// What goes along and is not, with the reason if there is one.
    pub(super) left: BTreeMap<ObjectKey, String>,
    /// Who else may think that this is his.
    pub(super) warnings: Vec<String>,
}

#[derive(Debug)]
pub(super) struct FoundWorkload {
    pub(super) original: Original,
    pub(super) life: Option<Uid>,
    pub(super) spec: WorkloadSpec,
}

#[derive(Debug)]
pub(super) struct FoundObject {
    pub(super) original: Original,
    pub(super) life: Option<Uid>,
    pub(super) spec: ObjectSpec,
}

/// As it was told.
struct Told {
    key: ObjectKey,
    original: Original,
    life: Option<Uid>,
    manifest: String,
}

impl Admin {
    pub(super) async fn gather_from(
        &self,
        cluster: &ClusterName,
        wanted: &Wanted,
    ) -> Result<Gathered, Status> {
        let about = About::Objects(v1::ObjectsInquiry {
            namespace: wanted.namespace.clone(),
            names: wanted.names.clone(),
            selector: wanted.selector.clone(),
            dependents: wanted.with_dependents,
        });
        let mut asked = self.inquiries.ask(cluster, about)?;
        let (mut objects, mut bytes) = (Vec::new(), 0_usize);
        while let Some(part) = next(&mut asked, cluster).await? {
            match part {
                Part::Object(object) if objects.len() < OBJECTS_MAX && bytes <= manifest::MAX_TEXT_BYTES => {
                    bytes = bytes.saturating_add(object.encoded_len());
                    objects.push(object);
                }
                Part::Object(_) => {
                    return Err(Status::resource_exhausted(format!(
                        "cluster {cluster} has more than {OBJECTS_MAX} objects of this, or more than {} MiB: import fewer \
                         workloads at once",
                        manifest::MAX_TEXT_BYTES >> 20
                    )));
                }
                Part::Pods(_) | Part::Log(_) | Part::Answered(_) | Part::Adoption(_) => {
                    return Err(confused(cluster));
                }
            }
        }
        if let Some(other) = objects.iter().find(|object| !wanted.asks_for(object)) {
            return Err(unasked(cluster, other));
        }
        let (namespace, name) = (wanted.namespace.clone(), cluster.clone());
        let read = tokio::task::spawn_blocking(move || Gathered::read(&name, &namespace, objects));
        read.await
            .map_err(|_| Status::internal("reading the objects panicked; this is a fault of godwit-hub"))?
    }

    /// What the API server of a cluster has against it, in words.
    pub(super) async fn try_in(
        &self,
        cluster: &ClusterName,
        found: &Gathered,
        together: &Together,
        force: bool,
    ) -> Result<Vec<String>, Status> {
        let mut problems = Vec::new();
        // What is managed already is written by its agent as ever.
        for (id, here) in found.workloads.iter().filter(|(_, here)| here.life.is_none()) {
            let key = key_of(id, &here.spec);
            let replicas = (!here.spec.kind().everywhere()).then_some(here.spec.replicas);
            let told =
                self.try_one(cluster, &key, here.original.uid, &here.spec.manifest, replicas, true).await?;
            let restarts = told.restarts.then(|| {
                format!(
                    "{id} in {cluster} would get other pods: what the API server makes of its own template is another one, \
                     perhaps by a webhook"
                )
            });
            problems.extend(restarts);
            problems.extend(refusal(cluster, &key, &told));
            let newest = together.newest(id).filter(|newest| *newest != &here.spec.manifest);
            if let Some(newest) = newest {
                let told = self.try_one(cluster, &key, here.original.uid, newest, replicas, force).await?;
                problems.extend(refusal(cluster, &key, &told));
            }
        }
        for (key, here) in found.objects.iter().filter(|(_, here)| here.life.is_none()) {
            let own = &here.spec.manifest;
            let Some(newest) = together.object(key) else { continue };
            // Its share of a total follows what is told to run there.
            let newest = if compare::alike(&key.kind, newest, own) { own } else { newest };
            let told = self.try_one(cluster, key, here.original.uid, newest, None, force).await?;
            problems.extend(refusal(cluster, key, &told));
        }
        Ok(problems)
    }

    async fn try_one(
        &self,
        cluster: &ClusterName,
        key: &ObjectKey,
        uid: Uid,
        manifest: &str,
        replicas: Option<u32>,
        force: bool,
    ) -> Result<v1::InquiryAdoption, Status> {
        let about = About::Adoption(v1::AdoptionInquiry {
            api_version: key.api_version.to_string(),
            kind: key.kind.to_string(),
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            uid: uid.0.to_be_bytes().to_vec(),
            manifest: manifest.to_owned(),
            replicas,
            force,
        });
        let mut asked = self.inquiries.ask(cluster, about)?;
        let mut told = None;
        while let Some(part) = next(&mut asked, cluster).await? {
            match part {
                Part::Adoption(adoption) => told = Some(adoption),
                Part::Pods(_) | Part::Log(_) | Part::Answered(_) | Part::Object(_) => {
                    return Err(confused(cluster));
                }
            }
        }
        told.ok_or_else(|| confused(cluster))
    }
}

impl Wanted {
    /// Whether an object is of those that were asked for: an agent has no say in what else is deployed.
    fn asks_for(&self, object: &v1::InquiryObject) -> bool {
        let v1::InquiryObject { api_version, kind, namespace, name, manifest, workload, .. } = object;
        if *namespace != self.namespace {
            return false;
        }
        if *workload {
            let named = |one: &v1::NamedWorkload| one.kind == *kind && one.name == *name;
            let known = WorkloadKind::of_name(kind).filter(|known| known.importable());
            return known.is_some_and(|known| known.api_version() == api_version)
                && (self.names.is_empty() || self.names.iter().any(named));
        }
        let goes_along = GOES_ALONG.contains(&(api_version.as_str(), kind.as_str()));
        goes_along && (self.with_dependents || manifest.is_empty())
    }
}

impl Gathered {
    /// Reads what was told as a deployment is read.
    fn read(cluster: &ClusterName, namespace: &str, objects: Vec<v1::InquiryObject>) -> Result<Self, Status> {
        let mut gathered = Self::default();
        let mut told: BTreeMap<ObjectKey, Told> = BTreeMap::new();
        for object in objects {
            let is_workload = object.workload;
            let (owner, whole) = (clip(&object.owner).to_string(), !object.manifest.is_empty());
            let object = Told::read(cluster, object)?;
            gathered.warnings.extend(marks::of(cluster, &object.key, &object.manifest));
            match (is_workload, owner.as_str()) {
                (true, "") => {}
                (true, owner) => {
                    return Err(Status::failed_precondition(format!(
                        "{} in {cluster} belongs to {owner}, which would set it back: only what nobody else makes can be \
                         imported",
                        object.key
                    )));
                }
                (false, "") if whole => {}
                (false, "") => {
                    gathered.left.insert(object.key, String::new());
                    continue;
                }
                (false, owner) => {
                    gathered.left.insert(object.key, format!("it belongs to {owner}"));
                    continue;
                }
            }
            told.insert(object.key.clone(), object);
        }
        gathered.take(cluster, namespace, &told)?;
        Ok(gathered)
    }

    fn take(
        &mut self,
        cluster: &ClusterName,
        namespace: &str,
        told: &BTreeMap<ObjectKey, Told>,
    ) -> Result<(), Status> {
        if told.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = told.values().map(|told| told.manifest.as_str()).collect();
        let parsed = manifest::parse_application_in(&as_list(&texts), namespace);
        let parsed = parsed.map_err(|errors| {
            Status::failed_precondition(format!(
                "what runs in {cluster} cannot be Godwit's: {errors}; mend it there, and import again"
            ))
        })?;
        for read in parsed.workloads {
            if read.scale_only {
                return Err(Status::failed_precondition(format!(
                    "{} in {cluster} has the label {}: only its count can be Godwit's, by `godwit apply`",
                    read.id,
                    manifest::MODE_LABEL
                )));
            }
            // A manifest of another object than it was told to be is none that was asked for.
            let Some(Told { original, life, .. }) = told.get(&read.object) else {
                return Err(confused(cluster));
            };
            let spec = workload(read);
            self.workloads.insert(spec.id.clone(), FoundWorkload { original: *original, life: *life, spec });
        }
        for read in parsed.dependents {
            let Some(Told { original, life, .. }) = told.get(&read.key) else {
                return Err(confused(cluster));
            };
            let spec = object(read);
            self.objects.insert(spec.key.clone(), FoundObject { original: *original, life: *life, spec });
        }
        Ok(())
    }
}

impl Told {
    fn read(cluster: &ClusterName, object: v1::InquiryObject) -> Result<Self, Status> {
        let v1::InquiryObject { api_version, kind, namespace, name, uid, manifest, life, content, .. } =
            object;
        let key = ObjectKey::new(&api_version, &kind, &namespace, &name).map_err(|_| confused(cluster))?;
        let bytes = |bytes: Vec<u8>| {
            let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| confused(cluster))?;
            Ok::<Uid, Status>(Uid(u128::from_be_bytes(bytes)))
        };
        let life = Some(life).filter(|life| !life.is_empty()).map(bytes).transpose()?;
        Ok(Self { key, original: Original { uid: bytes(uid)?, content }, life, manifest })
    }
}

/// Why an API server would not have it so, if it would not.
fn refusal(cluster: &ClusterName, key: &ObjectKey, told: &v1::InquiryAdoption) -> Option<String> {
    let words = |text: &str| text.chars().take(WORDS_MAX).collect::<String>();
    if !told.refused.is_empty() {
        return Some(format!("{cluster} refuses {key}: {}", words(&told.refused)));
    }
    (!told.conflict.is_empty()).then(|| {
        format!(
            "somebody else has fields of {key} in {cluster}: {}; --force-conflicts takes them away from him",
            words(&told.conflict)
        )
    })
}

pub(super) fn key_of(id: &WorkloadId, spec: &WorkloadSpec) -> ObjectKey {
    ObjectKey {
        api_version: spec.api_version.clone(),
        kind: id.kind.clone(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
    }
}

async fn next(asked: &mut Asked, cluster: &ClusterName) -> Result<Option<Part>, Status> {
    let late = |_| {
        let wait = WAIT.as_secs();
        Status::deadline_exceeded(format!("{cluster}: no answer within {wait} s"))
    };
    tokio::time::timeout(WAIT, asked.next(cluster)).await.map_err(late)?
}

fn unasked(cluster: &ClusterName, object: &v1::InquiryObject) -> Status {
    let v1::InquiryObject { kind, namespace, name, .. } = object;
    let what = format!("{} {}/{}", clip(kind), clip(namespace), clip(name));
    Status::internal(format!(
        "the agent of {cluster} answers what was not asked, with {what}: nothing is imported; this is a fault of it, or \
         somebody else speaks for it"
    ))
}

fn confused(cluster: &ClusterName) -> Status {
    Status::internal(format!("the agent of {cluster} answers what was not asked: this is a fault of it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(names: &[&str], with_dependents: bool) -> Wanted {
        let name = |name: &&str| v1::ImportName { kind: "Deployment".into(), name: (*name).into() };
        let request = v1::ImportRequest {
            clusters: vec!["alpha".into()],
            namespace: "shop".into(),
            workloads: names.iter().map(name).collect(),
            with_dependents,
            ..Default::default()
        };
        Wanted::read(request).expect("a good request")
    }

    fn told(api_version: &str, kind: &str, namespace: &str, name: &str) -> v1::InquiryObject {
        let manifest = format!(
            "{{\"apiVersion\":\"{api_version}\",\"kind\":\"{kind}\",\"metadata\":{{\"name\":\"{name}\",\"namespace\":\"{namespace}\"}}}}"
        );
        v1::InquiryObject {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
            uid: vec![7; 16],
            manifest,
            workload: kind == "Deployment" || kind == "Job",
            ..Default::default()
        }
    }

    #[test]
    fn s34_only_what_was_asked_for_is_taken_from_an_agent() {
        let web = told("apps/v1", "Deployment", "shop", "web");
        let api = told("apps/v1", "Deployment", "shop", "api");
        let settings = told("v1", "ConfigMap", "shop", "settings");
        assert!(wanted(&[], true).asks_for(&api) && wanted(&["web"], true).asks_for(&web));
        assert!(!wanted(&["web"], true).asks_for(&api), "another name");
        assert!(wanted(&["web"], true).asks_for(&settings));
        assert!(!wanted(&["web"], false).asks_for(&settings), "its manifest was not asked for");
        let named = v1::InquiryObject { manifest: String::new(), ..settings.clone() };
        assert!(wanted(&["web"], false).asks_for(&named), "what is left is named");
        let others = [
            told("apps/v1", "Deployment", "kube-system", "web"),
            told("v1", "Secret", "kube-system", "web"),
            told("batch/v1", "Job", "shop", "web"),
            told("apps/v1beta1", "Deployment", "shop", "web"),
            told("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "web"),
            told("rbac.authorization.k8s.io/v1", "RoleBinding", "shop", "web"),
            v1::InquiryObject { workload: false, ..web },
            v1::InquiryObject { workload: true, ..settings },
        ];
        for other in others {
            assert!(!wanted(&[], true).asks_for(&other), "{other:?}");
        }
        let status = unasked(&"alpha".parse().expect("a name"), &api);
        assert!(
            status.message().contains("agent of alpha") && status.message().contains("shop/api"),
            "{status}"
        );
    }

    #[test]
    fn s34_a_manifest_of_another_object_is_confused() {
        let alpha: ClusterName = "alpha".parse().expect("a name");
        let settings = told("v1", "ConfigMap", "shop", "settings");
        let manifest = serde_json::json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "web", "image": "example.com/web:1"}]}
                }
            }
        });
        let web = told("apps/v1", "Deployment", "shop", "web");
        let web = v1::InquiryObject { manifest: manifest.to_string(), ..web };
        let taken =
            Gathered::read(&alpha, "shop", vec![web.clone(), settings.clone()]).expect("a good answer");
        assert_eq!((taken.workloads.len(), taken.objects.len()), (1, 1));
        let other = told("rbac.authorization.k8s.io/v1", "Role", "shop", "root").manifest;
        let other = v1::InquiryObject { manifest: other, ..settings };
        let other = Gathered::read(&alpha, "shop", vec![web, other]).expect_err("another object");
        assert!(other.message().contains("agent of alpha answers what was not asked"), "{other}");
    }
}
