//! `FederationService`.

use godwit_hub_core::{Answer, Command, Freeze, FreezeCause, RetiredRecord};
use godwit_proto::v1;
use godwit_proto::v1::federation_service_server::FederationService;
use tonic::{Request, Response, Status};

use super::convert::{count, timestamp};
use super::watch::Watched;
use super::{Admin, refusal};
use crate::driver::View;
use crate::guard::Caller;

/// How many retired clusters are listed.
const RETIRED_MAX: usize = 100;

#[tonic::async_trait]
impl FederationService for Admin {
    type BackupStream = Watched<v1::BackupResponse>;

    async fn backup(
        &self,
        request: Request<v1::BackupRequest>,
    ) -> Result<Response<Self::BackupStream>, Status> {
        let operator = Caller::of(&request);
        tracing::info!(%operator, "an operator takes a backup");
        self.back_up()
    }

    async fn get_federation(
        &self,
        _: Request<v1::GetFederationRequest>,
    ) -> Result<Response<v1::GetFederationResponse>, Status> {
        let federation = Some(federation(&self.driver.view()));
        Ok(Response::new(v1::GetFederationResponse { federation }))
    }

    async fn confirm_freeze(
        &self,
        request: Request<v1::ConfirmFreezeRequest>,
    ) -> Result<Response<v1::ConfirmFreezeResponse>, Status> {
        let operator = Caller::of(&request);
        tracing::info!(%operator, "an operator confirms the freeze");
        match self.carry_out(operator, Command::ConfirmFreeze).await? {
            Answer::Done => Ok(Response::new(v1::ConfirmFreezeResponse {})),
            other => Err(refusal::mismatched(&other)),
        }
    }

    async fn release_freeze(
        &self,
        request: Request<v1::ReleaseFreezeRequest>,
    ) -> Result<Response<v1::ReleaseFreezeResponse>, Status> {
        let operator = Caller::of(&request);
        tracing::info!(%operator, "an operator releases the freeze");
        match self.carry_out(operator, Command::ReleaseFreeze).await? {
            Answer::Done => Ok(Response::new(v1::ReleaseFreezeResponse {})),
            other => Err(refusal::mismatched(&other)),
        }
    }
}

fn federation(view: &View) -> v1::Federation {
    let (federation, totals) = (&view.federation, &view.totals);
    v1::Federation {
        uid: federation.uid.to_string(),
        epoch: federation.epoch.0,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        clusters: count(view.clusters.len()),
        clusters_ready: count(totals.clusters.connected),
        workloads: count(totals.workloads.count),
        replicas: count(totals.workloads.replicas),
        ready: count(totals.workloads.ready),
        pending: count(totals.workloads.pending),
        freeze: federation.freeze.as_ref().map(freeze),
        alarms: federation.alarms.clone(),
        retired: federation.retired.iter().take(RETIRED_MAX).map(retired).collect(),
    }
}

fn retired(retired: &RetiredRecord) -> v1::RetiredCluster {
    let RetiredRecord { uid, name, at, entry: _ } = retired;
    v1::RetiredCluster { name: name.to_string(), uid: uid.to_string(), retired: Some(timestamp(*at)) }
}

fn freeze(freeze: &Freeze) -> v1::Freeze {
    let Freeze { cause, since, message } = freeze;
    let cause = match cause {
        FreezeCause::MassLoss => "MassLoss",
        FreezeCause::NewerHistory => "HigherEpoch",
        FreezeCause::Recovery => "Recovery",
    };
    v1::Freeze { cause: cause.to_owned(), message: message.to_string(), since: Some(timestamp(*since)) }
}
