//! State stays where it is: S32.

use godwit_hub_core::{ClusterState, Command, PolicyChoice};
use sim::scenario::{id, workload};

use super::federation;

#[test]
fn s32_a_stateful_workload_stays_whole_and_does_not_move_by_itself() {
    let mut world = federation(&["east", "north", "west"]);
    let store = id("StatefulSet", "store");
    world.deploy(workload("StatefulSet", "store", 5, 100, 1), PolicyChoice::Annotated);
    world.settles(60);
    let placed = world.placed(&store);
    assert_eq!(placed.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [5], "whole in one cluster");
    let home = placed[0].0.clone();

    world.order(Command::Scale { workload: store.clone(), replicas: 7 });
    world.settles(60);
    assert_eq!(world.ready_in(&home, &store), 7);

    let index = world.index(&home);
    world.kill_cluster(index);
    world.until("its home is lost", 15, |world| world.cluster(&home).state == ClusterState::Lost);
    world.run(60);
    let view = world.view(&store);
    assert_eq!((world.ready(&store), view.pending), (0, 7), "it does not move");
    assert!(view.pending_reasons.iter().any(|reason| reason.contains("S32")), "{:?}", view.pending_reasons);

    world.revive_cluster(index);
    world.settles(120);
    assert_eq!(
        (world.ready_in(&home, &store), world.view(&store).pending),
        (7, 0),
        "it is back where its data is"
    );
}

#[test]
fn s33_a_drain_moves_a_cron_job_and_it_is_never_in_two_clusters() {
    let mut world = federation(&["east", "north", "west"]);
    let backup = id("CronJob", "backup");
    world.deploy(workload("CronJob", "backup", 1, 100, 1), PolicyChoice::Annotated);
    world.settles(60);
    let home = world.placed(&backup)[0].0.clone();
    let terms = godwit_hub_core::DrainTerms::default();
    let order = godwit_hub_core::DrainOrder::Start(terms);
    world.order(Command::Drain { cluster: sim::scenario::cluster_name(&home), order });
    for _ in 0..240 {
        world.run_to(world.now + 250);
        let told = ["east", "north", "west"].map(|name| world.target_in(name, &backup));
        assert!(told.iter().sum::<u32>() < 2, "{told:?}");
    }
    let placed = world.placed(&backup);
    assert!(placed.len() == 1 && placed[0].0 != home, "{placed:?}");
    let drain = world.cluster(&home).drain.expect("it is drained");
    assert!(drain.drain.state.is_empty(), "{drain:?}");
}
