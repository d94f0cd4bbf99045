//! Clusters: members, and those that have left for good.

use std::collections::BTreeMap;
use std::time::Duration;

use godwit_common::policy::ClusterSelector;
use godwit_common::{Generation, Taint, TaintEffect, Traits, Uid, WallTime};
use godwit_hub_core::{
    ClusterRecord, ClusterTaint, Drain, DrainState, MigrationId, Purpose, Record, RetiredRecord,
};

use super::name;

pub(crate) fn cluster(text: &str) -> Record {
    Record::Cluster(ClusterRecord {
        name: name(text),
        uid: Uid(u128::MAX),
        generation: Generation(8),
        joined: WallTime(12),
        inventoried: true,
        traits: Traits {
            labels: BTreeMap::from([("tier".into(), "prod".into())]),
            provider: "aws".into(),
            region: "eu-1".into(),
            zones: ["eu-1a".into(), "eu-1b".into()].into(),
        },
        taints: vec![ClusterTaint {
            taint: Taint { key: "gpu".into(), value: "yes".into(), effect: TaintEffect::NoSchedule },
            added: WallTime(44),
        }],
        cordoned: true,
        drain: Some(Drain {
            started: WallTime(45),
            deadline: WallTime(46),
            max_surge: Some(35),
            force: true,
            to: Some(ClusterSelector::of_names([name("west")])),
            purpose: Purpose::Maintain { within: Duration::from_secs(7200), cordoned: true },
            state: DrainState::Overdue,
            since: WallTime(54),
        }),
        maintenance: Some(WallTime(47)),
        awaited: Some(MigrationId(48)),
        dead: Some(WallTime(53)),
        knows_overrides: true,
    })
}

pub(super) fn retired() -> Record {
    Record::Retired(RetiredRecord { uid: Uid(9), name: name("old"), at: WallTime(48), entry: 11 })
}
