//! A simulated cluster, a hub, and agents as processes.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use godwit_common::link::{ObjectTarget, Targets, WorkloadTarget, rows_digest};
use godwit_common::{ClusterName, Epoch, Fence, Generation, ObjectKey, Uid, WorkloadId};
use godwit_rt::tls::TlsFiles;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::hub::{FEDERATION, Hub};

const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Stage {
    pub(crate) hub: Hub,
    pub(crate) client: Client,
    tls: TlsFiles,
    kubeconfig: PathBuf,
    /// Where the agents' own objects are, if it is not the usual place.
    namespace: Option<String>,
    _folder: TempDir,
    _stop: DropGuard,
}

/// An agent's process; killed when dropped.
pub(crate) struct Agent(Child);

impl Stage {
    /// A simulated cluster, and nothing else in it.
    pub(crate) async fn new() -> Self {
        Self::remembering(kubesim::Config::default().watch_history).await
    }

    /// The same, with an API server that remembers so many changes for watches.
    pub(crate) async fn remembering(watch_history: usize) -> Self {
        let simulation = kubesim::Simulation::start(kubesim::Config {
            startup_delay: (Duration::from_millis(20), Duration::from_millis(60)),
            termination_delay: Duration::from_millis(50),
            seed: Some(7),
            watch_history,
            ..kubesim::Config::default()
        });
        let simulation = simulation.await.unwrap();
        let kubeconfig = simulation.kubeconfig().to_owned();
        let stop = CancellationToken::new();
        tokio::spawn(simulation.run(stop.clone().cancelled_owned()));
        Self::around(&kubeconfig, None, stop).await
    }

    /// A cluster that is there already, and the namespace for what the agents keep in it.
    pub(crate) async fn beside(kubeconfig: &str, namespace: &str) -> Self {
        Self::around(kubeconfig, Some(namespace.to_owned()), CancellationToken::new()).await
    }

    async fn around(kubeconfig_text: &str, namespace: Option<String>, stop: CancellationToken) -> Self {
        godwit_rt::tls::install_provider();
        let folder = tempfile::tempdir().unwrap();
        let cluster: ClusterName = "east".parse().unwrap();
        let names = ["127.0.0.1".to_owned()];
        let minted =
            godwit_certs::mint_development(folder.path(), std::slice::from_ref(&cluster), &names).unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, kubeconfig_text).unwrap();
        let text = Kubeconfig::from_yaml(kubeconfig_text).unwrap();
        let config = kube::Config::from_custom_kubeconfig(text, &KubeConfigOptions::default()).await.unwrap();
        Self {
            hub: Hub::start(minted.hub).await,
            client: Client::try_from(config).unwrap(),
            tls: minted.agents[&cluster].clone(),
            kubeconfig,
            namespace,
            _folder: folder,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) fn kubeconfig(&self) -> &std::path::Path {
        &self.kubeconfig
    }

    /// Starts an agent with short times.
    pub(crate) fn agent(&self, instance: &str) -> Agent {
        self.agent_with(instance, &[])
    }

    /// The same with further settings.
    pub(crate) fn agent_with(&self, instance: &str, settings: &[&str]) -> Agent {
        let mut command = Command::new(env!("CARGO_BIN_EXE_godwit-agent"));
        command.args(["--hub", &self.hub.address.to_string(), "--instance", instance, "--exit-with-stdin"]);
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        if let Some(namespace) = &self.namespace {
            command.args(["--namespace", namespace]);
        }
        command.arg("--tls-ca").arg(&self.tls.ca);
        command.arg("--tls-certificate").arg(&self.tls.certificate);
        command.arg("--tls-key").arg(&self.tls.key);
        let short = ["lease.duration=3s", "lease.renew=1s", "lease.resign_after=1s", "link.dial_cap=500ms"];
        for setting in short.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        // The pipe's other end is ours: an agent never outlives its test.
        Agent(command.stdin(Stdio::piped()).spawn().unwrap())
    }

    pub(crate) fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), "shop")
    }

    pub(crate) async fn holder(&self) -> Option<String> {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), "godwit-system");
        let lease = leases.get_opt("godwit-agent-leader").await.unwrap()?;
        lease.spec?.holder_identity
    }

    /// Waits until the cluster is as wanted.
    pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
        &self,
        what: &str,
        look: impl Fn() -> F,
    ) -> T {
        let wait = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, wait).await;
        found.unwrap_or_else(|_| panic!("it never came: {what}"))
    }

    pub(crate) async fn until_image(&self, image: &str) {
        let look = || async {
            let web = self.deployments().get_opt("web").await.unwrap()?;
            let containers = web.spec.template.spec?.containers;
            (containers[0].image.as_deref() == Some(image)).then_some(())
        };
        self.until(image, look).await
    }

    pub(crate) async fn until_replicas(&self, replicas: i32) -> Deployment {
        let look = || async {
            let web = self.deployments().get_opt("web").await.unwrap()?;
            (web.spec.replicas == Some(replicas)).then_some(web)
        };
        self.until(&format!("{replicas} replicas"), look).await
    }
}

impl Agent {
    /// Without a word, as by a power cut.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// As Kubernetes does.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        let pid = self.0.id().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(status.success());
        let wait = tokio::task::spawn_blocking(move || self.0.wait().unwrap());
        tokio::time::timeout(PATIENCE, wait).await.expect("it ends").unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn web() -> WorkloadId {
    WorkloadId::new("shop", "Deployment", "web").unwrap()
}

pub(crate) fn deployment(uid: u128, revision: u64, replicas: u32) -> WorkloadTarget {
    let manifest = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": format!("web:{revision}"),
                    "resources": {"requests": {"cpu": "500m", "memory": "64Mi"}}}]},
            },
        },
    });
    WorkloadTarget {
        uid: Uid(uid),
        workload: web(),
        api_version: "apps/v1".into(),
        revision,
        replicas,
        ordinals: 0,
        overrides: Default::default(),
        manifest: Some(manifest.to_string().into()),
        needs: Vec::new(),
        supervised: false,
        scale_only: false,
        charter: None,
        tolerates_drift: false,
        shown: false,
        adopts: None,
    }
}

pub(crate) fn config_map(uid: u128, text: &str) -> ObjectTarget {
    ObjectTarget {
        uid: Uid(uid),
        key: ObjectKey::new("v1", "ConfigMap", "shop", "web").unwrap(),
        revision: 1,
        manifest: Some(json!({"data": {"text": text}}).to_string().into()),
        tolerates_drift: false,
        bounds: Default::default(),
        adopts: None,
        overrides: Default::default(),
    }
}

pub(crate) fn fence(epoch: u64, generation: u64) -> Fence {
    Fence { federation: FEDERATION, epoch: Epoch(epoch), generation: Generation(generation) }
}

/// A whole state.
pub(crate) fn whole(fence: Fence, objects: Vec<ObjectTarget>, workloads: Vec<WorkloadTarget>) -> Targets {
    Targets {
        fence,
        base: Generation(0),
        digest: rows_digest(&objects, &workloads),
        objects,
        workloads,
        tombstones: Vec::new(),
    }
}
