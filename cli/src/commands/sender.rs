//! Sending again what may not have arrived: requests carry an id, so a repeated one changes nothing.

use std::time::Duration;

use godwit_common::backoff::Backoff;
use godwit_common::rng::Rng;
use godwit_proto::v1;

use crate::client::{Client, answer};
use crate::error::Error;

/// How often a request is sent before giving up: with the waits below, about ten seconds of a hub's absence.
const ATTEMPTS_MAX: u32 = 8;
const WAIT_FIRST: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Sends requests, over a fresh connection where the old one was lost.
pub(super) struct Sender {
    client: Client,
    rng: Rng,
}

impl Sender {
    pub(super) fn new(client: Client) -> Result<Self, Error> {
        let rng = Rng::new(random()?);
        Ok(Self { client, rng })
    }

    /// A new id.
    pub(super) fn request_id(&self) -> Result<String, Error> {
        Ok(format!("godwit-{:016x}{:016x}", random()?, random()?))
    }

    pub(super) async fn apply_policy(
        &mut self,
        policy: &v1::Policy,
        dry_run: bool,
    ) -> Result<v1::ApplyPolicyResponse, Error> {
        let request = v1::ApplyPolicyRequest { policy: Some(policy.clone()), dry_run };
        self.send(async |client| answer(client.policies().apply_policy(request.clone())).await).await
    }

    pub(super) async fn apply_quota(
        &mut self,
        quota: &v1::Quota,
        dry_run: bool,
    ) -> Result<v1::ApplyQuotaResponse, Error> {
        let request = v1::ApplyQuotaRequest { quota: Some(quota.clone()), dry_run };
        self.send(async |client| answer(client.quotas().apply_quota(request.clone())).await).await
    }

    pub(super) async fn deploy(&mut self, request: &v1::DeployRequest) -> Result<v1::DeployResponse, Error> {
        self.send(async |client| answer(client.workloads().deploy(request.clone())).await).await
    }

    async fn send<T>(&mut self, call: impl AsyncFn(&Client) -> Result<T, Error>) -> Result<T, Error> {
        let mut backoff = Backoff::new(WAIT_FIRST, WAIT_MAX);
        loop {
            let (error, pushback) = match call(&self.client).await {
                Err(error) if error.is_unavailable() => (error, None),
                Err(error) => match error.pushback() {
                    // It is not out of order, only too fast: of many documents all are sent.
                    Some(wait) => (error, Some(wait)),
                    None => return Err(error),
                },
                answer @ Ok(_) => return answer,
            };
            if backoff.attempts() + 1 >= ATTEMPTS_MAX {
                return Err(error);
            }
            let pause = backoff.next(&mut self.rng);
            tokio::time::sleep(pushback.map_or(pause, |wait| wait.min(WAIT_MAX))).await;
            // A hub that is not back yet costs an attempt, as a lost answer does.
            if pushback.is_none()
                && let Ok(client) = self.client.reconnect().await
            {
                self.client = client;
            }
        }
    }
}

fn random() -> Result<u64, Error> {
    getrandom::u64().map_err(|error| Error::failed(format!("the system gives no random numbers: {error}")))
}
