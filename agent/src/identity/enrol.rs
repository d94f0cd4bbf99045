//! Until there is a certificate: by the service account, with a join token, or with one that has ended and may still be renewed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use godwit_agent_core::{Call, CallError, Reply};
use godwit_certs::hex::Hex;
use godwit_certs::{JoinToken, KeyRequest, Leaf};
use godwit_common::Uid;
use godwit_common::backoff::Backoff;
use godwit_common::rng::Rng;
use godwit_proto::v1;
use godwit_rt::tls;
use tokio::time::sleep;

use super::FromHub;
use super::ask::{self, Refusal};
use super::kept::Kept;
use super::shared::Shared;
use crate::cluster::Cluster;

/// Between two attempts: an operator may be about to put another token there.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_CAP: Duration = Duration::from_secs(10);
/// A token has a few hundred bytes.
const TOKEN_BYTES_MAX: u64 = 4096;

/// After so many attempts with a token that is refused, an agent with a good certificate goes on with that. Another agent of
/// the cluster may have used the token, and be about to share what it got.
const PATIENCE: u32 = 5;

/// Tries until the folder holds a certificate that has not ended, and says each problem once.
pub(super) async fn until_enrolled(kept: &Kept, from: &FromHub, cluster: &Cluster) {
    let (mut backoff, mut told) = (Backoff::new(RETRY_FIRST, RETRY_CAP), BTreeSet::new());
    // What it starts from matters little: it only keeps many agents apart.
    let mut rng = Rng::new(getrandom::u64().unwrap_or_default());
    let shared = Shared::of(from, cluster);
    let patience = if shared.is_used() { PATIENCE } else { 0 };
    loop {
        let good = kept.good_leaf();
        let (problem, again) = match attempt(kept, from, (cluster, &shared), good.as_ref()).await {
            Ok(()) => return,
            Err(problem @ Refusal::Waiting { again }) => (problem.to_string(), Some(again)),
            Err(problem @ (Refusal::Refused(_) | Refusal::Failed(_))) => (problem.to_string(), None),
        };
        if let Some(leaf) = good.filter(|_| backoff.attempts() >= patience) {
            let identity = leaf.identity;
            tracing::warn!(%identity, problem, "the new join token was not taken: the certificate that is there stays in use");
            return;
        }
        if told.insert(problem.clone()) {
            tracing::warn!(problem, "this agent has no certificate yet: trying again");
        }
        let wait = backoff.next(&mut rng);
        sleep(again.unwrap_or(wait)).await;
    }
}

/// What is best with what is there. With a good certificate, only a token that was not used yet is: somebody has put it there.
/// Without one, the service account comes first, which takes nothing away from anybody; then a token that nobody of the cluster
/// has used, what others share, and what has ended.
async fn attempt(
    kept: &Kept,
    from: &FromHub,
    (cluster, shared): (&Cluster, &Shared),
    good: Option<&Leaf>,
) -> Result<(), Refusal> {
    let token = from.token.as_deref().map(read_token);
    let fresh = match &token {
        Some(Ok(token)) => Some(token).filter(|token| kept.is_unused(&fingerprint(token))),
        Some(Err(_)) | None => None,
    };
    if good.is_some() && fresh.is_none() {
        return Ok(());
    }
    let told = match good {
        // With a good certificate somebody has put another token there for a reason.
        Some(_) => None,
        None => {
            let known = token.as_ref().and_then(|token| token.as_ref().ok());
            match by_account(kept, from, cluster, known).await? {
                Tried::Enrolled => {
                    if let Some(token) = fresh {
                        kept.note_used(fingerprint(token)).await?;
                    }
                    shared.publish(kept, None).await;
                    return Ok(());
                }
                Tried::Refused(problem) => Some(problem),
                Tried::Nothing => None,
            }
        }
    };
    by_others(kept, from, (cluster, shared), token).await.map_err(|refusal| match told {
        Some(told) => also(refusal, &told),
        None => refusal,
    })
}

/// By what is left when the service account alone does not do.
async fn by_others(
    kept: &Kept,
    from: &FromHub,
    (cluster, shared): (&Cluster, &Shared),
    token: Option<anyhow::Result<JoinToken>>,
) -> Result<(), Refusal> {
    let fresh = match &token {
        Some(Ok(token)) => Some(token).filter(|token| kept.is_unused(&fingerprint(token))),
        Some(Err(_)) | None => None,
    };
    let seen = shared.read().await?;
    if let Some(token) = fresh.filter(|token| !seen.has_used(&fingerprint(token))) {
        enrol(kept, from, cluster, token).await?;
        shared.publish(kept, Some(&fingerprint(token))).await;
        return Ok(());
    }
    if let Some(leaf) = seen.adopt(kept, fresh.is_some()).await? {
        if let Some(token) = fresh {
            kept.note_used(fingerprint(token)).await?;
        }
        tracing::info!(identity = %leaf.identity, serial = %leaf.serial, "begins with the certificate of another agent");
    }
    match (kept.good_leaf(), kept.leaf()) {
        (Some(_), _) => Ok(()),
        (None, Some(ended)) => {
            renew_ended(kept, from, &ended).await?;
            shared.publish(kept, None).await;
            Ok(())
        }
        (None, None) => Err(Refusal::Failed(match token {
            Some(Err(error)) => error,
            Some(Ok(_)) => anyhow!(
                "the join token was used, and the certificate that it brought is gone: give a new one"
            ),
            None => anyhow!(
                "there is no certificate in identity.directory, and no join token to get one: give one of `godwit token \
                 create` by --join-token-file"
            ),
        })),
    }
}

