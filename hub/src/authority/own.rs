//! The hub's own authority.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
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
use super::standing::{Granted, Published, Standing};
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
    /// Who has it may wait for the disk: see [`Self::alone`].
    standing: Mutex<Standing>,
    published: watch::Sender<Arc<Published>>,
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
        holders.renew_up_to(standing.found.ledger.outdated());
        let own = Self {
            files: TlsFiles { ca: place.file(BUNDLE), certificate: hub.clone(), key: hub },
            place,
            published: watch::Sender::new(Arc::new(standing.published())),
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
        own.alone(|standing| own.show(standing))?;
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
    /// next. A step that is being taken is waited for.
    pub(crate) async fn token(self: &Arc<Self>, admits: &Admits) -> anyhow::Result<(String, TokenHash)> {
        let own = Arc::clone(self);
        let signing = spawn_blocking(move || own.alone(|standing| standing.signing().pin())).await;
        let authority = signing.context("a step of the authority panicked; this is a fault of godwit-hub")?;
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
        let sign =
            move || own.alone(|standing| standing.grant(&own.place, &identity, &signing_request, validity));
        spawn_blocking(sign).await.context("signing panicked; this is a fault of godwit-hub")?
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
            wait = match spawn_blocking(move || own.alone(|standing| own.show(standing))).await {
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

    /// Signing, and taking steps, is done by one at a time, and waits for the disk and for another process that signs: on
    /// threads that may wait. Whoever only looks takes what was [published](Self::published).
    pub(super) fn alone<T>(&self, work: impl FnOnce(&mut Standing) -> T) -> T {
        // What may panic under the lock has not changed anything yet.
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let done = work(&mut standing);
        self.published.send_replace(Arc::new(standing.published()));
        done
    }

    /// How it stands, as of the last that was signed, or the last step; waits for nobody.
    pub(super) fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published.borrow())
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use godwit_certs::Step;

    use super::super::rollover::{Members, Turn, Turned};
    use super::*;

    #[tokio::test]
    async fn what_follows_from_a_step_is_done_when_it_is_said_again_or_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let own = open(folder.path(), &Holders::default());
        assert!(taken(&own, Turn::Prepare).await.unfinished.is_none());
        assert_eq!(own.overview(&Members::default()).step, Step::Prepared);

        // What the hub shows cannot be written.
        let bundle = folder.path().join("authority").join(BUNDLE);
        fs::remove_file(&bundle).unwrap();
        fs::create_dir(&bundle).unwrap();
        let turned = taken(&own, Turn::Abandon).await;
        assert!(turned.has_changed, "its ledger is written");
        let unfinished = format!("{:#}", turned.unfinished.unwrap());
        assert!(unfinished.contains(BUNDLE), "{unfinished}");
        let overview = own.overview(&Members::default());
        assert_eq!((overview.step, overview.bundle.matches("BEGIN").count()), (Step::Settled, 1));
        assert_eq!(
            own.alone(|standing| standing.bundle()),
            overview.bundle,
            "nothing goes along with what is signed"
        );
        let outdated = own.published().ledger.settled.unwrap();
        assert_eq!(own.holders.renewed_up_to(), outdated, "whoever trusts it renews");
        assert!(!folder.path().join("authority/next.key").exists());

        fs::remove_dir(&bundle).unwrap();
        let again = taken(&own, Turn::Abandon).await;
        assert!(!again.has_changed && again.unfinished.is_none(), "{again:?}");
        assert_eq!(fs::read_to_string(&bundle).unwrap(), overview.bundle);
        assert_eq!(own.holders.renewed_up_to(), outdated, "nobody renews twice for one step");
        drop(own);

        // A hub that died after it had written the ledger, and knows of nobody who was asked.
        let holders = Holders::default();
        let own = open(folder.path(), &holders);
        assert_eq!(holders.renewed_up_to(), outdated);
        assert!(taken(&own, Turn::Finish).await.unfinished.is_none());
        assert_eq!(holders.renewed_up_to(), outdated, "nothing was finished");
    }

    #[tokio::test]
    async fn who_looks_waits_neither_for_a_step_nor_for_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let own = open(folder.path(), &Holders::default());
        let other_process = own.place.lock().unwrap();
        let step = Arc::clone(&own);
        let step = tokio::spawn(async move { taken(&step, Turn::Prepare).await });
        while own.standing.try_lock().is_ok() {
            sleep(Duration::from_millis(1)).await;
        }
        let look = Arc::clone(&own);
        let look = spawn_blocking(move || look.overview(&Members::default()).step);
        let seen = tokio::time::timeout(Duration::from_secs(30), look).await;
        assert_eq!(seen.expect("it waits for nobody").unwrap(), Step::Settled);
        drop(other_process);
        assert!(step.await.unwrap().has_changed);
        assert_eq!(own.overview(&Members::default()).step, Step::Prepared);
    }

    fn open(folder: &Path, holders: &Holders) -> Arc<Own> {
        let mut settings = Settings { data_dir: folder.to_owned(), ..Settings::default() };
        settings.authority.names = "localhost".to_owned();
        Arc::new(Own::open(&settings, holders.clone()).unwrap())
    }

    async fn taken(own: &Arc<Own>, turn: Turn) -> Turned {
        own.turn(turn, Members::default(), true).await.unwrap()
    }
}
