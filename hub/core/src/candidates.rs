//! Candidates: what each cluster may take of a workload, put together from what its policy makes of the cluster, what is
//! there of it, and what else it needs.

use godwit_common::ClusterName;
use godwit_common::policy::{Rule, Unchosen};
use godwit_planner::{Barrier, Candidate, Growth, Room, Tie, room_that_matters};

use crate::ask::{Ask, Site};
use crate::batch::{Batch, Place, Shape, Stand, Stock, growth};
use crate::bonds::Bonds;
use crate::hub::Hub;
use crate::state::SeatState;

/// What is the same for all clusters of one question.
pub(crate) struct Look<'b, 'h> {
    hub: &'h Hub,
    places: &'b [Place<'h>],
    stock: &'b mut Stock,
    ask: &'b Ask<'b>,
    bonds: &'b Bonds,
    pod: Shape,
    limit: u32,
    ties: Tie,
    settled: bool,
    /// Clusters where it is not ready do not grow, since it is in others.
    heeds_unwell: bool,
}

impl<'b, 'h> Look<'b, 'h> {
    pub(crate) fn new(
        hub: &'h Hub,
        places: &'b [Place<'h>],
        stock: &'b mut Stock,
        ask: &'b Ask<'b>,
        bonds: &'b Bonds,
    ) -> Self {
        let placement = &ask.policy.placement;
        let known = ask.uid.and_then(|uid| hub.workloads.get(&uid));
        Self {
            hub,
            places,
            pod: stock.shape(&ask.spec.pod),
            stock,
            ask,
            bonds,
            limit: room_that_matters(&placement.strategy, ask.spec.replicas),
            ties: Tie::of(Some(&ask.spec.id)),
            settled: ask.spec.is_settled(placement),
            heeds_unwell: known.is_some_and(|workload| hub.well_somewhere(workload)),
        }
    }

    pub(crate) fn ties(&self) -> Tie {
        self.ties
    }

    /// A cluster that the policy chooses.
    pub(crate) fn chosen(&mut self, stand: &'b Stand, seat: Option<&SeatState>) -> (Candidate<'b>, Site) {
        let Some(place) = self.places.get(stand.place) else {
            unreachable!("a stand is towards one of the places")
        };
        let fit = self.fits(stand.place, place);
        let occupied = seat.map_or(0, SeatState::occupied);
        let unwell = self.heeds_unwell && seat.is_some_and(SeatState::unwell);
        let (growth, awaited) = match self.bonds.growth(self.ask, place, &stand.growth) {
            Growth::Allowed if unwell => (Growth::Closed(Barrier::Unready), None),
            Growth::Closed(barrier @ Barrier::Checking(_)) if self.ask.patient => {
                (Growth::Allowed, Some(barrier))
            }
            growth => (growth, None),
        };
        let held = seat.map_or(0, |seat| seat.seat.placed);
        let room = Room::beside(occupied, fit.replicas.saturating_add(place.more), fit.scarce);
        // What an operator said is dead has taken its data with it.
        let data = seat.and_then(SeatState::data).filter(|_| place.cluster.record.dead.is_none());
        // What has not started there does not, where its agents know no overrides and it has some (S33).
        let told = seat.map_or(0, |seat| seat.seat.target);
        let kept = match &growth {
            Growth::Closed(Barrier::Overrides) => held.min(told),
            Growth::Closed(_) | Growth::Allowed | Growth::Excluded(_) => held,
        };
        let candidate = Candidate {
            held: kept,
            room: match seat {
                Some(seat) => seat.estimate(room),
                None => room,
            },
            growth,
            avoided: stand.avoided,
            tie: self.ties.with(place.hash),
            ..Candidate::new(place.name, &stand.choice)
        };
        (candidate, Site { place: stand.place, held, occupied, data, awaited })
    }

    /// A cluster that the policy does not choose: what it holds goes elsewhere, unless it is where its data is (S32).
    pub(crate) fn unchosen(
        &mut self,
        name: &'b ClusterName,
        seat: &SeatState,
    ) -> Option<(Candidate<'b>, Site)> {
        let held = seat.seat.placed;
        if held == 0 && !(self.settled && seat.data().is_some()) {
            return None;
        }
        let index = self.places.binary_search_by(|place| place.name.cmp(name)).ok()?;
        let place = self.places.get(index)?;
        let cluster = place.cluster;
        let fit = self.fits(index, place);
        let policy = self.ask.policy;
        let candidate = Candidate {
            room: Room::beside(seat.occupied(), fit.replicas, fit.scarce),
            growth: growth(self.hub, place, policy).0,
            ..outsider(name, policy.placement.choose(name, &cluster.record.traits), held)
        };
        let data = seat.data().filter(|_| cluster.record.dead.is_none());
        Some((candidate, Site { place: index, held, occupied: seat.occupied(), data, awaited: None }))
    }

    fn fits(&mut self, index: usize, place: &Place<'_>) -> godwit_planner::Fit {
        self.stock.fits(index, self.hub, place.cluster, (&self.ask.spec.pod, self.pod), self.limit)
    }
}

/// Every cluster that the policy chooses or that holds some.
pub(crate) fn candidates<'b>(
    batch: &'b mut Batch<'_>,
    ask: &'b Ask<'b>,
    bonds: &'b Bonds,
) -> (Vec<Candidate<'b>>, Vec<Site>) {
    let Batch { hub, places, stands, stock, .. } = batch;
    let places: &'b [Place<'_>] = places;
    let stands = stands.get(&ask.policy.name).map_or(&[][..], |stands| &stands.list);
    let mut all: (Vec<_>, Vec<_>) = (Vec::with_capacity(stands.len()), Vec::with_capacity(stands.len()));
    let mut look = Look::new(hub, places, stock, ask, bonds);
    // Both in order of name: one walk finds every seat.
    let mut seats = ask.seats.iter().peekable();
    for stand in stands {
        let Some(place) = places.get(stand.place) else { continue };
        while let Some((name, seat)) = seats.next_if(|(seat, _)| *seat < place.name) {
            all.extend(look.unchosen(name, seat));
        }
        let seat = seats.next_if(|(seat, _)| *seat == place.name).map(|(_, seat)| seat);
        all.extend([look.chosen(stand, seat)]);
    }
    for (name, seat) in seats {
        all.extend(look.unchosen(name, seat));
    }
    all
}

/// A cluster as it is seen by a policy that does not choose it.
pub(crate) fn outsider(cluster: &ClusterName, rule: Result<Rule, Unchosen>, held: u32) -> Candidate<'_> {
    Candidate {
        cluster,
        rule,
        held,
        room: Room::Unlimited,
        growth: Growth::Allowed,
        avoided: false,
        tier: 0,
        fallback: 0,
        groups: &[],
        tie: 0,
    }
}
