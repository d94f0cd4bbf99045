//! A configuration that follows its files, so that renewed certificates need no restart.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use godwit_certs::{Leaf, TlsFiles};
use rustls::{ClientConfig, ServerConfig};
use tokio::task;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::files::{ContentDigest, Contents, Material};
use super::{Door, TlsError, config};
use crate::limits::RELOAD_INTERVAL;

/// The current configuration of one side. Whoever accepts or dials asks for it each time; connections that stand keep
/// the one they began with. Files are polled and compared by content, since secret volumes swap symbolic links.
pub struct Reloader<C> {
    files: TlsFiles,
    build: Build<C>,
    current: ArcSwap<C>,
    /// What was last tried, good or bad: each content is judged, and complained about, once.
    tried: Mutex<Tried>,
}

/// Makes a configuration of what the files hold.
type Build<C> = Box<dyn Fn(&TlsFiles, Material) -> Result<C, TlsError> + Send + Sync>;

/// What the last look at the files came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tried {
    Content(ContentDigest),
    Unreadable,
}

impl Reloader<ServerConfig> {
    /// A hub's configuration for one of its doors. It reads the files; every one must be good to begin with.
    pub fn server(files: TlsFiles, door: Door) -> Result<Arc<Self>, TlsError> {
        Self::new(files, Box::new(move |files, material| config::server(files, material, door.clone())))
    }
}

impl Reloader<ClientConfig> {
    /// An agent's or an admin's configuration. It reads the files; every one must be good to begin with.
    pub fn client(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        Self::new(files, Box::new(config::client))
    }

    /// An agent's configuration for dialling others of its cluster, who show certificates like its own.
    pub fn neighbour(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        Self::new(files, Box::new(config::neighbour))
    }
}

impl<C: Send + Sync + 'static> Reloader<C> {
    /// The configuration for the next handshake.
    pub fn current(&self) -> Arc<C> {
        self.current.load_full()
    }

    /// Looks at the files at once, for who has just written them. It blocks for as long as reading them takes.
    pub fn reload(&self) {
        self.look();
    }

    /// Follows the files until `stop`. A content that cannot be used is warned about once, and the configuration stays.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = interval(RELOAD_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let reloader = Arc::clone(&self);
            // Reading may block for long on a network volume. A panic in there is already reported by its hook.
            let _ = task::spawn_blocking(move || reloader.look()).await;
        }
    }

    fn new(files: TlsFiles, build: Build<C>) -> Result<Arc<Self>, TlsError> {
        let contents = Contents::read(&files)?;
        let current = build(&files, contents.parse(&files)?.lasting(&files)?)?;
        let tried = Mutex::new(Tried::Content(contents.digest()));
        Ok(Arc::new(Self { files, build, current: ArcSwap::from_pointee(current), tried }))
    }

    /// One look at the files: takes a new content that is good, and says what it did.
    fn look(&self) {
        let contents = Contents::read(&self.files);
        let found = contents.as_ref().map_or(Tried::Unreadable, |contents| Tried::Content(contents.digest()));
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if *tried == found {
            return;
        }
        *tried = found;
        match contents.and_then(|contents| self.take(&contents)) {
            Ok(leaf) => {
                tracing::info!(identity = %leaf.identity, fingerprint = %leaf.fingerprint, "certificate reloaded");
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "new certificate files are not usable: the old certificate stays in use"
                );
            }
        }
    }

    fn take(&self, contents: &Contents) -> Result<Leaf, TlsError> {
        let material = contents.parse(&self.files)?.lasting(&self.files)?;
        let leaf = material.leaf.clone();
        self.current.store(Arc::new((self.build)(&self.files, material)?));
        Ok(leaf)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use godwit_certs::{Authority, Issued, LEAF_VALIDITY, mint_development};
    use tempfile::TempDir;

    use super::*;
    use crate::revocations::Revocations;

    #[test]
    fn a_good_content_is_taken_and_a_broken_one_is_not() {
        let (dir, reloader) = hub();
        let first = reloader.current();
        reloader.look();
        assert!(Arc::ptr_eq(&first, &reloader.current()), "nothing had changed");

        let renewed = issue(&dir);
        fs::write(&reloader.files.certificate, &renewed.certificate_pem).unwrap();
        reloader.look();
        assert!(Arc::ptr_eq(&first, &reloader.current()), "the key is still that of the old certificate");
        fs::write(&reloader.files.key, renewed.key_pem.unwrap()).unwrap();
        reloader.look();
        let second = reloader.current();
        assert!(!Arc::ptr_eq(&first, &second));

        for broken in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            fs::write(&reloader.files.ca, broken).unwrap();
            reloader.look();
            assert!(Arc::ptr_eq(&second, &reloader.current()));
        }
    }

    #[test]
    fn missing_files_keep_the_configuration_until_they_are_back() {
        let (dir, reloader) = hub();
        let first = reloader.current();
        fs::remove_file(&reloader.files.key).unwrap();
        reloader.look();
        assert_eq!(*reloader.tried.lock().unwrap(), Tried::Unreadable);
        assert!(Arc::ptr_eq(&first, &reloader.current()));

        let renewed = issue(&dir);
        fs::write(&reloader.files.certificate, &renewed.certificate_pem).unwrap();
        fs::write(&reloader.files.key, renewed.key_pem.unwrap()).unwrap();
        reloader.look();
        assert!(!Arc::ptr_eq(&first, &reloader.current()));
    }

    fn hub() -> (TempDir, Arc<Reloader<ServerConfig>>) {
        let dir = tempfile::tempdir().unwrap();
        let files = mint_development(dir.path(), &[], &["localhost".to_owned()]).unwrap().hub;
        let reloader = Reloader::server(files, Door::Members(Revocations::none())).unwrap();
        (dir, reloader)
    }

    fn issue(dir: &TempDir) -> Issued {
        let authority = Authority::load(&dir.path().join("ca.pem"), &dir.path().join("ca.key")).unwrap();
        authority.issue_hub(&["localhost".to_owned()], LEAF_VALIDITY).unwrap()
    }
}
