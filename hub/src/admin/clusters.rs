//! `ClusterService`.

use std::ops::Bound;

use godwit_common::ClusterName;
use godwit_hub_core::{Answer, ClusterView, Command};
use godwit_proto::v1;
use godwit_proto::v1::cluster_service_server::ClusterService;
use tonic::{Request, Response, Status};

use super::marks::Marked;
use super::page::Page;
use super::watch::Watched;
use super::{Admin, convert, fields, refusal};
use crate::guard::Caller;

#[tonic::async_trait]
impl ClusterService for Admin {
    type WatchClustersStream = Watched<v1::WatchClustersResponse>;

    async fn list_clusters(
        &self,
        request: Request<v1::ListClustersRequest>,
    ) -> Result<Response<v1::ListClustersResponse>, Status> {
        let caller = Caller::of(&request);
        let request = request.into_inner();
        let page = Page::new("clusters", request.page_size, &request.page_token)?;
        let after = page.after.as_deref().map(str::parse::<ClusterName>).transpose();
        let from = after.map_err(|_| Page::bad_token())?.map_or(Bound::Unbounded, Bound::Excluded);
        let view = self.driver.view();
        let clusters = view.clusters.range((from, Bound::Unbounded));
        let (items, next_page_token) =
            page.fill(clusters.map(|(name, cluster)| (name.to_string(), shown(&caller, cluster))));
        Ok(Response::new(v1::ListClustersResponse { items, next_page_token }))
    }

    async fn list_orphans(
        &self,
        request: Request<v1::ListOrphansRequest>,
    ) -> Result<Response<v1::ListOrphansResponse>, Status> {
        let caller = Caller::of(&request);
        self.orphans(&caller, request.get_ref()).map(Response::new)
    }

    async fn get_cluster(
        &self,
        request: Request<v1::GetClusterRequest>,
    ) -> Result<Response<v1::GetClusterResponse>, Status> {
        let name: ClusterName = fields::name("name", &request.get_ref().name)?;
        let view = self.driver.view();
        let cluster = view.clusters.get(&name).ok_or_else(|| not_a_member(&name))?;
        let cluster = shown(&Caller::of(&request), cluster);
        Ok(Response::new(v1::GetClusterResponse { cluster: Some(cluster) }))
    }

    async fn watch_clusters(
        &self,
        request: Request<v1::WatchClustersRequest>,
    ) -> Result<Response<Self::WatchClustersStream>, Status> {
        let wanted: Option<ClusterName> = match request.get_ref().name.as_str() {
            "" => None,
            name => Some(fields::name("name", name)?),
        };
        let caller = Caller::of(&request);
        self.watch(
            caller.clone(),
            |view| &view.clusters,
            move |change| {
                let (cluster, removed) = change.thing()?;
                let is_wanted = wanted.as_ref().is_none_or(|wanted| *wanted == cluster.name);
                is_wanted.then(|| v1::WatchClustersResponse {
                    cluster: Some(match removed {
                        false => shown(&caller, cluster),
                        true => v1::Cluster { name: cluster.name.to_string(), ..v1::Cluster::default() },
                    }),
                    removed,
                })
            },
        )
    }

    async fn confirm_removal(
        &self,
        request: Request<v1::ConfirmRemovalRequest>,
    ) -> Result<Response<v1::ConfirmRemovalResponse>, Status> {
        let operator = Caller::of(&request);
        let cluster: ClusterName = fields::name("name", &request.get_ref().name)?;
        tracing::info!(%operator, %cluster, "an operator confirms removals");
        match self.carry_out(operator, Command::ConfirmRemoval { cluster }).await? {
            Answer::RemovalsReleased(released) => Ok(Response::new(v1::ConfirmRemovalResponse { released })),
            other => Err(refusal::mismatched(&other)),
        }
    }

    async fn delete_cluster(
        &self,
        request: Request<v1::DeleteClusterRequest>,
    ) -> Result<Response<v1::DeleteClusterResponse>, Status> {
        let operator = Caller::of(&request);
        let cluster: ClusterName = fields::name("name", &request.get_ref().name)?;
        let force = request.get_ref().force;
        tracing::info!(%operator, %cluster, force, "an operator deletes a cluster");
        match self.carry_out(operator, Command::DeleteCluster { cluster, force }).await? {
            Answer::Done => Ok(Response::new(v1::DeleteClusterResponse {})),
            other => Err(refusal::mismatched(&other)),
        }
    }

