//! What the hub has pinned stays true: agents with a stream say who signs for their cluster's pods when they attach, and when
//! that changes.

use std::time::Duration;

use anyhow::anyhow;
use godwit_agent_core::SessionId;
use godwit_common::backoff::Backoff;
use godwit_common::rng::Rng;
use godwit_proto::v1;
use tokio::time::{Instant, sleep};

use super::account::Account;
use super::ask;
use super::enrol::cluster_uid;
use crate::cluster::Cluster;
use crate::session::Live;

/// From one look for a new session to the next: it costs nothing.
const LOOK: Duration = Duration::from_secs(1);

pub(super) struct Report {
    pub(super) account: Account,
    pub(super) cluster: Cluster,
    pub(super) live: Live,
}

impl Report {
    pub(super) async fn run(self) {
        let patience = || Backoff::new(LOOK, self.account.check);
        let mut rng = Rng::new(getrandom::u64().unwrap_or_default());
        // What was said last, and in which session: a hub that begins anew may not know it.
        let mut said: Option<(SessionId, v1::Issuer)> = None;
        let (mut tried, mut next, mut backoff) = (None, Instant::now(), patience());
        loop {
            sleep(LOOK).await;
            let Some(session) = self.live.session() else { continue };
            if tried == Some(session) && Instant::now() < next {
                continue;
            }
            tried = Some(session);
            let before = said.as_ref().filter(|(known, _)| *known == session).map(|(_, issuer)| issuer);
            let wait = match self.say(before).await {
                Ok(issuer) => {
                    said = Some((session, issuer));
                    backoff = patience();
                    self.account.check
                }
                Err(problem) => {
                    let problem = format!("{problem:#}");
                    tracing::warn!(
                        problem,
                        "the hub does not know who signs for this cluster's pods: trying again"
                    );
                    backoff.next(&mut rng)
                }
            };
            next = Instant::now() + wait;
        }
    }

    /// Says it, unless it is what was said `before`.
    async fn say(&self, before: Option<&v1::Issuer>) -> anyhow::Result<v1::Issuer> {
        let (issuer, token) = self.account.introduce(&self.cluster).await?;
        if before == Some(&issuer) {
            return Ok(issuer);
        }
        let connection = self.live.connection().ok_or_else(|| anyhow!("the session has ended"))?;
        let request = v1::ReportIssuerRequest {
            issuer: Some(issuer.clone()),
            service_account_token: token,
            cluster_uid: cluster_uid(&self.cluster).await?.to_string(),
        };
        ask::report_issuer(connection, request).await?;
        Ok(issuer)
    }
}
