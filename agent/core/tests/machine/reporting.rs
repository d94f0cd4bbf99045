//! What the hub is told (S11, S14, S15, S25): an inventory first, then what changed, of one cut.

use std::time::Duration;

use godwit_agent_core::{Fault, PodPhase};
use godwit_common::link::{ROWS_MAX, Report, Status};
use godwit_common::{Time, Uid, WorkloadId};

use crate::world::{World, change, config, fence, key, web, whole, workload};

fn last(world: &World) -> Status {
    let mut statuses = world.reports().flat_map(|report| &report.statuses);
    statuses.rfind(|status| status.workload == web()).expect("a status").clone()
}

fn report_times(world: &World) -> Vec<Time> {
    let reports = world.sent.iter().filter(|(_, up)| matches!(up, godwit_common::link::Up::Report(_)));
    reports.map(|(at, _)| *at).collect()
}

/// Holds `web` with three replicas.
fn holding() -> World {
    let mut world = World::leading();
    world.send_targets(whole(fence(1, 1), vec![], vec![workload(1, "web", 1, 3)]));
    world.advance(Duration::from_secs(2));
    world.sent.clear();
    world
}

#[test]
fn the_first_report_is_an_inventory_of_everything() {
    let mut world = holding();
    world.member.pod(&web(), "web-1", |_| {});
    let world = world.restart();
    let first: &Report = world.reports().next().unwrap();
    assert!(first.complete && first.capacity.is_some() && first.reflects.0 == 0);
    let [status] = first.statuses.as_slice() else { panic!("{first:?}") };
    assert_eq!((status.uid, status.revision, status.replicas), (Uid(1), 1, 3));
    assert_eq!((status.pods, status.bound, status.ready, status.exists), (1, 1, 1, true));
    let capacity = first.capacity.as_ref().unwrap();
    assert_eq!((capacity.running_pods, capacity.nodes), (1, 1));
    assert_eq!(capacity.classes[0].free.cpu_millis, 7_900, "room and statuses are of the same cut");
}

#[test]
fn an_inventory_is_whole_however_large_it_is() {
    let mut world = holding();
    let stamp = world.member.objects[&key("Deployment", "shop", "web")].stamp;
    for number in 1..=ROWS_MAX {
        let key = key("Deployment", "shop", &format!("other-{number}"));
        world.member.create(&key);
        world.member.edit(&key, |object| object.stamp = stamp);
    }
    let world = world.restart();
    let inventory = world.reports().next().unwrap();
    assert!(inventory.complete);
    assert_eq!(inventory.statuses.len(), ROWS_MAX + 1);
}

#[test]
fn pods_are_counted_by_their_state() {
    let mut world = holding();
    let member = &mut world.member;
    member.pod(&web(), "ready", |_| {});
    member.pod(&web(), "starting", |pod| pod.ready = false);
    member.pod(&web(), "leaving", |pod| pod.terminating = true);
    member.pod(&web(), "waiting", |pod| {
        (pod.node, pod.ready, pod.unschedulable, pod.phase) = (None, false, true, PodPhase::Pending);
    });
    member.pod(&web(), "evicted", |pod| (pod.phase, pod.ready) = (PodPhase::Ended, false));
    world.advance(Duration::from_secs(1));
    let status = last(&world);
    assert_eq!((status.pods, status.bound, status.ready, status.unschedulable), (4, 3, 1, 1));
    for name in ["ready", "starting", "leaving", "waiting", "evicted"] {
        world.member.pod_gone("shop", name);
    }
    world.advance(Duration::from_secs(1));
    let status = last(&world);
    assert_eq!((status.pods, status.bound, status.ready, status.unschedulable), (0, 0, 0, 0));
}

#[test]
fn only_what_changed_is_reported() {
    let mut world = holding();
    world.member.pod(&web(), "web-1", |_| {});
    world.advance(Duration::from_secs(5));
    let told = world.reports().count();
    world.member.pod(&web(), "web-1", |_| {});
    world.member.relist();
    world.advance(Duration::from_secs(5));
    assert_eq!(world.reports().count(), told, "the same again is no news");
}

