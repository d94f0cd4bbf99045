//! Whether the cluster has what a workload needs.

use godwit_agent_core::{CallError, Kind, NeedSeen, labels};
use godwit_common::{Need, ObjectKey};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, Client, Error};

use super::discovery::Found;
use super::scale::Scaling;
use super::{Cluster, error};

impl Cluster {
    /// Looks for a kind, or an object.
    pub(super) async fn check(&self, need: &Need) -> Result<NeedSeen, CallError> {
        let looked = match need {
            Need::Kind { api_version, kind } => {
                let kind = Kind { api_version: api_version.clone(), kind: kind.clone() };
                // What is known does not count: the kind may have been removed since.
                self.discovery.ask(&kind).await.map(|found| found.is_some())
            }
            Need::Scalable { api_version, kind } => {
                let kind = Kind { api_version: api_version.clone(), kind: kind.clone() };
                self.is_scalable(&kind).await
            }
            Need::Object(key) => self.find(key).await.map(|found| found.is_some()),
            Need::Given(key) => self.find(key).await.map(|found| found.is_some_and(|found| is_given(&found))),
        };
        match looked {
            Ok(true) => Ok(NeedSeen::Met),
            Ok(false) => Ok(NeedSeen::Missing),
            Err(error) => without_answer(error),
        }
    }

