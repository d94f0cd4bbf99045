//! Answered deployments.

use godwit_common::{ClusterName, Epoch};
use godwit_hub_core::{Action, Changes, Deployed, DeployedWorkload, Request, StateRevision};
use godwit_proto::store::v1 as wire;

use super::Invalid;
use super::parts::{id, id_to_wire, known, name, needed, object_key, object_key_to_wire, unknown, wall};

pub(super) fn to_wire(request: &Request) -> wire::Request {
    let Request { id, fingerprint, at, answer } = request;
    let deployed = Some(deployed_to_wire(answer));
    wire::Request { id: id.to_string(), fingerprint: *fingerprint, at_ms: at.0, deployed }
}

pub(super) fn from_wire(request: wire::Request) -> Result<Request, Invalid> {
    let answer = deployed_from_wire(needed("deployed", request.deployed)?)?;
    Ok(Request { id: request.id.into(), fingerprint: request.fingerprint, at: wall(request.at_ms), answer })
}

fn deployed_to_wire(deployed: &Deployed) -> wire::Deployed {
    let Deployed { workloads, objects, changes: Changes { plans: _, total: _, inputs }, warnings } = deployed;
    wire::Deployed {
        workloads: workloads.iter().map(workload_to_wire).collect(),
        objects: objects.iter().map(object_key_to_wire).collect(),
        warnings: warnings.clone(),
        inputs_epoch: inputs.epoch.0,
        inputs_event: inputs.event,
    }
}

fn deployed_from_wire(deployed: wire::Deployed) -> Result<Deployed, Invalid> {
    let objects = deployed.objects.into_iter();
    let inputs = StateRevision { epoch: Epoch(deployed.inputs_epoch), event: deployed.inputs_event };
    Ok(Deployed {
        workloads: deployed.workloads.into_iter().map(workload_from_wire).collect::<Result<_, _>>()?,
        objects: objects.map(|key| object_key("objects", Some(key))).collect::<Result<_, _>>()?,
        changes: Changes { inputs, ..Changes::default() },
        warnings: deployed.warnings,
    })
}

fn workload_to_wire(workload: &DeployedWorkload) -> wire::DeployedWorkload {
    let DeployedWorkload {
        id,
        action,
        policy,
        replicas,
        revision,
        behind: _,
        rollout: _,
        clusters,
        placements,
        pending,
        reasons,
        report: _,
    } = workload;
    let share = |(cluster, replicas): &(ClusterName, u32)| wire::Share {
        cluster: cluster.to_string(),
        replicas: *replicas,
    };
    wire::DeployedWorkload {
        id: Some(id_to_wire(id)),
        action: action_to_wire(*action).into(),
        policy: policy.to_string(),
        replicas: *replicas,
        clusters: *clusters,
        placements: placements.iter().map(share).collect(),
        pending: *pending,
        reasons: reasons.clone(),
        revision: *revision,
    }
}

fn workload_from_wire(workload: wire::DeployedWorkload) -> Result<DeployedWorkload, Invalid> {
    let share = |share: wire::Share| Ok((name("placements.cluster", &share.cluster)?, share.replicas));
    Ok(DeployedWorkload {
        id: id("workloads.id", workload.id)?,
        action: action_from_wire(workload.action)?,
        policy: name("workloads.policy", &workload.policy)?,
        replicas: workload.replicas,
        clusters: workload.clusters,
        placements: workload.placements.into_iter().map(share).collect::<Result<_, _>>()?,
        pending: workload.pending,
        reasons: workload.reasons,
        revision: workload.revision,
        behind: 0,
        rollout: Vec::new(),
        report: Vec::new(),
    })
}

fn action_to_wire(action: Action) -> wire::Action {
    match action {
        Action::Created => wire::Action::Created,
        Action::Configured => wire::Action::Configured,
        Action::Unchanged => wire::Action::Unchanged,
    }
}

fn action_from_wire(value: i32) -> Result<Action, Invalid> {
    match known("action", value)? {
        wire::Action::Created => Ok(Action::Created),
        wire::Action::Configured => Ok(Action::Configured),
        wire::Action::Unchanged => Ok(Action::Unchanged),
        wire::Action::Unspecified => Err(unknown("action", value)),
    }
}
