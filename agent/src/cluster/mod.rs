//! The member cluster: does the calls and watches that the machine asks for, and decides nothing.

mod altered;
mod charter;
mod discovery;
mod error;
mod impersonate;
mod import;
mod issuer;
mod manifest;
mod needs;
mod pods;
mod records;
mod requests;
mod scale;
mod secret;
mod secrets;
mod sight;
mod take_over;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use godwit_agent_core::{Apply, Call, CallError, Identity, Kind, ObjectSeen, Reply, labels};
use godwit_common::ObjectKey;
use godwit_common::link::Region;
use godwit_manifest::supervisor::Supervisor;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::api::{
    DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use serde_json::json;

use crate::config::Settings;
use crate::gate::Gate;
use discovery::Discovery;
pub(crate) use error::chain;
use impersonate::Writer;
pub(crate) use impersonate::{Impersonated, Impersonation};
pub(crate) use pods::{LogWanted, Untold};
pub(crate) use secret::SecretData;

/// An election must not wait for a hanging call longer than its Lease stands.
const ELECTION_LIMIT: Duration = Duration::from_secs(5);
/// Everything else: less than the Lease of 15 s, so that nothing a deposed leader began ends in its successor's term.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// Connecting is quick or does not happen.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Pods of one page when they are counted.
const PAGE: u32 = 500;

/// A client of the member's API server.
#[derive(Clone)]
pub(crate) struct Cluster {
    client: Client,
    discovery: Arc<Discovery>,
    /// Where the Lease and the fence are.
    namespace: Arc<str>,
    /// The node that the agent runs on, if it is known.
    node: Option<Arc<str>>,
    /// How pods get supervisors, if they can (S9).
    supervisor: Option<Arc<Supervisor>>,
    /// Where this agent is asked what may run on a node.
    asked_at: Option<Arc<str>>,
    /// In whose name applications' objects are written; none: the agent's own.
    impersonation: Option<Arc<Impersonation>>,
}

impl Cluster {
    /// Reads the credentials; does not call yet.
    pub(crate) async fn open(settings: &Settings, gate: Option<&Gate>) -> anyhow::Result<Self> {
        let mut config = match &settings.kubeconfig {
            Some(path) => {
                let kubeconfig = Kubeconfig::read_from(path)
                    .with_context(|| format!("kubeconfig = {:?} cannot be used", path.display()))?;
                kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                    .await
                    .with_context(|| format!("kubeconfig = {:?} cannot be used", path.display()))?
            }
            None => kube::Config::incluster().context(
                "this process does not run in a pod: set kubeconfig to reach the cluster from outside",
            )?,
        };
        config.connect_timeout = Some(CONNECT_LIMIT);
        config.default_retry = false;
        let client = Client::try_from(config).context("the Kubernetes client cannot be set up")?;
        Ok(Self {
            discovery: Arc::new(Discovery::new(client.clone())),
            client,
            namespace: settings.namespace.as_str().into(),
            node: settings.node.as_deref().map(Arc::from),
            supervisor: gate.map(|gate| Arc::new(gate.supervisor())),
            asked_at: gate.map(|gate| gate.address().into()),
            impersonation: settings.impersonation.clone().map(Arc::new),
        })
    }

    /// Does one call, within a bounded time.
    pub(crate) async fn perform(&self, call: Call) -> Result<Reply, CallError> {
        let limit = match &call {
            Call::ReadLease | Call::WriteLease(_) => ELECTION_LIMIT,
            Call::ReadIdentity | Call::ReadFence | Call::WriteFence { .. } => CALL_LIMIT,
            Call::ReadSummons | Call::WriteSummons { .. } => CALL_LIMIT,
            Call::Read { .. } | Call::Apply(_) | Call::Delete { .. } => CALL_LIMIT,
            Call::CreateNamespace { .. } | Call::CheckNeed { .. } => CALL_LIMIT,
        };
        match tokio::time::timeout(limit, self.answer(call)).await {
            Ok(result) => result,
            Err(_) => Err(CallError::Unavailable(format!("no answer within {limit:?}").into())),
        }
    }

    async fn answer(&self, call: Call) -> Result<Reply, CallError> {
        match call {
            Call::ReadIdentity => self.identity().await.map(Reply::Identity),
            Call::ReadLease => self.read_lease().await.map(Reply::Lease),
            Call::WriteLease(write) => self.write_lease(&write).await.map(|lease| Reply::Lease(Some(lease))),
            Call::ReadFence => self.read_fence().await.map(Reply::Fence),
            Call::WriteFence { record, version } => {
                let written = self.write_fence(&record, version.as_deref()).await;
                written.map(|fence| Reply::Fence(Some(fence)))
            }
            Call::ReadSummons => self.read_summons().await.map(Reply::Summons),
            Call::WriteSummons { summons, version } => {
                let written = self.write_summons(&summons, version.as_deref()).await;
                written.map(|seen| Reply::Summons(Some(seen)))
            }
            Call::Read { key, pods } => self.read(&key, pods).await,
            Call::Apply(apply) => self.apply(apply).await.map(Reply::Applied),
            Call::Delete { key, uid, version, foreground } => {
                let policy = match foreground {
                    true => PropagationPolicy::Foreground,
                    false => PropagationPolicy::Background,
                };
                self.delete(&key, &uid, &version, policy).await
            }
            Call::CreateNamespace { name } => {
                if self.impersonation.as_ref().is_some_and(|how| how.applies_to(&name)) {
                    let problem = format!(
                        "namespace {name} is not there, and where objects are written in the name of a ServiceAccount of \
                         the namespace, nobody makes it by the way: make it, with the account"
                    );
                    return Err(CallError::Refused(problem.into()));
                }
                let label = Some((labels::MANAGED_NAMESPACE, labels::TRUE));
                self.create_namespace(&name, label).await.map(|()| Reply::NamespaceReady)
            }
            Call::CheckNeed { need } => self.check(&need).await.map(Reply::Need),
        }
    }

    async fn identity(&self) -> Result<Identity, CallError> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let system = namespaces.get("kube-system").await.map_err(error::sort)?;
        let cluster_uid = sight::uid(&system.metadata)
            .ok_or_else(|| CallError::Refused("the UID of the namespace kube-system is not a UUID".into()))?;
        let nodes: Api<Node> = Api::all(self.client.clone());
        let node = match &self.node {
            Some(name) => nodes.get_opt(name).await.map_err(error::sort)?,
            // Any node will do for what the whole cluster shares.
            None => {
                let page = nodes.list(&ListParams::default().limit(1)).await.map_err(error::sort)?;
                page.items.into_iter().next()
            }
        };
        let label = |name: &str| {
            let labels = node.as_ref().and_then(|node| node.metadata.labels.as_ref());
            labels.and_then(|labels| labels.get(name)).map_or("", String::as_str)
        };
        let id = node.as_ref().and_then(|node| node.spec.as_ref()?.provider_id.as_deref());
        let zone = if self.node.is_some() { label("topology.kubernetes.io/zone") } else { "" };
        Ok(Identity {
            cluster_uid,
            region: Region {
                provider: id.and_then(|id| id.split_once("://")).map_or("", |(provider, _)| provider).into(),
                region: label("topology.kubernetes.io/region").into(),
            },
            zone: zone.into(),
        })
    }

    async fn read(&self, key: &ObjectKey, pods: bool) -> Result<Reply, CallError> {
        let kind = Kind::of(key);
        let api = self.api(key).await?;
        let scale = self.discovery.known_scale(&kind);
        let mut manifest = None;
        let object = match api.get(&key.name).await {
            Ok(object) => {
                manifest = charter::manifest(&object.metadata)
                    .and_then(|kept| secrets::restored(&kind, kept, &object.data));
                let seen = sight::object(&kind, &object.metadata, Some(&object.data), scale.as_ref());
                let content = if seen.stamp.is_none() { import::content(&object) } else { 0 };
                Some(ObjectSeen { content, ..seen })
            }
            Err(error) if error::is_object_missing(&error) => None,
            Err(error) => match error::sort(error) {
                // Without its namespace it cannot exist either.
                CallError::NamespaceMissing => None,
                error => return Err(self.failed(&kind, error)),
            },
        };
        let pods = if pods { self.count_pods(key).await? } else { 0 };
        Ok(Reply::Object { object, pods, manifest })
    }

    /// Pods of the workload, by their metadata alone.
    async fn count_pods(&self, key: &ObjectKey) -> Result<u32, CallError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &key.namespace);
        let mut params = ListParams::default().limit(PAGE);
        let mut count = 0_u32;
        loop {
            let page = api.list_metadata(&params).await.map_err(error::sort)?;
            let owners = page.items.iter().filter_map(|pod| sight::owner(&pod.metadata));
            let ours = owners.filter(|owner| owner.kind == key.kind && owner.name == key.name);
            count = count.saturating_add(u32::try_from(ours.count()).unwrap_or(u32::MAX));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(count),
            }
        }
    }

    /// Writes the count of an object that is somebody else's, if it is still as it was seen (S33). What it has become the watch
    /// shows; here only its version counts.
    async fn scale(&self, apply: &Apply) -> Result<ObjectSeen, CallError> {
        let kind = Kind::of(&apply.key);
        let writer = self.writer(&apply.key)?;
        let api = self.api_as(&writer.client, &apply.key).await?;
        let count = json!({
            "metadata": {"resourceVersion": apply.version.as_deref()},
            "spec": {"replicas": apply.replicas},
        });
        let manager = Some(labels::FIELD_MANAGER.to_owned());
        let params = PatchParams { field_manager: manager, dry_run: apply.dry_run, ..PatchParams::default() };
        let scaled = match api.patch_scale(&apply.key.name, &params, &Patch::Merge(count)).await {
            Ok(scaled) => scaled,
            Err(error) => return Err(self.failed(&kind, writer.explained(error).await)),
        };
        let seen = sight::object(&kind, &scaled.metadata, None, None);
        Ok(ObjectSeen { replicas: apply.replicas, ..seen })
    }

    async fn apply(&self, mut apply: Apply) -> Result<ObjectSeen, CallError> {
        if apply.scale_only {
            return self.scale(&apply).await;
        }
        if apply.takes_over && !apply.dry_run && apply.version.is_some() {
            apply.version = self.take_over(&apply).await?;
        }
        let (kind, force, dry_run) = (Kind::of(&apply.key), apply.force, apply.dry_run);
        let writer = self.writer(&apply.key)?;
        let api = self.api_as(&writer.client, &apply.key).await?;
        let scale = match apply.replicas {
            Some(_) if kind.is_custom() => Some(self.discovery.scale(&kind).await?),
            Some(_) | None => None,
        };
        let name = apply.key.name.clone();
        let body = manifest::to_apply(apply, scale.as_ref(), self.supervisor.as_deref())
            .map_err(|problem| CallError::Refused(problem.into()))?;
        let params = PatchParams { force, dry_run, ..PatchParams::apply(labels::FIELD_MANAGER) };
        let applied = match api.patch(&name, &params, &Patch::Apply(&body)).await {
            Ok(applied) => applied,
            Err(error) => {
                let error = writer.explained(error).await;
                let error = if secrets::is_secret(&kind) { secrets::scrubbed(error, &body) } else { error };
                return Err(self.failed(&kind, error));
            }
        };
        Ok(sight::object(&kind, &applied.metadata, Some(&applied.data), scale.as_ref()))
    }

    async fn delete(
        &self,
        key: &ObjectKey,
        uid: &str,
        version: &str,
        policy: PropagationPolicy,
    ) -> Result<Reply, CallError> {
        let params = DeleteParams {
            propagation_policy: Some(policy),
            preconditions: Some(Preconditions {
                resource_version: Some(version.to_owned()),
                uid: Some(uid.to_owned()),
            }),
            ..DeleteParams::default()
        };
        let writer = self.writer(key)?;
        match self.api_as(&writer.client, key).await?.delete(&key.name, &params).await {
            Ok(_) => Ok(Reply::Deleted),
            Err(error) if error::is_object_missing(&error) => Ok(Reply::Deleted),
            Err(error) => Err(self.failed(&Kind::of(key), writer.explained(error).await)),
        }
    }

    async fn create_namespace(&self, name: &str, label: Option<(&str, &str)>) -> Result<(), CallError> {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.to_owned());
        namespace.metadata.labels = label.map(|(key, value)| [(key.to_owned(), value.to_owned())].into());
        let params =
            PostParams { field_manager: Some(labels::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        match namespaces.create(&params, &namespace).await.map_err(error::sort) {
            Ok(_) | Err(CallError::Outdated) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Who writes an application's object.
    fn writer(&self, key: &ObjectKey) -> Result<Writer, CallError> {
        Writer::of(&self.client, self.impersonation.as_deref(), key)
    }

    async fn api(&self, key: &ObjectKey) -> Result<Api<DynamicObject>, CallError> {
        self.api_as(&self.client, key).await
    }

    async fn api_as(&self, client: &Client, key: &ObjectKey) -> Result<Api<DynamicObject>, CallError> {
        let found = self.discovery.find(&Kind::of(key)).await?;
        let client = client.clone();
        match (found.namespaced, &*key.namespace) {
            (true, "") => Err(CallError::Refused(format!("{} needs a namespace", key.kind).into())),
            (true, namespace) => Ok(Api::namespaced_with(client, namespace, &found.resource)),
            (false, "") => Ok(Api::all_with(client, &found.resource)),
            (false, _) => {
                Err(CallError::Refused(format!("{} has no namespace in this cluster", key.kind).into()))
            }
        }
    }

    /// A kind may have been removed or moved since it was discovered: it is looked up again.
    fn failed(&self, kind: &Kind, error: CallError) -> CallError {
        if matches!(error, CallError::Refused(_)) {
            self.discovery.forget(kind);
        }
        error
    }
}
