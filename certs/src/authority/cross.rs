//! One authority vouches for another: by a certificate over its name and key, those who know only the one take what the other
//! signs. It is what a change of authorities goes over.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, KeyIdMethod,
    KeyUsagePurpose,
};
use time::OffsetDateTime;
use x509_parser::asn1_rs::Tag;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

use super::{Authority, serial};
use crate::error::Error;
use crate::identity::parse;

impl Authority {
    /// A certificate over `other`, signed by this authority. It goes along with what `other` signs, and lasts as long as both.
    pub fn vouch_for(&self, other: &Authority) -> Result<String, Error> {
        let theirs = parse(&other.certificate).map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(&theirs)?;
        // Who builds a chain finds this certificate by the same name and number of the key as the authority's own.
        if let Some(id) = key_identifier(&theirs) {
            params.key_identifier_method = KeyIdMethod::PreSpecified(id);
        }
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial()?);
        let begins =
            [&theirs, &parse(&self.certificate).map_err(|_| rcgen::Error::CouldNotParseCertificate)?]
                .map(|one| one.validity().not_before.to_datetime());
        params.not_before = begins.into_iter().fold(OffsetDateTime::UNIX_EPOCH, OffsetDateTime::max);
        params.not_after = self.not_after.min(other.not_after);
        Ok(params.signed_by(other.issuer.key(), &self.issuer)?.pem())
    }
}

/// The name of an authority, to the bit: chains are found by it.
fn subject(certificate: &X509Certificate<'_>) -> Result<DistinguishedName, Error> {
    let unfit = || Error::from(rcgen::Error::CouldNotParseCertificate);
    let mut name = DistinguishedName::new();
    for attribute in certificate.subject().iter_attributes() {
        let kind: Vec<u64> = attribute.attr_type().iter().ok_or_else(unfit)?.collect();
        let value = attribute.attr_value();
        let text = std::str::from_utf8(value.data).map_err(|_| unfit())?;
        let value = match value.header.tag() {
            Tag::Utf8String => DnValue::Utf8String(text.to_owned()),
            Tag::PrintableString => DnValue::PrintableString(text.try_into()?),
            Tag::Ia5String => DnValue::Ia5String(text.try_into()?),
            _ => return Err(unfit()),
        };
        name.push(DnType::from_oid(&kind), value);
    }
    Ok(name)
}

fn key_identifier(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    })
}