#[test]
fn a_burst_is_one_report_and_readiness_goes_ahead() {
    let mut world = holding();
    for number in 0..50 {
        let starting = |pod: &mut godwit_agent_core::PodSeen| (pod.ready, pod.node) = (false, None);
        world.member.pod(&web(), &format!("web-{number}"), starting);
        world.advance(Duration::from_millis(10));
    }
    world.advance(Duration::from_secs(1));
    let reports = world.reports().count();
    assert!(reports <= 6, "{reports} reports in a second and a half");
    let starting = |pod: &mut godwit_agent_core::PodSeen| (pod.ready, pod.node) = (false, None);
    world.member.pod(&web(), "web-50", starting);
    world.settle();
    let before = *report_times(&world).last().unwrap();
    world.advance(Duration::from_millis(5));
    world.member.pod(&web(), "web-1", |_| {});
    world.until(|world| last(world).ready == 1);
    assert!(report_times(&world).last().unwrap().since(before) <= config().report_soon);
}

#[test]
fn a_report_waits_until_the_stream_takes_it_and_then_says_the_newest() {
    let mut world = holding();
    world.taking = false;
    world.member.pod(&web(), "web-1", |_| {});
    world.advance(Duration::from_secs(1));
    assert_eq!(world.reports().count(), 1);
    for number in 2..40 {
        world.member.pod(&web(), &format!("web-{number}"), |_| {});
        world.advance(Duration::from_millis(50));
    }
    assert_eq!(world.reports().count(), 1, "nothing queues up");
    world.taking = true;
    let session = world.session.unwrap();
    for _ in 0..world.sent.len() {
        world.step(godwit_agent_core::Event::Sent { session });
    }
    world.advance(Duration::from_secs(1));
    assert_eq!((world.reports().count(), last(&world).ready), (2, 39));
}

#[test]
fn while_offline_only_the_newest_state_is_kept() {
    let mut world = holding();
    world.cut();
    for number in 0..100 {
        world.member.pod(&web(), "web-1", |pod| pod.ready = number % 2 == 1);
        world.advance(Duration::from_millis(20));
    }
    world.sent.clear();
    world.welcoming = true;
    world.until(|world| world.reports().any(|report| report.complete));
    world.advance(Duration::from_secs(2));
    assert_eq!((world.reports().count(), last(&world).ready), (1, 1));
}

#[test]
fn what_was_deleted_by_hand_is_said_to_be_gone() {
    let mut world = holding();
    world.send_targets(whole(fence(1, 2), vec![], vec![]));
    world.advance(Duration::from_secs(1));
    world.member.vanish(&key("Deployment", "shop", "web"));
    world.advance(Duration::from_secs(1));
    let status = last(&world);
    assert_eq!((status.exists, status.uid, status.replicas), (false, Uid(1), 0));
    let told = world.reports().count();
    world.advance(Duration::from_secs(10));
    assert_eq!(world.reports().count(), told, "once");
}

#[test]
fn a_report_reflects_a_generation_once_its_writes_are_seen() {
    let mut world = holding();
    let newest = |world: &World| world.reports().last().map(|report| report.reflects.0);
    world.member.blind = true;
    let web = workload(1, "web", 1, 5);
    world.send_targets(change(fence(1, 2), vec![web.clone()], std::slice::from_ref(&web)));
    world.advance(Duration::from_secs(1));
    // A change that touches no row is there as soon as the one before it is.
    world.send_targets(change(fence(1, 3), vec![], &[web]));
    world.advance(Duration::from_secs(1));
    assert!(newest(&world).is_none_or(|reflects| reflects == 1), "{:?}", newest(&world));
    world.member.unblind();
    world.advance(Duration::from_secs(1));
    assert_eq!(newest(&world), Some(3));
}

#[test]
fn capacity_alone_is_reported_slowly() {
    let mut world = holding();
    let other = godwit_common::WorkloadId::new("kube-system", "DaemonSet", "proxy").unwrap();
    for number in 0..100 {
        world.member.pod(&other, &format!("proxy-{number}"), |_| {});
        world.advance(Duration::from_millis(50));
    }
    let reports = world.reports().count();
    assert!((4..=6).contains(&reports), "{reports} in five seconds");
    assert!(
        world.reports().all(|report| report.statuses.is_empty()),
        "unmanaged workloads are only room taken"
    );
    world.advance(Duration::from_secs(1));
    let capacity = world.reports().last().unwrap().capacity.clone().unwrap();
    assert_eq!(capacity.running_pods, 100);
    assert_eq!(capacity.classes[0].free.cpu_millis, 0, "100 pods of 100m leave nothing of 8 cores");
}