    async fn cordon_cluster(
        &self,
        request: Request<v1::CordonClusterRequest>,
    ) -> Result<Response<v1::CordonClusterResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::CordonClusterRequest { name, dry_run } = request.into_inner();
        let marked = self.cordon(operator, &name, true, dry_run).await?;
        let Marked { cluster, action, changes, changes_total, inputs } = marked;
        Ok(Response::new(v1::CordonClusterResponse { cluster, action, changes, changes_total, inputs }))
    }

    async fn drain_cluster(
        &self,
        request: Request<v1::DrainClusterRequest>,
    ) -> Result<Response<v1::DrainClusterResponse>, Status> {
        let operator = Caller::of(&request);
        let marked = self.drain(operator, request.into_inner()).await?;
        let Marked { cluster, action, changes, changes_total, inputs } = marked;
        Ok(Response::new(v1::DrainClusterResponse { cluster, action, changes, changes_total, inputs }))
    }

    async fn maintain_cluster(
        &self,
        request: Request<v1::MaintainClusterRequest>,
    ) -> Result<Response<v1::MaintainClusterResponse>, Status> {
        let operator = Caller::of(&request);
        let marked = self.maintain(operator, request.into_inner()).await?;
        let Marked { cluster, action, changes, changes_total, inputs } = marked;
        Ok(Response::new(v1::MaintainClusterResponse { cluster, action, changes, changes_total, inputs }))
    }

    async fn retire_cluster(
        &self,
        request: Request<v1::RetireClusterRequest>,
    ) -> Result<Response<v1::RetireClusterResponse>, Status> {
        let operator = Caller::of(&request);
        let marked = self.retire(operator, request.into_inner()).await?;
        let Marked { cluster, action, changes, changes_total, inputs } = marked;
        Ok(Response::new(v1::RetireClusterResponse { cluster, action, changes, changes_total, inputs }))
    }

    async fn replace_cluster(
        &self,
        request: Request<v1::ReplaceClusterRequest>,
    ) -> Result<Response<v1::ReplaceClusterResponse>, Status> {
        let operator = Caller::of(&request);
        let (marked, policies) = self.replace(operator, request.into_inner()).await?;
        let Marked { cluster, action, changes, changes_total, inputs } = marked;
        Ok(Response::new(v1::ReplaceClusterResponse {
            cluster,
            action,
            changes,
            changes_total,
            inputs,
            policies,
        }))
    }

    async fn confirm_dead(
        &self,
        request: Request<v1::ConfirmDeadRequest>,
    ) -> Result<Response<v1::ConfirmDeadResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::ConfirmDeadRequest { name, dry_run } = request.into_inner();
        let marked = self.dead(operator, &name, dry_run).await?;
        let Marked { cluster, action, changes, changes_total, inputs } = marked;
        Ok(Response::new(v1::ConfirmDeadResponse { cluster, action, changes, changes_total, inputs }))
    }

    async fn uncordon_cluster(
        &self,
        request: Request<v1::UncordonClusterRequest>,
    ) -> Result<Response<v1::UncordonClusterResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::UncordonClusterRequest { name, dry_run } = request.into_inner();
        let marked = self.cordon(operator, &name, false, dry_run).await?;
        let Marked { cluster, action, changes, changes_total, inputs } = marked;
        Ok(Response::new(v1::UncordonClusterResponse { cluster, action, changes, changes_total, inputs }))
    }

    async fn label_cluster(
        &self,
        request: Request<v1::LabelClusterRequest>,
    ) -> Result<Response<v1::LabelClusterResponse>, Status> {
        let operator = Caller::of(&request);
        let marked = self.label(operator, request.into_inner()).await?;
        let Marked { cluster, action, changes, changes_total, inputs } = marked;
        Ok(Response::new(v1::LabelClusterResponse { cluster, action, changes, changes_total, inputs }))
    }

    async fn taint_cluster(
        &self,
        request: Request<v1::TaintClusterRequest>,
    ) -> Result<Response<v1::TaintClusterResponse>, Status> {
        let operator = Caller::of(&request);
        let marked = self.taint(operator, request.into_inner()).await?;
        let Marked { cluster, action, changes, changes_total, inputs } = marked;
        Ok(Response::new(v1::TaintClusterResponse { cluster, action, changes, changes_total, inputs }))
    }
}

pub(super) fn not_a_member(name: &ClusterName) -> Status {
    Status::not_found(format!("cluster {name} is not a member; ListClusters names those that are"))
}

/// A cluster, without the workloads of namespaces that are not for whoever asks.
fn shown(caller: &Caller, view: &ClusterView) -> v1::Cluster {
    let mut cluster = convert::cluster(view);
    if caller.sees_all() {
        return cluster;
    }
    cluster.orphans.clear();
    if let Some(drain) = &mut cluster.drain {
        drain.waiting.retain(|wait| caller.sees(&wait.namespace));
    }
    if let Some(survival) = &mut cluster.survival {
        survival.examples.retain(|one| caller.sees(&one.namespace));
    }
    cluster
}
