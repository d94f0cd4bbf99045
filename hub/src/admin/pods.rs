//! `PodService`: what agents are asked on behalf of operators. It reads the view to know whom to ask, and changes nothing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use godwit_common::{ClusterName, WorkloadId};
use godwit_hub_core::WorkloadView;
use godwit_proto::v1;
use godwit_proto::v1::inquiry::About;
use godwit_proto::v1::inquiry_answer::Part;
use godwit_proto::v1::pod_service_server::PodService;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::watch::{STALL_MAX, role_changed};
use super::workloads::not_deployed;
use super::{Admin, fields};
use crate::driver::View;
use crate::guard::Caller;
use crate::inquiries::Asked;

/// How long a cluster may take to tell its pods.
const PODS_WAIT: Duration = Duration::from_secs(12);
/// How long it may take until a log begins, or one that is not followed goes on.
const LOG_WAIT: Duration = Duration::from_secs(30);
/// Clusters that are asked at the same time.
const CLUSTERS_AT_ONCE: usize = 16;
/// Pods of one cluster that are told; its agent tells fewer.
const PODS_MAX: usize = 1_000;
/// Parts of a log on their way to an operator's connection; more wait where they can be cut.
const OUTGOING_MAX: usize = 4;

#[tonic::async_trait]
impl PodService for Admin {
    type StreamLogStream = ReceiverStream<Result<v1::StreamLogResponse, Status>>;

    async fn list_pods(
        &self,
        request: Request<v1::ListPodsRequest>,
    ) -> Result<Response<v1::ListPodsResponse>, Status> {
        let caller = Caller::of(&request);
        let v1::ListPodsRequest { namespace, kind, name, cluster, events } = request.into_inner();
        let workload = fields::workload(&namespace, &kind, &name)?;
        caller.look_at(&workload.namespace)?;
        let only = match cluster.as_str() {
            "" => None,
            text => Some(fields::name::<ClusterName>("cluster", text)?),
        };
        let holders = holders(&*self.deployed(&workload)?, only)?;
        let _slot = self.asker()?;
        let about = About::Pods(v1::PodsInquiry {
            namespace: workload.namespace.to_string(),
            kind: workload.kind.to_string(),
            name: workload.name.to_string(),
            events,
        });
        let asked = futures_util::stream::iter(holders)
            .map(|cluster| async {
                let pods = self.pods(&cluster, about.clone()).await;
                (cluster, pods)
            })
            .buffered(CLUSTERS_AT_ONCE);
        let mut answer = v1::ListPodsResponse::default();
        for (cluster, pods) in asked.collect::<Vec<_>>().await {
            match pods {
                Ok(mut pods) => {
                    pods.iter_mut().for_each(|pod| cluster.as_str().clone_into(&mut pod.cluster));
                    pods.sort_by(|a, b| a.name.cmp(&b.name));
                    answer.items.append(&mut pods);
                }
                Err(status) => answer.silent.push(v1::SilentCluster {
                    cluster: cluster.to_string(),
                    reason: status.message().to_owned(),
                }),
            }
        }
        Ok(Response::new(answer))
    }

