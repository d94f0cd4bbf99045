//! When every cluster vanishes at once, the fault is likelier at the hub's end: nothing moves until an operator decides, or
//! the clusters are back (S6).

use godwit_proto::v1;
use godwit_proto::v1::federation_service_client::FederationServiceClient;

use crate::harness::{Builder, Deployment, Federation, wait_for};

const SHARES: [(&str, u32); 3] = [("alpha", 10), ("bravo", 10), ("charlie", 10)];

/// The freeze lasts for as long as `window` after they are back.
async fn frozen(window: &str) -> Federation {
    let builder = Builder::new(&["alpha", "bravo", "charlie"]).hasty();
    let mut federation = builder.settings(&[("federation.mass_loss_window", window)]).start().await;
    federation.deploy(&Deployment::new("web", 30)).await;
    federation.settles("web", &SHARES).await;
    for (name, _) in SHARES {
        federation.cluster_mut(name).kill_agent(0);
    }
    federation.event("FailoverFrozen", "").await;
    let freeze = federation.admin.federation().await.unwrap().freeze.unwrap();
    assert_eq!(freeze.cause, "MassLoss");
    assert!(freeze.message.contains("godwit freeze confirm"), "the remedy is told: {freeze:?}");
    federation
}

#[tokio::test]
async fn nothing_moves_and_the_freeze_ends_by_itself() {
    let mut federation = frozen("3s").await;
    for (name, _) in SHARES {
        federation.cluster_mut(name).start_agent(0);
    }
    wait_for("the freeze to end", async || {
        let federation = federation.admin.federation().await.map_err(|error| error.to_string())?;
        federation.freeze.map_or(Ok(()), |freeze| Err(format!("{freeze:?}")))
    })
    .await;
    federation.settles("web", &SHARES).await;
    assert_eq!(federation.admin.migrations().await.unwrap(), []);
}

#[tokio::test]
async fn a_confirmed_loss_moves_what_can_be_moved() {
    let mut federation = frozen("10m").await;
    federation.cluster_mut("alpha").start_agent(0);
    federation.cluster_is("alpha", "Ready").await;
    let hub = FederationServiceClient::new(federation.admin.dial().await.unwrap());
    hub.clone().confirm_freeze(v1::ConfirmFreezeRequest {}).await.unwrap();
    federation.settles("web", &[("alpha", 30)]).await;
}
