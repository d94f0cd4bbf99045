//! Watches: lists in pages, then follows, and begins anew when the API server has forgotten where it was.

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use godwit_agent_core::{CallError, Change, Event, Kind, Scope, WatchId, labels};
use godwit_common::backoff::Backoff;
use godwit_common::link::Summons;
use godwit_common::rng::Rng;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DynamicObject, PartialObjectMeta};
use kube::core::ApiResource;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Resource};
use tokio::sync::mpsc;

use super::scale::ScalePaths;
use super::{Cluster, chain, records, sight};

/// Waits after a failure, at first and at most.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_CAP: Duration = Duration::from_secs(10);
/// The API server ends a watch after this time, and one that is then still open is dead: so a connection that broke
/// without a word is noticed in about a minute, instead of five by default.
const WATCH_SECONDS: u32 = 60;

impl Cluster {
    /// Watches until it is dropped, or nobody listens any more.
    pub(crate) async fn watch(self, watch: WatchId, scope: Scope, events: mpsc::Sender<Event>, rng: Rng) {
        let teller = Teller { watch, events, rng, backoff: Backoff::new(RETRY_FIRST, RETRY_CAP) };
        let everything = watcher::Config::default().timeout(WATCH_SECONDS);
        let managed = everything.clone().labels(&format!("{}={}", labels::MANAGED, labels::TRUE));
        match scope {
            Scope::Nodes => {
                let stream = watcher(Api::<Node>::all(self.client), everything);
                let name =
                    |node: &Node| Change::NodeGone(node.metadata.name.as_deref().unwrap_or_default().into());
                teller.follow(stream, |node| Change::Node(sight::node(node)), |node| name(&node)).await;
            }
            Scope::Summons => {
                let one = everything.fields(&format!("metadata.name={}", labels::SUMMONS));
                let stream = watcher(self.own::<ConfigMap>(), one);
                let seen = |map: ConfigMap| Change::Summoned(records::summons(&map));
                teller.follow(stream, seen, |_| Change::Summoned(Summons::default())).await;
            }
            Scope::Pods => {
                let stream = watcher(Api::<Pod>::all(self.client), everything);
                let gone = |pod: Pod| Change::PodGone {
                    namespace: pod.metadata.namespace.as_deref().unwrap_or_default().into(),
                    name: pod.metadata.name.as_deref().unwrap_or_default().into(),
                };
                teller.follow(stream, |pod| Change::Pod(sight::pod(&pod, Timestamp::now())), gone).await;
            }
            Scope::Workloads(kind) => self.workloads(teller, kind, managed).await,
            Scope::Scaled(kind) => {
                let scaled = everything.labels(&format!("{}={}", labels::MODE, labels::SCALE_ONLY));
                self.workloads(teller, kind, scaled).await;
            }
            Scope::Objects(kind) => {
                let Some((api, teller)) = self.api_of::<PartialObjectMeta>(&kind, teller).await else {
                    return;
                };
                let stream = watcher(api, managed);
                let seen = |metadata: &_| Change::Object(sight::object(&kind, metadata, None, None));
                let gone = |metadata: &_| Change::ObjectGone(sight::key(&kind, metadata));
                teller.follow(stream, |object| seen(&object.metadata), |object| gone(&object.metadata)).await;
            }
        }
    }

    /// Watches workloads of a kind, with their counts.
    async fn workloads(self, teller: Teller, kind: Kind, chosen: watcher::Config) {
        let Some((api, scale, teller)) = self.workloads_of(&kind, teller).await else { return };
        let seen = |object: DynamicObject| {
            Change::Object(sight::object(&kind, &object.metadata, Some(&object.data), scale.as_ref()))
        };
        let gone = |object: DynamicObject| Change::ObjectGone(sight::key(&kind, &object.metadata));
        teller.follow(watcher(api, chosen), seen, gone).await;
    }

    /// Finds out how the kind is served, for as long as it takes; `None` when nobody listens any more.
    async fn api_of<K>(&self, kind: &Kind, mut teller: Teller) -> Option<(Api<K>, Teller)>
    where
        K: Resource<DynamicType = ApiResource>,
    {
        loop {
            match self.discovery.find(kind).await {
                Ok(found) => return Some((Api::all_with(self.client.clone(), &found.resource), teller)),
                Err(error) => teller.refused(error).await?,
            }
        }
    }

    /// The same of a kind of workloads, with how they are scaled if it is a custom one.
    async fn workloads_of(
        &self,
        kind: &Kind,
        mut teller: Teller,
    ) -> Option<(Api<DynamicObject>, Option<ScalePaths>, Teller)> {
        let mut scale = None;
        while kind.is_custom() && scale.is_none() {
            match self.discovery.scale(kind).await {
                Ok(paths) => scale = Some(paths),
                Err(error) => teller.refused(error).await?,
            }
        }
        let (api, teller) = self.api_of(kind, teller).await?;
        Some((api, scale, teller))
    }
}

/// Carries what a watch says to the machine.
struct Teller {
    watch: WatchId,
    events: mpsc::Sender<Event>,
    rng: Rng,
    backoff: Backoff,
}

impl Teller {
    async fn follow<K>(
        mut self,
        stream: impl Stream<Item = watcher::Result<watcher::Event<K>>>,
        seen: impl Fn(K) -> Change,
        gone: impl Fn(K) -> Change,
    ) {
        let mut stream = std::pin::pin!(stream);
        while let Some(event) = stream.next().await {
            let change = match event {
                Ok(watcher::Event::Init) => Change::Restarted,
                Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => seen(object),
                Ok(watcher::Event::Delete(object)) => gone(object),
                Ok(watcher::Event::InitDone) => {
                    self.backoff.reset();
                    Change::Synced
                }
                Err(error) => match self.failed(&chain(&error), is_denied(&error)).await {
                    Some(()) => continue,
                    None => return,
                },
            };
            if self.tell(change).await.is_none() {
                return;
            }
        }
    }

    /// There is nothing to watch yet.
    async fn refused(&mut self, error: CallError) -> Option<()> {
        match error {
            CallError::Refused(reason) => self.failed(&reason, true).await,
            CallError::Unavailable(reason) => self.failed(&reason, false).await,
            other => self.failed(&format!("{other:?}"), false).await,
        }
    }

    /// Says so, and waits before the next attempt.
    async fn failed(&mut self, reason: &str, lasting: bool) -> Option<()> {
        tracing::debug!(watch = self.watch.0, reason, "watch interrupted");
        self.tell(Change::Failed { reason: reason.into(), lasting }).await?;
        let wait = self.backoff.next(&mut self.rng);
        tokio::time::sleep(wait).await;
        Some(())
    }

    async fn tell(&self, change: Change) -> Option<()> {
        let watch = self.watch;
        self.events.send(Event::Watched { watch, change }).await.ok()
    }
}

/// Whether the API server does not let anybody have it, or not this agent.
fn is_denied(error: &watcher::Error) -> bool {
    let status = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => status,
        watcher::Error::WatchError(status) => status,
        _ => return false,
    };
    matches!(status.code, 403..=405)
}
