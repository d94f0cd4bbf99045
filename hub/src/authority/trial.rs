//! Whether another authority can take the place of one: tried out before anything is written down, since a hub that cannot make
//! its own certificate afterwards does not start.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use godwit_certs::Authority;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// What an authority has to be like; errors of others do not say it.
const REMEDY: &str = "the next authority has to be in force, may not restrict names or usages, and needs a subject in which each \
                      kind of attribute is there once, as UTF8String, PrintableString or IA5String: make another one";

/// Makes what a hub would show after `next` has taken the place of `former`, and looks at it as those would who trust only the
/// one or the other; and what an agent would show.
pub(super) fn try_out(
    former: &Authority,
    next: &Authority,
    names: &[String],
    validity: Duration,
) -> anyhow::Result<()> {
    verify_all(former, next, names, validity).with_context(|| {
        format!("the authority with the pin {} cannot take its place ({REMEDY})", next.pin())
    })
}

fn verify_all(
    former: &Authority,
    next: &Authority,
    names: &[String],
    validity: Duration,
) -> anyhow::Result<()> {
    let hub = next.issue_hub(names, validity).context("it cannot issue a hub's certificate")?;
    let hub = certificates(&hub.certificate_pem)?;
    let word = former.vouch_for(next).context("its name cannot be written again as it is")?;
    let word = certificates(&word)?;
    verify_hub(next, &hub, &[], names).context("by itself it vouches for no hub")?;
    verify_hub(former, &hub, &word, names).context("by the former one's word it vouches for no hub")?;
    let agent =
        next.issue_agent(&"trial".parse()?, validity).context("it cannot issue an agent's certificate")?;
    verify_agent(next, &certificates(&agent.certificate_pem)?).context("it vouches for no agent")
}

fn verify_hub(
    root: &Authority,
    chain: &[CertificateDer<'_>],
    between: &[CertificateDer<'_>],
    names: &[String],
) -> anyhow::Result<()> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots(root)?, provider()).build()?;
    ensure!(!names.is_empty(), "it has no names");
    let leaf = chain.first().context("there is no certificate")?;
    for name in names {
        let name = ServerName::try_from(name.as_str())?;
        verifier.verify_server_cert(leaf, between, &name, &[], UnixTime::now())?;
    }
    Ok(())
}

fn verify_agent(root: &Authority, chain: &[CertificateDer<'_>]) -> anyhow::Result<()> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(root)?, provider()).build()?;
    let leaf = chain.first().context("there is no certificate")?;
    verifier.verify_client_cert(leaf, &[], UnixTime::now())?;
    Ok(())
}

fn roots(authority: &Authority) -> anyhow::Result<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority.certificate_pem())? {
        roots.add(certificate)?;
    }
    Ok(Arc::new(roots))
}

fn certificates(pem: &str) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    Ok(CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>()?)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;
    use std::time::SystemTime;

    use godwit_certs::CA_VALIDITY;
    use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, KeyPair};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn one_that_could_not_be_followed_is_refused_before_it_counts() {
        let former = Authority::create(CA_VALIDITY).unwrap();
        let names = ["hub.example.com".to_owned(), "10.0.0.1".to_owned()];
        let tried = |next: &Authority| try_out(&former, next, &names, HOUR);
        tried(&Authority::create(CA_VALIDITY).unwrap()).unwrap();
        let utf8 = |text: &str| DnValue::Utf8String(text.to_owned());
        tried(&named([(DnType::OrganizationName, utf8("Corp")), (DnType::CommonName, utf8("Next"))]))
            .unwrap();

        // The same kind twice, as DC=corp,DC=com.
        let twice =
            [(DnType::CommonName, utf8("corp")), (DnType::CustomDnType(vec![2, 5, 4, 3]), utf8("com"))];
        let old = [(DnType::CommonName, DnValue::TeletexString("Corp".try_into().unwrap()))];
        for next in [named(twice), named(old)] {
            let problem = format!("{:#}", tried(&next).unwrap_err());
            assert!(problem.contains(&next.pin().to_string()) && problem.contains("subject"), "{problem}");
        }
        let unnamed = try_out(&former, &Authority::create(CA_VALIDITY).unwrap(), &[], HOUR).unwrap_err();
        assert!(format!("{unnamed:#}").contains("server name"), "{unnamed:#}");
    }

    #[test]
    fn one_that_has_ended_meanwhile_is_refused() {
        let former = Authority::create(CA_VALIDITY).unwrap();
        let ended = Authority::create(Duration::from_secs(1)).unwrap();
        // Its last second counts as a whole.
        while ended.ends() + Duration::from_secs(1) > SystemTime::now() {
            thread::yield_now();
        }
        let tried = try_out(&former, &ended, &["hub".to_owned()], HOUR);
        let problem = format!("{:#}", tried.unwrap_err());
        assert!(problem.contains("in force"), "{problem}");
    }

    fn named(subject: impl IntoIterator<Item = (DnType, DnValue)>) -> Authority {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("ca.pem"), folder.path().join("ca.key"));
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        subject.into_iter().for_each(|(kind, value)| params.distinguished_name.push(kind, value));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pair = KeyPair::generate().unwrap();
        fs::write(&certificate, params.self_signed(&pair).unwrap().pem()).unwrap();
        fs::write(&key, pair.serialize_pem()).unwrap();
        Authority::load(&certificate, &key).unwrap()
    }
}
