//! Who the agent is to the hub: by certificate files that somebody else renews, or by a certificate that it gets from the
//! hub itself, with a join token or by its service account at first, and renews before it ends. The private key is made here
//! and stays here.

mod account;
mod ask;
mod enrol;
mod kept;
mod renew;
mod report;
mod shared;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use godwit_rt::dial::Endpoint;
use godwit_rt::tls::{ClientTls, TlsFiles};
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::session::Live;
pub(crate) use account::{Account, Known};
use kept::Kept;
use shared::Shared;

/// Where the certificate comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// Files, which are read again when they change.
    Files(TlsFiles),
    /// The hub.
    Hub(FromHub),
}

/// What it takes to get a certificate from the hub.
#[derive(Debug, Clone)]
pub(crate) struct FromHub {
    /// Where the key and the certificate are kept.
    pub(crate) directory: PathBuf,
    /// The Secret by which the cluster's other agents come in.
    pub(crate) secret: Option<String>,
    /// The service account by which the cluster's agents come in once one of them has used a join token.
    pub(crate) account: Option<Account>,
    /// Where the join token is; it may be gone once it is used.
    pub(crate) token: Option<PathBuf>,
    /// Where the hubs take those without a certificate.
    pub(crate) enrolment: Vec<Endpoint>,
    /// Where they take everybody else.
    pub(crate) hubs: Vec<Endpoint>,
}

/// Whether files that have to be there can be used: it is said before anything else is opened.
pub(crate) fn check(source: &Source) -> anyhow::Result<()> {
    match source {
        Source::Files(files) => {
            ClientTls::client(files.clone()).context("the agent's certificate cannot be used")?;
            Ok(())
        }
        Source::Hub(from) => Kept::open(&from.directory).map(|_| ()),
    }
}

/// The agent's side of TLS, which stays fresh until `stop`, and the files that it is made of. It waits until there is a
/// certificate; `None` if it is told to stop before.
pub(crate) async fn open(
    source: &Source,
    cluster: &Cluster,
    live: &Live,
    stop: &CancellationToken,
) -> anyhow::Result<Option<(Arc<ClientTls>, TlsFiles)>> {
    let files = match source {
        Source::Files(files) => files.clone(),
        Source::Hub(from) => {
            let kept = Kept::open(&from.directory)?;
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = enrol::until_enrolled(&kept, from, cluster) => {}
            }
            kept.files()
        }
    };
    let tls = ClientTls::client(files.clone()).context("the agent's certificate cannot be used")?;
    tokio::spawn(tls.clone().watch(stop.clone()));
    if let Source::Hub(from) = source {
        let kept = Kept::open(&from.directory)?;
        let shared = Shared::of(from, cluster);
        let (from, tls, live, cluster) = (from.clone(), tls.clone(), live.clone(), cluster.clone());
        if let Some(account) = from.account.clone() {
            let report = report::Report { account, cluster: cluster.clone(), live: live.clone() };
            let stop = stop.clone();
            tokio::spawn(async move { stop.run_until_cancelled(report.run()).await });
        }
        // Before there is a session, whose hello says that somebody listens.
        let wanted = live.renewals_wanted();
        let renewal = renew::Renewal { kept, shared, from, tls, live, cluster, wanted };
        let stop = stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(renewal.run()).await });
    }
    Ok(Some((tls, files)))
}
