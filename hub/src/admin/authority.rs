//! `AuthorityService`: one authority takes the place of another.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use godwit_certs::{Step, seconds};
use godwit_common::WallTime;
use godwit_hub_core::{AccessOrder, Action, Admits, AuthorityStep, Command, TokenRecord};
use godwit_proto::v1;
use godwit_proto::v1::authority_service_server::AuthorityService;
use godwit_rt::serve::Peer;
use serde_json::json;
use tonic::{Request, Response, Status};

use super::{Admin, convert};
use crate::authority::{HeldToken, Known, Members, Overview, Own, Refusal, Turn, Turned};
use crate::driver::wall_time;
use crate::guard::Caller;

#[tonic::async_trait]
impl AuthorityService for Admin {
    async fn get_authority(
        &self,
        request: Request<v1::GetAuthorityRequest>,
    ) -> Result<Response<v1::GetAuthorityResponse>, Status> {
        let members = self.members(&request);
        Ok(Response::new(shown(self.own_authority()?.overview(&members))))
    }

    async fn prepare_authority(
        &self,
        request: Request<v1::PrepareAuthorityRequest>,
    ) -> Result<Response<v1::PrepareAuthorityResponse>, Status> {
        let action = self.turn(&request, Turn::Prepare, false).await?;
        Ok(Response::new(v1::PrepareAuthorityResponse { action }))
    }

    async fn abandon_authority(
        &self,
        request: Request<v1::AbandonAuthorityRequest>,
    ) -> Result<Response<v1::AbandonAuthorityResponse>, Status> {
        let action = self.turn(&request, Turn::Abandon, false).await?;
        Ok(Response::new(v1::AbandonAuthorityResponse { action }))
    }

    async fn switch_authority(
        &self,
        request: Request<v1::SwitchAuthorityRequest>,
    ) -> Result<Response<v1::SwitchAuthorityResponse>, Status> {
        let action = self.turn(&request, Turn::Switch, request.get_ref().force).await?;
        Ok(Response::new(v1::SwitchAuthorityResponse { action }))
    }

    async fn finish_authority(
        &self,
        request: Request<v1::FinishAuthorityRequest>,
    ) -> Result<Response<v1::FinishAuthorityResponse>, Status> {
        let action = self.turn(&request, Turn::Finish, request.get_ref().force).await?;
        Ok(Response::new(v1::FinishAuthorityResponse { action }))
    }
}

impl Admin {
    async fn turn<T: Sync>(&self, request: &Request<T>, turn: Turn, force: bool) -> Result<String, Status> {
        let (operator, own) = (Caller::of(request), self.own_authority()?);
        let members = self.members(request);
        let before = own.overview(&Members::default()).step;
        tracing::info!(%operator, ?turn, force, "an operator changes the authority");
        let turned = Arc::clone(own).turn(turn, members, force).await;
        let after = own.overview(&Members::default());
        let pin: Arc<str> = after.signing.pin.to_string().into();
        if let Ok(Turned { has_changed: true, .. }) = turned {
            let step = match turn {
                Turn::Prepare => AuthorityStep::Prepared,
                Turn::Abandon => AuthorityStep::Abandoned,
                Turn::Switch => AuthorityStep::Switched,
                Turn::Finish => AuthorityStep::Finished,
            };
            // The step stands, whether the journal has it or not.
            let order = AccessOrder::NoteAuthority { step, pin: Arc::clone(&pin) };
            if let Err(problem) = self.carry_out(operator.clone(), Command::Access(order)).await {
                tracing::warn!(problem = problem.message(), "a step of the authority is not in the journal");
            }
        }
        operator.note(|noted| {
            noted.what = json!({"turn": format!("{turn:?}").to_lowercase(), "force": force});
            noted.before = json!({"step": before.to_string()});
            noted.after = json!({"step": after.step.to_string(), "signing": &*pin});
        });
        match turned {
            Ok(Turned { unfinished: Some(error), .. }) => {
                tracing::error!("the authority is changed, and not all of what follows is done: {error:#}");
                Err(Status::internal(format!(
                    "{error:#}; the step is taken, and this is still to do: say it again"
                )))
            }
            Ok(Turned { has_changed: true, .. }) => Ok(convert::action(Action::Configured).to_owned()),
            Ok(Turned { has_changed: false, .. }) => Ok(convert::action(Action::Unchanged).to_owned()),
            Err(Refusal::NotYet(why)) => Err(Status::failed_precondition(why)),
            Err(Refusal::Failed(error)) => {
                tracing::error!("the authority cannot be changed: {error:#}");
                Err(Status::internal(format!(
                    "{error:#}; say it again: what was written down of the step counts"
                )))
            }
        }
    }

    fn own_authority(&self) -> Result<&Arc<Own>, Status> {
        self.own.as_ref().ok_or_else(|| {
            Status::failed_precondition(
                "this hub has no authority of its own: change that of the files under tls where they are made, with both \
                 authorities in tls.ca meanwhile; the hub and its agents read the files again when they change",
            )
        })
    }

    /// Who lives by certificates of the hub's authority.
    fn members<T>(&self, request: &Request<T>) -> Members {
        let view = self.driver.view();
        let now = wall_time();
        Members {
            clusters: view.clusters.keys().cloned().collect(),
            tokens: view.federation.tokens.iter().filter_map(|token| held(token, now)).collect(),
            asking: Peer::of(request).ok().map(|peer| seconds(peer.issued())),
        }
    }
}

/// A token that may be shown again: unused or used until it ends, and as long as its cluster waits for an operator's word.
fn held(token: &TokenRecord, now: WallTime) -> Option<HeldToken> {
    let waits = token.waiting(now).is_some();
    let used = match &token.admits {
        Admits::Cluster(name) if token.used.is_some() && !waits => Some(name.clone()),
        Admits::Cluster(_) | Admits::Operator(_) => None,
    };
    (waits || token.expires > now).then(|| HeldToken {
        made: token.created.0 / 1_000,
        id: token.hash.id().to_string(),
        used,
    })
}

fn shown(overview: Overview) -> v1::GetAuthorityResponse {
    let Overview { step, signing, beside, times, missing, bundle } = overview;
    let prepared = times.map(|times| times.prepared);
    let switched = times.and_then(|times| times.switched);
    v1::GetAuthorityResponse {
        step: step.to_string(),
        signing: Some(authority(&signing)),
        beside: beside.as_ref().map(authority),
        prepared: prepared.and_then(at),
        switched: switched.and_then(at),
        missing: match step {
            Step::Settled => Vec::new(),
            Step::Prepared | Step::Switched => missing,
        },
        bundle,
    }
}

fn authority(known: &Known) -> v1::Authority {
    let Known { pin, ends, signed } = known;
    v1::Authority {
        pin: pin.to_string(),
        expires: Some(prost_types::Timestamp::from(*ends)),
        agents_until: at(signed.agents_until),
        operators_until: at(signed.operators_until),
    }
}

/// 0 is never.
fn at(seconds: u64) -> Option<prost_types::Timestamp> {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    time.filter(|_| seconds > 0).map(prost_types::Timestamp::from)
}
