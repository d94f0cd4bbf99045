//! Clusters: members, and those that have left for good.

use std::time::Duration;

use godwit_common::{Generation, Taint, Traits};
use godwit_hub_core::{ClusterRecord, ClusterTaint, Drain, DrainState, MigrationId, Purpose, RetiredRecord};
use godwit_proto::policy;
use godwit_proto::store::v1 as wire;

use super::Invalid;
use super::parts::{
    effect, effect_to_wire, known, labels, labels_to_wire, name, texts_to_wire, uid, uid_to_wire, unknown,
    wall,
};

pub(super) fn to_wire(cluster: &ClusterRecord) -> wire::Cluster {
    let ClusterRecord {
        name,
        uid,
        generation,
        joined,
        inventoried,
        traits,
        taints,
        cordoned,
        drain,
        maintenance,
        awaited,
        dead,
        knows_overrides,
    } = cluster;
    let Traits { labels, provider, region, zones } = traits;
    wire::Cluster {
        name: name.to_string(),
        uid: uid_to_wire(*uid),
        generation: generation.0,
        joined_ms: joined.0,
        provider: provider.to_string(),
        region: region.to_string(),
        inventoried: *inventoried,
        zones: texts_to_wire(zones),
        labels: labels_to_wire(labels),
        taints: taints.iter().map(taint_to_wire).collect(),
        cordoned: *cordoned,
        drain: drain.as_ref().map(drain_to_wire),
        maintenance_ms: maintenance.map(|until| until.0),
        awaited: awaited.map(|migration| migration.0),
        dead_ms: dead.map(|since| since.0),
        knows_overrides: *knows_overrides,
    }
}

pub(super) fn from_wire(cluster: wire::Cluster) -> Result<ClusterRecord, Invalid> {
    Ok(ClusterRecord {
        name: name("name", &cluster.name)?,
        uid: uid("uid", &cluster.uid)?,
        generation: Generation(cluster.generation),
        joined: wall(cluster.joined_ms),
        inventoried: cluster.inventoried,
        traits: Traits {
            labels: labels(cluster.labels),
            provider: cluster.provider.into(),
            region: cluster.region.into(),
            zones: cluster.zones.into_iter().map(Into::into).collect(),
        },
        taints: cluster.taints.into_iter().map(taint_from_wire).collect::<Result<_, _>>()?,
        cordoned: cluster.cordoned,
        drain: cluster.drain.map(drain_from_wire).transpose()?,
        maintenance: cluster.maintenance_ms.map(wall),
        awaited: cluster.awaited.map(MigrationId),
        dead: cluster.dead_ms.map(wall),
        knows_overrides: cluster.knows_overrides,
    })
}

fn drain_to_wire(drain: &Drain) -> wire::Drain {
    let Drain { started, deadline, max_surge, force, to, purpose, state, since } = drain;
    let state = match state {
        DrainState::Running => wire::DrainState::Running,
        DrainState::Paused => wire::DrainState::Paused,
        DrainState::Overdue => wire::DrainState::Overdue,
        DrainState::Done => wire::DrainState::Done,
        DrainState::Cleaning => wire::DrainState::Cleaning,
    };
    let (purpose, within, cordoned) = match purpose {
        Purpose::Empty => (wire::DrainPurpose::Empty, Duration::ZERO, false),
        Purpose::Retire => (wire::DrainPurpose::Retire, Duration::ZERO, false),
        Purpose::Maintain { within, cordoned } => (wire::DrainPurpose::Maintain, *within, *cordoned),
    };
    wire::Drain {
        started_ms: started.0,
        deadline_ms: deadline.0,
        since_ms: since.0,
        max_surge: *max_surge,
        force: *force,
        state: state.into(),
        to: to.as_ref().map(policy::selector_to_wire),
        purpose: purpose.into(),
        maintain_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX),
        cordoned,
    }
}

fn drain_from_wire(drain: wire::Drain) -> Result<Drain, Invalid> {
    let state = match known("drain.state", drain.state)? {
        wire::DrainState::Running => DrainState::Running,
        wire::DrainState::Paused => DrainState::Paused,
        wire::DrainState::Overdue => DrainState::Overdue,
        wire::DrainState::Done => DrainState::Done,
        wire::DrainState::Cleaning => DrainState::Cleaning,
        wire::DrainState::Unspecified => return Err(unknown("drain.state", drain.state)),
    };
    let purpose = match known("drain.purpose", drain.purpose)? {
        // Before there was a choice, an empty cluster stayed.
        wire::DrainPurpose::Unspecified | wire::DrainPurpose::Empty => Purpose::Empty,
        wire::DrainPurpose::Retire => Purpose::Retire,
        wire::DrainPurpose::Maintain => {
            let within = Duration::from_millis(drain.maintain_ms);
            Purpose::Maintain { within, cordoned: drain.cordoned }
        }
    };
    let to = drain.to.as_ref().map(|to| policy::selector_from_store("drain.to", to)).transpose();
    Ok(Drain {
        started: wall(drain.started_ms),
        deadline: wall(drain.deadline_ms),
        max_surge: drain.max_surge,
        force: drain.force,
        to: to.map_err(|error| Invalid::new(&error.field, error.problem))?,
        purpose,
        state,
        // Before it was kept, only the beginning was.
        since: wall(drain.since_ms.max(drain.started_ms)),
    })
}

fn taint_to_wire(taint: &ClusterTaint) -> wire::ClusterTaint {
    let ClusterTaint { taint: Taint { key, value, effect }, added } = taint;
    wire::ClusterTaint {
        key: key.to_string(),
        value: value.to_string(),
        effect: effect_to_wire(*effect).into(),
        added_ms: added.0,
    }
}

fn taint_from_wire(taint: wire::ClusterTaint) -> Result<ClusterTaint, Invalid> {
    Ok(ClusterTaint {
        taint: Taint {
            key: taint.key.into(),
            value: taint.value.into(),
            effect: effect("taints.effect", taint.effect)?,
        },
        added: wall(taint.added_ms),
    })
}

pub(super) fn retired_to_wire(retired: &RetiredRecord) -> wire::Retired {
    let RetiredRecord { uid, name, at, entry } = retired;
    wire::Retired { uid: uid_to_wire(*uid), name: name.to_string(), at_ms: at.0, entry: *entry }
}

pub(super) fn retired_from_wire(retired: wire::Retired) -> Result<RetiredRecord, Invalid> {
    Ok(RetiredRecord {
        uid: uid("uid", &retired.uid)?,
        name: name("name", &retired.name)?,
        at: wall(retired.at_ms),
        entry: retired.entry,
    })
}
