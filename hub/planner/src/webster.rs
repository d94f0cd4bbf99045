//! Webster's method (Sainte-Laguë) in closed form: the first seats of an order without walking through it.
//!
//! Seat number `s` (from 0) of a cluster with weight `w` has the priority `w / (2s + 1)`. A seat stands at or above a
//! level `1 / 2y` exactly when `s + 1/2 <= w * y`, so a cluster has `floor(w * y + 1/2)` such seats, within its
//! bounds. A search over `y` brackets the wanted number of seats until few are left between the two ends; those are
//! compared exactly (after Reitzig and Wild, "A Practical and Worst-Case Efficient Algorithm for Divisor Methods of
//! Apportionment", 2017). All arithmetic is in integers, so a poor guess costs time, never exactness.

use std::cmp::{Ordering, Reverse};

use crate::candidate::Candidate;

/// One replica's seat in one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) candidate: u32,
    pub(crate) weight: u32,
    pub(crate) number: u32,
}

impl Seat {
    /// Which seat is given first: by priority, then to the cluster with fewer replicas, then by tie, then by name.
    pub(crate) fn cmp(&self, other: &Self, candidates: &[Candidate<'_>]) -> Ordering {
        let by_name = || {
            let key = |seat: &Self| candidates.get(seat.candidate as usize).map(|c| (c.tie, c.cluster));
            key(self).cmp(&key(other)).then(self.candidate.cmp(&other.candidate))
        };
        self.by_priority(other).then_with(by_name)
    }

    /// The same, as far as weights and numbers decide it.
    #[inline]
    pub(crate) fn by_priority(&self, other: &Self) -> Ordering {
        let odd = |seat: &Self| u128::from(seat.number) * 2 + 1;
        let quotient = odd(self) * u128::from(other.weight);
        let other_quotient = odd(other) * u128::from(self.weight);
        quotient.cmp(&other_quotient).then(self.number.cmp(&other.number))
    }
}

/// Where the given seats of an order end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Edge {
    /// All were given.
    All,
    /// Those above a level.
    Level(Level),
    /// Those up to this one.
    Seat(Seat),
}

impl Edge {
    /// None are given.
    pub(crate) const NONE: Self = Self::Level(Level::ZERO);

    /// Whether a seat is among those that are given.
    pub(crate) fn includes(&self, seat: &Seat, candidates: &[Candidate<'_>]) -> bool {
        match self {
            Self::All => true,
            Self::Level(level) => u64::from(seat.number) < level.seats(seat.weight),
            Self::Seat(last) => seat.cmp(last, candidates).is_le(),
        }
    }
}

/// The seats `from..to` of one cluster, which it does not have yet. The weight is not zero.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) candidate: u32,
    pub(crate) weight: u32,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

impl Claim {
    /// How many seats the cluster has when it is given all that it claims above a level.
    fn had(&self, level: Level) -> u32 {
        // At most `to`, so it fits.
        level.seats(self.weight).max(self.from.into()).min(self.to.into()) as u32
    }
}

/// Claims of several clusters, and buffers to serve them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claims {
    list: Vec<Claim>,
    /// All claimed seats.
    seats: u64,
    /// What the clusters have already.
    had: u64,
    weight: u64,
    open: Vec<Seat>,
}

/// After so many rounds a search is content with as many open seats as there are claims.
const ROUNDS: u32 = 4;

impl Claims {
    /// Forgets all claims.
    pub(crate) fn clear(&mut self) {
        self.list.clear();
        (self.seats, self.had, self.weight) = (0, 0, 0);
    }

    /// Adds a claim.
    pub(crate) fn push(&mut self, claim: Claim) {
        self.list.push(claim);
        self.seats += u64::from(claim.to - claim.from);
        self.had += u64::from(claim.from);
        self.weight += u64::from(claim.weight);
    }

