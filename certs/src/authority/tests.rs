//! What an authority signs, and what it takes from a request.

use std::os::unix::fs::PermissionsExt;

use x509_parser::extensions::GeneralName;

use super::*;
use crate::{KeyRequest, Leaf};

#[test]
fn each_kind_carries_its_identity_its_usage_and_another_name_than_the_authority() {
    let authority = Authority::create(CA_VALIDITY).unwrap();
    let names = ["hub.example.com".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let admin: AdminName = "ops".parse().unwrap();
    for (issued, uri, server) in [
        (authority.issue_hub(&names, LEAF_VALIDITY).unwrap(), "spiffe://godwit/hub", true),
        (authority.issue_admin(&admin, LEAF_VALIDITY).unwrap(), "spiffe://godwit/admin/ops", false),
        (authority.issue_agent(&east(), LEAF_VALIDITY).unwrap(), "spiffe://godwit/cluster/east/agent", false),
    ] {
        let der = der(&issued.certificate_pem);
        assert_eq!(Leaf::from_certificate(&der).unwrap().identity.to_string(), uri);
        let leaf = parse(&der).unwrap();
        let root = parse(authority.certificate()).unwrap();
        leaf.verify_signature(Some(root.public_key())).unwrap();
        assert_ne!(leaf.subject(), leaf.issuer());
        let usage = leaf.extended_key_usage().unwrap().unwrap().value;
        assert_eq!((usage.server_auth, usage.client_auth), (server, !server), "{uri}");
        assert!(!leaf.is_ca());
        KeyPair::from_pem(&issued.key_pem.unwrap()).unwrap();
    }
}

#[test]
fn serials_differ_and_are_positive() {
    let authority = Authority::create(CA_VALIDITY).unwrap();
    let serial = || {
        let issued = authority.issue_agent(&east(), LEAF_VALIDITY).unwrap();
        parse(&der(&issued.certificate_pem)).unwrap().raw_serial().to_vec()
    };
    let (first, second) = (serial(), serial());
    assert_ne!(first, second);
    assert_eq!((first.len(), first[0] & 0x80), (SERIAL_BYTES, 0));
}

#[test]
fn only_the_key_is_taken_from_a_hostile_request() {
    let authority = Authority::create(CA_VALIDITY).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut wish = CertificateParams::new(vec!["hub.example.com".to_owned()]).unwrap();
    wish.subject_alt_names.push(SanType::URI("spiffe://godwit/admin/root".try_into().unwrap()));
    wish.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    wish.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    wish.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::Any];
    wish.distinguished_name = distinguished_name("Godwit CA");
    let csr = wish.serialize_request(&key).unwrap().pem().unwrap();

    let identity = Identity::Agent { cluster: east() };
    let issued = authority.issue_from_csr(&csr, &identity, LEAF_VALIDITY).unwrap();

    assert!(issued.key_pem.is_none());
    let der = der(&issued.certificate_pem);
    assert_eq!(Identity::from_certificate(&der), Ok(identity));
    let leaf = parse(&der).unwrap();
    assert_eq!(leaf.public_key().raw, key.subject_public_key_info());
    let names = &leaf.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert_eq!(names[..], [GeneralName::URI("spiffe://godwit/cluster/east/agent")]);
    assert!(!leaf.is_ca());
    let usage = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    let usage = leaf.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign());
    assert_eq!(leaf.subject().to_string(), "O=Godwit, CN=agent east");
}

#[test]
fn requests_that_are_wrong_are_refused_with_a_reason() {
    let authority = Authority::create(CA_VALIDITY).unwrap();
    let agent = Identity::Agent { cluster: east() };
    let refusal = |csr: &str, identity: &Identity| {
        authority.issue_from_csr(csr, identity, LEAF_VALIDITY).unwrap_err().to_string()
    };
    let request = CertificateParams::default().serialize_request(&KeyPair::generate().unwrap()).unwrap();
    assert!(refusal(&request.pem().unwrap(), &Identity::Hub).contains("server names"));
    assert!(refusal("", &agent).contains("not PEM"));
    assert!(refusal(&"x".repeat(CSR_BYTES_MAX + 1), &agent).contains("16 KiB"));
    assert!(refusal(authority.certificate_pem(), &agent).contains("CERTIFICATE REQUEST"));

    let mut forged = request.der().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    assert!(refusal(&pem(&forged), &agent).contains("signature"));
    assert!(refusal(&pem(b"\x30\x03abc"), &agent).contains("PKCS #10"));

    let weak = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let weak = CertificateParams::default().serialize_request(&weak).unwrap();
    assert!(refusal(&weak.pem().unwrap(), &agent).contains("ECDSA P-256"));
}

#[test]
fn an_authority_survives_its_files_and_keeps_its_key_private() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = (dir.path().join("ca.pem"), dir.path().join("ca.key"));
    let authority = Authority::create(CA_VALIDITY).unwrap();
    authority.save(&certificate, &key).unwrap();
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);

    let loaded = Authority::load(&certificate, &key).unwrap();
    let issued = loaded.issue_agent(&east(), LEAF_VALIDITY).unwrap();
    let root = parse(authority.certificate()).unwrap();
    parse(&der(&issued.certificate_pem)).unwrap().verify_signature(Some(root.public_key())).unwrap();
}

