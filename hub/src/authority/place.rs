//! Where an authority is: two pairs of files, of which the ledger beside them says what each is. What is written here is whole
//! after a crash between any two writes: the ledger is the last word on what counts.

use std::fs::{self, File};
use std::io;
use std::os::unix;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};
use godwit_certs::{Authority, Ledger, Pin, Step, seconds};
use godwit_rt::atomic_file;

use crate::config::Settings;

/// The folder of the authority, in that of the store.
const AUTHORITY: &str = "authority";
const LEDGER: &str = "ledger";
/// Held by whoever changes the ledger: the hub, or `--issue-admin` beside it.
const LOCK: &str = "lock";
/// Only the hub's user looks in.
const FOLDER_MODE: u32 = 0o700;

/// Where an authority is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    folder: PathBuf,
    /// That of the authority that there has been for long.
    first: Pair,
    /// That of the one that takes its place; none if the operator gives the first one and not the second.
    second: Option<Pair>,
    /// Whether the hub makes them.
    own: bool,
    /// How long certificates may last that a version without a ledger has signed.
    lasted: [u64; 2],
}

/// An authority's two files.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// What is there.
pub(super) struct Found {
    pub(super) ledger: Ledger,
    pub(super) signing: Authority,
    /// The other one of the ledger.
    pub(super) beside: Option<Authority>,
}

impl Place {
    pub(super) fn of(settings: &Settings) -> Self {
        let folder = settings.data_dir.join(AUTHORITY);
        let given = &settings.authority;
        let pair = |certificate: PathBuf, key: PathBuf| Pair { certificate, key };
        let own = given.certificate.as_os_str().is_empty();
        let (first, second) = match own {
            true => (
                pair(folder.join("ca.pem"), folder.join("ca.key")),
                Some(pair(folder.join("next.pem"), folder.join("next.key"))),
            ),
            false => (
                pair(given.certificate.clone(), given.key.clone()),
                (!given.next_certificate.as_os_str().is_empty())
                    .then(|| pair(given.next_certificate.clone(), given.next_key.clone())),
            ),
        };
        let of_operators = given.admin_validity.max(given.login_validity);
        let lasted = [given.agent_validity, of_operators].map(|span| span.0.as_secs());
        Self { folder, first, second, own, lasted }
    }

