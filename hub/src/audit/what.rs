//! What a command says, without what its manifests hold; and what it is about.

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::selector::Labels;
use godwit_common::{ClusterName, PolicyName, Taint, TaintEffect, WorkloadId};
use godwit_hub_core::{
    AccessOrder, Admits, Balanced, Command, Deploy, DrainOrder, DrainTerms, MigrationId, Permit,
    PolicyChoice, Revocation, RolloutOrder, ShownIssuer,
};
use serde_json::{Value, json};

use super::Subject;

/// Names of objects in one line.
const OBJECTS_MAX: usize = 100;

/// What is wanted.
pub(crate) fn what(command: &Command) -> Value {
    match command {
        Command::Deploy(deploy) => deployed(deploy),
        Command::Scale { workload, replicas } => json!({"workload": text(workload), "replicas": replicas}),
        Command::DeleteWorkload { workload } => json!({"workload": text(workload)}),
        Command::ApplyPolicy(policy) => json!({"policy": policy.name.as_str()}),
        Command::DeletePolicy { name } => json!({"policy": name.as_str()}),
        Command::ConfirmRemoval { cluster }
        | Command::ConfirmDead { cluster }
        | Command::Readmit { cluster } => {
            json!({"cluster": cluster.as_str()})
        }
        Command::DeleteCluster { cluster, force } => json!({"cluster": cluster.as_str(), "force": force}),
        Command::Cordon { cluster, cordoned } => json!({"cluster": cluster.as_str(), "cordoned": cordoned}),
        Command::Drain { cluster, order } => {
            let order = match order {
                DrainOrder::Start(drain) => terms(drain),
                DrainOrder::Pause => "pause".into(),
                DrainOrder::Resume => "resume".into(),
                DrainOrder::Cancel => "cancel".into(),
            };
            json!({"cluster": cluster.as_str(), "drain": order})
        }
        Command::Migrate { migration, order } => {
            json!({"migration": migration.to_string(), "order": format!("{order:?}")})
        }
        Command::Maintain { cluster, within, drain } => json!({
            "cluster": cluster.as_str(),
            "withinSeconds": within.map(|within| within.as_secs()),
            "drain": drain.as_ref().map(terms),
        }),
        Command::Retire { cluster, terms: drain } => {
            json!({"cluster": cluster.as_str(), "drain": terms(drain)})
        }
        Command::Replace { cluster, with, terms: drain } => {
            json!({"cluster": cluster.as_str(), "with": with.as_str(), "drain": terms(drain)})
        }
        Command::Rebuilt { cluster, uid } => json!({"cluster": cluster.as_str(), "uid": uid.to_string()}),
        Command::Rebalance(Balanced::Workload(workload)) => json!({"workload": text(workload)}),
        Command::Rebalance(Balanced::Policy(policy)) => json!({"policy": policy.as_str()}),
        Command::Rebalance(Balanced::All) => json!({"all": true}),
        Command::Acknowledge { workload, cluster, withdrawal } => json!({
            "workload": text(workload),
            "cluster": cluster.as_str(),
            "revision": withdrawal.map(|one| one.to_string()),
        }),
        Command::Rollout { workload, order } => {
            let order = match order {
                RolloutOrder::Pause => json!("pause"),
                RolloutOrder::Resume => json!("resume"),
                RolloutOrder::Undo { to } => json!({"undo": to}),
            };
            json!({"workload": text(workload), "rollout": order})
        }
        Command::Label { cluster, set, remove } => labels(cluster, set, remove),
        Command::Taint { cluster, add, remove } => taints(cluster, add, remove),
        Command::ApplyQuota(record) => json!({"namespace": &*record.namespace}),
        Command::DeleteQuota { namespace } => json!({"namespace": &**namespace}),
        Command::Access(order) => access(order),
        Command::ConfirmFreeze | Command::ReleaseFreeze => Value::Null,
    }
}

