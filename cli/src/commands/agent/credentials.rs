//! What lets an agent in: a certificate that is there, one that an authority signs now, or a join token for the hub.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use godwit_certs::{Authority, Identity, JoinToken, Leaf};
use godwit_common::ClusterName;
use godwit_rt::tls::{ClientTls, TlsFiles};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::error::Error;

/// Bundles of authorities are larger than certificates; nothing here is larger than this.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// As the name of a file.
const STANDARD_INPUT: &str = "-";

// No comment here for help: clap would take it for the command's own.
#[derive(Debug, Args)]
pub(super) struct Credentials {
    /// A join token, by which the hub itself gives the agents their certificate; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ca", "cert", "key", "ca_key", "days"])]
    join_token_file: Option<PathBuf>,
    /// The authorities whose hubs the agent trusts, PEM
    #[arg(long, value_name = "FILE", required_unless_present = "join_token_file")]
    ca: Option<PathBuf>,
    /// The cluster's certificate, PEM
    #[arg(
        long,
        value_name = "FILE",
        requires = "key",
        conflicts_with = "ca_key",
        required_unless_present_any = ["ca_key", "join_token_file"]
    )]
    cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// In place of --cert and --key: the key of the authority in --ca, to sign a certificate with
    #[arg(long, value_name = "FILE")]
    ca_key: Option<PathBuf>,
    /// How long such a certificate lasts
    #[arg(long, value_name = "DAYS", default_value_t = 365, requires = "ca_key",
          value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

/// What lets an agent in.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Admission {
    /// A certificate.
    Certificate(Secret),
    /// A join token.
    Token(JoinToken),
}

/// A certificate and what belongs to it, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret {
    /// The trusted authorities.
    pub(super) ca: String,
    /// The certificate.
    pub(super) certificate: String,
    /// Its private key.
    pub(super) key: String,
}

impl Credentials {
    /// What lets the agents of `cluster` in, checked as far as it can be here.
    pub(super) fn admission(&self, cluster: &ClusterName) -> Result<Admission, Error> {
        let secret = match (&self.join_token_file, &self.ca, &self.ca_key, &self.cert, &self.key) {
            (Some(file), ..) => return token(file, cluster).map(Admission::Token),
            (None, Some(ca), Some(ca_key), _, _) => self.sign(ca, ca_key, cluster),
            (None, Some(ca), None, Some(certificate), Some(key)) => take(ca, certificate, key, cluster),
            // clap has asked for one of them.
            (None, ..) => Err(Error::Usage(
                "say --join-token-file, or --ca with --cert and --key or --ca-key".to_owned(),
            )),
        };
        secret.map(Admission::Certificate)
    }

    fn sign(&self, ca: &Path, ca_key: &Path, cluster: &ClusterName) -> Result<Secret, Error> {
        let failed = |error: godwit_certs::Error| Error::failed(chain(&error));
        let authority = Authority::load(ca, ca_key).map_err(failed)?;
        let validity = Duration::from_secs(u64::from(self.days) * 24 * 60 * 60);
        let issued = authority.issue_agent(cluster, validity).map_err(failed)?;
        let key = issued.key_pem.ok_or_else(|| Error::failed("the authority made no key"))?;
        Ok(Secret { ca: read(ca)?, certificate: issued.certificate_pem, key })
    }
}

fn take(ca: &Path, certificate: &Path, key: &Path, cluster: &ClusterName) -> Result<Secret, Error> {
    let files = TlsFiles { ca: ca.to_owned(), certificate: certificate.to_owned(), key: key.to_owned() };
    ClientTls::client(files).map_err(|error| Error::failed(chain(&error)))?;
    let text = read(certificate)?;
    let wrong = |reason: String| {
        let message = format!("{}: {reason}", certificate.display());
        let hint = format!("the agents of {cluster} need spiffe://godwit/cluster/{cluster}/agent");
        Error::failed(message).with_hint(hint)
    };
    let leaf = CertificateDer::from_pem_slice(text.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    match Leaf::from_certificate(&leaf).map_err(|error| wrong(chain(&error)))?.identity {
        Identity::Agent { cluster: named } if named == *cluster => {}
        other => return Err(wrong(format!("it is for {other}"))),
    }
    Ok(Secret { ca: read(ca)?, certificate: text, key: read(key)? })
}

/// The token in a file, which is for this cluster.
fn token(file: &Path, cluster: &ClusterName) -> Result<JoinToken, Error> {
    let (text, from) = match file.as_os_str() == STANDARD_INPUT {
        true => {
            let mut text = String::new();
            let input = std::io::stdin().lock();
            std::io::Read::read_to_string(&mut std::io::Read::take(input, FILE_BYTES_MAX), &mut text)?;
            (text, "standard input".to_owned())
        }
        false => (read(file)?, file.display().to_string()),
    };
    let wrong = |reason: String| {
        let hint = format!("`godwit token create --cluster {cluster}` makes one");
        Error::failed(format!("{from}: {reason}")).with_hint(hint)
    };
    let token: JoinToken = text.parse().map_err(|error| wrong(chain(&error)))?;
    match token.cluster == *cluster {
        true => Ok(token),
        false => Err(wrong(format!("the token is for cluster {}", token.cluster))),
    }
}

fn read(path: &Path) -> Result<String, Error> {
    let failed = |error: std::io::Error| Error::failed(format!("{}: {error}", path.display()));
    let mut text = String::new();
    let file = fs::File::open(path).map_err(failed)?;
    std::io::Read::read_to_string(&mut std::io::Read::take(file, FILE_BYTES_MAX), &mut text)
        .map_err(failed)?;
    Ok(text)
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
