//! Answered deployments.

use godwit_common::{Epoch, WallTime};
use godwit_hub_core::{Action, Changes, Deployed, DeployedWorkload, Record, Request, StateRevision};

use super::{config_map, id, name};

pub(super) fn requests() -> Vec<Record> {
    let deployed = Deployed {
        workloads: vec![DeployedWorkload {
            id: id(),
            action: Action::Configured,
            policy: name("spread"),
            replicas: 100,
            revision: 6,
            behind: 0,
            rollout: vec![],
            clusters: 2,
            placements: vec![(name("east"), 60), (name("west"), 38)],
            pending: 2,
            reasons: vec!["no room: memory".to_owned()],
            report: vec![],
        }],
        objects: vec![config_map()],
        changes: Changes { inputs: StateRevision { epoch: Epoch(4), event: 79 }, ..Changes::default() },
        warnings: vec!["mind the gap".to_owned()],
    };
    let request = |id: &str, answer: &Deployed| {
        Record::Request(Request {
            id: id.into(),
            fingerprint: u64::MAX,
            at: WallTime(3),
            answer: answer.clone(),
        })
    };
    vec![request("of mine", &deployed), request("one/more", &Deployed::default())]
}
