//! The hub's own authority.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use godwit_certs::{Identity, JoinToken, LoginToken, TlsFiles};
use godwit_hub_core::{Admits, TokenHash};
use godwit_rt::atomic_file;
use godwit_rt::tls::{ServerTls, Vouching};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::holders::Holders;
use super::place::Place;
use super::standing::{Granted, Standing};
use crate::config::Settings;

/// The hub's certificate, the authorities' and the hub's key, in one file, so that it is replaced as one.
const HUB: &str = "hub.pem";
/// Whom the hub trusts: its authority, and the other one as long as there are two.
const BUNDLE: &str = "bundle.pem";
/// So long before the authority ends the hub says so each time that it renews its certificate.
const END_IN_SIGHT: Duration = Duration::from_secs(180 * 24 * 3600);
/// After a renewal that did not work, such as on a full disk.
const RETRY: Duration = Duration::from_secs(30);

/// The authority, and what it is to sign.
pub(crate) struct Own {
    pub(super) place: Place,
    pub(super) standing: Mutex<Standing>,
    pub(super) holders: Holders,
    /// Who vouches for those who are connected, since the first step of a change; before, whoever did when they came.
    pub(super) vouching: watch::Sender<Option<Vouching>>,
    /// What shows the hub's certificate.
    served: OnceLock<Vec<Arc<ServerTls>>>,
    files: TlsFiles,
    pub(super) names: Vec<String>,
    pub(super) hub_validity: Duration,
    agent_validity: Duration,
    /// Whether an operator is asked about every cluster, and for how long.
    asks: bool,
    approval_within: Duration,
    login_validity: Duration,
}

impl Own {
    /// The authority: that of the operator's files, or one that is made in the folder of the store at the first start. The
    /// hub's certificate is made anew each time.
    pub(super) fn open(settings: &Settings, holders: Holders) -> anyhow::Result<Self> {
        let place = Place::of(settings);
        let lock = place.lock()?;
        let standing = Standing::of(place.keep()?)?;
        drop(lock);
        let hub = place.file(HUB);
        if let Some(beside) = standing.found.ledger.beside {
            holders.renew_up_to(beside.outdated());
        }
        let own = Self {
            files: TlsFiles { ca: place.file(BUNDLE), certificate: hub.clone(), key: hub },
            place,
            standing: Mutex::new(standing),
            holders,
            vouching: watch::Sender::default(),
            served: OnceLock::new(),
            names: settings.authority.names(),
            hub_validity: settings.authority.hub_validity.0,
            agent_validity: settings.authority.agent_validity.0,
            asks: settings.enrolment.asks(),
            approval_within: settings.enrolment.approval_within.0,
            login_validity: settings.authority.login_validity.0,
        };
        own.show(&own.standing())?;
        Ok(own)
    }

    /// Whether what is there can be used.
    pub(super) fn check(settings: &Settings) -> anyhow::Result<()> {
        Place::of(settings).look().map(drop)
    }

    /// Those that the hub serves with.
    pub(super) fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// A token, as text, and what is kept of it. Its holder knows the hub by the authority that signs now, which vouches for the
    /// next.
    pub(crate) fn token(&self, admits: &Admits) -> anyhow::Result<(String, TokenHash)> {
        let authority = self.standing().signing().pin();
        let (text, secret) = match admits {
            Admits::Cluster(name) => {
                let token = JoinToken::create(name.clone(), authority)?;
                (token.reveal(), *token.secret())
            }
            Admits::Operator(name) => {
                let token = LoginToken::create(name.parse()?, authority)?;
                (token.reveal(), *token.secret())
            }
        };
        Ok((text, TokenHash(JoinToken::hash(&secret))))
    }

    /// For how long a cluster waits for an operator's word, if one is asked.
    pub(crate) fn approval(&self, wanted: bool) -> Option<Duration> {
        (wanted || self.asks).then_some(self.approval_within)
    }

    /// A certificate for the key of a request.
    pub(super) async fn issue(
        self: &Arc<Self>,
        identity: Identity,
        signing_request: String,
    ) -> anyhow::Result<Granted> {
        let own = Arc::clone(self);
        let validity = match &identity {
            Identity::Agent { .. } => self.agent_validity,
            Identity::Admin { .. } | Identity::Hub => self.login_validity,
        };
        // It may have to write the ledger.
        let signed =
            spawn_blocking(move || own.standing().grant(&own.place, &identity, &signing_request, validity));
        signed.await.context("signing panicked; this is a fault of godwit-hub")?
    }

    /// Makes the hub's certificate anew half way through its life, again and again, and lets it be served with.
    pub(super) async fn renew(self: Arc<Self>, served: Vec<Arc<ServerTls>>, stop: CancellationToken) {
        // Set once: nobody else keeps it fresh.
        let _ = self.served.set(served);
        let mut wait = half_way(self.hub_validity);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(wait) => {}
            }
            let own = Arc::clone(&self);
            wait = match spawn_blocking(move || own.show(&own.standing())).await {
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

    /// Shows a new certificate to whoever comes from now on, and trusts those whom the authority trusts. Connections that stand
    /// are not looked at here.
    pub(super) fn show(&self, standing: &Standing) -> anyhow::Result<()> {
        let hub = standing.issue_hub(&self.names, self.hub_validity)?;
        let bundle = standing.bundle();
        let TlsFiles { ca, certificate, key: _ } = &self.files;
        for (path, text, mode) in
            [(ca, bundle, atomic_file::PUBLIC), (certificate, hub, atomic_file::PRIVATE)]
        {
            atomic_file::write(path, text.as_bytes(), mode)
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
        self.served.get().into_iter().flatten().for_each(|tls| tls.reload());
        let left = left_until(standing.signing().ends());
        if left < END_IN_SIGHT {
            let days = left.as_secs() / (24 * 3600);
            tracing::warn!(
                days,
                "the authority ends soon, and everything that it has signed with it: `godwit authority prepare`"
            );
        }
        Ok(())
    }

    pub(super) fn standing(&self) -> MutexGuard<'_, Standing> {
        // What may panic under the lock has not changed anything yet.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
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