/// A certificate in the place of one that has ended: by the service account, or for the old one itself, where the hub still
/// takes that.
pub(super) async fn after_the_end(
    kept: &Kept,
    from: &FromHub,
    cluster: &Cluster,
    ended: &Leaf,
) -> Result<(), Refusal> {
    let token = from.token.as_deref().and_then(|path| read_token(path).ok());
    match by_account(kept, from, cluster, token.as_ref()).await? {
        Tried::Enrolled => Ok(()),
        Tried::Nothing => renew_ended(kept, from, ended).await,
        Tried::Refused(told) => renew_ended(kept, from, ended).await.map_err(|refusal| also(refusal, &told)),
    }
}

/// What came of an attempt by the service account.
enum Tried {
    Enrolled,
    /// The hub takes nobody by it yet, or not this one.
    Refused(String),
    /// There is none.
    Nothing,
}

async fn by_account(
    kept: &Kept,
    from: &FromHub,
    cluster: &Cluster,
    token: Option<&JoinToken>,
) -> Result<Tried, Refusal> {
    let account = from.account.as_ref().and_then(|account| Some((account, account.known(token)?)));
    let Some((account, known)) = account else { return Ok(Tried::Nothing) };
    match account.enrol(kept, from, cluster, known).await {
        Ok(()) => Ok(Tried::Enrolled),
        Err(Refusal::Refused(problem)) => Ok(Tried::Refused(problem)),
        Err(other @ (Refusal::Failed(_) | Refusal::Waiting { .. })) => Err(other),
    }
}

/// Two answers in one line.
fn also(refusal: Refusal, told: &str) -> Refusal {
    match refusal {
        Refusal::Refused(problem) => Refusal::Refused(format!("{problem}; by the service account: {told}")),
        waiting @ Refusal::Waiting { .. } => waiting,
        Refusal::Failed(problem) => {
            Refusal::Failed(anyhow!("{problem:#}; by the service account the hub refuses: {told}"))
        }
    }
}

async fn enrol(kept: &Kept, from: &FromHub, cluster: &Cluster, token: &JoinToken) -> Result<(), Refusal> {
    let uid = cluster_uid(cluster).await?;
    // What later agents come in by is said with it.
    let introduced = match &from.account {
        Some(account) => Some(account.introduce(cluster).await?),
        None => None,
    };
    let (issuer, account_token) = introduced.unzip();
    let request = kept.pending().await?;
    // Until the hub has shown that it is the token's, nothing is said to it.
    let connection = ask::dial_any(&from.enrolment, &tls::pinned(token.authority)).await?;
    let asked = v1::EnrolRequest {
        cluster: token.cluster.to_string(),
        secret: token.secret().to_vec(),
        cluster_uid: uid.to_string(),
        signing_request: request.csr_pem,
        service_account_token: account_token.unwrap_or_default(),
        issuer,
    };
    let fingerprint_of_key = KeyRequest::fingerprint(&asked.signing_request);
    let answer = ask::enrol(connection, asked).await.inspect_err(|refusal| {
        if let (Refusal::Waiting { .. }, Ok(key)) = (refusal, &fingerprint_of_key) {
            // An operator can compare it with what the hub shows.
            tracing::info!(key = %Hex(key), cluster = %token.cluster, "waiting to be let in");
        }
    })?;
    let leaf = kept.store(&answer, &request.key_pem).await?;
    kept.note_used(fingerprint(token)).await?;
    tracing::info!(identity = %leaf.identity, serial = %leaf.serial, "enrolled");
    Ok(())
}

async fn renew_ended(kept: &Kept, from: &FromHub, ended: &Leaf) -> Result<(), Refusal> {
    let config = tls::client_of(&kept.files()).context("the certificate that has ended cannot be used")?;
    let request = KeyRequest::create().context("no key can be made")?;
    let connection = ask::dial_any(&from.enrolment, &config).await?;
    let answer = ask::renew(connection, request.csr_pem).await?;
    let leaf = kept.store(&answer, &request.key_pem).await?;
    tracing::info!(identity = %leaf.identity, serial = %leaf.serial, before = %ended.serial, "the certificate had ended, and is renewed");
    Ok(())
}

pub(super) async fn cluster_uid(cluster: &Cluster) -> anyhow::Result<Uid> {
    match cluster.perform(Call::ReadIdentity).await {
        Ok(Reply::Identity(identity)) => Ok(identity.cluster_uid),
        Ok(other) => Err(anyhow!("the cluster's UID is unknown: {other:?}")),
        Err(CallError::Refused(problem) | CallError::Unavailable(problem)) => {
            Err(anyhow!("the UID of the namespace kube-system cannot be read: {problem}"))
        }
        Err(
            error @ (CallError::Outdated | CallError::FieldConflict { .. } | CallError::NamespaceMissing),
        ) => Err(anyhow!("the UID of the namespace kube-system cannot be read: {error:?}")),
    }
}

fn read_token(path: &Path) -> anyhow::Result<JoinToken> {
    let named = || format!("identity.join_token_file = {path:?}");
    let text = read_bounded(path, TOKEN_BYTES_MAX).with_context(named)?;
    text.parse::<JoinToken>().with_context(named)
}

pub(super) fn read_bounded(path: &Path, bytes_max: u64) -> anyhow::Result<String> {
    let length = fs::metadata(path)?.len();
    if length > bytes_max {
        return Err(anyhow!("it has {length} bytes, and a token has at most {bytes_max}"));
    }
    Ok(fs::read_to_string(path)?)
}

/// What is noted of a token that was used: not the token.
fn fingerprint(token: &JoinToken) -> String {
    JoinToken::hash(token.secret()).iter().map(|byte| format!("{byte:02x}")).collect()
}
