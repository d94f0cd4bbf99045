//! An operator's client, over the same mutual TLS as any other.

use std::path::Path;

use godwit_certs::TlsFiles;
use godwit_proto::v1;
use godwit_proto::v1::access_service_client::AccessServiceClient;
use godwit_proto::v1::cluster_service_client::ClusterServiceClient;
use godwit_proto::v1::event_service_client::EventServiceClient;
use godwit_proto::v1::federation_service_client::FederationServiceClient;
use godwit_proto::v1::migration_service_client::MigrationServiceClient;
use godwit_proto::v1::plan_service_client::PlanServiceClient;
use godwit_proto::v1::policy_service_client::PolicyServiceClient;
use godwit_proto::v1::quota_service_client::QuotaServiceClient;
use godwit_proto::v1::revoke_request::What;
use godwit_proto::v1::rollout_service_client::RolloutServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use godwit_rt::dial::{Connection, Endpoint, dial};
use godwit_rt::limits::{ADMIN_MESSAGE_BYTES_MAX, DialTimeouts};
use godwit_rt::tls::ClientTls;
use tokio::sync::Mutex;
use tonic::{Response, Status};

use super::wait::within;

/// A client with one certificate, and one connection at a time.
pub(crate) struct Admin {
    endpoint: Endpoint,
    files: TlsFiles,
    connection: Mutex<Option<Connection>>,
}

impl Admin {
    /// A client for the hub at `address` that shows the certificate in `files`.
    pub(crate) fn new(address: &str, files: TlsFiles) -> Self {
        Self { endpoint: format!("https://{address}").parse().unwrap(), files, connection: Mutex::new(None) }
    }

    /// `https://HOST:PORT`.
    pub(crate) fn url(&self) -> String {
        self.endpoint.to_string()
    }

    /// Trusted authorities, certificate, key.
    pub(crate) fn files(&self) -> [&Path; 3] {
        [&self.files.ca, &self.files.certificate, &self.files.key]
    }

    /// A connection of one's own. An error says why there is none.
    pub(crate) async fn dial(&self) -> Result<Connection, Status> {
        let tls = ClientTls::client(self.files.clone()).unwrap();
        let dialled = within("a connection", dial(&self.endpoint, &tls, DialTimeouts::default())).await;
        dialled.map_err(|error| Status::unavailable(error.to_string()))
    }

    /// Dials anew with the next call.
    pub(crate) async fn hang_up(&self) {
        self.connection.lock().await.take();
    }

    async fn call<T>(
        &self,
        call: impl AsyncFnOnce(Connection) -> Result<Response<T>, Status>,
    ) -> Result<T, Status> {
        let mut connection = self.connection.lock().await;
        let open = match connection.take() {
            Some(open) => open,
            None => self.dial().await?,
        };
        let result = within("an answer of the hub", call(open.clone())).await;
        let lost = result.as_ref().is_err_and(|status| status.code() == tonic::Code::Unavailable);
        if !lost {
            *connection = Some(open);
        }
        result.map(Response::into_inner)
    }

    pub(crate) async fn deploy(&self, request: v1::DeployRequest) -> Result<v1::DeployResponse, Status> {
        self.call(async |to| workloads(to).deploy(request).await).await
    }

