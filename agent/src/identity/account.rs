//! The agent's service account: what proves that it is a pod of its cluster, to a hub that has heard of the cluster before.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use godwit_certs::{JoinToken, KeyRequest, Pin};
use godwit_common::ClusterName;
use godwit_proto::v1;
use godwit_rt::tls;

use super::FromHub;
use super::ask::{self, Refusal};
use super::enrol::{cluster_uid, read_bounded};
use super::kept::Kept;
use crate::cluster::Cluster;

/// What the hub reads at most.
const TOKEN_BYTES_MAX: u64 = 8 * 1024;

/// How an agent comes in by its service account.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// Where the kubelet keeps the token fresh.
    pub(crate) token: PathBuf,
    /// The cluster and the hub's authority; the join token says them, too.
    pub(crate) known: Option<Known>,
    /// How often it is looked whether the cluster's issuer is still the same.
    pub(crate) check: Duration,
}

/// What an agent knows of itself and of its hub before it has a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) cluster: ClusterName,
    pub(crate) authority: Pin,
}

impl Account {
    /// What the settings say, or the join token, which may have been used long ago.
    pub(super) fn known(&self, token: Option<&JoinToken>) -> Option<Known> {
        let of_token =
            |token: &JoinToken| Known { cluster: token.cluster.clone(), authority: token.authority };
        self.known.clone().or_else(|| token.map(of_token))
    }

    /// The token of the service account, as it is now.
    pub(super) fn read(&self) -> anyhow::Result<String> {
        read_token(&self.token)
    }

    /// What a hub pins for the agents that come later, and what shows that it is right.
    pub(super) async fn introduce(&self, cluster: &Cluster) -> anyhow::Result<(v1::Issuer, String)> {
        Ok((cluster.issuer().await?, self.read()?))
    }

    /// A certificate by the word of the cluster's issuer.
    pub(super) async fn enrol(
        &self,
        kept: &Kept,
        from: &FromHub,
        cluster: &Cluster,
        known: Known,
    ) -> Result<(), Refusal> {
        let (uid, token) = (cluster_uid(cluster).await?, self.read()?);
        // It may be asked again with another key: nothing is used up.
        let request = KeyRequest::create().context("no key can be made")?;
        let connection = ask::dial_any(&from.enrolment, &tls::pinned(known.authority)).await?;
        let asked = v1::EnrolRequest {
            cluster: known.cluster.to_string(),
            cluster_uid: uid.to_string(),
            signing_request: request.csr_pem,
            service_account_token: token,
            ..v1::EnrolRequest::default()
        };
        let answer = ask::enrol(connection, asked).await?;
        let leaf = kept.store(&answer, &request.key_pem).await?;
        tracing::info!(identity = %leaf.identity, serial = %leaf.serial, "enrolled by the service account");
        Ok(())
    }
}

fn read_token(path: &Path) -> anyhow::Result<String> {
    let named = || format!("identity.service_account_token_file = {path:?}");
    let text = read_bounded(path, TOKEN_BYTES_MAX).with_context(named)?;
    match text.trim() {
        "" => Err(anyhow!("it is empty")).with_context(named),
        token => Ok(token.to_owned()),
    }
}
