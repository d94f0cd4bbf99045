//! Records of all kinds, with nothing left at its default.

mod access;
mod cluster;
mod federation;
mod migration;
mod policy;
mod request;
mod workload;

use std::collections::BTreeMap;
use std::str::FromStr;

use godwit_common::policy::ClusterSelector;
use godwit_common::selector::{LabelSelector, Requirement, Test};
use godwit_common::{NameError, ObjectKey, TaintEffect, Toleration, WorkloadId};
use godwit_hub_core::{MigrationCause, MigrationState, Record};

pub(super) use cluster::cluster;
pub(super) use migration::migration_that;
pub(super) use policy::{policy, policy_of};
pub(super) use workload::{rollout, workload};

/// At least one record of each kind.
pub(super) fn samples() -> Vec<Record> {
    let lost = MigrationCause::ClusterLost(name("east"));
    let mut samples = vec![
        federation::federation(),
        federation::entry(),
        policy(),
        policy::quota(),
        workload(),
        workload::revision(),
        workload::seat(),
        cluster("east"),
        cluster::retired(),
        migration_that(lost, MigrationState::Paused),
    ];
    samples.extend(access::access());
    samples.extend(workload::objects());
    samples.extend(workload::ends());
    samples.extend(request::requests());
    samples
}

pub(super) fn clusters(names: &[&str]) -> ClusterSelector {
    ClusterSelector::of_names(names.iter().map(|text| name(text)))
}

pub(super) fn labels() -> LabelSelector {
    let tests = [Test::NotIn(["b".into(), "c".into()].into()), Test::Exists, Test::Gt(-3)];
    LabelSelector {
        labels: BTreeMap::from([("a".into(), "".into())]),
        expressions: tests.map(|test| Requirement { key: "k".into(), test }).into(),
    }
}

pub(super) fn toleration() -> Toleration {
    Toleration { key: Some("gpu".into()), value: Some("yes".into()), effect: Some(TaintEffect::NoExecute) }
}

pub(super) fn id() -> WorkloadId {
    WorkloadId::new("shop", "Deployment", "web").expect("valid")
}

pub(super) fn config_map() -> ObjectKey {
    ObjectKey::new("v1", "ConfigMap", "shop", "web").expect("valid")
}

pub(super) fn name<T: FromStr<Err = NameError>>(text: &str) -> T {
    text.parse().expect("a valid name")
}
