//! Pods as people want to see them, and what they write: read when somebody asks, and of managed workloads only.

use std::collections::BTreeMap;
use std::pin::Pin;

use futures_util::{AsyncRead, AsyncReadExt, FutureExt};
use godwit_agent_core::{Kind, labels};
use godwit_common::selector::LabelSelector;
use godwit_common::{WorkloadId, WorkloadKind};
use godwit_proto::v1;
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{ListParams, LogParams};

use super::{CALL_LIMIT, Cluster, PAGE, chain, error, sight};

/// The most pods of a workload that are told, and the most pages of its namespace that are looked through.
const PODS_MAX: usize = 500;
const PAGES_MAX: usize = 20;
/// The most containers of a pod, and events about it, that are told.
const CONTAINERS_MAX: usize = 16;
const EVENTS_MAX: usize = 10;
/// The longest text of an event, in characters.
const TEXT_MAX: usize = 300;
/// The most of a log that is one part.
const CHUNK: usize = 16 * 1024;

/// Why nothing is told, or no more.
#[derive(Debug)]
pub(crate) enum Untold {
    /// There is no such thing, or it is none of Godwit's.
    NoSuch(String),
    /// The API server did not say it.
    Failed(String),
}

/// Which log is wanted.
pub(crate) struct LogWanted {
    pub(crate) pod: String,
    pub(crate) container: String,
    pub(crate) tail_lines: Option<u32>,
    pub(crate) follow: bool,
}

/// Which pods are a workload's: those with such labels, or else those that it controls.
struct OwnPods(Option<LabelSelector>);

impl OwnPods {
    fn has(&self, workload: &WorkloadId, pod: &Pod) -> bool {
        let label = |key: &str| pod.metadata.labels.as_ref()?.get(key).map(String::as_str);
        match &self.0 {
            Some(selector) => selector.matches(label),
            None => sight::owner(&pod.metadata).as_ref() == Some(workload),
        }
    }
}

/// A log that is being read.
pub(crate) struct Log {
    source: Pin<Box<dyn AsyncRead + Send>>,
}

impl Cluster {
    /// The pods of a managed workload, by name.
    pub(crate) async fn pods_of(&self, workload: &WorkloadId, events: bool) -> Result<Vec<v1::Pod>, Untold> {
        let looked = async {
            let own = self.require_managed(workload).await?;
            let mut pods = self.list_pods(workload, &own).await?;
            if events {
                let mut told = self.events_of_pods(&workload.namespace).await?;
                for pod in &mut pods {
                    pod.events = told.remove(&pod.name).unwrap_or_default();
                }
            }
            Ok(pods)
        };
        within_limit(looked).await
    }

    /// The log of a container of one of its pods, from the first line that is wanted.
    pub(crate) async fn log_of(&self, workload: &WorkloadId, wanted: LogWanted) -> Result<Log, Untold> {
        let LogWanted { pod, container, tail_lines, follow } = wanted;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &workload.namespace);
        let opened = async {
            let own = self.require_managed(workload).await?;
            let found = pods.get_opt(&pod).await.map_err(failed)?;
            if !found.is_some_and(|found| own.has(workload, &found)) {
                return Err(Untold::NoSuch(format!("{workload} has no pod {pod}")));
            }
            let params = LogParams {
                container: Some(container).filter(|name| !name.is_empty()),
                tail_lines: tail_lines.map(i64::from),
                follow,
                ..LogParams::default()
            };
            let source = pods.log_stream(&pod, &params).await.map_err(failed)?;
            Ok(Log { source: Box::pin(source) })
        };
        within_limit(opened).await
    }

    /// Nothing is told of what others run in the cluster.
    async fn require_managed(&self, workload: &WorkloadId) -> Result<OwnPods, Untold> {
        let no_such = || Untold::NoSuch(format!("there is no {workload} of Godwit's in this cluster"));
        // Of a custom kind only the agent that leads knows more than the name: by what it was told to run.
        let kind = WorkloadKind::of_name(&workload.kind).map(Kind::of_workload);
        let kind = kind.or_else(|| self.discovery.of_name(&workload.kind)).ok_or_else(no_such)?;
        let found = self.discovery.find(&kind).await;
        let found = found.map_err(|error| Untold::Failed(format!("{error:?}")))?;
        let api: Api<kube::api::DynamicObject> =
            Api::namespaced_with(self.client.clone(), &workload.namespace, &found.resource);
        let object = match api.get(&workload.name).await {
            Ok(object) => object,
            Err(error) if error::is_object_missing(&error) => return Err(no_such()),
            Err(error) => return Err(failed(error)),
        };
        let label = |name: &str| object.metadata.labels.as_ref()?.get(name).map(String::as_str);
        let scaled = label(labels::MODE) == Some(labels::SCALE_ONLY);
        if label(labels::MANAGED) != Some(labels::TRUE) && !scaled {
            return Err(no_such());
        }
        let scale = self.discovery.known_scale(&kind);
        let selector = scale.and_then(|scale| scale.selector(&object.data));
        Ok(OwnPods(selector.filter(|selector| !selector.is_empty())))
    }

    async fn list_pods(&self, workload: &WorkloadId, own: &OwnPods) -> Result<Vec<v1::Pod>, Untold> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &workload.namespace);
        let mut params = ListParams::default().limit(PAGE);
        let mut pods = Vec::new();
        for _ in 0..PAGES_MAX {
            let page = api.list(&params).await.map_err(failed)?;
            let ours = page.items.iter().filter(|pod| own.has(workload, pod));
            pods.extend(ours.map(shown));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) if pods.len() < PODS_MAX => params = params.continue_token(&token),
                Some(_) | None => break,
            }
        }
        pods.truncate(PODS_MAX);
        Ok(pods)
    }

    /// The newest events about pods of a namespace, by the pods' names. A right that is missing only means that none are told.
    async fn events_of_pods(&self, namespace: &str) -> Result<BTreeMap<String, Vec<v1::PodEvent>>, Untold> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let params = ListParams::default().fields("involvedObject.kind=Pod").limit(PAGE);
        let found = match api.list(&params).await {
            Ok(found) => found.items,
            Err(kube::Error::Api(status)) if status.code == 403 => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let mut told = BTreeMap::<String, Vec<v1::PodEvent>>::new();
        for event in found {
            let Some(pod) = event.involved_object.name.clone() else { continue };
            told.entry(pod).or_default().push(shown_event(&event));
        }
        for events in told.values_mut() {
            events.sort_by_key(|event| event.time.as_ref().map(|time| (time.seconds, time.nanos)));
            events.drain(..events.len().saturating_sub(EVENTS_MAX));
        }
        Ok(told)
    }
}

