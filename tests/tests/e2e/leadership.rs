//! Several agents of a cluster have one voice, and any of them may die (S24).

use crate::harness::{Builder, Deployment, wait_for};

#[tokio::test]
async fn another_agent_leads_and_the_cluster_is_never_suspect() {
    let mut federation = Builder::new(&["alpha", "bravo"]).each(|spec| spec.agents = 2).start().await;
    let leader = wait_for("both agents of alpha to be there", async || {
        let alpha = federation.admin.cluster("alpha").await.map_err(|error| error.to_string())?;
        if alpha.agents == 2 && !alpha.leader.is_empty() {
            Ok(alpha.leader)
        } else {
            Err(format!("{alpha:?}"))
        }
    })
    .await;
    federation.deploy(&Deployment::new("web", 10)).await;
    federation.settles("web", &[("alpha", 5), ("bravo", 5)]).await;

    let number = if leader == "agent-alpha-0" { 0 } else { 1 };
    federation.cluster_mut("alpha").kill_agent(number);
    wait_for("the other agent to lead", async || {
        let alpha = federation.admin.cluster("alpha").await.map_err(|error| error.to_string())?;
        let other = !alpha.leader.is_empty() && alpha.leader != leader && alpha.agents == 1;
        if other { Ok(()) } else { Err(format!("{alpha:?}")) }
    })
    .await;

    federation.admin.scale("web", 20).await.unwrap();
    federation.settles("web", &[("alpha", 10), ("bravo", 10)]).await;
    let events = federation.admin.events().await.unwrap();
    let doubted = events.iter().find(|event| event.reason == "ClusterSuspect");
    assert_eq!(doubted, None);
}
