//! The three files of one side, read together.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use aws_lc_rs::digest;
use godwit_certs::{Leaf, TlsFiles};
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;
use crate::limits::TLS_FILE_BYTES_MAX;

const CA: &str = "CA";
const CERTIFICATE: &str = "certificate";
const KEY: &str = "private key";

/// The files' bytes at one moment.
pub(super) struct Contents {
    ca: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Tells whether files changed without keeping a private key in memory.
pub(super) type ContentDigest = [u8; 32];

/// What the files mean, checked.
pub(super) struct Material {
    pub(super) roots: RootCertStore,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) leaf: Leaf,
}

impl Contents {
    pub(super) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let ca = read(CA, &files.ca)?;
        let certificate = read(CERTIFICATE, &files.certificate)?;
        let key = match files.key == files.certificate {
            // In one file so that they are replaced as one: read again, it could hold the next ones.
            true => certificate.clone(),
            false => read(KEY, &files.key)?,
        };
        Ok(Self { ca, certificate, key })
    }

    pub(super) fn digest(&self) -> ContentDigest {
        let mut context = digest::Context::new(&digest::SHA256);
        for content in [&self.ca, &self.certificate, &self.key] {
            context.update(&(content.len() as u64).to_be_bytes());
            context.update(content);
        }
        context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    pub(super) fn parse(&self, files: &TlsFiles) -> Result<Material, TlsError> {
        let chain = certificates(CERTIFICATE, &files.certificate, &self.certificate)?;
        let [first, ..] = &chain[..] else {
            return Err(content(CERTIFICATE, &files.certificate, "it holds no certificate"));
        };
        let leaf = Leaf::from_certificate(first)
            .map_err(|source| TlsError::Identity { path: files.certificate.clone(), source })?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| {
            content(
                KEY,
                &files.key,
                "it holds no unencrypted private key in PEM; give the key of the certificate",
            )
        })?;
        Ok(Material { roots: roots(&files.ca, &self.ca)?, chain, key, leaf })
    }
}

impl Material {
    /// The same, if its certificate has not ended.
    pub(super) fn lasting(self, files: &TlsFiles) -> Result<Self, TlsError> {
        if self.leaf.not_after <= SystemTime::now() {
            let reason = "it has expired; renew it, or check this machine's clock";
            return Err(content(CERTIFICATE, &files.certificate, reason));
        }
        Ok(self)
    }
}

/// The error of a file whose content is wrong.
pub(super) fn content(role: &'static str, path: &Path, reason: impl Into<String>) -> TlsError {
    TlsError::Content { role, path: path.to_owned(), reason: reason.into() }
}

/// The error of a key that rustls does not take for the certificate.
pub(super) fn mismatch(files: &TlsFiles, error: &rustls::Error) -> TlsError {
    let reason = match error {
        rustls::Error::InconsistentKeys(_) => {
            format!("it does not belong to {}; give the matching key", files.certificate.display())
        }
        other => format!("it cannot be used with {}: {other}", files.certificate.display()),
    };
    content(KEY, &files.key, reason)
}

fn roots(path: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CA, path, pem)? {
        let added = roots.add(certificate);
        added.map_err(|error| content(CA, path, format!("a certificate in it is no trust root: {error}")))?;
    }
    Ok(roots)
}

fn certificates(
    role: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = parsed.map_err(|error| content(role, path, format!("it is not PEM ({error})")))?;
    if certificates.is_empty() {
        return Err(content(role, path, "it holds no certificate in PEM"));
    }
    Ok(certificates)
}

fn read(role: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { role, path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(TLS_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > TLS_FILE_BYTES_MAX {
        return Err(TlsError::TooLarge { role, path: path.to_owned() });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::Command;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// A pipe gives each reader something else, as a file does that is replaced in between.
    #[test]
    fn certificate_and_key_in_one_file_are_of_one_moment() {
        let folder = tempfile::tempdir().unwrap();
        let (ca, both) = (folder.path().join("ca.pem"), folder.path().join("both.pem"));
        std::fs::write(&ca, "").unwrap();
        assert!(Command::new("mkfifo").arg(&both).status().unwrap().success());
        let files = TlsFiles { ca, certificate: both.clone(), key: both.clone() };
        let (done, read) = mpsc::sync_channel(1);
        thread::spawn(move || done.send(Contents::read(&files)));
        // Each waits for the other.
        File::options().write(true).open(both).and_then(|mut pipe| pipe.write_all(b"both")).unwrap();
        let contents = read.recv_timeout(Duration::from_secs(30)).expect("it is read once").unwrap();
        assert_eq!((&contents.certificate[..], &contents.key[..]), (&b"both"[..], &b"both"[..]));
    }
}
