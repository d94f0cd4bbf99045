//! A deployment as the machine takes it: manifests read, the total and the policy chosen.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::{ObjectKey, PolicyName, stable_hash};
use godwit_hub_core::{Application, Deploy, ObjectSpec, PolicyChoice, Reader, WorkloadSpec};
use godwit_manifest as manifest;
use godwit_proto::v1;
use godwit_proto::v1::deploy_request::Policy as PolicyWire;
use prost::Message;
use tonic::Status;

use super::{convert, fields};

/// A UUID, a hash or a build's name fit.
const REQUEST_ID_MAX: usize = 128;
/// Reading a text of this size takes about a millisecond; a larger one is not read on a thread that serves others.
const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Checks a request. Nothing has happened yet when it fails.
pub(super) async fn read(request: v1::DeployRequest, lost_after: Duration) -> Result<Deploy, Status> {
    let fingerprint = fingerprint(&request);
    let v1::DeployRequest { request_id, manifests, replicas, policy, namespace, dry_run: _ } = request;
    check_request_id(&request_id)?;
    let namespace = fields::namespace(&namespace)?.to_owned();
    let mut application = parse(manifests, namespace).await?;
    if let Some(replicas) = replicas {
        set_total(&mut application, fields::replicas(replicas)?)?;
    }
    let policy = choose(policy, &application, lost_after)?;
    Ok(Deploy { request_id: request_id.into(), fingerprint, application, policy, import: None })
}

/// Over all that makes the request what it is, but for its mark and whether it is a rehearsal.
fn fingerprint(request: &v1::DeployRequest) -> u64 {
    let content = v1::DeployRequest { request_id: String::new(), dry_run: false, ..request.clone() };
    stable_hash([content.encode_to_vec().as_slice()])
}

fn check_request_id(id: &str) -> Result<(), Status> {
    let length = id.chars().count();
    if length > REQUEST_ID_MAX {
        let problem = format!("it has {length} characters: at most {REQUEST_ID_MAX}");
        return Err(fields::invalid("request_id", problem));
    }
    if id.chars().any(char::is_control) {
        return Err(fields::invalid(
            "request_id",
            "it holds control characters: use letters, digits and punctuation",
        ));
    }
    Ok(())
}

async fn parse(text: String, namespace: String) -> Result<Application, Status> {
    let is_small = text.len() <= INLINE_BYTES_MAX;
    let work = move || manifest::parse_application_in(&text, &namespace);
    let parsed = match is_small {
        true => work(),
        false => tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| Status::internal("reading the manifests panicked; this is a fault of godwit-hub"))?,
    };
    let parsed = parsed.map_err(|errors| fields::invalid("manifests", errors))?;
    Ok(Application {
        workloads: parsed.workloads.into_iter().map(workload).collect(),
        objects: parsed.dependents.into_iter().map(object).collect(),
    })
}

/// How manifests are read that are kept.
pub(crate) fn reader() -> Reader {
    Reader {
        workload: read_kept,
        totals: manifest::read_totals,
        with_totals: manifest::with_totals,
        pod_labels: manifest::read_pod_labels,
        overrides: manifest::overrides::check,
        alike: |key, one, other| super::import::alike(&key.kind, one, other),
    }
}

/// Reads what members have kept of a workload, as the deployment was read. Objects that make it too much are left out:
/// without them it needs what it brought along.
fn read_kept(key: &ObjectKey, manifest: &Arc<str>, objects: &[Arc<str>]) -> Result<WorkloadSpec, String> {
    let texts: Vec<&str> = std::iter::once(manifest).chain(objects).map(|text| &**text).collect();
    let whole = manifest::parse_application_in(&as_list(&texts), &key.namespace);
    let parsed = whole.or_else(|_| manifest::parse_application_in(manifest, &key.namespace));
    let parsed = parsed.map_err(|errors| errors.to_string())?;
    let read = parsed.workloads.into_iter().find(|workload| workload.object == *key);
    read.map(self::workload).ok_or_else(|| format!("it is another object than {key}"))
}

/// Objects of JSON as one text: documents one after the other are YAML's alone.
pub(super) fn as_list(objects: &[&str]) -> String {
    format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{}]}}", objects.join(","))
}

pub(super) fn workload(workload: manifest::Workload) -> WorkloadSpec {
    WorkloadSpec {
        id: workload.id,
        api_version: workload.object.api_version,
        replicas: workload.replicas,
        policy: workload.policy,
        labels: workload.labels,
        needs: workload.needs,
        pod: workload.pod,
        claims: workload.has_volume_claims,
        surges: workload.surges,
        obstacle: workload.obstacle,
        grace: workload.grace,
        supervised: false,
        scale_only: workload.scale_only,
        manifest: workload.manifest,
        overrides: Default::default(),
    }
}

pub(super) fn object(object: manifest::Dependent) -> ObjectSpec {
    ObjectSpec { key: object.key, manifest: object.manifest }
}

fn set_total(application: &mut Application, replicas: u32) -> Result<(), Status> {
    match &mut application.workloads[..] {
        [workload] => {
            workload.replicas = replicas;
            Ok(())
        }
        workloads => {
            let problem = format!(
                "the manifests hold {} workloads, and one total cannot be theirs: write spec.replicas into each",
                workloads.len()
            );
            Err(fields::invalid("replicas", problem))
        }
    }
}

fn choose(
    policy: Option<PolicyWire>,
    application: &Application,
    lost_after: Duration,
) -> Result<PolicyChoice, Status> {
    match policy {
        None => Ok(PolicyChoice::Annotated),
        Some(PolicyWire::PolicyName(name)) => fields::name("policy_name", &name).map(PolicyChoice::Named),
        Some(PolicyWire::InlinePolicy(policy)) => {
            let name = inline_name(&policy.name, application)?;
            let policy = convert::policy_from_wire("inline_policy", name, policy.spec, lost_after)?;
            Ok(PolicyChoice::Inline(policy))
        }
    }
}

/// Its own name, else the workload's.
fn inline_name(name: &str, application: &Application) -> Result<PolicyName, Status> {
    let field = "inline_policy.name";
    match (name, &application.workloads[..]) {
        ("", [workload]) => workload.id.name.parse().map_err(|error| {
            fields::invalid(
                field,
                format!("it is empty, and the workload's name is no policy's: {error}; write one"),
            )
        }),
        ("", workloads) => {
            let problem = format!(
                "it is empty, and there are {} workloads to name it after: write one",
                workloads.len()
            );
            Err(fields::invalid(field, problem))
        }
        (name, _) => fields::name(field, name),
    }
}

#[cfg(test)]
mod tests;