/// What a command is about, to be looked at before and after it.
pub(crate) fn subjects(command: &Command) -> Vec<Subject> {
    let cluster = |name: &ClusterName| vec![Subject::Cluster(name.clone())];
    let workload = |id: &WorkloadId| vec![Subject::Workload(id.clone())];
    let policy = |name: &PolicyName| vec![Subject::Policy(name.clone())];
    let migration = |id: &MigrationId| vec![Subject::Migration(*id)];
    let role = |name: &Arc<str>| vec![Subject::Role(Arc::clone(name))];
    let revocation = |what: &Revocation| vec![Subject::Revocation(what.clone())];
    match command {
        Command::Deploy(Deploy { application, policy, .. }) => {
            let workloads = application.workloads.iter().map(|spec| Subject::Workload(spec.id.clone()));
            let own = match policy {
                PolicyChoice::Inline(policy) => Some(Subject::Policy(policy.name.clone())),
                PolicyChoice::Annotated | PolicyChoice::Named(_) => None,
            };
            own.into_iter().chain(workloads.take(OBJECTS_MAX)).collect()
        }
        Command::Scale { workload: id, .. }
        | Command::DeleteWorkload { workload: id }
        | Command::Acknowledge { workload: id, .. }
        | Command::Rollout { workload: id, .. }
        | Command::Rebalance(Balanced::Workload(id)) => workload(id),
        Command::ApplyPolicy(applied) => policy(&applied.name),
        Command::DeletePolicy { name } => policy(name),
        Command::ConfirmRemoval { cluster: name }
        | Command::ConfirmDead { cluster: name }
        | Command::Readmit { cluster: name }
        | Command::DeleteCluster { cluster: name, .. }
        | Command::Cordon { cluster: name, .. }
        | Command::Drain { cluster: name, .. }
        | Command::Maintain { cluster: name, .. }
        | Command::Retire { cluster: name, .. }
        | Command::Rebuilt { cluster: name, .. }
        | Command::Label { cluster: name, .. }
        | Command::Taint { cluster: name, .. } => cluster(name),
        Command::Replace { cluster, with, .. } => {
            vec![Subject::Cluster(cluster.clone()), Subject::Cluster(with.clone())]
        }
        Command::Migrate { migration: id, .. } => migration(id),
        Command::ApplyQuota(record) => vec![Subject::Quota(Arc::clone(&record.namespace))],
        Command::DeleteQuota { namespace } => vec![Subject::Quota(Arc::clone(namespace))],
        Command::Access(AccessOrder::Revoke(what) | AccessOrder::EndRevocation(what)) => revocation(what),
        Command::Access(AccessOrder::BindRole { name, .. } | AccessOrder::UnbindRole { name }) => role(name),
        Command::Access(
            AccessOrder::CreateToken { .. }
            | AccessOrder::DeleteToken { .. }
            | AccessOrder::Enrol(_)
            | AccessOrder::LogIn(_)
            | AccessOrder::NoteAuthority { .. }
            | AccessOrder::EnrolPod(_)
            | AccessOrder::PinIssuer { .. }
            | AccessOrder::Judge { .. },
        )
        | Command::Rebalance(Balanced::Policy(_) | Balanced::All) => Vec::new(),
        Command::ConfirmFreeze | Command::ReleaseFreeze => vec![Subject::Freeze],
    }
}

/// What somebody may do.
pub(super) fn permit(permit: &Permit) -> Value {
    let Permit { role, reach } = permit;
    let namespaces: Vec<&str> = reach.namespaces.iter().map(|name| &**name).collect();
    let policies: Vec<&str> = reach.policies.iter().map(PolicyName::as_str).collect();
    json!({"role": role.name(), "namespaces": namespaces, "policies": policies, "maxPriority": reach.max_priority})
}

/// The names and numbers of an application: never what is in its manifests.
fn deployed(deploy: &Deploy) -> Value {
    let Deploy { request_id, fingerprint, application, policy, import } = deploy;
    let workloads = application.workloads.iter().take(OBJECTS_MAX);
    let workloads = workloads.map(|spec| json!({"workload": text(&spec.id), "replicas": spec.replicas}));
    let objects = application.objects.iter().take(OBJECTS_MAX).map(|object| object.key.to_string());
    let policy = match policy {
        PolicyChoice::Annotated => Value::Null,
        PolicyChoice::Named(name) => name.as_str().into(),
        PolicyChoice::Inline(policy) => json!({"inline": policy.name.as_str()}),
    };
    json!({
        "workloads": workloads.collect::<Vec<Value>>(),
        "objects": objects.collect::<Vec<String>>(),
        "objectsTotal": application.objects.len(),
        "policy": policy,
        "requestId": &**request_id,
        "content": format!("{fingerprint:016x}"),
        "importedFrom": import.as_ref().map(|import| import.found.keys().map(ClusterName::as_str).collect::<Vec<_>>()),
    })
}

