//! The agent's first message.

use godwit_common::Epoch;
use godwit_common::link::{BUILD_MAX, Hello, Region, VersionRange};

use super::WireError;
use super::check::{line, uid, uid_to_wire, word};
use crate::v1;

/// The longest name of a pod.
const INSTANCE_MAX: usize = 253;
/// The longest value of a Kubernetes label: zones and regions come from labels.
const LABEL_VALUE_MAX: usize = 63;

pub(super) fn to_wire(hello: &Hello) -> v1::Hello {
    v1::Hello {
        oldest_version: hello.versions.oldest,
        newest_version: hello.versions.newest,
        federation_uid: hello.federation.map(uid_to_wire).unwrap_or_default(),
        cluster_uid: uid_to_wire(hello.cluster_uid),
        highest_epoch: hello.highest_epoch.0,
        build: hello.build.to_string(),
        instance: hello.instance.to_string(),
        zone: hello.zone.to_string(),
        provider: hello.region.provider.to_string(),
        region: hello.region.region.to_string(),
        supervises: hello.supervises,
        knows_overrides: hello.knows_overrides,
        // The shell says so that does it.
        answers_inquiries: false,
        renews_certificate: false,
    }
}

pub(super) fn from_wire(wire: v1::Hello) -> Result<Hello, WireError> {
    let federation = match wire.federation_uid.as_slice() {
        [] => None,
        bytes => Some(uid("federation_uid", bytes)?),
    };
    Ok(Hello {
        versions: versions(wire.oldest_version, wire.newest_version)?,
        build: line("build", wire.build, BUILD_MAX)?,
        instance: word("instance", wire.instance, INSTANCE_MAX)?,
        zone: line("zone", wire.zone, LABEL_VALUE_MAX)?,
        cluster_uid: uid("cluster_uid", &wire.cluster_uid)?,
        federation,
        highest_epoch: Epoch(wire.highest_epoch),
        region: Region {
            provider: line("provider", wire.provider, LABEL_VALUE_MAX)?,
            region: line("region", wire.region, LABEL_VALUE_MAX)?,
        },
        supervises: wire.supervises,
        knows_overrides: wire.knows_overrides,
    })
}

fn versions(oldest: u32, newest: u32) -> Result<VersionRange, WireError> {
    if oldest == 0 {
        return Err(WireError::new("oldest_version", "it is 0, and versions begin at 1"));
    }
    if newest < oldest {
        let problem = format!("{newest} is below oldest_version, which is {oldest}");
        return Err(WireError::new("newest_version", problem));
    }
    Ok(VersionRange { oldest, newest })
}
