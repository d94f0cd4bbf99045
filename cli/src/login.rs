//! What a login keeps: the operator's key, which is made here and stays here, the certificate for it, and whom to trust. It lies
//! beside the context file, under names that are made of that file's.

mod lock;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use godwit_certs::atomic_file::{self, PRIVATE, PUBLIC};
use godwit_certs::{KeyRequest, Leaf};
use godwit_proto::v1;
use godwit_proto::v1::enrolment_service_client::EnrolmentServiceClient;
use godwit_rt::dial::Connection;
use godwit_rt::tls::TlsFiles;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::client::answer;
use crate::context::Context;
use crate::error::Error;
use lock::Lock;

/// Only its user looks in.
const FOLDER_MODE: u32 = 0o700;
/// A renewal holds a command up for no longer.
const RENEWAL_WITHIN: Duration = Duration::from_secs(5);

/// The files of a login. Whoever changes them holds their [`Lock`]; who only reads needs none, since each is replaced as a whole.
pub(crate) struct Kept {
    context: PathBuf,
}

/// The key of a login that waits for its answer.
pub(crate) struct Pending {
    pub(crate) request: KeyRequest,
    /// It was made just now; otherwise it may have been shown with a token before.
    pub(crate) is_new: bool,
}

impl Kept {
    /// Those beside a context file.
    pub(crate) fn beside(context: &Path) -> Self {
        Self { context: context.to_owned() }
    }

    /// What connections are made of.
    pub(crate) fn tls(&self) -> TlsFiles {
        let operator = self.operator();
        TlsFiles { ca: self.authorities(), certificate: operator.clone(), key: operator }
    }

    /// Makes the folder, if it is not there.
    pub(crate) fn make_folder(&self) -> Result<(), Error> {
        let folder = match self.context.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => return Ok(()),
        };
        let made = fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder);
        made.map_err(|error| Error::failed(format!("{} cannot be made: {error}", folder.display())))
    }

    /// Keeps other commands from changing these files, and waits for those that do: a renewal takes seconds, a login about as
    /// long as its hub does not answer.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        let path = self.lock_file();
        Lock::wait(&path).map_err(|error| cannot_be_locked(&path, &error))
    }

    /// The same, if no other command does.
    fn lock_if_free(&self) -> Result<Option<Lock>, Error> {
        let path = self.lock_file();
        Lock::if_free(&path).map_err(|error| cannot_be_locked(&path, &error))
    }

    /// The key of a login that waits for its answer, and its request: made if there is none. The same key may ask again with
    /// the same token, since an answer can be lost; no other may.
    pub(crate) fn pending(&self) -> Result<Pending, Error> {
        let path = self.waiting();
        let kept = fs::read_to_string(&path).ok().and_then(|key| KeyRequest::of_key(&key).ok());
        if let Some(request) = kept {
            return Ok(Pending { request, is_new: false });
        }
        let request = new_key()?;
        write(&path, &request.key_pem, PRIVATE)?;
        Ok(Pending { request, is_new: true })
    }

    /// Keeps a certificate with its key. What is not what it should be changes nothing.
    pub(crate) fn store(&self, certificate: Option<v1::Certificate>, key_pem: &str) -> Result<Leaf, Error> {
        let wrong = || Error::failed("the hub answered without a certificate that can be read");
        let v1::Certificate { chain, authorities, lasts: _, renew_after: _ } =
            certificate.ok_or_else(wrong)?;
        let first = CertificateDer::from_pem_slice(chain.as_bytes()).ok();
        let leaf = first.and_then(|leaf| Leaf::from_certificate(&leaf).ok()).ok_or_else(wrong)?;
        CertificateDer::from_pem_slice(authorities.as_bytes()).map_err(|_| wrong())?;
        write(&self.authorities(), &authorities, PUBLIC)?;
        // In one file, so that certificate and key are replaced as one.
        write(&self.operator(), &format!("{chain}{key_pem}"), PRIVATE)?;
        Ok(leaf)
    }

    /// The answer to a login is kept, or there will be none: its key waits no longer. A renewal leaves that of another login alone.
    pub(crate) fn answered(&self) -> Result<(), Error> {
        remove(&self.waiting())
    }

    /// A file of a login's name that is there, if none of a login that waits is beside it.
    pub(crate) fn stray(&self) -> Option<PathBuf> {
        let is_ours = self.waiting().exists();
        [self.operator(), self.authorities()].into_iter().find(|path| !is_ours && path.exists())
    }

    /// What the certificate says, if there is one.
    pub(crate) fn leaf(&self) -> Option<Leaf> {
        let certificate = CertificateDer::from_pem_file(self.operator()).ok()?;
        Leaf::from_certificate(&certificate).ok()
    }

    /// Removes everything, the context first: what is left by a crash is no login any more.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        [&self.context, &self.operator(), &self.waiting(), &self.authorities()]
            .into_iter()
            .try_for_each(|path| remove(path))
    }

    fn authorities(&self) -> PathBuf {
        self.named(".ca.pem")
    }

    fn operator(&self) -> PathBuf {
        self.named(".operator.pem")
    }

    fn waiting(&self) -> PathBuf {
        self.named(".login.key")
    }

    fn lock_file(&self) -> PathBuf {
        self.named(".lock")
    }

    /// The whole name of the context goes before, so that no two contexts share a file.
    fn named(&self, ending: &str) -> PathBuf {
        let mut path = self.context.clone().into_os_string();
        path.push(ending);
        path.into()
    }
}

