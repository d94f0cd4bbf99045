//! Several agents of a cluster have one voice, and any of them may die (S24).

use crate::harness::{Builder, Deployment, Federation, wait_for};

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

/// Three of five keep a stream. Those that stand by would ask again after ten minutes: that they come is because they are
/// called.
#[tokio::test]
async fn agents_that_stand_by_are_called_when_witnesses_are_lost() {
    let builder = Builder::new(&["alpha", "bravo"]).settings(&[("federation.standby_retry", "600s")]);
    let builder = builder.each(|spec| spec.agents = if spec.name == "alpha" { 5 } else { 1 });
    let mut federation = builder.start().await;
    federation.deploy(&Deployment::new("web", 10)).await;
    federation.settles("web", &[("alpha", 5), ("bravo", 5)]).await;
    let log = |federation: &Federation, number: usize| federation.cluster("alpha").agent(number).output();
    wait_for("all five to have a stream or to stand by", async || {
        let logs: Vec<String> = (0..5).map(|number| log(&federation, number)).collect();
        let count = |words: &str| logs.iter().filter(|log| log.contains(words)).count();
        let counts = (count("connected to"), count("standing by"));
        if counts == (3, 2) { Ok(()) } else { Err(format!("{counts:?}")) }
    })
    .await;

    // Three are left, and each of them is wanted.
    federation.cluster_mut("alpha").kill_agent(0);
    federation.cluster_mut("alpha").kill_agent(1);
    wait_for("the other three to have a stream", async || {
        let connected = |number: &usize| log(&federation, *number).contains("connected to");
        let without: Vec<usize> = (2..5).filter(|number| !connected(number)).collect();
        if without.is_empty() { Ok(()) } else { Err(format!("without: {without:?}")) }
    })
    .await;
    federation.cluster_mut("alpha").start_agent(0);
    federation.cluster_mut("alpha").start_agent(1);

    // All of them are replaced, one after the other.
    for number in 0..5 {
        federation.cluster_mut("alpha").kill_agent(number);
        wait_for("three to have a stream, and one to lead", async || {
            let alpha = federation.admin.cluster("alpha").await.map_err(|error| error.to_string())?;
            let gone = alpha.leader == format!("agent-alpha-{number}") || alpha.leader.is_empty();
            if alpha.agents == 3 && !gone { Ok(()) } else { Err(format!("{alpha:?}")) }
        })
        .await;
        federation.cluster_mut("alpha").start_agent(number);
    }
    let events = federation.admin.events().await.unwrap();
    assert_eq!(events.iter().find(|event| event.reason == "ClusterSuspect"), None);
    assert_eq!(federation.admin.migrations().await.unwrap(), []);
    federation.settles("web", &[("alpha", 5), ("bravo", 5)]).await;
}