    /// Gives the first `give` of the claimed seats, or all of them, and sets `counts` to what each cluster then has.
    /// Returns how many it gave, and where they end.
    pub(crate) fn serve(
        &mut self,
        give: u64,
        candidates: &[Candidate<'_>],
        counts: &mut [u32],
    ) -> (u64, Edge) {
        if give >= self.seats {
            self.list.iter().for_each(|claim| counts[claim.candidate as usize] = claim.to);
            return (self.seats, Edge::All);
        }
        let (low, high) = self.bracket(give);
        let mut left = give;
        self.open.clear();
        for claim in &self.list {
            let Claim { candidate, weight, from, .. } = *claim;
            let sure = claim.had(low);
            counts[candidate as usize] = sure;
            left -= u64::from(sure - from);
            let open = sure..claim.had(high);
            self.open.extend(open.map(|number| Seat { candidate, weight, number }));
        }
        let Some(last) = usize::try_from(left).ok().and_then(|left| left.checked_sub(1)) else {
            return (give, Edge::Level(low));
        };
        let (before, last, _) = self.open.select_nth_unstable_by(last, |a, b| a.cmp(b, candidates));
        before.iter().chain([&*last]).for_each(|seat| counts[seat.candidate as usize] += 1);
        (give, Edge::Seat(*last))
    }

    /// Gives one cluster after another all that it claims, the lowest rank first, then the greatest weight, then by
    /// name, as far as `give` goes. Returns how many it gave.
    pub(crate) fn serve_in_turn(
        &mut self,
        give: u64,
        candidates: &[Candidate<'_>],
        rank: impl Fn(&u32) -> u32,
        counts: &mut [u32],
    ) -> u64 {
        let key = |claim: &Claim| {
            let name = candidates.get(claim.candidate as usize).map(|c| c.cluster);
            (rank(&claim.candidate), Reverse(claim.weight), name)
        };
        if give < self.seats {
            self.list.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        }
        let mut left = give;
        for claim in &self.list {
            let given = left.min(u64::from(claim.to - claim.from));
            // At most what is claimed, so it fits.
            counts[claim.candidate as usize] = claim.from + given as u32;
            left -= given;
        }
        give - left
    }

    /// Two levels: at most `give` seats above the one, at least `give` above the other, and no more seats between
    /// them than there are claims, or hardly more.
    fn bracket(&self, give: u64) -> (Level, Level) {
        let few = self.list.len() as u64;
        let (mut low, mut high) = ((Level::ZERO, 0), (Level::TOP, self.seats));
        let mut level = Level::of(self.had + give, self.weight);
        // Newton's steps usually need two or three rounds. Each third one bisects, so that no input needs more than 200.
        for round in 1_u32.. {
            let (seats, slope) = self.measure(level);
            if seats <= give {
                low = (level, seats);
            }
            if seats >= give {
                high = (level, seats);
            }
            // Fewer open seats are sooner compared, but where many are equal no further round makes them fewer.
            let enough = if round < ROUNDS { few / 16 + 8 } else { few };
            if high.1 - low.1 <= enough || high.0.0 - low.0.0 <= 1 {
                break;
            }
            let missing = seats.abs_diff(give);
            // Close to the end it steps across by more than rounding takes back, so that both ends come close.
            let reach = if missing <= few { 2 * missing + few / 32 + 2 } else { missing };
            let step = Level::of(reach, slope).0;
            let next = if seats < give { level.0.saturating_add(step) } else { level.0.saturating_sub(step) };
            let newton = low.0.0 < next && next < high.0.0 && slope > 0 && round % 3 != 0;
            level = if newton { Level(next) } else { Level::between(low.0, high.0) };
        }
        (low.0, high.0)
    }

    /// How many claimed seats are above a level, and how many more a higher level gives: the weight of the claims
    /// that are neither untouched nor exhausted.
    fn measure(&self, level: Level) -> (u64, u64) {
        let (mut seats, mut slope) = (0, 0);
        for claim in &self.list {
            let had = claim.had(level);
            seats += u64::from(had - claim.from);
            // Multiplied rather than branched upon: where clusters hold about their share, no branch is predictable.
            let moves = claim.from < had && had < claim.to;
            slope += u64::from(claim.weight) * u64::from(moves);
        }
        (seats, slope)
    }
}

/// A level of priority: `y` of the module's text, in units of 2^-31. A finer unit is not needed: a step of one moves
/// even the largest weight by hardly more than a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Level(u64);

impl Level {
    const UNIT_BITS: u32 = 31;
    const ZERO: Self = Self(0);
    /// Above all seats: the last one is number 2^32 - 2 of a cluster with weight 1.
    const TOP: Self = Self(1 << (32 + Self::UNIT_BITS));

    /// The level at which this many seats are had by this much weight.
    fn of(seats: u64, weight: u64) -> Self {
        let level = (u128::from(seats) << Self::UNIT_BITS) / u128::from(weight.max(1));
        u64::try_from(level).map_or(Self::TOP, |level| Self(level).min(Self::TOP))
    }

    /// How many seats of a cluster are above it.
    fn seats(self, weight: u32) -> u64 {
        const HALF: u128 = 1 << (u64::BITS - 1);
        // The weight is shifted up rather than the product down: what is sought is then its upper half. A weight has at
        // most 31 bits, so nothing is lost.
        let weight = u64::from(weight) << (u64::BITS - Self::UNIT_BITS);
        ((u128::from(weight) * u128::from(self.0) + HALF) >> u64::BITS) as u64
    }

    /// A level strictly between two that differ by more than one unit. It halves the orders of magnitude first.
    fn between(low: Self, high: Self) -> Self {
        let bits = |level: Self| u64::BITS - level.0.leading_zeros();
        if bits(high) > bits(low) + 2 {
            return Self(1 << ((bits(low) + bits(high)) / 2));
        }
        Self(low.0 + (high.0 - low.0) / 2)
    }
}