    /// A file that the hub makes for itself.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Keeps others from changing anything as long as what is returned lives. The folder is made.
    pub(super) fn lock(&self) -> anyhow::Result<File> {
        let folder = &self.folder;
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(FOLDER_MODE);
        builder.create(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let path = self.file(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        lock.and_then(|lock| self.hand_over(&path).and_then(|()| lock.lock()).map(|()| lock))
            .with_context(|| format!("{} cannot be locked", path.display()))
    }

    /// What is there; none before the first start.
    pub(super) fn look(&self) -> anyhow::Result<Option<Found>> {
        match self.read_ledger()? {
            Some(ledger) => self.find(ledger).map(Some),
            None => self.look_without_a_ledger(),
        }
    }

    /// What is there, for a process that has found it before: nothing is made in its place.
    pub(super) fn look_again(&self) -> anyhow::Result<Found> {
        self.look()?.with_context(|| {
            format!("the authority in {} is gone: restore its folder from a copy", self.folder.display())
        })
    }

    /// What is there; it is made, or written down, if it is not. Under the lock.
    pub(super) fn keep(&self) -> anyhow::Result<Found> {
        if let Some(found) = self.look()? {
            self.write(&found.ledger)?;
            self.tidy(&found)?;
            // What a crash has left of one that was given up, or was never prepared.
            self.discard(&found)?;
            return Ok(found);
        }
        let authority = Authority::keep(&self.first.certificate, &self.first.key)?;
        tracing::info!(
            certificate = %self.first.certificate.display(),
            pin = %authority.pin(),
            "made an authority of the hub's own: keep a copy of its key somewhere safe"
        );
        let ledger = Ledger::begin(authority.pin(), 0, 0);
        self.write(&ledger)?;
        Ok(Found { ledger, signing: authority, beside: None })
    }

    /// The next authority: one that is made, or that the operator gives. One that was made and did not fit is taken up, until it
    /// is given up.
    pub(super) fn next(&self, signing: Pin) -> anyhow::Result<Authority> {
        let Some(Pair { certificate, key }) = &self.second else {
            bail!(
                "the authority comes from authority.certificate, and so must the next one: set authority.next_certificate and \
                 authority.next_key, start the hub with them, and prepare again"
            );
        };
        let candidates = match self.own {
            true => vec![Authority::keep(certificate, key)?],
            // What was given as the next one may be the one that signs since the last change.
            false => [Some(&self.first), self.second.as_ref()]
                .into_iter()
                .flatten()
                .map(|pair| Authority::load(&pair.certificate, &pair.key))
                .collect::<Result<_, _>>()?,
        };
        let next = candidates.into_iter().find(|authority| authority.pin() != signing);
        next.with_context(|| {
            format!(
                "{} holds the authority that signs already: it must be another one",
                certificate.display()
            )
        })
    }

    /// From then on this is what counts.
    pub(super) fn write(&self, ledger: &Ledger) -> anyhow::Result<()> {
        let path = self.file(LEDGER);
        let text = ledger.to_string();
        if fs::read_to_string(&path).is_ok_and(|written| written == text) {
            return Ok(());
        }
        atomic_file::write(&path, text.as_bytes(), atomic_file::PRIVATE)
            .and_then(|()| self.hand_over(&path))
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    /// What root writes for `--issue-admin` is still the hub's.
    fn hand_over(&self, path: &Path) -> io::Result<()> {
        let (folder, file) = (fs::metadata(&self.folder)?, fs::metadata(path)?);
        match file.uid() == folder.uid() {
            true => Ok(()),
            false => unix::fs::chown(path, Some(folder.uid()), Some(folder.gid())),
        }
    }

    /// After a change of the hub's own authority the new one takes the place of the old one among the files, and the old key
    /// is gone.
    pub(super) fn tidy(&self, found: &Found) -> anyhow::Result<()> {
        let (Step::Settled, true, Some(second)) = (found.ledger.step(), self.own, &self.second) else {
            return Ok(());
        };
        let of = |pair: &Pair| Authority::load_at_any_time(&pair.certificate, &pair.key).ok();
        let signing = found.signing.pin();
        if of(second).is_none_or(|authority| authority.pin() != signing) {
            return Ok(());
        }
        if of(&self.first).is_none_or(|authority| authority.pin() != signing) {
            found.signing.save(&self.first.certificate, &self.first.key)?;
        }
        for path in [&second.certificate, &second.key] {
            fs::remove_file(path).with_context(|| format!("{} cannot be removed", path.display()))?;
        }
        Ok(())
    }

    /// Removes the hub's own next authority, which nobody trusts: another one is made when one is prepared again.
    pub(super) fn discard(&self, found: &Found) -> anyhow::Result<()> {
        let (Step::Settled, true, Some(second)) = (found.ledger.step(), self.own, &self.second) else {
            return Ok(());
        };
        for path in [&second.certificate, &second.key] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("{} cannot be removed", path.display()));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn read_ledger(&self) -> anyhow::Result<Option<Ledger>> {
        let path = self.file(LEDGER);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let ledger = text.parse();
                ledger.map(Some).with_context(|| format!("{} cannot be used", path.display()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    fn look_without_a_ledger(&self) -> anyhow::Result<Option<Found>> {
        let Pair { certificate, key } = &self.first;
        if self.own && !certificate.exists() {
            return Ok(None);
        }
        let has_next = self.second.as_ref().is_some_and(|second| second.certificate.exists());
        if self.own && has_next {
            bail!(
                "{} is gone, and says which of two authorities signs: restore the folder from a copy",
                self.file(LEDGER).display()
            );
        }
        let signing = Authority::load(certificate, key)?;
        let now = seconds(SystemTime::now());
        let [agents, operators] = self.lasted.map(|lasts| now.saturating_add(lasts));
        let ledger = Ledger::begin(signing.pin(), agents, operators);
        Ok(Some(Found { ledger, signing, beside: None }))
    }

    /// The files of what a ledger names.
    pub(super) fn find(&self, ledger: Ledger) -> anyhow::Result<Found> {
        let signing = self.pair_of(ledger.signing.authority, Authority::load, "signs")?;
        let beside = ledger.beside.map(|beside| {
            self.pair_of(
                beside.other.authority,
                Authority::load_at_any_time,
                "is trusted beside the one that signs",
            )
        });
        Ok(Found { signing, beside: beside.transpose()?, ledger })
    }

    fn pair_of(
        &self,
        pin: Pin,
        load: impl Fn(&Path, &Path) -> Result<Authority, godwit_certs::Error>,
        what: &str,
    ) -> anyhow::Result<Authority> {
        let mut problems = Vec::new();
        for Pair { certificate, key } in [Some(&self.first), self.second.as_ref()].into_iter().flatten() {
            match load(certificate, key) {
                Ok(authority) if authority.pin() == pin => return Ok(authority),
                Ok(other) => problems.push(format!("{} is that of {}", certificate.display(), other.pin())),
                Err(error) => problems.push(error.to_string()),
            }
        }
        bail!(
            "the authority with the pin {pin}, which {what}, is not there: {}; restore its certificate and its key{}",
            problems.join("; "),
            match self.own {
                true => "",
                false =>
                    ", or name them by authority.certificate and authority.key, or authority.next_certificate and \
                          authority.next_key",
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_made_once_and_found_whatever_was_left_half_done() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        assert!(place.look().unwrap().is_none());
        let _lock = place.lock().unwrap();
        assert!(format!("{:#}", place.look_again().map(drop).unwrap_err()).contains("is gone"));
        let first = place.keep().unwrap().signing.pin();
        assert_eq!(place.keep().unwrap().signing.pin(), first);
        assert_eq!(place.look_again().unwrap().signing.pin(), first);

        // One that was given up is not the next one again; what is left of it is no hindrance.
        let abandoned = place.next(first).unwrap().pin();
        for _ in 0..2 {
            place.discard(&place.look_again().unwrap()).unwrap();
        }
        let left = place.next(first).unwrap().pin();
        assert_ne!(left, abandoned);
        // Nor is one that a crash has left: its files go with the next start.
        assert_eq!(place.keep().unwrap().ledger.step(), Step::Settled);
        assert!(!place.file("next.pem").exists() && !place.file("next.key").exists());

        // A next one that nobody was told of: both files, then a key alone.
        let next = place.next(first).unwrap().pin();
        assert_ne!(next, left);
        assert_eq!(place.next(first).unwrap().pin(), next);
        fs::remove_file(place.file("next.pem")).unwrap();
        let anew = place.next(first).unwrap().pin();
        assert_ne!(anew, next, "nobody has seen a certificate of it");
        assert_eq!(place.next(first).unwrap().pin(), anew);

        let prepared = place.look_again().unwrap().ledger.prepare(anew, 1).unwrap().unwrap();
        place.write(&prepared).unwrap();
        let switched = prepared.switch(2).unwrap().unwrap();
        place.write(&switched).unwrap();
        let found = place.keep().unwrap();
        assert_eq!((found.signing.pin(), found.beside.unwrap().pin()), (anew, first));

        // Finished, and the files not moved yet; then the key alone; then everything.
        let finished = switched.finish(3).unwrap().unwrap();
        place.write(&finished).unwrap();
        fs::copy(place.file("next.key"), place.file("ca.key")).unwrap();
        for _ in 0..2 {
            assert_eq!(place.keep().unwrap().signing.pin(), anew);
            assert!(!place.file("next.pem").exists() && !place.file("next.key").exists());
        }
        assert_eq!(Authority::load(&place.file("ca.pem"), &place.file("ca.key")).unwrap().pin(), anew);
    }

    #[test]
    fn what_the_ledger_names_and_is_not_there_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        let _lock = place.lock().unwrap();
        let first = place.keep().unwrap();
        let next = place.next(first.signing.pin()).unwrap().pin();
        place.write(&first.ledger.prepare(next, 1).unwrap().unwrap()).unwrap();
        let problem = || format!("{:#}", place.keep().map(drop).unwrap_err());

        let key = fs::read(place.file("next.key")).unwrap();
        fs::remove_file(place.file("next.key")).unwrap();
        assert!(problem().contains(&next.to_string()) && problem().contains("next.key"), "{}", problem());
        fs::write(place.file("next.key"), key).unwrap();
        let ledger = fs::read(place.file(LEDGER)).unwrap();
        fs::remove_file(place.file(LEDGER)).unwrap();
        assert!(problem().contains("which of two authorities signs"), "{}", problem());
        fs::write(place.file(LEDGER), "godwit-authority 1\n").unwrap();
        assert!(problem().contains("line 2"), "{}", problem());
        fs::write(place.file(LEDGER), ledger).unwrap();
        place.keep().unwrap();
    }

    #[test]
    fn given_authorities_are_found_under_either_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path());
        let path = |name: &str| folder.path().join(name);
        for name in ["a", "b"] {
            let authority = Authority::create(godwit_certs::CA_VALIDITY).unwrap();
            authority.save(&path(&format!("{name}.pem")), &path(&format!("{name}.key"))).unwrap();
        }
        settings.authority.certificate = path("a.pem");
        settings.authority.key = path("a.key");
        let place = Place::of(&settings);
        let _lock = place.lock().unwrap();
        let found = place.keep().unwrap();
        let first = found.signing.pin();
        assert!(found.ledger.signing.agents_until > 0, "it may have signed before there was a ledger");
        let problem = place.next(first).unwrap_err().to_string();
        assert!(problem.contains("authority.next_certificate"), "{problem}");

        settings.authority.next_certificate = path("b.pem");
        settings.authority.next_key = path("b.key");
        let place = Place::of(&settings);
        let next = place.next(first).unwrap().pin();
        let switched = found.ledger.prepare(next, 1).unwrap().unwrap().switch(2).unwrap().unwrap();
        place.write(&switched.finish(3).unwrap().unwrap()).unwrap();
        assert_eq!(place.keep().unwrap().signing.pin(), next);
        // The operator's files are the operator's; the former one could be the next one again.
        assert!(path("b.key").exists());
        assert_eq!(place.next(next).unwrap().pin(), first);
        settings.authority.certificate = path("b.pem");
        settings.authority.key = path("b.key");
        settings.authority.next_certificate = PathBuf::new();
        settings.authority.next_key = PathBuf::new();
        assert_eq!(Place::of(&settings).keep().unwrap().signing.pin(), next);
        settings.authority.certificate = path("a.pem");
        settings.authority.key = path("a.key");
        let problem = Place::of(&settings).keep().map(drop).unwrap_err().to_string();
        assert!(problem.contains("is that of") && problem.contains("a.pem"), "{problem}");
    }

    fn place(folder: &Path) -> Place {
        Place::of(&settings(folder))
    }

    fn settings(folder: &Path) -> Settings {
        Settings { data_dir: folder.to_owned(), ..Settings::default() }
    }
}