    async fn stream_log(
        &self,
        request: Request<v1::StreamLogRequest>,
    ) -> Result<Response<Self::StreamLogStream>, Status> {
        let operator = Caller::of(&request);
        let v1::StreamLogRequest { namespace, kind, name, cluster, pod, container, tail_lines, follow } =
            request.into_inner();
        let workload = fields::workload(&namespace, &kind, &name)?;
        operator.look_at(&workload.namespace)?;
        let cluster: ClusterName = fields::name("cluster", &cluster)?;
        if pod.is_empty() {
            return Err(fields::invalid("pod", "it is empty: write the pod's name, which ListPods tells"));
        }
        self.deployed(&workload)?;
        let slot = self.asker()?;
        tracing::info!(%operator, %workload, %cluster, pod, "an operator reads a log");
        let read = serde_json::json!({
            "workload": workload.to_string(), "cluster": cluster.as_str(), "pod": pod, "container": container
        });
        operator.note(|noted| noted.what = read);
        let about = About::Log(v1::LogInquiry {
            namespace: workload.namespace.to_string(),
            kind: workload.kind.to_string(),
            name: workload.name.to_string(),
            pod,
            container,
            tail_lines,
            follow,
        });
        let asked = self.inquiries.ask(&cluster, about)?;
        let (outgoing, stream) = mpsc::channel(OUTGOING_MAX);
        let log = Log { asked, cluster, follow, outgoing: outgoing.clone(), _slot: slot };
        let stop = self.stop.clone();
        let mut views = self.driver.views();
        let other_role = async move {
            let is_as_it_was = |view: &Arc<View>| operator.is_as_it_was(&view.federation.roles);
            // Without the driver nothing changes any more, and `stop` ends it.
            if views.wait_for(|view| !is_as_it_was(view)).await.is_err() {
                return std::future::pending().await;
            }
            role_changed(&operator)
        };
        tokio::spawn(async move {
            tokio::select! {
                () = log.carry() => {}
                // The stream ends; what is left of it can be asked for again.
                () = stop.cancelled() => {}
                status = other_role => drop(outgoing.try_send(Err(status))),
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

impl Admin {
    fn deployed(&self, workload: &WorkloadId) -> Result<Arc<WorkloadView>, Status> {
        self.driver.view().workload(workload).cloned().ok_or_else(|| not_deployed(workload))
    }

    pub(super) fn asker(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.askers).try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(
                "as many operators look at pods and logs as may: try again in a moment",
            )
        })
    }

    async fn pods(&self, cluster: &ClusterName, about: About) -> Result<Vec<v1::Pod>, Status> {
        let mut asked = self.inquiries.ask(cluster, about)?;
        let mut pods = Vec::new();
        let all = async {
            while let Some(part) = asked.next(cluster).await? {
                match part {
                    Part::Pods(some) => pods.extend(some.items),
                    Part::Log(_) | Part::Answered(_) | Part::Object(_) | Part::Adoption(_) => {
                        return Err(confused(cluster));
                    }
                }
                if pods.len() >= PODS_MAX {
                    break;
                }
            }
            Ok(())
        };
        let late = |_| Status::deadline_exceeded(format!("no answer within {} s", PODS_WAIT.as_secs()));
        tokio::time::timeout(PODS_WAIT, all).await.map_err(late)??;
        pods.truncate(PODS_MAX);
        Ok(pods)
    }
}

/// A log on its way to an operator.
struct Log {
    asked: Asked,
    cluster: ClusterName,
    follow: bool,
    outgoing: mpsc::Sender<Result<v1::StreamLogResponse, Status>>,
    _slot: OwnedSemaphorePermit,
}

impl Log {
    async fn carry(mut self) {
        // Kept free for the last word, which must not wait behind what is not read.
        let Ok(last_word) = self.outgoing.clone().reserve_owned().await else {
            return;
        };
        let status = loop {
            let part = tokio::select! {
                part = self.asked.next(&self.cluster) => part,
                () = self.outgoing.closed() => return,
                () = tokio::time::sleep(LOG_WAIT), if !self.follow => {
                    Err(Status::deadline_exceeded(format!("{}: nothing came for {} s", self.cluster, LOG_WAIT.as_secs())))
                }
            };
            let chunk = match part {
                Ok(Some(Part::Log(chunk))) => chunk,
                Ok(Some(Part::Pods(_) | Part::Answered(_) | Part::Object(_) | Part::Adoption(_))) => {
                    break confused(&self.cluster);
                }
                Ok(None) => return,
                Err(status) => break status,
            };
            match self.outgoing.send_timeout(Ok(v1::StreamLogResponse { chunk }), STALL_MAX).await {
                Ok(()) => {}
                Err(SendTimeoutError::Closed(_)) => return,
                Err(SendTimeoutError::Timeout(_)) => {
                    let message = format!(
                        "the log is cut, because nothing of it was read for {} s",
                        STALL_MAX.as_secs()
                    );
                    break Status::resource_exhausted(message);
                }
            }
        };
        last_word.send(Err(status));
    }
}

/// The clusters that may hold pods of a workload.
fn holders(workload: &WorkloadView, only: Option<ClusterName>) -> Result<Vec<ClusterName>, Status> {
    let rows = &workload.placements;
    if let Some(only) = only {
        return match rows.iter().any(|row| row.cluster == only) {
            true => Ok(vec![only]),
            false => Err(Status::not_found(format!("{} is not in cluster {only}", workload.id))),
        };
    }
    let holds = rows.iter().filter(|row| row.target > 0 || row.sent > 0 || row.observed > 0);
    Ok(holds.map(|row| row.cluster.clone()).collect())
}

fn confused(cluster: &ClusterName) -> Status {
    Status::internal(format!("the agent of {cluster} answers what was not asked: this is a fault of it"))
}
