//! The network misbehaves: one way only, in silence, at random, slowly. Whatever it does, nothing is deleted, what runs
//! goes on, and afterwards everything runs once (S1, S2, S5, S6, S8, S11, S12).

use std::time::Duration;

use godwit_proto::v1;

use crate::harness::{Builder, Deployment, Federation, Network, Way, Witness, ready, wait_for, wanted};

const NAMES: [&str; 3] = ["alpha", "bravo", "charlie"];
/// Enough lost packets that whatever they lead to has begun. Whoever loses many sends few: TCP waits twice as long after
/// each, so that more of them are a matter of luck.
const LOST_ENOUGH: u64 = 40;

/// Whether this machine lets tests have networks of their own. No tool gives these rights to whoever runs them without.
fn impossible() -> bool {
    let problem = Network::missing_rules();
    if let Some(problem) = &problem {
        println!("skipped: network namespaces and their rules: {problem}");
    }
    problem.is_some()
}

async fn thirty(builder: Builder) -> (Federation, Witness) {
    let federation = builder.start().await;
    federation.deploy(&Deployment::new("web", 30)).await;
    federation.settles("web", &NAMES.map(|name| (name, 10))).await;
    let witness = Witness::start(federation.clusters(), "web").await;
    (federation, witness)
}

/// Nothing was deleted anywhere, and there were always as many ready as were wanted.
fn nothing_was_missed(witness: &Witness) {
    for name in NAMES {
        assert!(!witness.in_cluster(name).deleted, "web was deleted in {name}");
    }
    let least = witness.least();
    assert!(least.ready >= 30, "{least}");
}

/// Waits until every cluster is heard, and web runs as often as it is wanted: by the hub, and by the clusters themselves.
async fn runs_once(federation: &Federation, total: u32) -> v1::Workload {
    wait_for("web to run everywhere as it should, and nothing twice", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let counts = (workload.ready, workload.pending, workload.possible_over_run);
        let live = workload.placements.iter().all(|row| row.live && row.sent == row.target);
        let (mut told, mut running) = (0, 0);
        for cluster in federation.clusters() {
            let deployment = cluster.deployment("web").await.ok_or("web is not in a cluster")?;
            told += wanted(&deployment);
            running += ready(&deployment);
        }
        let all = i32::try_from(total).unwrap();
        if counts == (total, 0, 0) && live && (told, running) == (all, all) {
            return Ok(workload);
        }
        Err(format!("told {told}, running {running}: {workload:?}"))
    })
    .await
}

/// Alpha's cable loses all packets that go one of these ways: it is lost, and gives way when it is back.
async fn alpha_is_lost_and_returns(ways: &[Way]) {
    if impossible() {
        return;
    }
    let (federation, witness) = thirty(Builder::new(&NAMES).hasty().behind_a_cable("alpha")).await;
    let before = federation.cluster("alpha").deployment("web").await.unwrap();
    for way in ways {
        federation.cable().lose(*way, 100, federation.hub().port());
    }
    federation.event("ClusterSuspect", "alpha").await;
    federation.event("ClusterLost", "alpha").await;
    let workload = federation.settles("web", &[("bravo", 15), ("charlie", 15)]).await;
    assert_eq!((workload.pending, workload.possible_over_run), (0, 10));
    let meanwhile = federation.cluster("alpha").deployment("web").await.unwrap();
    assert_eq!((wanted(&meanwhile), ready(&meanwhile)), (10, 10), "what is cut off goes on");
    federation.cable().lose_nothing();
    runs_once(&federation, 30).await;
    federation.settles("web", &[("bravo", 15), ("charlie", 15)]).await;
    let after = federation.cluster("alpha").deployment("web").await.unwrap();
    assert_eq!(after.metadata.uid, before.metadata.uid, "the object outlived the partition");
    nothing_was_missed(&witness);
}

#[tokio::test]
async fn a_cluster_that_the_hub_does_not_hear_is_lost() {
    alpha_is_lost_and_returns(&[Way::Out]).await;
}

#[tokio::test]
async fn a_cluster_that_does_not_hear_the_hub_is_lost() {
    alpha_is_lost_and_returns(&[Way::In]).await;
}

#[tokio::test]
async fn a_cluster_is_lost_in_silence_both_ways() {
    alpha_is_lost_and_returns(&[Way::In, Way::Out]).await;
}

#[tokio::test]
async fn a_cluster_whose_cable_loses_two_packets_in_five_misses_nothing() {
    if impossible() {
        return;
    }
    let (federation, witness) = thirty(Builder::new(&NAMES).hasty().behind_a_cable("alpha")).await;
    let cable = federation.cable();
    for way in [Way::In, Way::Out] {
        cable.lose(way, 40, federation.hub().port());
    }
    // What is asked for meanwhile comes about, there or elsewhere.
    federation.admin.scale("web", 36).await.unwrap();
    enough_is_lost(cable).await;
    let state = federation.admin.cluster("alpha").await.unwrap().state;
    assert!(["Ready", "Suspect", "Lost", "Returning"].contains(&state.as_str()), "{state}");
    cable.lose_nothing();
    runs_once(&federation, 36).await;
    federation.cluster_is("alpha", "Ready").await;
    nothing_was_missed(&witness);
}

/// Every cluster is heard badly at once, and so is the hub by its operators: the trouble is its own.
#[tokio::test]
async fn a_hub_whose_own_network_loses_two_packets_in_five_misses_nothing() {
    if impossible() {
        return;
    }
    let (federation, witness) = thirty(Builder::new(&NAMES).hasty().hub_behind_a_cable()).await;
    let cable = federation.cable();
    for way in [Way::In, Way::Out] {
        cable.lose(way, 40, federation.hub().port());
    }
    enough_is_lost(cable).await;
    cable.lose_nothing();
    federation.admin.hang_up().await;
    for name in NAMES {
        federation.cluster_is(name, "Ready").await;
    }
    wait_for("no freeze to be left", async || {
        let found = federation.admin.federation().await.map_err(|error| error.to_string())?;
        if found.freeze.is_some() { Err(format!("{found:?}")) } else { Ok(()) }
    })
    .await;
    runs_once(&federation, 30).await;
    nothing_was_missed(&witness);
}

async fn enough_is_lost(cable: &Network) {
    wait_for("packets to be lost", async || match cable.lost() {
        some if some >= LOST_ENOUGH => Ok(()),
        few => Err(format!("{few} were")),
    })
    .await;
}

/// A second or two for each message, and never the same: late is not silent.
#[tokio::test]
async fn a_slow_and_unsteady_wire_is_no_loss() {
    let timings = [("federation.heartbeat", "5s"), ("federation.lost_after", "20s")];
    let builder = Builder::new(&NAMES).settings(&timings).through_a_relay("alpha");
    let (federation, witness) = thirty(builder).await;
    federation.relay().slow(Duration::from_secs(1), Duration::from_secs(1));
    federation.admin.scale("web", 36).await.unwrap();
    federation.settles("web", &NAMES.map(|name| (name, 12))).await;
    federation.admin.scale("web", 30).await.unwrap();
    federation.settles("web", &NAMES.map(|name| (name, 10))).await;
    let events = federation.admin.events().await.unwrap();
    let suspected = events.iter().find(|event| event.reason == "ClusterSuspect");
    assert_eq!(suspected, None, "it was slow, and always heard");
    runs_once(&federation, 30).await;
    nothing_was_missed(&witness);
}
