//! Who the hub is, and whom it lets in: by certificates that come as files, or by an authority of its own, which keeps the
//! hub's certificate fresh and signs those of agents and operators.

mod admin;
mod enrolments;
mod gate;
mod holders;
mod own;
mod place;
mod pods;
mod rollover;
mod standing;
mod trial;

use std::sync::Arc;

use anyhow::Context;
use godwit_certs::TlsFiles;
use godwit_rt::Revocations;
use godwit_rt::tls::{Door, ServerTls};
use tokio_util::sync::CancellationToken;
use tonic::Status;

pub(crate) use admin::issue_admin;
pub(crate) use enrolments::Enrolments;
pub(crate) use gate::follow_revocations;
pub(crate) use holders::{Attached, Holders};
pub(crate) use own::Own;
pub(crate) use rollover::{HeldToken, Known, Members, Overview, Refusal, Turn, Turned};

use crate::config::{Settings, Tls};

/// What the hub shows, and who is let in at each of its doors.
pub(crate) struct Credentials {
    /// The authority, if it is the hub's own.
    pub(crate) own: Option<Arc<Own>>,
    /// The agents with a session.
    pub(crate) holders: Holders,
    /// Agents and operators.
    pub(crate) members: Entry,
    /// Those who come for a certificate; they need an authority.
    pub(crate) strangers: Option<Entry>,
}

/// One door, and the configuration behind it.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) tls: Arc<ServerTls>,
    pub(crate) door: Door,
}

impl Credentials {
    /// Reads the certificates, or the authority, which is made if it is not there.
    pub(crate) fn open(settings: &Settings, revocations: &Revocations) -> anyhow::Result<Self> {
        let holders = Holders::default();
        if !settings.authority.is_set() {
            let members = Entry::open(files(&settings.tls), Door::Members(revocations.clone()));
            let members = members.context("the settings under tls do not work")?;
            return Ok(Self { own: None, holders, members, strangers: None });
        }
        let own = Own::open(settings, holders.clone()).context("the hub's own authority does not work")?;
        let revocations = &revocations.clone().vouched(own.vouching.subscribe());
        let members = Entry::open(own.files().clone(), Door::Members(revocations.clone()))?;
        let strangers = Entry::open(own.files().clone(), Door::Strangers(revocations.clone()))?;
        Ok(Self { own: Some(Arc::new(own)), holders, members, strangers: Some(strangers) })
    }

    /// Keeps everything fresh until `stop`.
    pub(crate) fn keep(&self, stop: &CancellationToken) {
        for entry in [Some(&self.members), self.strangers.as_ref()].into_iter().flatten() {
            tokio::spawn(Arc::clone(&entry.tls).watch(stop.clone()));
        }
        if let Some(own) = &self.own {
            let entries = [Some(&self.members), self.strangers.as_ref()].into_iter().flatten();
            let served = entries.map(|entry| Arc::clone(&entry.tls)).collect();
            tokio::spawn(Arc::clone(own).renew(served, stop.clone()));
        }
    }
}

impl Entry {
    fn open(files: TlsFiles, door: Door) -> Result<Self, godwit_rt::tls::TlsError> {
        Ok(Self { tls: ServerTls::server(files, door.clone())?, door })
    }
}

/// Whether the certificates can be used, or the authority if it is there; makes nothing.
pub(crate) fn check(settings: &Settings) -> anyhow::Result<()> {
    if settings.authority.is_set() {
        return Own::check(settings).context("the hub's own authority does not work");
    }
    Credentials::open(settings, &Revocations::none()).map(|_| ())
}

fn files(tls: &Tls) -> TlsFiles {
    let Tls { ca, certificate, key } = tls.clone();
    TlsFiles { ca, certificate, key }
}

/// A field of a request is not what it must be.
fn invalid(field: &str, problem: impl std::fmt::Display) -> Status {
    Status::invalid_argument(format!("{field}: {problem}"))
}
