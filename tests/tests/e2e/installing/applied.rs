//! A cluster takes what is rendered, and runs it: kubesim knows all kinds of it, and checks pods as an API server does.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;
use tempfile::TempDir;

use super::helm;
use super::manifests::{KUSTOMIZATIONS, kustomized};
use crate::harness::{Process, is_ready, program, wait_for};

/// How many nodes it has.
const NODES: usize = 3;

/// A cluster without agents.
pub(super) struct Member {
    // It ends before its folder goes.
    _kubesim: Process,
    client: kube::Client,
    folder: TempDir,
}

impl Member {
    pub(super) async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("godwit-member-").tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        let command = program(
            "kubesim",
            [
                format!("--nodes={NODES}"),
                "--startup-delay-ms=20..60".to_owned(),
                format!("--kubeconfig-out={}", kubeconfig.display()),
                "--exit-with-stdin".to_owned(),
            ],
        );
        let mut kubesim = Process::start("kubesim", folder.path(), command);
        kubesim.line_after(" ready ").await;
        let options = KubeConfigOptions::default();
        let config =
            kube::Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig).unwrap(), &options);
        let client = kube::Client::try_from(config.await.unwrap()).unwrap();
        Self { _kubesim: kubesim, client, folder }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn client(&self) -> &kube::Client {
        &self.client
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Applies all of it, in the order of the objects.
    pub(super) async fn apply(&self, objects: &[Value]) {
        for object in objects {
            let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
            let (group, version) = text("/apiVersion").rsplit_once('/').unwrap_or(("", text("/apiVersion")));
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("/kind")));
            let api: Api<DynamicObject> = match text("/metadata/namespace") {
                "" => Api::all_with(self.client.clone(), &resource),
                namespace => Api::namespaced_with(self.client.clone(), namespace, &resource),
            };
            let applied =
                api.patch(text("/metadata/name"), &PatchParams::apply("test"), &Patch::Apply(object)).await;
            applied.unwrap_or_else(|error| panic!("{object}: {error}"));
        }
    }

    /// Waits until so many pods with this name as their label are ready.
    async fn runs(&self, name: &str, count: usize) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), "godwit-system");
        let selected = ListParams::default().labels(&format!("app.kubernetes.io/name={name}"));
        wait_for(&format!("{count} pods of {name}"), async || {
            let pods = pods.list(&selected).await.map_err(|error| error.to_string())?;
            let ready = pods.items.iter().filter(|pod| is_ready(pod)).count();
            if ready == count { Ok(()) } else { Err(format!("{ready} of {} are ready", pods.items.len())) }
        })
        .await;
    }
}

#[tokio::test]
async fn a_cluster_runs_every_kustomization() {
    for path in KUSTOMIZATIONS {
        let member = Member::start().await;
        member.apply(&kustomized(path)).await;
        match path {
            "hub" => member.runs("godwit-hub", 1).await,
            "agent" => member.runs("godwit-agent", NODES).await,
            _ => member.runs("godwit-agent", 2).await,
        }
        // Applying it again is no conflict.
        member.apply(&kustomized(path)).await;
    }
}

#[tokio::test]
async fn a_cluster_runs_every_chart() {
    for (chart, values, count) in [("godwit-hub", "{}", 1), ("godwit-agent", "{}", NODES)] {
        let Some(objects) = helm::rendered(chart, values).await else {
            return;
        };
        let member = Member::start().await;
        let namespace = kustomized("hub").into_iter().filter(|object| object["kind"] == "Namespace");
        member.apply(&namespace.collect::<Vec<_>>()).await;
        member.apply(&objects).await;
        member.runs(chart, count).await;
    }
}