fn labels(cluster: &ClusterName, set: &Labels, remove: &BTreeSet<Arc<str>>) -> Value {
    let set: Vec<String> = set.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let remove: Vec<&str> = remove.iter().map(|key| &**key).collect();
    json!({"cluster": cluster.as_str(), "set": set, "remove": remove})
}

fn taints(cluster: &ClusterName, add: &[Taint], remove: &[(Arc<str>, Option<TaintEffect>)]) -> Value {
    let add = add.iter().map(|taint| format!("{}={}:{}", taint.key, taint.value, taint.effect.name()));
    let remove = remove.iter().map(|(key, effect)| {
        effect.map_or_else(|| key.to_string(), |effect| format!("{key}:{}", effect.name()))
    });
    let (add, remove): (Vec<String>, Vec<String>) = (add.collect(), remove.collect());
    json!({"cluster": cluster.as_str(), "add": add, "remove": remove})
}

fn access(order: &AccessOrder) -> Value {
    match order {
        AccessOrder::CreateToken { hash, admits, within, again, approval, permit } => {
            let (token, seconds) = (hash.id(), within.as_secs());
            match admits {
                Admits::Cluster(cluster) => json!({
                    "token": &*token, "cluster": cluster.as_str(), "withinSeconds": seconds, "again": again,
                    "approvalSeconds": approval.map(|within| within.as_secs()),
                }),
                Admits::Operator(name) => json!({
                    "token": &*token,
                    "operator": &**name,
                    "withinSeconds": seconds,
                    "again": again,
                    "permit": permit.as_ref().map(self::permit),
                }),
            }
        }
        AccessOrder::DeleteToken { id } => json!({"token": &**id}),
        AccessOrder::Enrol(enrolment) => json!({
            "token": &*enrolment.hash.id(),
            "cluster": enrolment.cluster.as_str(),
            "uid": enrolment.uid.to_string(),
        }),
        AccessOrder::EnrolPod(enrolment) => json!({
            "cluster": enrolment.cluster.as_str(),
            "uid": enrolment.uid.to_string(),
            "pod": &*enrolment.pod,
        }),
        AccessOrder::PinIssuer { cluster, uid, issuer: ShownIssuer { issuer, signer: _ } } => json!({
            "cluster": cluster.as_str(),
            "uid": uid.to_string(),
            "issuer": &*issuer.url,
            "subject": &*issuer.subject,
            "keys": issuer.keys.len(),
        }),
        AccessOrder::Judge { cluster, token, approve } => {
            json!({"cluster": cluster.as_str(), "token": token.as_deref(), "approve": approve})
        }
        AccessOrder::LogIn(log_in) => json!({"token": &*log_in.hash.id(), "operator": &*log_in.name}),
        AccessOrder::NoteAuthority { step, pin } => json!({"step": format!("{step:?}"), "signing": &**pin}),
        AccessOrder::Revoke(what) => json!({"revoke": what.kind(), "name": what.name()}),
        AccessOrder::EndRevocation(what) => json!({"undo": what.kind(), "name": what.name()}),
        AccessOrder::BindRole { name, permit } => json!({"name": &**name, "permit": self::permit(permit)}),
        AccessOrder::UnbindRole { name } => json!({"name": &**name}),
    }
}

fn terms(terms: &DrainTerms) -> Value {
    let DrainTerms { within, max_surge, force, to } = terms;
    let to = to.as_ref().map(|to| format!("{to:?}"));
    json!({"withinSeconds": within.as_secs(), "maxSurgePercent": max_surge, "force": force, "to": to})
}

fn text(id: &WorkloadId) -> String {
    id.to_string()
}
