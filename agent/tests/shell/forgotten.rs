//! A watch whose place the API server has forgotten (410): what happened meanwhile shows only in a new listing.

use godwit_common::link::Up;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::servers::Way;
use crate::stage::{self, Stage, fence, whole};

/// So many changes the server remembers, of all kinds together.
const REMEMBERED: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_while_a_watch_lost_its_place_is_missed_and_made_again() {
    let stage = Stage::remembering(REMEMBERED).await;
    let kubeconfig = std::fs::read_to_string(stage.kubeconfig()).unwrap();
    let way = Way::to(&kubeconfig).await;
    let over = Stage::beside(&way.kubeconfig, "godwit-system").await;
    let _agent = over.agent("agent-1");
    over.hub.until_inventory().await;
    over.hub
        .send(whole(fence(1, 1), vec![stage::config_map(9, "hello")], vec![stage::deployment(1, 1, 2)]))
        .await;
    over.hub.until_up("both", |up| matches!(up, Up::Report(report) if report.reflects.0 == 1)).await;

    way.set_open(false);
    let away = |up: &Up| matches!(up, Up::ApiServer { unreachable: Some(_) });
    over.hub.until_up("the server to be away", away).await;
    let before = stage.deployments().get("web").await.unwrap().metadata.uid;
    stage.deployments().delete("web", &DeleteParams::background()).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(stage.client.clone(), "shop");
    let by = PatchParams { field_manager: Some("kubectl-edit".into()), ..PatchParams::default() };
    for number in 0..3 * REMEMBERED {
        let data = Patch::Merge(json!({"data": {"text": format!("bye {number}")}}));
        maps.patch("web", &by, &data).await.unwrap();
    }
    way.set_open(true);

    let again = stage.until_replicas(2).await;
    assert_ne!(again.metadata.uid, before, "it was made again");
    let look = || async {
        let map = maps.get("web").await.ok()?;
        (map.data?["text"] == "hello").then_some(())
    };
    stage.until("the text", look).await;
}