impl Log {
    /// What there is of it, up to the size of a part; none at its end. It waits for the first byte only.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Untold> {
        let broken = |error: std::io::Error| Untold::Failed(format!("the log broke off: {error}"));
        let mut chunk = vec![0; CHUNK];
        let mut filled = self.source.read(&mut chunk).await.map_err(broken)?;
        if filled == 0 {
            return Ok(None);
        }
        while filled < CHUNK {
            match self.source.read(&mut chunk[filled..]).now_or_never() {
                Some(Ok(more)) if more > 0 => filled += more,
                // What is wrong, or that it is over, shows at the next look.
                Some(Ok(_) | Err(_)) | None => break,
            }
        }
        chunk.truncate(filled);
        Ok(Some(chunk))
    }
}

pub(super) async fn within_limit<T>(looked: impl Future<Output = Result<T, Untold>>) -> Result<T, Untold> {
    let late = |_| Untold::Failed(format!("the API server did not answer within {CALL_LIMIT:?}"));
    tokio::time::timeout(CALL_LIMIT, looked).await.map_err(late)?
}

pub(super) fn failed(error: kube::Error) -> Untold {
    match error {
        // A container that is not there, or has not started: the API server says it best.
        kube::Error::Api(status) if matches!(status.code, 400 | 404) => {
            Untold::NoSuch(status.message.clone())
        }
        kube::Error::Api(status) => Untold::Failed(status.message.clone()),
        other => Untold::Failed(chain(&other)),
    }
}

fn shown(pod: &Pod) -> v1::Pod {
    let metadata = &pod.metadata;
    let status = pod.status.clone().unwrap_or_default();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let conditions = status.conditions.iter().flatten();
    let is_ready = conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True");
    let terminating = metadata.deletion_timestamp.is_some();
    let containers: Vec<v1::PodContainer> =
        status.container_statuses.iter().flatten().take(CONTAINERS_MAX).map(shown_container).collect();
    let waiting = containers.iter().map(|one| &one.waiting).find(|reason| !reason.is_empty());
    let reason = status.reason.as_ref().or(waiting);
    v1::Pod {
        cluster: String::new(),
        namespace: text(&metadata.namespace),
        name: text(&metadata.name),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
        phase: text(&status.phase),
        ready: is_ready && !terminating,
        reason: reason.cloned().unwrap_or_default(),
        containers,
        created: metadata.creation_timestamp.as_ref().map(|time| moment(time.0)),
        terminating,
        events: Vec::new(),
    }
}

fn shown_container(status: &ContainerStatus) -> v1::PodContainer {
    let state = status.state.as_ref();
    let waiting = state.and_then(|state| state.waiting.as_ref()?.reason.clone());
    // One that has ended and is not started again has no earlier life to tell of.
    let ended = state.and_then(|state| state.terminated.as_ref());
    let ended = ended.or_else(|| status.last_state.as_ref()?.terminated.as_ref());
    v1::PodContainer {
        name: status.name.clone(),
        ready: status.ready,
        restarts: u32::try_from(status.restart_count).unwrap_or(0),
        waiting: waiting.unwrap_or_default(),
        last_termination: ended.map(|ended| ended.reason.clone().unwrap_or_default()).unwrap_or_default(),
        last_exit_code: ended.map_or(0, |ended| ended.exit_code),
    }
}

fn shown_event(event: &Event) -> v1::PodEvent {
    let clipped =
        |value: &Option<String>| value.iter().flat_map(|text| text.chars().take(TEXT_MAX)).collect();
    let series = event.series.as_ref();
    let newest = series.and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    let newest = newest.or(event.last_timestamp.as_ref().map(|time| time.0));
    let newest = newest.or(event.event_time.as_ref().map(|time| time.0));
    let count = series.and_then(|series| series.count).or(event.count).unwrap_or(1);
    v1::PodEvent {
        time: newest.or(event.metadata.creation_timestamp.as_ref().map(|time| time.0)).map(moment),
        r#type: clipped(&event.type_),
        reason: clipped(&event.reason),
        message: clipped(&event.message),
        count: u32::try_from(count).unwrap_or(1),
    }
}

fn moment(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}
