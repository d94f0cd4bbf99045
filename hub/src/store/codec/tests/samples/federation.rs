//! The federation and its journal.

use std::collections::BTreeSet;
use std::time::Duration;

use godwit_common::{Epoch, Uid, WallTime};
use godwit_hub_core::{
    FederationRecord, Freeze, FreezeCause, JournalEntry, Record, Recovery, Severity, StateRevision,
};

use super::name;

pub(super) fn federation() -> Record {
    Record::Federation(FederationRecord {
        uid: Uid(0x6ba7_b810_9dad_11d1_80b4_00c0_4fd4_30c8),
        epoch: Epoch(4),
        next_workload: 5,
        next_migration: 8,
        next_entry: 13,
        freeze: Some(Freeze {
            cause: FreezeCause::MassLoss,
            since: WallTime(1),
            message: "all are gone".into(),
        }),
        longest_lease: Duration::from_secs(90),
        recovery: Some(Recovery {
            from_nothing: true,
            named: true,
            missing: BTreeSet::from([name("spread")]),
        }),
    })
}

pub(super) fn entry() -> Record {
    Record::Journal(JournalEntry {
        number: 12,
        at: WallTime(1_700_000_000_000),
        severity: Severity::Warning,
        reason: "ClusterLost".into(),
        rule: "S1".into(),
        subject: "east".into(),
        message: "cluster east is lost".into(),
        inputs: StateRevision { epoch: Epoch(4), event: 77 },
    })
}
