//! Certificates for a development federation, minted into a folder on the spot.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use godwit_common::ClusterName;
use rcgen::{KeyPair, PublicKeyData};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use crate::atomic_file;
use crate::authority::{Authority, Issued, LEAF_VALIDITY, read, write};
use crate::error::Error;
use crate::identity::{AdminName, Identity, parse};

/// The three PEM files that one side of a connection needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authorities that this side trusts.
    pub ca: PathBuf,
    /// This side's certificate chain, leaf first.
    pub certificate: PathBuf,
    /// The private key of that certificate.
    pub key: PathBuf,
}

/// Where the certificates of a development federation are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Development {
    /// The hub's files.
    pub hub: TlsFiles,
    /// The files of the admin named `dev`.
    pub admin: TlsFiles,
    /// Each agent's files.
    pub agents: BTreeMap<ClusterName, TlsFiles>,
}

/// Makes `dir` hold an authority (`ca.pem`, `ca.key`), the certificates of a hub that is dialled by `hub_names`
/// (`hub.pem`, `hub.key`) and of an admin (`admin.pem`, `admin.key`), and for each cluster
/// `agents/NAME/{tls.crt,tls.key,ca.crt}`. What is there and still good is kept, so a second run changes nothing.
pub fn mint_development(
    dir: &Path,
    clusters: &[ClusterName],
    hub_names: &[String],
) -> Result<Development, Error> {
    create_folder(dir)?;
    let ca = dir.join("ca.pem");
    let authority = Authority::keep(&ca, &dir.join("ca.key"))?;
    let files = |name: &str| TlsFiles {
        ca: ca.clone(),
        certificate: dir.join(format!("{name}.pem")),
        key: dir.join(format!("{name}.key")),
    };
    let (hub, admin) = (files("hub"), files("admin"));
    if !is_good(&hub, &authority, &Identity::Hub, hub_names) {
        save(&authority.issue_hub(hub_names, LEAF_VALIDITY)?, &hub)?;
    }
    let name: AdminName = "dev".parse().expect("a short lower-case word is a valid admin name");
    if !is_good(&admin, &authority, &Identity::Admin { name: name.clone() }, &[]) {
        save(&authority.issue_admin(&name, LEAF_VALIDITY)?, &admin)?;
    }
    let mut agents = BTreeMap::new();
    for cluster in clusters {
        agents.insert(cluster.clone(), mint_agent(dir, cluster, &authority)?);
    }
    Ok(Development { hub, admin, agents })
}

/// Renewed this long before its end, so that what a run starts with lasts through the run.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

fn mint_agent(dir: &Path, cluster: &ClusterName, authority: &Authority) -> Result<TlsFiles, Error> {
    let folder = dir.join("agents").join(cluster.as_str());
    create_folder(&folder)?;
    let files = TlsFiles {
        ca: folder.join("ca.crt"),
        certificate: folder.join("tls.crt"),
        key: folder.join("tls.key"),
    };
    if read(&files.ca).ok().as_deref() != Some(authority.certificate_pem()) {
        write(&files.ca, authority.certificate_pem(), atomic_file::PUBLIC)?;
    }
    if !is_good(&files, authority, &Identity::Agent { cluster: cluster.clone() }, &[]) {
        save(&authority.issue_agent(cluster, LEAF_VALIDITY)?, &files)?;
    }
    Ok(files)
}

fn save(issued: &Issued, files: &TlsFiles) -> Result<(), Error> {
    if let Some(key) = &issued.key_pem {
        write(&files.key, key, atomic_file::PRIVATE)?;
    }
    write(&files.certificate, &issued.certificate_pem, atomic_file::PUBLIC)
}

fn create_folder(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })
}

/// Whether the files hold a certificate of this authority for this identity that lasts, covers the names and belongs
/// to the key. Anything else, unreadable files included, is simply minted again.
fn is_good(files: &TlsFiles, authority: &Authority, identity: &Identity, names: &[String]) -> bool {
    let Ok(certificate) = CertificateDer::from_pem_file(&files.certificate) else {
        return false;
    };
    let Some(key) = read(&files.key).ok().and_then(|pem| KeyPair::from_pem(&pem).ok()) else {
        return false;
    };
    let (Ok(leaf), Ok(root)) = (parse(&certificate), parse(authority.certificate())) else {
        return false;
    };
    leaf.verify_signature(Some(root.public_key())).is_ok()
        && leaf.public_key().raw == key.subject_public_key_info()
        && Identity::from_x509(&leaf).as_ref() == Ok(identity)
        && lasts(&leaf)
        && names.iter().all(|name| covers(&leaf, name))
}