    pub(crate) async fn scale(&self, name: &str, replicas: i64) -> Result<v1::DeployedWorkload, Status> {
        let request = v1::ScaleWorkloadRequest {
            name: name.to_owned(),
            replicas,
            ..v1::ScaleWorkloadRequest::default()
        };
        let answer = self.call(async |to| workloads(to).scale_workload(request).await).await?;
        Ok(answer.workload.unwrap())
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<Vec<String>, Status> {
        let (kind, name) = kind_and_name(name);
        let request = v1::DeleteWorkloadRequest { kind, name, ..v1::DeleteWorkloadRequest::default() };
        let answer = self.call(async |to| workloads(to).delete_workload(request).await).await?;
        Ok(answer.deletion_pending_on)
    }

    /// The Deployment `name` in the namespace `default`, or what is of another kind and named `KIND/NAME`.
    pub(crate) async fn workload(&self, name: &str) -> Result<v1::Workload, Status> {
        let (kind, name) = kind_and_name(name);
        let request = v1::GetWorkloadRequest { kind, name, ..v1::GetWorkloadRequest::default() };
        let answer = self.call(async |to| workloads(to).get_workload(request).await).await?;
        Ok(answer.workload.unwrap())
    }

    pub(crate) async fn create_token(
        &self,
        cluster: &str,
        again: bool,
    ) -> Result<v1::CreateTokenResponse, Status> {
        let request = v1::CreateTokenRequest { cluster: cluster.to_owned(), again, ..Default::default() };
        self.create_token_of(request).await
    }

    pub(crate) async fn create_token_of(
        &self,
        request: v1::CreateTokenRequest,
    ) -> Result<v1::CreateTokenResponse, Status> {
        self.call(async |to| AccessServiceClient::new(to).create_token(request).await).await
    }

    pub(crate) async fn revoke(&self, what: What, undo: bool) -> Result<v1::RevokeResponse, Status> {
        let request = v1::RevokeRequest { what: Some(what), undo };
        self.call(async |to| AccessServiceClient::new(to).revoke(request).await).await
    }

    pub(crate) async fn workloads(&self) -> Result<Vec<v1::Workload>, Status> {
        let request = v1::ListWorkloadsRequest::default();
        Ok(self.call(async |to| workloads(to).list_workloads(request).await).await?.items)
    }

    pub(crate) async fn apply_policy(&self, policy: v1::Policy) -> Result<v1::ApplyPolicyResponse, Status> {
        let request = v1::ApplyPolicyRequest { policy: Some(policy), dry_run: false };
        self.call(async |to| PolicyServiceClient::new(to).apply_policy(request).await).await
    }

    pub(crate) async fn label(
        &self,
        name: &str,
        (key, value): (&str, &str),
    ) -> Result<v1::LabelClusterResponse, Status> {
        let set = [(key.to_owned(), value.to_owned())].into();
        let request = v1::LabelClusterRequest { name: name.to_owned(), set, ..Default::default() };
        self.call(async |to| ClusterServiceClient::new(to).label_cluster(request).await).await
    }

    pub(crate) async fn drain(
        &self,
        request: v1::DrainClusterRequest,
    ) -> Result<v1::DrainClusterResponse, Status> {
        self.call(async |to| ClusterServiceClient::new(to).drain_cluster(request).await).await
    }

    pub(crate) async fn maintain(
        &self,
        request: v1::MaintainClusterRequest,
    ) -> Result<v1::MaintainClusterResponse, Status> {
        self.call(async |to| ClusterServiceClient::new(to).maintain_cluster(request).await).await
    }

    pub(crate) async fn retire(
        &self,
        request: v1::RetireClusterRequest,
    ) -> Result<v1::RetireClusterResponse, Status> {
        self.call(async |to| ClusterServiceClient::new(to).retire_cluster(request).await).await
    }

    pub(crate) async fn replace(
        &self,
        request: v1::ReplaceClusterRequest,
    ) -> Result<v1::ReplaceClusterResponse, Status> {
        self.call(async |to| ClusterServiceClient::new(to).replace_cluster(request).await).await
    }

    pub(crate) async fn uncordon(&self, name: &str) -> Result<v1::UncordonClusterResponse, Status> {
        let request = v1::UncordonClusterRequest { name: name.to_owned(), dry_run: false };
        self.call(async |to| ClusterServiceClient::new(to).uncordon_cluster(request).await).await
    }

    /// All workloads move to their policies' own division.
    pub(crate) async fn rebalance(&self) -> Result<v1::RebalanceResponse, Status> {
        let what = Some(v1::rebalance_request::What::All(true));
        let request = v1::RebalanceRequest { what, dry_run: false };
        self.call(async |to| WorkloadServiceClient::new(to).rebalance(request).await).await
    }

    pub(crate) async fn delete_cluster(
        &self,
        request: v1::DeleteClusterRequest,
    ) -> Result<v1::DeleteClusterResponse, Status> {
        self.call(async |to| ClusterServiceClient::new(to).delete_cluster(request).await).await
    }

    /// Adds a taint, or removes those of a key.
    pub(crate) async fn taint(
        &self,
        name: &str,
        add: Option<(&str, &str)>,
        remove: &[&str],
    ) -> Result<v1::TaintClusterResponse, Status> {
        let taint = |(key, effect): (&str, &str)| v1::ClusterTaint {
            key: key.to_owned(),
            effect: effect.to_owned(),
            ..v1::ClusterTaint::default()
        };
        let request = v1::TaintClusterRequest {
            name: name.to_owned(),
            add: add.map(taint).into_iter().collect(),
            remove: remove.iter().map(ToString::to_string).collect(),
            dry_run: false,
        };
        self.call(async |to| ClusterServiceClient::new(to).taint_cluster(request).await).await
    }

    /// Brings the revision before the present one back.
    pub(crate) async fn undo(&self, name: &str) -> Result<v1::UndoRolloutResponse, Status> {
        let request = v1::UndoRolloutRequest { name: name.to_owned(), ..v1::UndoRolloutRequest::default() };
        self.call(async |to| RolloutServiceClient::new(to).undo_rollout(request).await).await
    }

    pub(crate) async fn revisions(&self, name: &str) -> Result<Vec<v1::Revision>, Status> {
        let request =
            v1::ListRevisionsRequest { name: name.to_owned(), ..v1::ListRevisionsRequest::default() };
        let answer =
            self.call(async |to| RolloutServiceClient::new(to).list_revisions(request).await).await?;
        Ok(answer.items)
    }

    pub(crate) async fn what_if(&self, request: v1::WhatIfRequest) -> Result<v1::WhatIfResponse, Status> {
        self.call(async |to| PlanServiceClient::new(to).what_if(request).await).await
    }

    /// The plan of the Deployment `name` in the namespace `default`.
    pub(crate) async fn plan(&self, name: &str) -> Result<v1::Plan, Status> {
        let request = v1::GetPlanRequest { name: name.to_owned(), ..v1::GetPlanRequest::default() };
        let answer = self.call(async |to| PlanServiceClient::new(to).get_plan(request).await).await?;
        Ok(answer.plan.unwrap())
    }

    /// Bounds the replicas of the namespace `default`.
    pub(crate) async fn quota(&self, replicas: u64) -> Result<v1::ApplyQuotaResponse, Status> {
        let spec = v1::QuotaSpec { replicas: Some(replicas), ..v1::QuotaSpec::default() };
        let quota = v1::Quota { namespace: "default".to_owned(), spec: Some(spec), used: None };
        let request = v1::ApplyQuotaRequest { quota: Some(quota), dry_run: false };
        self.call(async |to| QuotaServiceClient::new(to).apply_quota(request).await).await
    }

    pub(crate) async fn cluster(&self, name: &str) -> Result<v1::Cluster, Status> {
        let request = v1::GetClusterRequest { name: name.to_owned() };
        let answer = self.call(async |to| ClusterServiceClient::new(to).get_cluster(request).await).await?;
        Ok(answer.cluster.unwrap())
    }

    pub(crate) async fn clusters(&self) -> Result<Vec<v1::Cluster>, Status> {
        let request = v1::ListClustersRequest::default();
        let answer = self.call(async |to| ClusterServiceClient::new(to).list_clusters(request).await).await?;
        Ok(answer.items)
    }

    /// Accepts what a hub has learned from the members, or ends another freeze.
    pub(crate) async fn release_freeze(&self) -> Result<v1::ReleaseFreezeResponse, Status> {
        let request = v1::ReleaseFreezeRequest {};
        self.call(async |to| FederationServiceClient::new(to).release_freeze(request).await).await
    }

    pub(crate) async fn federation(&self) -> Result<v1::Federation, Status> {
        let request = v1::GetFederationRequest {};
        let answer =
            self.call(async |to| FederationServiceClient::new(to).get_federation(request).await).await?;
        Ok(answer.federation.unwrap())
    }

    /// The whole journal; no test makes more than a page of it.
    pub(crate) async fn events(&self) -> Result<Vec<v1::Event>, Status> {
        let request = v1::ListEventsRequest { page_size: 1000, ..v1::ListEventsRequest::default() };
        let answer = self.call(async |to| EventServiceClient::new(to).list_events(request).await).await?;
        assert_eq!(answer.next_page_token, "", "the journal is longer than a page");
        Ok(answer.items)
    }

    /// The newest first.
    pub(crate) async fn migrations(&self) -> Result<Vec<v1::Migration>, Status> {
        let request = v1::ListMigrationsRequest::default();
        let answer =
            self.call(async |to| MigrationServiceClient::new(to).list_migrations(request).await).await?;
        Ok(answer.items)
    }
}

fn workloads(to: Connection) -> WorkloadServiceClient<Connection> {
    WorkloadServiceClient::new(to)
        .max_decoding_message_size(ADMIN_MESSAGE_BYTES_MAX)
        // What is larger than the hub takes must reach it, to be refused there.
        .max_encoding_message_size(4 * ADMIN_MESSAGE_BYTES_MAX)
}

/// No kind stands for a Deployment.
fn kind_and_name(text: &str) -> (String, String) {
    let (kind, name) = text.split_once('/').unwrap_or(("", text));
    (kind.to_owned(), name.to_owned())
}
