//! Only the agent is lost: its cluster runs on unseen. On return nothing is lost and nothing is deleted (S8, S11, S12,
//! S20, S27).

use godwit_proto::v1;

use crate::harness::{Builder, Deployment, Federation, Witness, policy, ready, wait_for, wanted};

#[tokio::test]
async fn surplus_goes_only_while_the_rest_suffices() {
    let mut federation = Federation::of(&["alpha", "bravo", "charlie"]).await;
    let weighted = policy("weighted", &[("alpha", 1), ("bravo", 2), ("charlie", 2)]);
    federation.admin.apply_policy(weighted).await.unwrap();
    federation.deploy(&Deployment::new("web", 100).policy("weighted")).await;
    federation.settles("web", &[("alpha", 20), ("bravo", 40), ("charlie", 40)]).await;
    let witness = Witness::start(federation.clusters(), "web").await;

    federation.cluster_mut("alpha").kill_agent(0);
    let away = federation.settles("web", &[("bravo", 50), ("charlie", 50)]).await;
    assert_eq!((away.pending, away.possible_over_run), (0, 20), "both copies may run, and the hub says so");
    let unseen = federation.cluster("alpha").deployment("web").await.unwrap();
    assert_eq!(
        (wanted(&unseen), ready(&unseen)),
        (20, 20),
        "nothing stops in a cluster that cannot be reached"
    );
    let gone = away.placements.iter().find(|placement| placement.cluster == "alpha").unwrap();
    assert!(!gone.live, "{gone:?}");

    federation.cluster_mut("alpha").start_agent(0);
    federation.cluster_is("alpha", "Ready").await;
    let back = wait_for("alpha's surplus to be gone", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let alpha = workload.placements.iter().find(|placement| placement.cluster == "alpha").unwrap();
        let stopped = alpha.live && alpha.sent == 0 && alpha.observed == 0;
        if stopped { Ok(workload.clone()) } else { Err(format!("{workload:?}")) }
    })
    .await;
    assert_eq!((back.ready, back.pending, back.possible_over_run), (100, 0, 0));
    federation.settles("web", &[("bravo", 50), ("charlie", 50)]).await;

    let returning = federation.event("ClusterReturning", "alpha").await;
    let returned = federation.event("ClusterReturned", "alpha").await;
    assert_eq!((returning.rule.as_str(), returned.rule.as_str()), ("S11", "S12"));
    assert!(returning.sequence < returned.sequence, "inventory first");

    assert!(witness.least().ready >= 100, "{}", witness.least());
    for cluster in federation.clusters() {
        let seen = witness.in_cluster(cluster.name());
        assert!(!seen.deleted, "{}: {seen:?}", cluster.name());
    }
    let alpha = witness.in_cluster("alpha");
    assert!(alpha.replicas.is_sorted_by(|before, after| before > after), "{:?}", alpha.replicas);
    assert_eq!(wanted(&alpha.last), 0, "the Deployment stays, with no replicas");
}

/// The cluster is back before its replacements are ready: until they are, its own copies are needed.
#[tokio::test]
async fn an_early_return_stops_nothing_that_is_needed() {
    let builder = Builder::new(&["alpha", "bravo", "charlie"]).each(|spec| spec.startup = "4000..6000");
    let mut federation = builder.start().await;
    federation.deploy(&Deployment::new("web", 30)).await;
    federation.settles("web", &[("alpha", 10), ("bravo", 10), ("charlie", 10)]).await;
    let witness = Witness::start(federation.clusters(), "web").await;

    federation.cluster_mut("alpha").kill_agent(0);
    federation.event("ClusterLost", "alpha").await;
    federation.cluster_mut("alpha").start_agent(0);
    federation.event("ClusterReturned", "alpha").await;
    let early = federation.admin.workload("web").await.unwrap();
    let replaced = |workload: &v1::Workload| {
        let others = workload.placements.iter().filter(|placement| placement.cluster != "alpha");
        others.map(|placement| placement.ready).sum::<u32>()
    };
    assert!(replaced(&early) < 30, "it is too late to test anything: {early:?}");

    let settled = wait_for("web to settle", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let rows = || workload.placements.iter();
        let settled = workload.ready == 30 && rows().all(|row| row.live && row.observed == row.target);
        if settled { Ok(workload) } else { Err(format!("{workload:?}")) }
    })
    .await;
    assert_eq!((settled.pending, settled.possible_over_run), (0, 0));
    assert!(witness.least().ready >= 30, "{}", witness.least());
    for cluster in federation.clusters() {
        assert!(!witness.in_cluster(cluster.name()).deleted, "{}", cluster.name());
    }
}
