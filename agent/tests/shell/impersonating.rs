//! Applications' objects are written in the name of a ServiceAccount of their namespace, and the member's own rights have the
//! last word on them.

use godwit_common::link::Status;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::servers::{Place, on_each_server};
use crate::stage::{fence, whole};

const ACCOUNT: &str = "godwit-deployer";

impl Place {
    async fn put<K>(&self, kind: (&str, &str), mut object: Value)
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        object["apiVersion"] = kind.0.into();
        object["kind"] = kind.1.into();
        object["metadata"] = json!({"name": ACCOUNT});
        let api: Api<K> = Api::namespaced(self.stage.client.clone(), &self.namespace);
        let params = PatchParams::apply("godwit-tests").force();
        api.patch(ACCOUNT, &params, &Patch::Apply(&object)).await.unwrap();
    }

    /// What applications may create there.
    async fn allow(&self, groups: &[&str], resources: &[&str]) {
        const RBAC: &str = "rbac.authorization.k8s.io/v1";
        let verbs = ["create", "patch", "delete"];
        let rules = json!([{"apiGroups": groups, "resources": resources, "verbs": verbs}]);
        self.put::<Role>((RBAC, "Role"), json!({"rules": rules})).await;
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT});
        let account = json!({"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.namespace});
        let binding = json!({"roleRef": role, "subjects": [account]});
        self.put::<RoleBinding>((RBAC, "RoleBinding"), binding).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_members_own_rights_have_the_last_word_on_what_applications_create() {
    on_each_server("impersonate", async |place| {
        let namespaces: Api<Namespace> = Api::all(place.stage.client.clone());
        let setting = format!("impersonate.service_account={ACCOUNT}");
        let _agent = place.stage.agent_with("agent-1", &[&setting]);
        place.stage.hub.until_inventory().await;
        let rows = || whole(fence(1, 1), vec![place.map("hello")], vec![place.web(1, 0)]);
        place.stage.hub.send(rows()).await;
        let says = |words: &'static str| move |seen: &Status| seen.problem.contains(words);
        let id = place.id("Deployment");
        let none = place.stage.hub.until_status(&id, says("has no ServiceAccount godwit-deployer")).await;
        assert!(none.problem.contains("make it") && !none.exists, "{none:?}");
        assert!(namespaces.get_opt(&place.namespace).await.unwrap().is_none(), "nor is its namespace made");

        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(place.namespace.clone());
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        place.put::<ServiceAccount>(("v1", "ServiceAccount"), json!({})).await;
        let denied = place.stage.hub.until_status(&id, says("bound to this ServiceAccount")).await;
        assert!(denied.problem.contains(&format!("system:serviceaccount:{}:{ACCOUNT}", place.namespace)));

        // What is allowed is written, and what is not is told with it.
        place.allow(&["apps"], &["deployments"]).await;
        place.until_web("web", |web| web.spec.replicas == Some(0)).await;
        let half = |seen: &Status| seen.exists && seen.problem.contains("ConfigMap");
        place.stage.hub.until_status(&id, half).await;
        place.allow(&["apps", ""], &["deployments", "configmaps"]).await;
        place.stage.hub.until_status(&id, |seen| seen.exists && seen.problem.is_empty()).await;
    })
    .await;
}
