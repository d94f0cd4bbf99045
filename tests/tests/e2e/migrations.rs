//! Migrations by an operator's word: paused, resumed and cancelled with the command line, over a restart of the hub.

use godwit_proto::v1;

use crate::harness::{Builder, Deployment, Federation, policy, wait_for};

/// All of web runs in alpha, and may run in bravo as well; it moves one replica at a time.
async fn federation() -> Federation {
    let federation =
        Builder::new(&["alpha", "bravo"]).settings(&[("federation.min_ready", "3s")]).start().await;
    let even = |weights: &[(&str, u32)]| {
        let mut even = policy("even", weights);
        even.spec.as_mut().unwrap().max_surge_percent = Some(1);
        even
    };
    federation.admin.apply_policy(even(&[("alpha", 1)])).await.unwrap();
    federation.deploy(&Deployment::new("web", 12).policy("even")).await;
    federation.settles("web", &[("alpha", 12)]).await;
    federation.admin.apply_policy(even(&[("alpha", 1), ("bravo", 1)])).await.unwrap();
    federation
}

async fn migration(federation: &Federation, state: &str) -> v1::Migration {
    wait_for(&format!("a migration that is {state}"), async || {
        let all = federation.admin.migrations().await.map_err(|error| error.to_string())?;
        all.iter().find(|one| one.state == state).cloned().ok_or_else(|| format!("{all:?}"))
    })
    .await
}

/// How many replicas each cluster was told to run.
async fn told(federation: &Federation) -> Vec<(String, u32)> {
    let workload = federation.admin.workload("web").await.unwrap();
    workload.placements.iter().map(|row| (row.cluster.clone(), row.sent)).collect()
}

#[tokio::test]
async fn a_migration_is_paused_resumed_and_cancelled() {
    let mut federation = federation().await;
    let said = federation.must(&["rebalance", "workload", "web"]).await;
    assert!(said.contains("6"), "{said}");
    let id = migration(&federation, "Running").await.id;
    let said = federation.must(&["pause", "migration", &id]).await;
    assert!(said.starts_with(&format!("migration/{id} paused")), "{said}");

    let before = told(&federation).await;
    federation.kill_hub().await;
    federation.restart_hub().await;
    assert_eq!(migration(&federation, "Paused").await.id, id);
    for name in ["alpha", "bravo"] {
        federation.cluster_is(name, "Ready").await;
    }
    // Others go their way meanwhile.
    federation.deploy(&Deployment::new("other", 4).policy("even")).await;
    federation.settles("other", &[("alpha", 2), ("bravo", 2)]).await;
    assert_eq!(told(&federation).await, before, "nothing of it starts or stops");
    assert!(federation.must(&["get", "migrations"]).await.contains("Paused"));

    let said = federation.must(&["resume", &format!("migration/{id}")]).await;
    assert!(said.starts_with(&format!("migration/{id} resumed")), "{said}");
    wait_for("the next replica to start in bravo", async || {
        let now = told(&federation).await;
        if now[1].1 > before[1].1 { Ok(()) } else { Err(format!("{before:?}, {now:?}")) }
    })
    .await;
    let said = federation.must(&["cancel", "migration", &id]).await;
    assert!(said.starts_with(&format!("migration/{id} cancelled")), "{said}");
    assert_eq!(migration(&federation, "Cancelled").await.id, id);
    let bravo = federation.admin.workload("web").await.unwrap().placements[1].target;
    assert!(bravo > 0 && bravo < 6, "what had started stays, and nothing else: {bravo}");
    let settled = federation.settles("web", &[("alpha", 12 - bravo), ("bravo", bravo)]).await;
    assert_eq!(settled.ready, 12);
    let again = federation.godwit(&["resume", "migration", &id]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("cancelled"), "{again:?}");
}