fn lasts(leaf: &X509Certificate<'_>) -> bool {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let needed = i64::try_from((since_1970 + RENEW_BEFORE).as_secs()).unwrap_or(i64::MAX);
    leaf.validity().is_valid() && leaf.validity().not_after.timestamp() > needed
}

fn covers(leaf: &X509Certificate<'_>, name: &str) -> bool {
    let (Ok(wanted), Ok(Some(names))) = (ServerName::try_from(name), leaf.subject_alternative_name()) else {
        return false;
    };
    names.value.general_names.iter().any(|has| match has {
        GeneralName::DNSName(dns) => ServerName::try_from(*dns).is_ok_and(|dns| dns == wanted),
        GeneralName::IPAddress(bytes) => match &wanted {
            ServerName::IpAddress(address) => match std::net::IpAddr::from(*address) {
                std::net::IpAddr::V4(address) => address.octets() == **bytes,
                std::net::IpAddr::V6(address) => address.octets() == **bytes,
            },
            _ => false,
        },
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CA_VALIDITY;

    #[test]
    fn a_second_run_changes_nothing_and_adds_missing_clusters() {
        let dir = tempfile::tempdir().unwrap();
        let hub_names = names(&["localhost", "127.0.0.1"]);
        let first = mint_development(dir.path(), &clusters(&["a", "b"]), &hub_names).unwrap();
        let before = contents(dir.path());

        let second = mint_development(dir.path(), &clusters(&["a", "b", "c"]), &hub_names).unwrap();
        let after = contents(dir.path());
        assert_eq!((first.agents.len(), second.agents.len()), (2, 3));
        assert_eq!(after.len(), before.len() + 3);
        for (path, content) in before {
            assert_eq!(after.get(&path), Some(&content), "{} changed", path.display());
        }
    }

    #[test]
    fn a_new_name_renews_the_hub_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = mint_development(dir.path(), &clusters(&["a"]), &names(&["localhost"])).unwrap();
        let before = contents(dir.path());
        mint_development(dir.path(), &clusters(&["a"]), &names(&["localhost", "::1"])).unwrap();
        let changed: Vec<PathBuf> = contents(dir.path())
            .into_iter()
            .filter(|(path, content)| before.get(path) != Some(content))
            .map(|(path, _)| path)
            .collect();
        assert_eq!(changed, [first.hub.key, first.hub.certificate]);
        // A subset of the names is covered.
        let before = contents(dir.path());
        mint_development(dir.path(), &clusters(&["a"]), &names(&["::1"])).unwrap();
        assert_eq!(contents(dir.path()), before);
    }

    #[test]
    fn what_is_broken_or_foreign_is_minted_again() {
        let dir = tempfile::tempdir().unwrap();
        let mint = || mint_development(dir.path(), &clusters(&["a", "b"]), &names(&["localhost"])).unwrap();
        let files = mint();
        let [a, b] = [&files.agents[&clusters(&["a"])[0]], &files.agents[&clusters(&["b"])[0]]];
        fs::copy(&b.certificate, &a.certificate).unwrap();
        fs::write(&files.admin.key, "half a k").unwrap();
        let foreign = Authority::create(CA_VALIDITY).unwrap();
        save(&foreign.issue_hub(&names(&["localhost"]), LEAF_VALIDITY).unwrap(), &files.hub).unwrap();
        let authority = Authority::load(&files.hub.ca, &dir.path().join("ca.key")).unwrap();
        let all_good = || {
            let agent = Identity::Agent { cluster: clusters(&["a"])[0].clone() };
            let admin = "spiffe://godwit/admin/dev".parse().unwrap();
            [
                is_good(a, &authority, &agent, &[]),
                is_good(&files.admin, &authority, &admin, &[]),
                is_good(&files.hub, &authority, &Identity::Hub, &names(&["localhost"])),
            ]
        };
        assert_eq!(all_good(), [false; 3]);
        mint();
        assert_eq!(all_good(), [true; 3]);
    }

    #[test]
    fn a_certificate_that_ends_soon_is_renewed() {
        let dir = tempfile::tempdir().unwrap();
        let files = mint_development(dir.path(), &[], &names(&["localhost"])).unwrap();
        let authority = Authority::load(&files.hub.ca, &dir.path().join("ca.key")).unwrap();
        save(&authority.issue_hub(&names(&["localhost"]), RENEW_BEFORE).unwrap(), &files.hub).unwrap();
        assert!(!is_good(&files.hub, &authority, &Identity::Hub, &[]));
        mint_development(dir.path(), &[], &names(&["localhost"])).unwrap();
        assert!(is_good(&files.hub, &authority, &Identity::Hub, &[]));
    }

    fn clusters(names: &[&str]) -> Vec<ClusterName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.append(&mut contents(&path));
            } else {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
        found
    }
}