#[test]
fn what_hinders_the_pods_is_said_once_for_all_of_them() {
    let mut world = holding();
    for name in ["web-1", "web-2"] {
        world.member.pod(&web(), name, |pod| {
            (pod.ready, pod.problem) = (false, "container web: ImagePullBackOff".into());
        });
    }
    world.advance(Duration::from_secs(1));
    assert_eq!(&*last(&world).problem, "container web: ImagePullBackOff");
    for name in ["web-1", "web-2"] {
        world.member.pod(&web(), name, |_| {});
    }
    world.advance(Duration::from_secs(1));
    assert_eq!(&*last(&world).problem, "");
}

#[test]
fn absurd_numbers_and_texts_are_cut_to_what_the_protocol_carries() {
    let mut world = holding();
    world.member.pod(&web(), "web-1", |pod| pod.problem = "é".repeat(2_000).into());
    world.member.edit(&key("Deployment", "shop", "web"), |object| object.replicas = Some(u32::MAX));
    world.member.fail = Some(|call| {
        let refuse = || godwit_agent_core::CallError::Refused("x".repeat(5_000).into());
        matches!(call, godwit_agent_core::Call::Apply(_)).then(refuse)
    });
    world.advance(Duration::from_secs(10));
    let status = last(&world);
    assert_eq!(status.replicas, godwit_common::link::COUNT_MAX);
    assert!(world.reports().flat_map(|report| &report.statuses).all(|status| status.problem.len() <= 1024));
}

#[test]
fn a_write_whose_outcome_is_unknown_is_not_reflected() {
    let mut world = holding();
    world.member.fail = Some(|call| {
        let unknown = || godwit_agent_core::CallError::Unavailable("timeout".into());
        matches!(call, godwit_agent_core::Call::Apply(_)).then(unknown)
    });
    let web = workload(1, "web", 1, 5);
    world.send_targets(change(fence(1, 2), vec![web.clone()], &[web]));
    world.advance(Duration::from_secs(20));
    assert_eq!(world.reports().last().unwrap().reflects.0, 1);
    assert_eq!(&*last(&world).problem, "timeout");
}

#[test]
fn pods_that_are_seen_before_their_workload_do_not_make_it_missing() {
    let mut world = World::leading();
    world.member.blind = true;
    world.send_targets(whole(fence(1, 1), vec![], vec![workload(1, "web", 1, 3)]));
    world.advance(Duration::from_secs(1));
    world.member.blind = false;
    world.member.pod(&web(), "web-1", |_| {});
    world.advance(Duration::from_secs(1));
    world.member.unblind();
    world.advance(Duration::from_secs(1));
    assert!(world.reports().flat_map(|report| &report.statuses).all(|status| status.exists));
    assert_eq!(last(&world).ready, 1);
}

#[test]
fn an_orphan_that_is_deleted_is_told_until_its_last_pod_is_gone_and_then_forgotten() {
    let mut world = holding();
    world.member.pod(&web(), "web-1", |_| {});
    world.send_targets(whole(fence(1, 2), vec![], vec![]));
    world.advance(Duration::from_secs(1));
    world.member.vanish(&key("Deployment", "shop", "web"));
    world.advance(Duration::from_secs(1));
    assert_eq!((last(&world).exists, last(&world).pods), (false, 1));
    world.member.pod_gone("shop", "web-1");
    world.advance(Duration::from_secs(1));
    assert_eq!((last(&world).exists, last(&world).pods), (false, 0));
    world.cut();
    world.sent.clear();
    world.welcoming = true;
    world.until(|world| world.reports().any(|report| report.complete));
    assert!(world.reports().next().unwrap().statuses.is_empty());
}

