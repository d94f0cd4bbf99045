//! What the machine has decided about who is kept out, for the doors.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use godwit_certs::Revoked;
use godwit_common::ClusterName;
use godwit_hub_core::{Former, Revocation, RevocationRecord};
use godwit_rt::Revocations;
use tokio::sync::watch;

use crate::driver::{Handle, View};

/// Follows the view: whoever is revoked in it, durably, is kept out from then on. It ends with the driver.
pub(crate) fn follow_revocations(driver: &Handle) -> Revocations {
    let mut views = driver.views();
    let mut known = views.borrow_and_update().federation.revocations.clone();
    let (publish, published) = watch::channel(Arc::new(revoked(&known)));
    tokio::spawn(async move {
        while views.changed().await.is_ok() {
            let view = views.borrow_and_update().clone();
            if view.federation.revocations != known {
                known = view.federation.revocations.clone();
                publish.send_replace(Arc::new(revoked(&known)));
            }
        }
    });
    Revocations::following(published)
}

/// Whether a certificate was made for another cluster than the one that has its name now.
pub(super) fn is_formers(view: &View, cluster: &ClusterName, issued: SystemTime) -> bool {
    let of_name =
        |record: &&RevocationRecord| matches!(&record.what, Revocation::Cluster(name) if name == cluster);
    let former = view.federation.revocations.iter().find(of_name).and_then(|record| record.former);
    let now = view.clusters.get(cluster).map(|cluster| cluster.uid);
    // Certificates count in seconds.
    former.is_some_and(|Former { uid, at }| {
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(at.0 / 1000);
        now != Some(uid) && issued < until
    })
}

/// Names that the machine took are names; one that is none keeps nobody out.
fn revoked(records: &[RevocationRecord]) -> Revoked {
    let mut revoked = Revoked::default();
    for record in records {
        let since = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        match &record.what {
            Revocation::Cluster(name) => {
                revoked.clusters.insert(name.clone(), record.readmitted.map(|time| since(time.0)));
            }
            Revocation::Admin(name) => {
                let name = name.parse().ok();
                revoked.admins.extend(name.map(|name| (name, record.readmitted.map(|time| since(time.0)))));
            }
            Revocation::Serial(number) => revoked.serials.extend(number.parse().ok()),
        }
    }
    revoked
}