/// Renews the certificate of a login past half of its life, with a new key, and learns whom to trust from then on. What does
/// not work is tried again by the next command, and is said when half of the time for that is gone.
pub(crate) async fn renew_in_time(context: &Context, connection: Connection) {
    let kept = Kept::beside(&context.path);
    if kept.tls() != context.tls {
        return;
    }
    let Some(left) = kept.leaf().and_then(|leaf| left_for_renewal(&leaf)) else { return };
    let problem = match tokio::time::timeout(RENEWAL_WITHIN, renew(&kept, connection)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(_) => Error::failed("the hub did not answer in time"),
    };
    let Left { lasts, left } = left;
    if left < lasts / 4 {
        eprintln!("the login is not renewed yet, and ends in {}:", crate::output::age::short(left));
        problem.report();
    }
}

/// How long a certificate lasts in all, and from now.
struct Left {
    lasts: Duration,
    left: Duration,
}

/// None of one that is not past half of its life.
fn left_for_renewal(leaf: &Leaf) -> Option<Left> {
    let lasts = leaf.not_after.duration_since(leaf.issued()).unwrap_or_default();
    let left = leaf.not_after.duration_since(SystemTime::now()).unwrap_or_default();
    (left <= lasts / 2).then_some(Left { lasts, left })
}

async fn renew(kept: &Kept, connection: Connection) -> Result<(), Error> {
    // Another command that is about to change these files renews them, or makes them another login's.
    let Some(_lock) = kept.lock_if_free()? else { return Ok(()) };
    // One may have done so since they were looked at; a login of its own, or none any more, is not overwritten.
    if kept.leaf().and_then(|leaf| left_for_renewal(&leaf)).is_none() {
        return Ok(());
    }
    let request = new_key()?;
    let mut client = EnrolmentServiceClient::new(connection);
    let asked = v1::RenewRequest { signing_request: request.csr_pem };
    let renewed = answer(client.renew(asked)).await?;
    kept.store(renewed.certificate, &request.key_pem).map(drop)
}

fn new_key() -> Result<KeyRequest, Error> {
    KeyRequest::create().map_err(|error| Error::failed(format!("no key can be made: {error}")))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let written = atomic_file::write(path, text.as_bytes(), mode);
    written.map_err(|error| Error::failed(format!("{} cannot be written: {error}", path.display())))
}

fn cannot_be_locked(path: &Path, error: &io::Error) -> Error {
    Error::failed(format!("{} cannot be locked: {error}", path.display()))
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::failed(format!("{} cannot be removed: {error}", path.display())))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt;

    use godwit_certs::{Authority, CA_VALIDITY, Identity, LEAF_VALIDITY};

    use super::*;

    #[test]
    fn no_two_contexts_share_a_file() {
        let contexts =
            ["hub.prod", "hub.dev", "hub", "hub.yaml", "hub.yml"].map(|name| Kept::beside(name.as_ref()));
        let files = contexts
            .iter()
            .flat_map(|kept| [kept.authorities(), kept.operator(), kept.waiting(), kept.lock_file()]);
        assert_eq!(files.collect::<BTreeSet<_>>().len(), 4 * contexts.len());
    }

    #[test]
    fn a_key_waits_for_its_answer_and_what_comes_is_kept_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::beside(&folder.path().join("new/config.yaml"));
        kept.make_folder().unwrap();
        let Pending { request, is_new } = kept.pending().unwrap();
        let again = kept.pending().unwrap();
        assert_eq!((is_new, again.is_new), (true, false));
        assert_eq!(again.request.key_pem, request.key_pem, "an answer may be lost");

        let authority = Authority::create(CA_VALIDITY).unwrap();
        let identity = Identity::Admin { name: "ann".parse().unwrap() };
        let issued = authority.issue_from_csr(&request.csr_pem, &identity, LEAF_VALIDITY).unwrap();
        let good = v1::Certificate {
            chain: issued.certificate_pem,
            authorities: authority.certificate_pem().to_owned(),
            ..v1::Certificate::default()
        };
        let without = v1::Certificate { authorities: String::new(), ..good.clone() };
        let nonsense = v1::Certificate { chain: "nonsense".to_owned(), ..good.clone() };
        for wrong in [None, Some(without), Some(nonsense)] {
            assert!(kept.store(wrong, &request.key_pem).is_err());
            assert!(kept.leaf().is_none());
        }
        assert_eq!(kept.store(Some(good), &request.key_pem).unwrap().identity, identity);
        assert_eq!(kept.leaf().unwrap().identity, identity);
        let mode = fs::metadata(kept.operator()).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode, kept.waiting().exists()), (0o600, true), "a renewal leaves it alone");
        assert_eq!(kept.stray(), None, "the login goes on with the key that waits");
        kept.answered().unwrap();
        assert_eq!((kept.waiting().exists(), kept.stray()), (false, Some(kept.operator())));
        kept.remove().unwrap();
        kept.remove().unwrap();
        assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 0);
    }
}
