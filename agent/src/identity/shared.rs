//! What the agents of one cluster have in common: the first one's certificate comes into a Secret, and the others begin with
//! it. Each then renews for itself at once, with a key of its own.

use anyhow::anyhow;
use godwit_agent_core::CallError;
use godwit_certs::Leaf;

use super::FromHub;
use super::kept::Kept;
use crate::cluster::{Cluster, SecretData};

/// The fingerprint of the token that was used last, among the Secret's keys.
const USED: &str = "token.used";

/// The Secret, if there is to be one.
#[derive(Clone)]
pub(super) struct Shared {
    name: Option<String>,
    cluster: Cluster,
}

/// What it held at one moment.
#[derive(Default)]
pub(super) struct Seen(SecretData);

impl Shared {
    pub(super) fn of(from: &FromHub, cluster: &Cluster) -> Self {
        Self { name: from.secret.clone(), cluster: cluster.clone() }
    }

    /// Whether other agents of the cluster may have brought something.
    pub(super) fn is_used(&self) -> bool {
        self.name.is_some()
    }

    pub(super) async fn read(&self) -> anyhow::Result<Seen> {
        let Some(name) = &self.name else { return Ok(Seen::default()) };
        let found = self.cluster.read_secret(name).await;
        let found = found.map_err(|error| anyhow!("the Secret {name} cannot be read: {}", words(&error)))?;
        Ok(Seen(found.unwrap_or_default()))
    }

    /// Lets others begin with what this agent has. `used` is the fingerprint of the token that it has just used.
    pub(super) async fn publish(&self, kept: &Kept, used: Option<&str>) {
        let Some(name) = &self.name else { return };
        let written = async {
            let mut data = kept.contents()?;
            data.extend(used.map(|used| (USED.to_owned(), used.to_owned())));
            self.cluster.write_secret(name, &data).await.map_err(|error| anyhow!(words(&error)))
        };
        if let Err(problem) = written.await {
            tracing::warn!(secret = name, problem = %format!("{problem:#}"), "other agents of this cluster cannot begin with this one's certificate");
        }
    }
}

impl Seen {
    /// Whether somebody has used that token.
    pub(super) fn has_used(&self, fingerprint: &str) -> bool {
        self.0.get(USED).is_some_and(|used| used == fingerprint)
    }

    /// Takes the certificate over, if it lasts longer than what is kept, or is from a newer token; `None` if not.
    pub(super) async fn adopt(&self, kept: &Kept, from_newer_token: bool) -> anyhow::Result<Option<Leaf>> {
        kept.adopt(&self.0, from_newer_token).await
    }
}

fn words(error: &CallError) -> String {
    match error {
        CallError::Refused(problem) | CallError::Unavailable(problem) => problem.to_string(),
        other @ (CallError::Outdated | CallError::FieldConflict { .. } | CallError::NamespaceMissing) => {
            format!("{other:?}")
        }
    }
}
