//! A seat: a workload in a cluster.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::Difference;
use godwit_common::{Time, Uid};

use crate::contract::{Seat, SessionId};
use crate::estimates::Trouble;
use crate::tally::Share;

/// A workload in a cluster: what is wanted, and what was seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeatState {
    /// Durable.
    pub(crate) seat: Seat,
    /// What is different here about its revision; follows from that, and from what the cluster is like.
    pub(crate) overrides: Arc<str>,
    /// But for how many pods may exist, which has changed while it bounded nothing (S8).
    pub(crate) unwritten: bool,
    /// It is there whatever the plan says, and is not counted (S33).
    pub(crate) everywhere: bool,
    /// From the cluster's last report; none before its first inventory.
    pub(crate) seen: Option<Seen>,
    /// For how long the youngest of its ready copies had been ready when that was reported, and when it was (S12).
    pub(crate) ready_for: (Duration, Time),
    /// Starts on their way that still count against the pace (S7).
    pub(crate) starting: u32,
    /// When they cease to count.
    pub(crate) starting_until: Time,
    /// The lowest target since the row that the cluster's reports reflect: what lies above, it may have begun to stop,
    /// whatever it was told since.
    pub(crate) floor: u32,
    /// The guard holds a step of it back (S27).
    pub(crate) held_back: bool,
    /// What it adds to its cluster's [`Tally`], and to its workload's [`Sums`].
    pub(crate) share: Share,
    /// Copies that hold room on nodes and are in no plan: they end, and may leave room that nobody has counted (S14).
    pub(crate) surplus: u32,
    /// Copies that cannot be scheduled, or are not ready (S3, S17).
    pub(crate) trouble: Trouble,
    /// Of copies that leave in good order: down to what its target could go all along since then (S20).
    pub(crate) could_shrink: Option<(Time, u32)>,
    /// Since when all copies are of its revision, and ready, as the session of its cluster's leader says (S31).
    pub(crate) complete: Option<(SessionId, Time)>,
    /// Where it is on the way there.
    pub(crate) progress: Option<Progress>,
}

/// How far a cluster is on its way to a revision (S31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Who says so: silence is no lack of progress.
    pub(crate) session: SessionId,
    /// Copies of the revision, and how many of them are ready.
    pub(crate) counts: (u32, u32),
    /// Since when there are so many.
    pub(crate) since: Time,
    /// Since when its controller has given up.
    pub(crate) stalled: Option<Time>,
}

/// What a cluster says about a workload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) pods: u32,
    pub(crate) bound: u32,
    pub(crate) ready: u32,
    pub(crate) unschedulable: u32,
    pub(crate) failing: u32,
    pub(crate) stranded: u32,
    /// Of the manifest that was applied last.
    pub(crate) revision: u64,
    pub(crate) updated: u32,
    pub(crate) updated_ready: u32,
    pub(crate) stalled: bool,
    pub(crate) terminating: u32,
    /// Those of `pods` that have a supervisor.
    pub(crate) supervised: u32,
    /// The object's own number.
    pub(crate) replicas: u32,
    pub(crate) exists: bool,
    pub(crate) difference: Option<Difference>,
    pub(crate) problem: Arc<str>,
}

/// Why the data of a stateful workload is taken to be in a cluster; the better reason is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Data {
    /// A plan put it there once, and it was scaled to zero since.
    Was,
    /// Copies run there.
    Runs,
    /// It is placed there.
    Placed,
}

impl SeatState {
    /// A seat as it is right after its record was written or loaded.
    pub(crate) fn new(seat: Seat, everywhere: bool) -> Self {
        Self { floor: seat.target, seat, everywhere, ..Self::default() }
    }

    /// Its part of the cluster's digest.
    pub(crate) fn hash(&self, workload: Uid) -> u64 {
        self.seat.hash(workload, &self.overrides)
    }

    /// Whether anything of it is to run here.
    pub(crate) fn runs(&self) -> bool {
        self.everywhere || self.seat.target > 0
    }

    /// How many pods its controllers were asked for.
    pub(crate) fn asked(&self) -> u32 {
        match self.everywhere {
            true => self.seen.as_ref().map_or(0, |seen| seen.replicas),
            false => self.seat.target,
        }
    }

    /// Ready copies that the cluster was not told to stop (S20): one that was counts no longer, gone or not.
    pub(crate) fn staying(&self) -> u32 {
        self.ready().min(self.floor)
    }

    pub(crate) fn ready(&self) -> u32 {
        self.seen.as_ref().map_or(0, |seen| seen.ready)
    }

    pub(crate) fn pods(&self) -> u32 {
        self.seen.as_ref().map_or(0, |seen| seen.pods)
    }

    pub(crate) fn unschedulable(&self) -> u32 {
        self.seen.as_ref().map_or(0, |seen| seen.unschedulable)
    }

    pub(crate) fn bound(&self) -> u32 {
        self.seen.as_ref().map_or(0, |seen| seen.bound)
    }

    /// For how many copies there is, or must be, room here: surplus ones that still run included.
    pub(crate) fn occupied(&self) -> u32 {
        self.seat.placed.max(self.seat.target)
    }

    /// Whether there is anything of it here: planned, told or seen.
    pub(crate) fn is_present(&self) -> bool {
        self.seat.placed > 0 || self.seat.target > 0 || self.pods() > 0
    }

    /// Whether no copies of it were told or are seen here.
    pub(crate) fn runs_nothing(&self) -> bool {
        self.seat.target == 0 && self.pods() == 0
    }

    /// Whether all copies that were asked for are of the revision that was told, and ready. Those that are pending and stay
    /// here only so that somebody sees what more nodes would be for (S17) are not waited for.
    pub(crate) fn is_complete(&self) -> bool {
        let all = |seen: &Seen| {
            let beyond = self.seat.target.saturating_sub(self.seat.placed).min(seen.unschedulable);
            // Where somebody deleted it, and is let, nothing is asked for (S29).
            seen.difference == Some(Difference::Deleted)
                || seen.revision == self.seat.revision
                    && seen.updated.min(seen.updated_ready) >= self.asked_for().saturating_sub(beyond)
        };
        self.seen.as_ref().is_some_and(all)
    }

    /// Why the data of the workload is taken to be here, if it is (S32).
    pub(crate) fn data(&self) -> Option<Data> {
        match &self.seat {
            seat if seat.placed > 0 => Some(Data::Placed),
            seat if seat.target > 0 => Some(Data::Runs),
            seat => seat.cause.map(|_| Data::Was),
        }
    }

    /// For how many copies there is something here: told, planned or seen.
    pub(crate) fn left(&self) -> u32 {
        if self.everywhere { 0 } else { self.pods().max(self.occupied()) }
    }

    /// How many hold room on a node beyond those.
    pub(crate) fn surplus(&self) -> u32 {
        if self.everywhere { 0 } else { self.bound().saturating_sub(self.occupied()) }
    }

    /// How many of them do not hold room on a node yet (S15).
    pub(crate) fn on_the_way(&self) -> u32 {
        self.occupied().saturating_sub(self.bound())
    }
}
