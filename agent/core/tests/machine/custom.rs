//! Custom resources as workloads (S33): they alone say which pods are their own, and only the fence remembers their kinds.

use std::sync::Arc;
use std::time::Duration;

use godwit_agent_core::{Call, Kind, PodSeen};
use godwit_common::link::{Status, Tombstone, Tombstoned, WorkloadTarget};
use godwit_common::selector::LabelSelector;
use godwit_common::{ObjectKey, Uid, WorkloadId};

use crate::world::{World, fence, web, whole, workload};

const API_VERSION: &str = "example.com/v1";

fn fleet() -> WorkloadId {
    WorkloadId::new("shop", "Fleet", "ships").expect("valid")
}

fn key() -> ObjectKey {
    ObjectKey::new(API_VERSION, "Fleet", "shop", "ships").expect("valid")
}

fn kind() -> Kind {
    Kind::of(&key())
}

fn row(replicas: u32) -> WorkloadTarget {
    WorkloadTarget { workload: fleet(), api_version: API_VERSION.into(), ..workload(1, "ships", 1, replicas) }
}

fn holding() -> World {
    let mut world = World::leading();
    world.send_targets(whole(fence(1, 1), vec![], vec![row(3)]));
    world.advance(Duration::from_secs(2));
    assert_eq!(world.member.objects[&key()].replicas, Some(3));
    world
}

fn last(world: &World) -> Status {
    let mut statuses = world.reports().flat_map(|report| &report.statuses);
    statuses.rfind(|status| status.workload == fleet()).expect("a status").clone()
}

/// A pod that some object of its operator made.
fn pod(world: &mut World, name: &str, labels: &[(&str, &str)], edit: impl FnOnce(&mut PodSeen)) {
    let between = WorkloadId::new("shop", "ReplicaSet", "ships-5d9c").expect("valid");
    let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    world.member.pod(&between, name, |pod| {
        pod.labels = Arc::new(labels);
        edit(pod);
    });
}

fn choose(world: &mut World, selector: &str) {
    let selector = LabelSelector::parse(selector).map(Arc::new);
    assert!(selector.is_some());
    world.member.edit(&key(), |object| object.selector = selector);
}

#[test]
fn its_pods_are_those_that_its_scale_selects() {
    let mut world = holding();
    pod(&mut world, "one", &[("fleet", "ships")], |_| {});
    pod(&mut world, "two", &[("fleet", "ships")], |pod| pod.ready = false);
    pod(&mut world, "other", &[("fleet", "boats")], |_| {});
    world.advance(Duration::from_secs(1));
    assert_eq!(last(&world).pods, 0, "nobody has said yet which are its own");
    choose(&mut world, "fleet=ships");
    world.advance(Duration::from_secs(1));
    assert_eq!((last(&world).pods, last(&world).ready), (2, 1));
    pod(&mut world, "three", &[("fleet", "ships")], |_| {});
    world.member.pod_gone("shop", "two");
    world.advance(Duration::from_secs(1));
    assert_eq!((last(&world).pods, last(&world).ready), (2, 2));
    choose(&mut world, "fleet=boats");
    world.advance(Duration::from_secs(1));
    assert_eq!((last(&world).pods, last(&world).ready), (1, 1), "it may choose anew");
    choose(&mut world, "");
    world.advance(Duration::from_secs(1));
    assert_eq!(last(&world).pods, 0, "what chooses everything chooses nothing");
    world.member.relist();
    world.advance(Duration::from_secs(5));
    assert_eq!(last(&world).pods, 0);
}

#[test]
fn without_a_selector_its_pods_are_those_that_it_controls() {
    let mut world = holding();
    world.member.pod(&fleet(), "own", |_| {});
    world.advance(Duration::from_secs(1));
    assert_eq!((last(&world).pods, last(&world).ready), (1, 1));
}

#[test]
fn what_it_calls_available_is_no_more_than_what_is_ready() {
    let mut world = holding();
    world.member.edit(&key(), |object| {
        (object.progress.updated, object.progress.available) = (3, 3);
    });
    world.member.pod(&fleet(), "own", |_| {});
    world.advance(Duration::from_secs(1));
    assert_eq!((last(&world).updated, last(&world).updated_ready), (3, 1));
}

#[test]
fn an_agent_that_starts_anew_sees_it_before_it_is_told_of_it() {
    let mut world = holding();
    choose(&mut world, "fleet=ships");
    pod(&mut world, "one", &[("fleet", "ships")], |_| {});
    world.advance(Duration::from_secs(1));
    let world = world.restart();
    let inventory = world.reports().next().expect("an inventory");
    let [status] = inventory.statuses.as_slice() else { panic!("{inventory:?}") };
    assert_eq!((&status.workload, status.uid, status.pods), (&fleet(), Uid(1), 1));
}

#[test]
fn a_kind_that_is_served_no_more_keeps_no_inventory_back() {
    let mut world = holding();
    world.send_targets(whole(fence(1, 2), vec![], vec![workload(2, "web", 1, 1), row(3)]));
    world.advance(Duration::from_secs(2));
    world.member.vanish(&key());
    world.member.unserved.insert(kind());
    let world = world.restart();
    let inventory = world.reports().next().expect("an inventory");
    let ids: Vec<&WorkloadId> = inventory.statuses.iter().map(|status| &status.workload).collect();
    assert_eq!(ids, [&web()]);
}

#[test]
fn it_is_deleted_after_what_it_owns() {
    let mut world = holding();
    world.advance(Duration::from_secs(20));
    world.member.calls.clear();
    let what = Tombstoned::Workload { workload: fleet(), api_version: API_VERSION.into() };
    let mut targets = whole(fence(1, 2), vec![], vec![]);
    targets.tombstones = vec![Tombstone { uid: Uid(1), what }];
    world.send_targets(targets);
    world.advance(Duration::from_secs(2));
    let deletes = world.member.calls.iter().filter(|call| matches!(call, Call::Delete { .. }));
    let deletes: Vec<bool> =
        deletes.map(|call| matches!(call, Call::Delete { foreground: true, .. })).collect();
    assert_eq!(deletes, [true]);
}
