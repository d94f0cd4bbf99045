//! Who the hub is, whom it trusts, and who gets in: certificates, the hub's own authority, enrolment and access.

use std::path::PathBuf;
use std::time::Duration;

use godwit_hub_core::{Role, Roles};
use serde::{Deserialize, Serialize};

use super::{Span, listed};

/// What `enrolment.approval` says where somebody is asked.
pub(crate) const ASKS: &str = "operator";

/// Certificates, as PEM files. They are read again when they change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The authorities whose certificates are accepted from agents and operators.
    pub ca: PathBuf,
    /// The hub's certificate, with any intermediate ones after it.
    pub certificate: PathBuf,
    /// The private key of that certificate.
    pub key: PathBuf,
}

/// The hub's own authority, which signs its certificate, its agents' and its operators'. It is there if `names` are set, in
/// the place of everything under `tls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authority {
    /// What agents and operators dial: the hub's DNS names and IP addresses, separated by commas.
    pub names: String,
    /// The authority's certificate, as a PEM file; empty: one is made in `data_dir` at the first start.
    pub certificate: PathBuf,
    /// The private key of that certificate.
    pub key: PathBuf,
    /// The certificate of the authority that is to take its place, where that is given, as a PEM file.
    pub next_certificate: PathBuf,
    /// The private key of that certificate.
    pub next_key: PathBuf,
    /// How long the hub's own certificate lasts; it is renewed half way.
    pub hub_validity: Span,
    /// How long an agent's certificate lasts; agents renew it half way.
    pub agent_validity: Span,
    /// How long an operator's certificate lasts that is made with `--issue-admin`.
    pub admin_validity: Span,
    /// How long the certificate of an operator lasts who logs in; `godwit` renews it half way.
    pub login_validity: Span,
}

/// A listener of its own, to which callers may come without a certificate. It is there if the hub has an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Enrolment {
    /// The address, with its port. Port 0 takes any free one; empty is none, and then nobody enrols.
    pub listen: String,
    /// For how long after its end an agent's certificate may still be renewed.
    pub renew_expired: Span,
    /// Whom the tokens of agents' service accounts have to be meant for: what their projected volumes say.
    pub audience: String,
    /// Who is asked before a cluster joins with a token that is made from now on: `none`, or `operator`.
    pub approval: String,
    /// How long an operator has for that.
    pub approval_within: Span,
}

/// Roles beside those that are bound with `godwit role bind`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// What an operator is to whom no role is bound: `admin`, `operator`, `viewer`, or `none` for nobody.
    pub unbound: String,
    /// The names of operators who are admins whatever is bound, separated by commas: with their certificates one gets in again.
    pub admins: String,
}

impl Default for Authority {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            names: String::new(),
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            next_certificate: PathBuf::new(),
            next_key: PathBuf::new(),
            hub_validity: Span(DAY),
            agent_validity: Span(DAY),
            admin_validity: Span(90 * DAY),
            login_validity: Span(7 * DAY),
        }
    }
}

impl Authority {
    /// Whether there is one.
    pub fn is_set(&self) -> bool {
        !self.names.is_empty()
    }

    /// What the hub is dialled by.
    pub fn names(&self) -> Vec<String> {
        listed(&self.names).map(str::to_owned).collect()
    }
}

impl Default for Enrolment {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8444".to_owned(),
            renew_expired: Span(Duration::from_secs(30 * 24 * 3600)),
            audience: "godwit.dev/hub".to_owned(),
            approval: "none".to_owned(),
            approval_within: Span(Duration::from_secs(24 * 3600)),
        }
    }
}

impl Enrolment {
    /// Whether an operator is asked about every cluster.
    pub(crate) fn asks(&self) -> bool {
        self.approval == ASKS
    }
}

impl Default for Access {
    fn default() -> Self {
        Self { unbound: Role::Admin.to_string(), admins: String::new() }
    }
}

impl Access {
    /// The names, as they are written.
    pub fn admins(&self) -> impl Iterator<Item = &str> {
        listed(&self.admins)
    }

    /// What the machine is built with.
    pub fn roles(&self) -> Roles {
        let admins = self.admins().map(Into::into).collect();
        Roles { unbound: self.unbound.parse().ok(), admins, ..Roles::default() }
    }
}
