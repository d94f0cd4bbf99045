//! Whom nobody lets in any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use godwit_common::ClusterName;

use crate::identity::{AdminName, Identity};
use crate::leaf::{Leaf, Serial};

/// Whom nobody lets in any more, whatever their certificates say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Clusters, and since when each is enrolled again: certificates from before are revoked; without it, all of them.
    pub clusters: BTreeMap<ClusterName, Option<SystemTime>>,
    /// Operators, and since when each is let in again, in the same way.
    pub admins: BTreeMap<AdminName, Option<SystemTime>>,
    /// Single certificates.
    pub serials: BTreeSet<Serial>,
}

impl Revoked {
    /// Whether whoever shows this certificate is kept out.
    pub fn refuses(&self, leaf: &Leaf) -> bool {
        let of_identity = match &leaf.identity {
            Identity::Agent { cluster } => self.clusters.get(cluster),
            Identity::Admin { name } => self.admins.get(name),
            Identity::Hub => None,
        };
        let of_identity = match of_identity {
            None => false,
            Some(None) => true,
            // Our authority lets certificates begin a little in the past, all by the same span, in whole seconds.
            Some(Some(since)) => leaf.issued() < whole_seconds(*since),
        };
        of_identity || self.serials.contains(&leaf.serial)
    }
}

/// Certificates count in seconds.
fn whole_seconds(time: SystemTime) -> SystemTime {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(since_1970.as_secs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;

    use super::*;
    use crate::{Authority, CA_VALIDITY, LEAF_VALIDITY};

    #[test]
    fn a_cluster_that_enrols_again_is_let_in_with_what_it_got_then_and_nothing_older() {
        let before = agent("east");
        let mut revoked = Revoked::default();
        assert!(!revoked.refuses(&before));
        let east: ClusterName = "east".parse().unwrap();
        revoked.clusters.insert(east.clone(), None);
        assert!(revoked.refuses(&before));
        assert!(!revoked.refuses(&agent("west")));

        let later = before.issued() + Duration::from_secs(1);
        revoked.clusters.insert(east.clone(), Some(later));
        assert!(revoked.refuses(&before));
        // The same second, as when the certificate is issued right after the token was taken.
        let at_once = before.issued() + Duration::from_millis(999);
        revoked.clusters.insert(east, Some(at_once));
        assert!(!revoked.refuses(&before));
    }

    #[test]
    fn one_certificate_or_one_operator_can_be_revoked_and_no_hub() {
        let authority = Authority::create(CA_VALIDITY).unwrap();
        let ops: AdminName = "ops".parse().unwrap();
        let [first, second] =
            [(); 2].map(|()| leaf(&authority.issue_admin(&ops, LEAF_VALIDITY).unwrap().certificate_pem));
        let mut revoked = Revoked { serials: [first.serial.clone()].into(), ..Revoked::default() };
        assert_eq!([revoked.refuses(&first), revoked.refuses(&second)], [true, false]);
        revoked.admins.insert(ops.clone(), None);
        assert!(revoked.refuses(&second));
        revoked.admins.insert(ops.clone(), Some(second.issued() + Duration::from_secs(1)));
        assert!(revoked.refuses(&second), "it is from before");
        revoked.admins.insert(ops, Some(second.issued()));
        assert!(!revoked.refuses(&second));
        let hub = authority.issue_hub(&["hub".to_owned()], LEAF_VALIDITY).unwrap();
        assert!(!revoked.refuses(&leaf(&hub.certificate_pem)));
    }

    fn agent(cluster: &str) -> Leaf {
        let authority = Authority::create(CA_VALIDITY).unwrap();
        let issued = authority.issue_agent(&cluster.parse().unwrap(), LEAF_VALIDITY).unwrap();
        leaf(&issued.certificate_pem)
    }

    fn leaf(pem: &str) -> Leaf {
        Leaf::from_certificate(&CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap()
    }
}
