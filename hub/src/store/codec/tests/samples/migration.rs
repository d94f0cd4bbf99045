//! Migrations, for every cause and in every state.

use std::collections::BTreeMap;

use godwit_common::{Epoch, Uid, WallTime};
use godwit_hub_core::{
    Held, Loss, Migration, MigrationCause, MigrationId, MigrationState, Move, Record, StateRevision,
};

use super::{id, name};

pub(crate) fn migration_that(cause: MigrationCause, state: MigrationState) -> Record {
    let moves =
        [(Some("east"), None), (None, Some("west"))].map(|(from, to): (Option<&str>, Option<&str>)| Move {
            workload: Uid(2),
            id: id(),
            from: from.map(name),
            to: to.map(name),
            replicas: 10,
        });
    Record::Migration(Migration {
        inputs: StateRevision { epoch: Epoch(4), event: 78 },
        id: MigrationId(7),
        cause,
        state,
        started: WallTime(5),
        since: WallTime(6),
        ready_before: 3,
        told: Some(WallTime(0)),
        loss: Some(Loss { heard: Some(WallTime(2)), suspect: Some(WallTime(0)), lost: WallTime(4) }),
        moves: moves.into(),
        held: BTreeMap::from([(Uid(2), BTreeMap::from([(name("west"), Held { starts: 8, stops: 9 })]))]),
    })
}