    async fn is_scalable(&self, kind: &Kind) -> Result<bool, Error> {
        let Some(found) = self.discovery.ask(kind).await? else { return Ok(false) };
        let scaling = self.discovery.ask_scale(kind, &found).await?;
        Ok(found.namespaced && matches!(scaling, Scaling::By(_)))
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, Error> {
        let kind = Kind::of(key);
        let found = match self.discovery.known(&kind) {
            Some(found) => Some(found),
            None => self.discovery.ask(&kind).await?,
        };
        let Some(api) = found.and_then(|found| api_for(self.client.clone(), &found, key)) else {
            return Ok(None);
        };
        match api.get_metadata(&key.name).await {
            Ok(found) => Ok(Some(found.metadata)),
            Err(error) if is_not_found(&error) => {
                if !error::is_object_missing(&error) {
                    // Its kind may be served elsewhere now.
                    self.discovery.forget(&kind);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether whoever makes an object leaves its count to Godwit.
fn is_given(found: &ObjectMeta) -> bool {
    let mode = found.labels.as_ref().and_then(|labels| labels.get(labels::MODE));
    mode.is_some_and(|mode| mode == labels::SCALE_ONLY)
}

/// `None` for a key whose scope is not that of its kind: there can be no such object.
fn api_for(client: Client, found: &Found, key: &ObjectKey) -> Option<Api<DynamicObject>> {
    let resource: &ApiResource = &found.resource;
    match (found.namespaced, &*key.namespace) {
        (true, "") => None,
        (true, namespace) => Some(Api::namespaced_with(client, namespace, resource)),
        (false, "") => Some(Api::all_with(client, resource)),
        (false, _) => None,
    }
}

/// Forbidden to look at, or of a kind that nobody can get: that will not change by asking again.
fn without_answer(error: Error) -> Result<NeedSeen, CallError> {
    match error {
        Error::Api(status) if matches!(status.code, 403 | 405) => {
            Ok(NeedSeen::Unreadable(status.message.as_str().into()))
        }
        other => Err(error::sort(other)),
    }
}

fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 404)
}

#[cfg(test)]
mod tests {
    use godwit_agent_core::{Call, Reply};
    use kube::api::{DeleteParams, PostParams};
    use kube::core::{GroupVersionKind, Status};
    use serde_json::{Value, json};
    use tokio_util::sync::{CancellationToken, DropGuard};

    use super::*;
    use crate::config::{self, Sources};

    /// A simulated cluster; it ends when dropped.
    struct Stage {
        cluster: Cluster,
        _folder: tempfile::TempDir,
        _stop: DropGuard,
    }

    impl Stage {
        async fn new() -> Self {
            godwit_rt::tls::install_provider();
            let simulation = kubesim::Simulation::start(kubesim::Config::default()).await.unwrap();
            let folder = tempfile::tempdir().unwrap();
            let kubeconfig = folder.path().join("kubeconfig");
            std::fs::write(&kubeconfig, simulation.kubeconfig()).unwrap();
            let stop = CancellationToken::new();
            tokio::spawn(simulation.run(stop.clone().cancelled_owned()));
            let flags = [
                ("hubs", "hub:8443"),
                ("tls.ca", "ca.pem"),
                ("tls.certificate", "agent.pem"),
                ("tls.key", "agent.key"),
                ("kubeconfig", kubeconfig.to_str().unwrap()),
            ];
            let flag =
                |(key, value): (&str, &str)| (key.to_owned(), value.to_owned(), format!("--set {key}"));
            let sources = Sources { flags: flags.map(flag).into(), ..Sources::default() };
            let (settings, _) = config::load(&sources).unwrap();
            let cluster = Cluster::open(&settings, None).await.unwrap();
            Self { cluster, _folder: folder, _stop: stop.drop_guard() }
        }

        async fn check(&self, need: &Need) -> NeedSeen {
            match self.cluster.perform(Call::CheckNeed { need: need.clone() }).await {
                Ok(Reply::Need(seen)) => seen,
                other => panic!("{other:?}"),
            }
        }

        /// Kinds appear and go a moment after their definitions.
        async fn until(&self, need: &Need, wanted: NeedSeen) {
            let wait = async {
                while self.check(need).await != wanted {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            };
            let wait = tokio::time::timeout(std::time::Duration::from_secs(20), wait).await;
            wait.unwrap_or_else(|_| panic!("{need} never became {wanted:?}"));
        }

        fn api(&self, key: &ObjectKey, plural: &str) -> Api<DynamicObject> {
            let version = key.api_version.rsplit_once('/').unwrap_or(("", &key.api_version));
            let kind = GroupVersionKind::gvk(version.0, version.1, &key.kind);
            let resource = ApiResource::from_gvk_with_plural(&kind, plural);
            match &*key.namespace {
                "" => Api::all_with(self.cluster.client.clone(), &resource),
                namespace => Api::namespaced_with(self.cluster.client.clone(), namespace, &resource),
            }
        }

        async fn create(&self, key: &ObjectKey, plural: &str, mut body: Value) {
            body["apiVersion"] = json!(&*key.api_version);
            body["kind"] = json!(&*key.kind);
            body["metadata"] = json!({"name": &*key.name});
            let object = serde_json::from_value(body).unwrap();
            self.api(key, plural).create(&PostParams::default(), &object).await.unwrap();
        }

        async fn delete(&self, key: &ObjectKey, plural: &str) {
            self.api(key, plural).delete(&key.name, &DeleteParams::default()).await.unwrap();
        }
    }

    fn key(api_version: &str, kind: &str, namespace: &str, name: &str) -> ObjectKey {
        ObjectKey::new(api_version, kind, namespace, name).unwrap()
    }

    #[tokio::test]
    async fn every_object_that_pods_name_is_found_when_it_is_there() {
        let stage = Stage::new().await;
        let cases = [
            (key("v1", "Secret", "default", "pull"), "secrets", json!({})),
            (key("v1", "ServiceAccount", "default", "runner"), "serviceaccounts", json!({})),
            (
                key("storage.k8s.io/v1", "StorageClass", "", "fast"),
                "storageclasses",
                json!({"provisioner": "x"}),
            ),
            (
                key("scheduling.k8s.io/v1", "PriorityClass", "", "high"),
                "priorityclasses",
                json!({"value": 9}),
            ),
            (key("node.k8s.io/v1", "RuntimeClass", "", "sandbox"), "runtimeclasses", json!({"handler": "x"})),
            (key("networking.k8s.io/v1", "IngressClass", "", "edge"), "ingressclasses", json!({"spec": {}})),
        ];
        for (key, plural, body) in cases {
            let need = Need::Object(key.clone());
            assert_eq!(stage.check(&need).await, NeedSeen::Missing, "{need}");
            stage.create(&key, plural, body).await;
            assert_eq!(stage.check(&need).await, NeedSeen::Met, "{need}");
            stage.delete(&key, plural).await;
            stage.until(&need, NeedSeen::Missing).await;
        }
        let wrong =
            [key("v1", "Secret", "", "pull"), key("storage.k8s.io/v1", "StorageClass", "default", "fast")];
        for key in wrong {
            assert_eq!(stage.check(&Need::Object(key)).await, NeedSeen::Missing);
        }
    }

    #[tokio::test]
    async fn a_kind_is_found_once_it_is_installed_and_missed_once_it_is_removed() {
        let stage = Stage::new().await;
        let kind = |kind: &str| Need::Kind { api_version: "example.com/v1".into(), kind: kind.into() };
        let widget = key("example.com/v1", "Widget", "default", "w");
        let object = Need::Object(widget.clone());
        assert_eq!(stage.check(&kind("Widget")).await, NeedSeen::Missing);
        assert_eq!(stage.check(&object).await, NeedSeen::Missing, "of an unknown kind there are no objects");
        let definition =
            key("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "widgets.example.com");
        let body = json!({"spec": {
            "group": "example.com",
            "names": {"kind": "Widget", "plural": "widgets"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}],
        }});
        stage.create(&definition, "customresourcedefinitions", body).await;
        stage.until(&kind("Widget"), NeedSeen::Met).await;
        assert_eq!(stage.check(&kind("Gadget")).await, NeedSeen::Missing, "the group alone is not enough");
        stage.create(&widget, "widgets", json!({})).await;
        assert_eq!(stage.check(&object).await, NeedSeen::Met);
        stage.delete(&definition, "customresourcedefinitions").await;
        // The object first: how its kind is served is still known, and that must not hide that it is gone.
        stage.until(&object, NeedSeen::Missing).await;
        stage.until(&kind("Widget"), NeedSeen::Missing).await;
        let built_in = Need::Kind { api_version: "apps/v1".into(), kind: "Deployment".into() };
        assert_eq!(stage.check(&built_in).await, NeedSeen::Met);
        let absurd = Need::Kind { api_version: "a/b/c".into(), kind: "Widget".into() };
        assert_eq!(stage.check(&absurd).await, NeedSeen::Missing);
    }

    #[tokio::test]
    async fn a_kind_is_scalable_if_its_definition_says_so() {
        let stage = Stage::new().await;
        let need = Need::Scalable { api_version: "example.com/v1".into(), kind: "Fleet".into() };
        assert_eq!(stage.check(&need).await, NeedSeen::Missing);
        let definition = key("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "fleets.example.com");
        let body = |subresources: Value| {
            json!({"spec": {
                "group": "example.com",
                "names": {"kind": "Fleet", "plural": "fleets"},
                "scope": "Namespaced",
                "versions": [{"name": "v1", "served": true, "storage": true, "subresources": subresources,
                    "schema": {"openAPIV3Schema": {"type": "object"}}}],
            }})
        };
        stage.create(&definition, "customresourcedefinitions", body(json!({"status": {}}))).await;
        let kind = Need::Kind { api_version: "example.com/v1".into(), kind: "Fleet".into() };
        stage.until(&kind, NeedSeen::Met).await;
        assert_eq!(stage.check(&need).await, NeedSeen::Missing, "it has no scale");
        stage.delete(&definition, "customresourcedefinitions").await;
        stage.until(&kind, NeedSeen::Missing).await;
        let scale = json!({"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"});
        stage.create(&definition, "customresourcedefinitions", body(json!({ "scale": scale }))).await;
        stage.until(&need, NeedSeen::Met).await;
        let built_in = Need::Scalable { api_version: "v1".into(), kind: "Pod".into() };
        assert_eq!(stage.check(&built_in).await, NeedSeen::Missing);
    }

    #[test]
    fn what_is_forbidden_is_an_answer_and_what_passes_is_none() {
        let answer = |code| without_answer(Error::Api(Status::failure("why", "").with_code(code).boxed()));
        for code in [403, 405] {
            assert_eq!(answer(code), Ok(NeedSeen::Unreadable("why".into())));
        }
        for code in [401, 429, 500, 503] {
            assert_eq!(answer(code), Err(CallError::Unavailable("why".into())));
        }
    }
}
