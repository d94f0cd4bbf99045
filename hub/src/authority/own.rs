//! The hub's own authority.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use godwit_certs::{Authority, Identity, Issued, JoinToken, TlsFiles};
use godwit_common::ClusterName;
use godwit_rt::atomic_file;
use godwit_rt::tls::ServerTls;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;

/// The folder of the authority, in that of the store.
const AUTHORITY: &str = "authority";
const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key";
/// The hub's certificate, the authority's and the hub's key, in one file, so that it is replaced as one.
const HUB: &str = "hub.pem";
/// Only the hub's user looks in.
const FOLDER_MODE: u32 = 0o700;
/// After a renewal that did not work, such as on a full disk.
const RETRY: Duration = Duration::from_secs(30);

/// The authority, and what it is to sign.
pub(crate) struct Own {
    authority: Authority,
    files: TlsFiles,
    names: Vec<String>,
    hub_validity: Duration,
    agent_validity: Duration,
    /// Whether an operator is asked about every cluster, and for how long.
    asks: bool,
    approval_within: Duration,
}

impl Own {
    /// The authority: that of the operator's files, or one that is made in the folder of the store at the first start. The
    /// hub's certificate is made anew each time.
    pub(super) fn open(settings: &Settings) -> anyhow::Result<Self> {
        let (certificate, key) = paths(settings);
        let made = settings.authority.certificate.as_os_str().is_empty();
        let folder = settings.data_dir.join(AUTHORITY);
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(FOLDER_MODE);
        builder.create(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let is_new = made && !certificate.exists();
        let authority = match made {
            true => Authority::keep(&certificate, &key)?,
            false => Authority::load(&certificate, &key)?,
        };
        if is_new {
            tracing::info!(
                certificate = %certificate.display(),
                pin = %authority.pin(),
                "made an authority of the hub's own: keep a copy of its key somewhere safe"
            );
        }
        let hub = folder.join(HUB);
        let own = Self {
            authority,
            files: TlsFiles { ca: certificate, certificate: hub.clone(), key: hub },
            names: settings.authority.names(),
            hub_validity: settings.authority.hub_validity.0,
            agent_validity: settings.authority.agent_validity.0,
            asks: settings.enrolment.asks(),
            approval_within: settings.enrolment.approval_within.0,
        };
        own.issue_hub()?;
        Ok(own)
    }

    /// Whether what is there can be used.
    pub(super) fn check(settings: &Settings) -> anyhow::Result<()> {
        let (certificate, key) = paths(settings);
        let made = settings.authority.certificate.as_os_str().is_empty();
        if !made || certificate.exists() {
            Authority::load(&certificate, &key)?;
        }
        Ok(())
    }

    /// Those that the hub serves with.
    pub(super) fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// Whom agents and operators have to trust, in PEM.
    pub(crate) fn certificate_pem(&self) -> &str {
        self.authority.certificate_pem()
    }

    /// A token for a cluster, by which its agent knows this authority.
    pub(crate) fn token(&self, cluster: ClusterName) -> Result<JoinToken, godwit_certs::Error> {
        JoinToken::create(cluster, self.authority.pin())
    }

    /// For how long a cluster waits for an operator's word, if one is asked.
    pub(crate) fn approval(&self, wanted: bool) -> Option<Duration> {
        (wanted || self.asks).then_some(self.approval_within)
    }

    /// A certificate for the key of an agent's request.
    pub(super) fn issue_agent(
        &self,
        cluster: ClusterName,
        signing_request: &str,
    ) -> Result<Issued, godwit_certs::Error> {
        self.authority.issue_from_csr(signing_request, &Identity::Agent { cluster }, self.agent_validity)
    }

    /// Makes the hub's certificate anew half way through its life, again and again, and lets it be served with.
    pub(super) async fn renew(self: Arc<Self>, served: Vec<Arc<ServerTls>>, stop: CancellationToken) {
        let mut wait = half_way(self.hub_validity);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(wait) => {}
            }
            let (own, served) = (Arc::clone(&self), served.clone());
            let renewal = move || {
                own.issue_hub()?;
                served.iter().for_each(|tls| tls.reload());
                Ok::<_, anyhow::Error>(())
            };
            wait = match spawn_blocking(renewal).await {
                Ok(Ok(())) => half_way(self.hub_validity),
                Ok(Err(error)) => {
                    tracing::error!("the hub's certificate cannot be renewed: {error:#}");
                    RETRY.min(half_way(self.hub_validity))
                }
                // A panic is reported by its hook.
                Err(_) => RETRY,
            };
        }
    }

    fn issue_hub(&self) -> anyhow::Result<()> {
        let Issued { certificate_pem, key_pem } = self.authority.issue_hub(&self.names, self.hub_validity)?;
        // Whoever comes with a join token knows the authority's key alone: its certificate is brought along.
        let text = certificate_pem + self.certificate_pem() + &key_pem.unwrap_or_default();
        let path = &self.files.certificate;
        atomic_file::write(path, text.as_bytes(), atomic_file::PRIVATE)
            .with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// When something that lasts so long is to be renewed: half way, and for no two at the same moment.
pub(super) fn half_way(lasts: Duration) -> Duration {
    // Any number will do; without one, all are renewed half way to the second.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    let jitter = f64::from(random) / f64::from(u32::MAX);
    lasts.mul_f64(0.45 + 0.1 * jitter)
}

/// How long something lasts from now.
pub(super) fn left_until(end: SystemTime) -> Duration {
    end.duration_since(SystemTime::now()).unwrap_or_default()
}

/// Where the authority's certificate and key are.
pub(super) fn paths(settings: &Settings) -> (PathBuf, PathBuf) {
    let authority = &settings.authority;
    if !authority.certificate.as_os_str().is_empty() {
        return (authority.certificate.clone(), authority.key.clone());
    }
    let folder = settings.data_dir.join(AUTHORITY);
    (folder.join(CERTIFICATE), folder.join(KEY))
}
