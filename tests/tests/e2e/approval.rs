//! An operator is asked before a cluster joins (S23).

use serde_json::Value;

use crate::harness::{Builder, Federation, wait_for};

const ASKS: &[(&str, &str)] = &[("enrolment.approval", "operator")];

#[tokio::test]
async fn a_cluster_joins_when_an_operator_lets_it_in_and_not_before() {
    let mut federation = Builder::new(&[]).enrolling().settings(ASKS).start().await;
    for name in ["alpha", "bravo"] {
        federation.add(name).await;
        waits(&federation, name).await;
    }
    // Over a restart of the hub, too; and who decides can see whom it is about.
    federation.stop_hub().await;
    federation.restart_hub().await;
    let shown = federation.must(&["get", "enrolments", "-o", "json"]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let alpha = shown["items"].as_array().unwrap().iter().find(|item| item["cluster"] == "alpha").unwrap();
    assert_eq!(alpha["clusterUid"], federation.cluster("alpha").uid().await);
    assert_eq!(alpha["tokenCreatedBy"], "ops");
    let key = alpha["key"].as_str().unwrap();
    wait_for("its agent to say the same key", async || {
        let output = federation.cluster("alpha").agent(0).output();
        Some(()).filter(|()| output.contains(key)).ok_or(output)
    })
    .await;
    assert!(federation.admin.clusters().await.unwrap().is_empty());

    assert_eq!(federation.must(&["approve", "cluster", "alpha"]).await, "cluster/alpha approved\n");
    federation.cluster_is("alpha", "Ready").await;
    let approved = federation.event("EnrolmentApproved", "alpha").await;
    assert!(approved.message.contains("by ops"), "{approved:?}");

    assert_eq!(federation.must(&["deny", "cluster", "bravo"]).await, "cluster/bravo denied\n");
    wait_for("the agent to hear it", async || {
        let output = federation.cluster("bravo").agent(0).output();
        Some(()).filter(|()| output.contains("ops has denied")).ok_or(output)
    })
    .await;
    assert_eq!(federation.admin.clusters().await.unwrap().len(), 1);
    let again = federation.godwit(&["approve", "cluster", "bravo"]).await;
    assert!(String::from_utf8_lossy(&again.stderr).contains("nobody waits to join as bravo"), "{again:?}");
    // With another token, and another answer.
    federation.token("bravo", false).await;
    waits(&federation, "bravo").await;
    federation.must(&["approve", "cluster", "bravo"]).await;
    federation.cluster_is("bravo", "Ready").await;

    // Who decided what is in the audit log; how often an agent asked is not.
    let lines = std::fs::read_to_string(federation.dir().join("store/audit.jsonl")).unwrap();
    let calls = |call: &str| lines.lines().filter(|line| line.contains(call)).count();
    assert_eq!(calls("AccessService/ApproveEnrolment"), 3, "{lines}");
    assert_eq!(calls("AccessService/DenyEnrolment"), 1, "{lines}");
}

async fn waits(federation: &Federation, name: &str) {
    wait_for(&format!("{name} to wait"), async || {
        let shown = federation.must(&["get", "enrolments"]).await;
        Some(()).filter(|()| shown.contains(name)).ok_or(shown)
    })
    .await;
    wait_for(&format!("the agent of {name} to wait"), async || {
        let output = federation.cluster(name).agent(0).output();
        Some(()).filter(|()| output.contains("an operator has to let this cluster join")).ok_or(output)
    })
    .await;
}
