//! The plan of a workload of which a few replicas are missing, as after a loss: its clusters keep what they hold, and the
//! rest goes where the next seats are. It is the plan that a division over all clusters would make
//! ([`Turns`](godwit_planner::Turns)), for a cost that follows what is missing; where that is not so, nothing is said here.

use std::collections::BTreeMap;

use godwit_common::policy::Rebalance;

use crate::ask::{Allowance, Ask, Count, Outcome};
use crate::batch::{Batch, Place};
use crate::bonds::Bonds;
use crate::candidates::Look;

/// Where more are missing, they are divided.
const MISSING_MAX: u32 = 8;

/// An answer, and the room that it takes: in which places, for how many replicas.
pub(crate) struct Filled {
    pub(crate) outcome: Outcome,
    pub(crate) taken: Vec<(usize, u32)>,
}

impl Batch<'_> {
    /// None where only a division over all clusters knows.
    pub(crate) fn fill_in(
        &mut self,
        ask: &Ask<'_>,
        moves: u32,
        bonds: &Bonds,
        allowance: &Allowance,
    ) -> Option<Filled> {
        let (spec, placement) = (ask.spec, &ask.policy.placement);
        let asks_more = ask.report || ask.back.is_some() || ask.patient;
        let balances = placement.rebalance != Rebalance::Never || moves > 0;
        let alone = spec.is_whole(placement) || spec.is_pinned(placement);
        if asks_more || balances || alone || allowance.at_most < spec.replicas {
            return None;
        }
        let Batch { hub, places, stands, stock, .. } = self;
        let places: &[Place<'_>] = places;
        let stands = stands.get(&ask.policy.name)?;
        let turns = stands.turns.as_ref()?;
        let mut look = Look::new(hub, places, stock, ask, bonds);
        // By place: what a cluster holds, for how many there is room already, and what it keeps.
        let mut sites: BTreeMap<usize, (u32, u32, u32)> = BTreeMap::new();
        let (mut had, mut kept) = (Vec::new(), 0_u32);
        for (name, seat) in ask.workload.present() {
            let place = places.binary_search_by(|place| place.name.cmp(name)).ok()?;
            let stand = stands.list.binary_search_by_key(&place, |stand| stand.place);
            let keeps = match stand.ok().and_then(|index| Some((index, stands.list.get(index)?))) {
                Some((index, stand)) => {
                    let keeps = look.chosen(stand, Some(seat)).0.kept();
                    had.extend((keeps > 0).then_some((index, keeps)));
                    keeps
                }
                None => 0,
            };
            kept = kept.checked_add(keeps)?;
            sites.insert(place, (seat.seat.placed, seat.occupied(), keeps));
        }
        let missing = spec.replicas.checked_sub(kept).filter(|missing| *missing <= MISSING_MAX)?;
        let ties = look.ties();
        let place_of = |index: usize| places.get(stands.list.get(index)?.place);
        let name = |index: usize| place_of(index).map(|place| place.name);
        let takes = |index: usize, count: u32| {
            let Some(stand) = stands.list.get(index) else { return false };
            let seat = place_of(index).and_then(|place| ask.seats.get(place.name));
            look.chosen(stand, seat).0.takes_more_than(count)
        };
        if !turns.give(missing, &mut had, |hash| ties.with(hash), name, takes) {
            return None;
        }
        for (index, count) in had {
            sites.entry(stands.list.get(index)?.place).or_default().2 = count;
        }
        let mut outcome = Outcome { wanted: spec.replicas, ..Outcome::default() };
        let mut taken = Vec::new();
        for (place, (before, occupied, after)) in
            sites.into_iter().filter(|(_, (before, _, after))| before != after)
        {
            outcome.counts.push(Count { cluster: places.get(place)?.name.clone(), before, after });
            taken.push((place, after.saturating_sub(occupied)));
        }
        Some(Filled { outcome, taken })
    }
}
