//! The authority as it stands: who signs, who is trusted, and what goes along with what is signed.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use godwit_certs::{AdminName, Authority, Error, Holder, Identity, Issued, Ledger};
use godwit_rt::tls::Vouching;

use super::place::{Found, Place};

/// What there is, ready to sign.
pub(super) struct Standing {
    pub(super) found: Found,
    /// The former authority's word for the one that signs, in PEM; empty if there is no former one.
    vouched: String,
}

/// What is to be known of it, without waiting for whoever signs or takes a step.
pub(super) struct Published {
    pub(super) ledger: Ledger,
    /// When the authority that signs ends.
    pub(super) ends: SystemTime,
    /// When the other one does.
    pub(super) beside_ends: Option<SystemTime>,
    pub(super) bundle: String,
}

/// A new certificate, and what goes along with it.
pub(super) struct Granted {
    pub(super) issued: Issued,
    /// It, and what stands between it and an authority that somebody may trust.
    pub(super) chain: String,
    /// Whom its holder is to trust.
    pub(super) authorities: String,
}

impl Standing {
    pub(super) fn of(found: Found) -> Result<Self, Error> {
        let is_switched = found.ledger.beside.is_some_and(|beside| beside.switched.is_some());
        let former = found.beside.as_ref().filter(|_| is_switched);
        let vouched = former.map(|former| former.vouch_for(&found.signing)).transpose()?.unwrap_or_default();
        Ok(Self { found, vouched })
    }

    pub(super) fn signing(&self) -> &Authority {
        &self.found.signing
    }

    pub(super) fn published(&self) -> Published {
        Published {
            ledger: self.found.ledger.clone(),
            ends: self.signing().ends(),
            beside_ends: self.found.beside.as_ref().map(Authority::ends),
            bundle: self.bundle(),
        }
    }

    /// Whom to trust, in PEM.
    pub(super) fn bundle(&self) -> String {
        let beside = self.found.beside.as_ref().map_or("", Authority::certificate_pem);
        self.signing().certificate_pem().to_owned() + beside
    }

    /// The same, for those who are connected already.
    pub(super) fn vouching(&self) -> anyhow::Result<Vouching> {
        Vouching::by(&self.bundle()).context("the authorities vouch for nobody")
    }

    /// A certificate for the hub, and its key. Whoever comes with a join token knows an authority's key alone: the
    /// certificates of all that a token may know are brought along.
    pub(super) fn issue_hub(&self, names: &[String], validity: Duration) -> Result<String, Error> {
        let Issued { certificate_pem, key_pem } = self.signing().issue_hub(names, validity)?;
        Ok(certificate_pem + &self.vouched + &self.bundle() + &key_pem.unwrap_or_default())
    }

    /// A certificate for the key of a request.
    pub(super) fn grant(
        &mut self,
        place: &Place,
        identity: &Identity,
        signing_request: &str,
        validity: Duration,
    ) -> anyhow::Result<Granted> {
        let holder = match identity {
            Identity::Agent { .. } => Holder::Agent,
            Identity::Admin { .. } | Identity::Hub => Holder::Operator,
        };
        self.note(place, holder, validity)?;
        let issued = self.signing().issue_from_csr(signing_request, identity, validity)?;
        Ok(self.granted(issued))
    }

    /// A certificate for an operator, and its key.
    pub(super) fn issue_admin(
        &mut self,
        place: &Place,
        name: &AdminName,
        validity: Duration,
    ) -> anyhow::Result<Granted> {
        self.note(place, Holder::Operator, validity)?;
        let issued = self.signing().issue_admin(name, validity)?;
        Ok(self.granted(issued))
    }

    fn granted(&self, issued: Issued) -> Granted {
        let chain = issued.certificate_pem.clone() + &self.vouched;
        Granted { issued, chain, authorities: self.bundle() }
    }

    /// Before something is signed, it is written down until when the authority is needed for it.
    fn note(&mut self, place: &Place, holder: Holder, validity: Duration) -> anyhow::Result<()> {
        let end = SystemTime::now() + validity;
        if self.found.ledger.sign(holder, end, validity).is_none() {
            return Ok(());
        }
        let _lock = place.lock()?;
        // Another process may have signed something meanwhile, or the hub may have changed who signs.
        let found = place.look_again()?;
        let ledger = found.ledger.sign(holder, end, validity).unwrap_or_else(|| found.ledger.clone());
        place.write(&ledger)?;
        *self = Self::of(Found { ledger, ..found })?;
        Ok(())
    }
}
