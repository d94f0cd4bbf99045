//! How the thing stands that a command is about: what of it commands change, in few words.

use std::sync::Arc;

use godwit_common::{ClusterName, PolicyName, WorkloadId};
use godwit_hub_core::{ClusterView, MigrationId, Revocation, WorkloadView};
use godwit_proto::json::to_json;
use serde_json::{Map, Value, json};

use super::what::permit;
use crate::admin::convert;
use crate::driver::{Shown, View};

/// Something that can be looked at before and after a command.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    Workload(WorkloadId),
    Cluster(ClusterName),
    Policy(PolicyName),
    Quota(Arc<str>),
    Migration(MigrationId),
    Role(Arc<str>),
    Revocation(Revocation),
    Freeze,
}

impl Subject {
    fn name(&self) -> String {
        match self {
            Self::Workload(id) => id.to_string(),
            Self::Cluster(name) => format!("cluster/{name}"),
            Self::Policy(name) => format!("policy/{name}"),
            Self::Quota(namespace) => format!("quota/{namespace}"),
            Self::Migration(id) => format!("migration/{id}"),
            Self::Role(name) => format!("role/{name}"),
            Self::Revocation(what) => format!("revocation/{}/{}", what.kind(), what.name()),
            Self::Freeze => "freeze".to_owned(),
        }
    }

    /// How it stands; nothing if it is not there.
    fn state(&self, view: &View) -> Value {
        match self {
            Self::Workload(id) => view.workload(id).map_or(Value::Null, |found| workload(found)),
            Self::Cluster(name) => view.clusters.get(name).map_or(Value::Null, |found| cluster(found)),
            Self::Policy(name) => {
                let found = view.policies.get(name);
                let found = found.map(|found| to_json(&convert::policy(&found.policy, found.workloads)));
                found.and_then(Result::ok).map_or(Value::Null, |mut policy| policy["spec"].take())
            }
            Self::Quota(namespace) => {
                let found = view.quotas.get(namespace).map(|found| to_json(&convert::quota(found)));
                found.and_then(Result::ok).map_or(Value::Null, |mut quota| quota["spec"].take())
            }
            Self::Migration(id) => {
                view.migrations.get(id).map_or(Value::Null, |found| json!({"state": found.state.as_str()}))
            }
            Self::Role(name) => {
                let bound = view.federation.roles.bindings.get(name);
                bound.map_or(Value::Null, |bound| permit(&bound.permit))
            }
            Self::Revocation(what) => {
                let found = view.federation.revocations.iter().find(|record| record.what == *what);
                found.map_or(Value::Null, |found| json!({"revoked": found.readmitted.is_none()}))
            }
            Self::Freeze => {
                view.federation.freeze.as_ref().map_or(Value::Null, |freeze| (&*freeze.message).into())
            }
        }
    }
}

/// How things stand, by name; nothing if there are none.
pub(crate) fn states(view: &View, subjects: &[Subject]) -> Value {
    if subjects.is_empty() {
        return Value::Null;
    }
    subjects.iter().map(|subject| (subject.name(), subject.state(view))).collect::<Map<_, _>>().into()
}

fn workload(view: &WorkloadView) -> Value {
    let WorkloadView { replicas, policy, rollout, deleting, objects, .. } = view;
    json!({
        "replicas": replicas,
        "policy": policy.as_ref().map(PolicyName::as_str),
        "revision": rollout.revision,
        "rollout": rollout.rollout.as_ref().map(|rollout| rollout.state.as_str()),
        "deleting": deleting,
        "objects": objects.len(),
    })
}

fn cluster(view: &ClusterView) -> Value {
    let labels: Map<String, Value> =
        view.traits.labels.iter().map(|(key, value)| (key.to_string(), (&**value).into())).collect();
    let taints = view.taints.iter().map(|one| &one.taint);
    let taints: Vec<String> =
        taints.map(|taint| format!("{}={}:{}", taint.key, taint.value, taint.effect.name())).collect();
    json!({
        "state": Shown::of(view).as_str(),
        "uid": view.uid.to_string(),
        "cordoned": view.cordoned,
        "drain": view.drain.as_ref().map(|drain| drain.drain.state.as_str()),
        "maintenance": view.maintenance.is_some(),
        "dead": view.dead.is_some(),
        "labels": labels,
        "taints": taints,
    })
}
