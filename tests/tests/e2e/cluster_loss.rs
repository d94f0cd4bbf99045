//! A cluster is lost with all that was in it: the others take its replicas over (S1, S2, S14).

use std::time::Duration;

use godwit_proto::v1;
use prost_types::Timestamp;

use crate::harness::{Builder, Deployment, Federation, policy, targets, wait_for};

const NAMES: [&str; 3] = ["alpha", "bravo", "charlie"];

async fn run_a_hundred(federation: &Federation) {
    let weighted = policy("weighted", &[("alpha", 1), ("bravo", 2), ("charlie", 2)]);
    federation.admin.apply_policy(weighted).await.unwrap();
    federation.deploy(&Deployment::new("web", 100).policy("weighted")).await;
    federation.settles("web", &[("alpha", 20), ("bravo", 40), ("charlie", 40)]).await;
}

#[tokio::test]
async fn with_room_nothing_is_pending() {
    let mut federation = Federation::hasty(&NAMES).await;
    run_a_hundred(&federation).await;

    federation.cluster_mut("charlie").kill();
    federation.cluster_is("charlie", "Lost").await;
    let workload = federation.settles("web", &[("alpha", 33), ("bravo", 67)]).await;
    assert_eq!(workload.pending, 0);
    assert_eq!(workload.possible_over_run, 40, "what may still run in charlie is said");

    let migration = wait_for("the migration to be completed", async || {
        let migrations = federation.admin.migrations().await.map_err(|error| error.to_string())?;
        let found = migrations.iter().find(|migration| migration.state == "Completed");
        found.cloned().ok_or_else(|| format!("{migrations:?}"))
    })
    .await;
    assert_eq!((migration.cause.as_str(), migration.cluster.as_str()), ("ClusterLost", "charlie"));
    assert_eq!((migration.replicas, migration.replicas_ready), (40, 40));
    let moved = |to: &str| -> u32 {
        let moves = migration.moves.iter().filter(|row| row.from == "charlie" && row.to == to);
        moves.map(|row| row.replicas).sum()
    };
    assert_eq!((moved("alpha"), moved("bravo")), (13, 27));
}

#[tokio::test]
async fn without_room_the_rest_is_pending_until_room_appears() {
    let builder = Builder::new(&NAMES).hasty().each(|spec| (spec.nodes, spec.node_pods) = (1, 45));
    let mut federation = builder.start().await;
    run_a_hundred(&federation).await;
    federation.admin.apply_policy(policy("alpha-only", &[("alpha", 1)])).await.unwrap();
    federation.deploy(&Deployment::new("filler", 5).policy("alpha-only")).await;
    federation.settles("filler", &[("alpha", 5)]).await;

    federation.cluster_mut("charlie").kill();
    let workload = full(&federation, &[("alpha", 40), ("bravo", 45)]).await;
    assert_eq!(workload.pending, 15, "placed + pending = wanted");
    assert!(!workload.pending_reasons.is_empty(), "pending without a reason: {workload:?}");

    federation.admin.delete("filler").await.unwrap();
    let workload = full(&federation, &[("alpha", 45), ("bravo", 45)]).await;
    assert_eq!(workload.pending, 10);
    federation.admin.scale("web", 90).await.unwrap();
    let workload = full(&federation, &[("alpha", 45), ("bravo", 45)]).await;
    assert_eq!((workload.pending, workload.pending_reasons), (0, Vec::new()));
}

/// Waits until the survivors run what they can.
async fn full(federation: &Federation, shares: &[(&str, u32)]) -> v1::Workload {
    wait_for(&format!("web to fill {shares:?}"), async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let ready: u32 = shares.iter().map(|(_, count)| count).sum();
        let full = targets(&workload) == shares && workload.ready == ready;
        if full { Ok(workload) } else { Err(format!("{workload:?}")) }
    })
    .await
}

/// By the hub's own journal, with the timings that an operator gets who sets none.
#[tokio::test]
async fn the_default_timings_decide_no_earlier_than_they_say() {
    let mut federation = Builder::new(&NAMES).default_timings().start().await;
    federation.deploy(&Deployment::new("web", 30)).await;
    federation.settles("web", &[("alpha", 10), ("bravo", 10), ("charlie", 10)]).await;

    federation.cluster_mut("alpha").kill();
    let lost = federation.event("ClusterLost", "alpha").await;
    assert_eq!(lost.rule, "S1");
    let alpha = federation.admin.cluster("alpha").await.unwrap();
    let silent = since(alpha.last_seen, lost.time);
    // max(lost_after, 2.5 heartbeats). How soon after it is for tests with a clock of their own: here a busy machine is late.
    assert!(silent >= Duration::from_secs(10), "lost before its time: {silent:?} ({})", lost.message);

    let workload = federation.admin.workload("web").await.unwrap();
    assert_eq!(targets(&workload), [("bravo", 15), ("charlie", 15)], "targets change with the decision");
    federation.settles("web", &[("bravo", 15), ("charlie", 15)]).await;
    let suspect = federation.event("ClusterSuspect", "alpha").await;
    assert!(suspect.sequence < lost.sequence, "first Suspect, then Lost");
    assert_eq!(moves_between(&federation.admin.events().await.unwrap(), &suspect, &lost), 0);
}

fn since(from: Option<Timestamp>, to: Option<Timestamp>) -> Duration {
    let millis = |time: Option<Timestamp>| {
        let time = time.expect("a time");
        time.seconds * 1000 + i64::from(time.nanos) / 1_000_000
    };
    Duration::from_millis(
        u64::try_from(millis(to) - millis(from)).expect("the decision comes after the message"),
    )
}

/// While a cluster is Suspect nothing moves.
fn moves_between(events: &[v1::Event], from: &v1::Event, to: &v1::Event) -> usize {
    let between = events.iter().filter(|event| (from.sequence..to.sequence).contains(&event.sequence));
    between.filter(|event| event.reason == "MigrationStarted").count()
}