#[test]
fn s21_what_nobody_here_manages_is_named_by_its_owner() {
    let mut world = holding();
    let owner = |kind: &str, namespace: &str| {
        Some(WorkloadId { namespace: namespace.into(), kind: kind.into(), name: "other".into() })
    };
    let mut pod = |name: &str, namespace: &str, owner: Option<WorkloadId>, phase| {
        world.member.pod(&web(), name, |pod| {
            pod.namespace = namespace.into();
            (pod.owner, pod.phase) = (owner, phase);
        });
    };
    pod("web-1", "default", Some(web()), PodPhase::Running);
    pod("a", "shop", owner("Job", "shop"), PodPhase::Running);
    pod("b", "shop", owner("Job", "shop"), PodPhase::Pending);
    pod("c", "shop", None, PodPhase::Running);
    // Nodes have these, the system has those, and what has ended is nowhere.
    pod("d", "shop", owner("DaemonSet", "shop"), PodPhase::Running);
    pod("e", "kube-system", owner("Deployment", "kube-system"), PodPhase::Running);
    pod("f", "kube-system", None, PodPhase::Running);
    pod("g", "shop", None, PodPhase::Ended);
    world.advance(Duration::from_secs(30));
    let told = |world: &World| {
        let unmanaged = world.reports().filter_map(|report| report.capacity.as_ref()).next_back().unwrap();
        let named = |(id, pods): &(WorkloadId, u32)| format!("{} {}: {pods}", id.kind, id.name);
        let unmanaged = &unmanaged.unmanaged;
        (unmanaged.pods, unmanaged.owners, unmanaged.first.iter().map(named).collect::<Vec<_>>())
    };
    assert_eq!(told(&world), (3, 2, vec!["Job other: 2".to_owned(), "Pod c: 1".to_owned()]));
    for name in ["a", "b", "c"] {
        world.member.pod_gone("shop", name);
    }
    world.advance(Duration::from_secs(30));
    assert_eq!(told(&world), (0, 0, Vec::new()));
}

#[test]
fn s3_whose_fault_it_is_that_pods_are_not_ready_is_told() {
    let mut world = holding();
    let faults = |world: &World| (last(world).failing, last(world).stranded);
    let member = &mut world.member;
    let unready = |fault: Option<Fault>| {
        move |pod: &mut godwit_agent_core::PodSeen| (pod.ready, pod.fault) = (false, fault)
    };
    member.pod(&web(), "starting", unready(None));
    member.pod(&web(), "looping", unready(Some(Fault::Application)));
    member.pod(&web(), "unmounted", unready(Some(Fault::Cluster)));
    member.pod(&web(), "well", |pod| pod.fault = Some(Fault::Application));
    member.pod(&web(), "leaving", |pod| {
        (pod.ready, pod.terminating, pod.fault) = (false, true, Some(Fault::Cluster));
    });
    world.advance(Duration::from_secs(1));
    assert_eq!(faults(&world), (1, 1), "what is ready or leaves is nobody's fault");
}

#[test]
fn s3_what_is_not_ready_on_a_node_that_is_down_is_the_nodes_fault_whichever_is_seen_first() {
    let mut world = holding();
    let faults = |world: &World| (last(world).failing, last(world).stranded);
    let looping = |pod: &mut godwit_agent_core::PodSeen| {
        (pod.ready, pod.fault) = (false, Some(Fault::Application));
    };
    world.member.node("n2", 8000);
    world.member.pod(&web(), "here", looping);
    world.member.pod(&web(), "there", |pod| pod.node = Some("n2".into()));
    world.advance(Duration::from_secs(1));
    assert_eq!(faults(&world), (1, 0));
    // The node goes down first, and its pods cease to be ready after that.
    world.member.edit_node("n1", |node| node.ready = false);
    world.member.edit_node("n2", |node| node.ready = false);
    world.advance(Duration::from_secs(1));
    assert_eq!(faults(&world), (0, 1));
    world.member.pod(&web(), "there", |pod| (pod.node, pod.ready) = (Some("n2".into()), false));
    world.advance(Duration::from_secs(1));
    assert_eq!(faults(&world), (0, 2));
    // A pod that goes elsewhere takes nothing with it.
    world.member.edit_node("n1", |node| node.ready = true);
    world.member.pod_gone("shop", "there");
    world.advance(Duration::from_secs(1));
    assert_eq!(faults(&world), (1, 0));
    // What a listing does not name any more is gone, and is nobody's fault.
    world.member.pod(&web(), "there", |pod| (pod.node, pod.ready) = (Some("n2".into()), false));
    world.advance(Duration::from_secs(1));
    assert_eq!(faults(&world), (1, 1));
    world.member.nodes.remove("n2");
    world.member.relist();
    world.advance(Duration::from_secs(1));
    assert_eq!(faults(&world), (1, 0));
}