#[test]
fn an_authority_is_made_once_and_never_anew_where_others_trust_it() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = (dir.path().join("ca.pem"), dir.path().join("ca.key"));
    let keep = || Authority::keep(&certificate, &key);
    let pin = keep().unwrap().pin();
    assert_eq!(keep().unwrap().pin(), pin);
    fs::remove_file(&key).unwrap();
    let refused = keep().unwrap_err().to_string();
    assert!(refused.contains("ca.key"), "{refused}");
    fs::remove_file(&certificate).unwrap();
    assert_ne!(keep().unwrap().pin(), pin);
}

#[test]
fn a_key_asks_for_a_certificate_again_with_the_same_request() {
    let authority = Authority::create(CA_VALIDITY).unwrap();
    let request = KeyRequest::create().unwrap();
    let again = KeyRequest::of_key(&request.key_pem).unwrap();
    let identity = Identity::Agent { cluster: east() };
    let fingerprint = KeyRequest::fingerprint(&request.csr_pem).unwrap();
    assert_eq!(KeyRequest::fingerprint(&again.csr_pem).unwrap(), fingerprint);
    assert_ne!(KeyRequest::fingerprint(&KeyRequest::create().unwrap().csr_pem).unwrap(), fingerprint);
    for csr in [&request.csr_pem, &again.csr_pem] {
        let issued = authority.issue_from_csr(csr, &identity, LEAF_VALIDITY).unwrap();
        let key = KeyPair::from_pem(&request.key_pem).unwrap();
        let der = der(&issued.certificate_pem);
        assert_eq!(parse(&der).unwrap().public_key().raw, key.subject_public_key_info());
        assert_eq!(issued.leaf().identity, identity);
    }
    assert!(!format!("{request:?}").contains("PRIVATE"));
}

#[test]
fn files_that_do_not_fit_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = (dir.path().join("ca.pem"), dir.path().join("ca.key"));
    let load = || Authority::load(&certificate, &key).unwrap_err().to_string();
    assert!(load().contains("ca.pem"));

    let authority = Authority::create(CA_VALIDITY).unwrap();
    authority.save(&certificate, &key).unwrap();
    let other = Authority::create(CA_VALIDITY).unwrap();
    write(&key, &other.issuer.key().serialize_pem(), atomic_file::PRIVATE).unwrap();
    assert!(load().contains("does not belong"), "{}", load());
    write(&key, "nonsense", atomic_file::PRIVATE).unwrap();
    assert!(load().contains("ca.key"), "{}", load());

    let leaf = authority.issue_agent(&east(), LEAF_VALIDITY).unwrap();
    write(&certificate, &leaf.certificate_pem, atomic_file::PUBLIC).unwrap();
    write(&key, &leaf.key_pem.unwrap(), atomic_file::PRIVATE).unwrap();
    assert!(load().contains("CA:TRUE"), "{}", load());
}

#[test]
fn absurd_names_and_lifetimes_are_refused() {
    let authority = Authority::create(CA_VALIDITY).unwrap();
    assert!(matches!(authority.issue_hub(&[], LEAF_VALIDITY), Err(Error::NoServerName)));
    for name in ["", "*.example.com", "a b", "https://hub", "hub:7443", "ü"] {
        let issued = authority.issue_hub(&[name.to_owned()], LEAF_VALIDITY);
        assert!(matches!(issued, Err(Error::ServerName { .. })), "{name}");
    }
    for validity in [Duration::ZERO, Duration::MAX] {
        assert!(matches!(authority.issue_agent(&east(), validity), Err(Error::Validity { .. })));
    }
}

#[test]
fn a_leaf_never_outlives_its_authority() {
    let authority = Authority::create(Duration::from_secs(DAY_SECS)).unwrap();
    let issued = authority.issue_agent(&east(), LEAF_VALIDITY).unwrap();
    let der = der(&issued.certificate_pem);
    let leaf = parse(&der).unwrap();
    assert_eq!(leaf.validity().not_after.timestamp(), authority.not_after.unix_timestamp());
}

#[test]
fn an_authority_vouches_for_another_under_its_very_name_and_for_no_longer_than_both_last() {
    let (old, new) = (Authority::create(CA_VALIDITY).unwrap(), Authority::create(LEAF_VALIDITY).unwrap());
    let vouched = der(&old.vouch_for(&new).unwrap());
    let (vouched, itself) = (parse(&vouched).unwrap(), parse(new.certificate()).unwrap());
    vouched.verify_signature(Some(parse(old.certificate()).unwrap().public_key())).unwrap();
    assert_eq!(vouched.subject().as_raw(), itself.subject().as_raw());
    assert_eq!(vouched.public_key().raw, itself.public_key().raw);
    assert_eq!(vouched.issuer().as_raw(), parse(old.certificate()).unwrap().subject().as_raw());
    assert_eq!(vouched.validity().not_after.timestamp(), new.not_after.unix_timestamp());
    let limits = vouched.basic_constraints().unwrap().unwrap().value;
    assert_eq!((limits.ca, limits.path_len_constraint), (true, Some(0)));
    let below =
        parse(old.certificate()).unwrap().basic_constraints().unwrap().unwrap().value.path_len_constraint;
    assert_eq!(below, Some(1), "others than rustls count what is between an authority and a leaf");
}

fn east() -> ClusterName {
    "east".parse().unwrap()
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// rcgen gives PEM only for requests that it made itself.
fn pem(request: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut base64 = String::new();
    for chunk in request.chunks(3) {
        let mut bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        bits <<= 8 * (3 - chunk.len());
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            base64.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{base64}\n-----END CERTIFICATE REQUEST-----\n")
}
