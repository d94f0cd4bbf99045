//! The folder in which the agent keeps what it is known by.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use godwit_certs::{KeyRequest, Leaf};
use godwit_proto::v1;
use godwit_rt::atomic_file::{self, PRIVATE, PUBLIC};
use godwit_rt::tls::TlsFiles;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::task::spawn_blocking;

use crate::cluster::SecretData;

/// Whom to trust.
const AUTHORITIES: &str = "ca.pem";
/// The certificate and its key, in one file, so that they are replaced as one.
const AGENT: &str = "agent.pem";
/// The key of an enrolment that has not been answered: the same key may ask again, no other may.
const PENDING: &str = "enrolment.key";
/// The fingerprint of the token that was used last: another one in its place is meant to be used.
const USED: &str = "token.used";
/// It is there while the certificate is another agent's of the cluster.
const BORROWED: &str = "borrowed";
/// Only the agent's user looks in.
const FOLDER_MODE: u32 = 0o700;

/// The folder. Whatever writes waits for the disk, and does so beside the runtime: a slow disk holds up no session.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    folder: PathBuf,
}

impl Kept {
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(FOLDER_MODE);
        builder.create(folder).with_context(|| format!("identity.directory = {folder:?} cannot be made"))?;
        Ok(Self { folder: folder.to_owned() })
    }

    pub(super) fn files(&self) -> TlsFiles {
        let agent = self.folder.join(AGENT);
        TlsFiles { ca: self.folder.join(AUTHORITIES), certificate: agent.clone(), key: agent }
    }

    /// What the certificate says; none if there is none that can be read.
    pub(super) fn leaf(&self) -> Option<Leaf> {
        let certificate = CertificateDer::from_pem_file(self.folder.join(AGENT)).ok()?;
        Leaf::from_certificate(&certificate).ok()
    }

    /// The same, unless it has ended.
    pub(super) fn good_leaf(&self) -> Option<Leaf> {
        self.leaf().filter(|leaf| leaf.not_after > SystemTime::now())
    }

    /// The key that waits for an enrolment's answer, and its request; made if there is none.
    pub(super) async fn pending(&self) -> anyhow::Result<KeyRequest> {
        self.beside(|kept| {
            if let Ok(key) = fs::read_to_string(kept.folder.join(PENDING))
                && let Ok(request) = KeyRequest::of_key(&key)
            {
                return Ok(request);
            }
            let request = KeyRequest::create().context("no key can be made")?;
            kept.write(PENDING, &request.key_pem, PRIVATE)?;
            Ok(request)
        })
        .await
    }

    /// Whether a token is another one than was used last.
    pub(super) fn is_unused(&self, fingerprint: &str) -> bool {
        fs::read_to_string(self.folder.join(USED)).ok().is_none_or(|used| used.trim() != fingerprint)
    }

    /// A token has been taken: its key waits for nothing any more.
    pub(super) async fn note_used(&self, fingerprint: String) -> anyhow::Result<()> {
        self.beside(move |kept| {
            kept.write(USED, &fingerprint, PRIVATE)?;
            // The next enrolment is another one, with a key of its own.
            kept.remove(PENDING)
        })
        .await
    }

    /// What other agents of the cluster may begin with.
    pub(super) fn contents(&self) -> anyhow::Result<SecretData> {
        let read = |name: &str| {
            let text = fs::read_to_string(self.folder.join(name));
            text.map(|text| (name.to_owned(), text)).with_context(|| format!("{name} cannot be read"))
        };
        [AUTHORITIES, AGENT].into_iter().map(read).collect()
    }

    /// Begins with what another agent of the cluster has, if it lasts longer than what is here, or is `better` as long as it
    /// has not ended.
    pub(super) async fn adopt(&self, contents: &SecretData, better: bool) -> anyhow::Result<Option<Leaf>> {
        let (Some(authorities), Some(agent)) = (contents.get(AUTHORITIES), contents.get(AGENT)) else {
            return Ok(None);
        };
        let (authorities, agent) = (authorities.clone(), agent.clone());
        let leaf = CertificateDer::from_pem_slice(agent.as_bytes()).ok();
        let leaf = leaf.and_then(|leaf| Leaf::from_certificate(&leaf).ok());
        let lasts_longer = |leaf: &Leaf| self.leaf().is_none_or(|kept| kept.not_after < leaf.not_after);
        let takes = |leaf: &Leaf| lasts_longer(leaf) || (better && leaf.not_after > SystemTime::now());
        let Some(leaf) = leaf.filter(takes) else { return Ok(None) };
        self.beside(move |kept| {
            kept.write(BORROWED, "", PRIVATE)?;
            kept.write(AUTHORITIES, &authorities, PUBLIC)?;
            kept.write(AGENT, &agent, PRIVATE)?;
            Ok(Some(leaf))
        })
        .await
    }

    /// Whether the certificate is another agent's.
    pub(super) fn is_borrowed(&self) -> bool {
        self.folder.join(BORROWED).exists()
    }

    /// Keeps a certificate with its key. What is not what it should be changes nothing.
    pub(super) async fn store(&self, certificate: &v1::Certificate, key_pem: &str) -> anyhow::Result<Leaf> {
        let v1::Certificate { chain, authorities, lasts: _, renew_after: _ } = certificate;
        let first = CertificateDer::from_pem_slice(chain.as_bytes()).ok();
        let leaf = first.and_then(|first| Leaf::from_certificate(&first).ok());
        let leaf = leaf.context("the hub answered with a certificate that cannot be read")?;
        CertificateDer::from_pem_slice(authorities.as_bytes()).map_err(|_| {
            anyhow::anyhow!("the hub answered without the authorities that are to be trusted")
        })?;
        let (authorities, agent) = (authorities.clone(), format!("{chain}{key_pem}"));
        self.beside(move |kept| {
            kept.write(AUTHORITIES, &authorities, PUBLIC)?;
            kept.write(AGENT, &agent, PRIVATE)?;
            kept.remove(BORROWED)?;
            Ok(leaf)
        })
        .await
    }

    /// Does it on a thread that may block; once begun it is done, whether somebody still waits for it or not.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let kept = self.clone();
        let done = spawn_blocking(move || work(&kept)).await;
        done.context(
            "the thread that writes into identity.directory panicked; this is a fault of godwit-agent",
        )?
    }

    fn remove(&self, name: &str) -> anyhow::Result<()> {
        let path = self.folder.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} cannot be removed", path.display()))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn write(&self, name: &str, content: &str, mode: u32) -> anyhow::Result<()> {
        let path = self.folder.join(name);
        atomic_file::write(&path, content.as_bytes(), mode)
            .with_context(|| format!("{} cannot be written: the agent keeps its key there", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use godwit_certs::{Authority, CA_VALIDITY, Identity};

    use super::*;

    #[tokio::test]
    async fn what_came_is_kept_and_a_key_asks_until_its_token_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::open(folder.path()).unwrap();
        let request = kept.pending().await.unwrap();
        assert_eq!(kept.pending().await.unwrap().key_pem, request.key_pem);

        let authority = Authority::create(CA_VALIDITY).unwrap();
        let agent = Identity::Agent { cluster: "alpha".parse().unwrap() };
        let issued = authority.issue_from_csr(&request.csr_pem, &agent, Duration::from_secs(60)).unwrap();
        let answer = v1::Certificate {
            chain: issued.certificate_pem,
            authorities: authority.certificate_pem().to_owned(),
            ..v1::Certificate::default()
        };
        let leaf = kept.store(&answer, &request.key_pem).await.unwrap();
        assert_eq!(kept.good_leaf().map(|kept| kept.serial), Some(leaf.serial));
        kept.note_used("a".to_owned()).await.unwrap();
        assert!(!kept.is_unused("a") && kept.is_unused("b") && !kept.is_borrowed());
        assert_ne!(kept.pending().await.unwrap().key_pem, request.key_pem);

        // Another agent begins with it, and what is no longer good is not taken instead of it.
        let other = tempfile::tempdir().unwrap();
        let other = Kept::open(other.path()).unwrap();
        let contents = kept.contents().unwrap();
        assert!(other.adopt(&contents, false).await.unwrap().is_some() && other.is_borrowed());
        assert!(other.adopt(&contents, false).await.unwrap().is_none());
        other.store(&answer, &request.key_pem).await.unwrap();
        assert!(!other.is_borrowed());
    }
}
