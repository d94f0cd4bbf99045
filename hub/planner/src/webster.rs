//! Webster's method (Sainte-Laguë) in closed form: the first seats of an order without walking through it.
//!
//! Seat number `s` (from 0) of a cluster with weight `w` has the priority `w / (2s + 1)`. A seat stands at or above a
//! level `1 / 2y` exactly when `s + 1/2 <= w * y`, so a cluster has `floor(w * y + 1/2)` such seats, within its
//! bounds. A search over `y` brackets the wanted number of seats until few are left between the two ends; those are
//! compared exactly (after Reitzig and Wild, "A Practical and Worst-Case Efficient Algorithm for Divisor Methods of
//! Apportionment", 2017). All arithmetic is in integers, so a poor guess costs time, never exactness.

use std::cmp::Ordering;

use crate::candidate::Candidate;

/// One replica's seat in one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) candidate: usize,
    pub(crate) weight: u32,
    pub(crate) number: u32,
}

impl Seat {
    /// Which seat is given first: by priority, then to the cluster with fewer replicas, then by tie, then by name.
    pub(crate) fn cmp(&self, other: &Self, candidates: &[Candidate<'_>]) -> Ordering {
        let odd = |seat: &Self| u128::from(seat.number) * 2 + 1;
        let quotient = odd(self) * u128::from(other.weight);
        let other_quotient = odd(other) * u128::from(self.weight);
        let by_name = || {
            let key = |seat: &Self| candidates.get(seat.candidate).map(|c| (c.tie, c.cluster));
            key(self)
                .cmp(&key(other))
                .then(self.candidate.cmp(&other.candidate))
        };
        quotient
            .cmp(&other_quotient)
            .then(self.number.cmp(&other.number))
            .then_with(by_name)
    }
}

/// The seats `from..to` of one cluster, which it does not have yet. The weight is not zero.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) candidate: usize,
    pub(crate) weight: u32,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// What was given.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) seats: u64,
    /// The last of them in the order.
    pub(crate) last: Option<Seat>,
}

/// Gives the first `give` of the claimed seats, or all of them, and sets `counts` to what each cluster then has.
/// `seats` is a buffer.
pub(crate) fn serve(
    give: u64,
    claims: &[Claim],
    candidates: &[Candidate<'_>],
    seats: &mut Vec<Seat>,
    counts: &mut [u32],
) -> Given {
    let all = sum(claims, |claim| claim.to - claim.from);
    let given = give.min(all);
    if given == 0 {
        return Given { seats: 0, last: None };
    }
    let (low, high) = if give < all {
        bracket(give, all, claims)
    } else {
        (Level::TOP, Level::TOP)
    };
    seats.clear();
    let mut left = given;
    for claim in claims {
        let Claim {
            candidate,
            weight,
            from,
            ..
        } = *claim;
        let sure = claim.seats_above(low);
        counts[candidate] = sure;
        left -= u64::from(sure - from);
        let open = sure..claim.seats_above(high);
        seats.extend(open.map(|number| Seat {
            candidate,
            weight,
            number,
        }));
    }
    let open = usize::try_from(left).unwrap_or(seats.len()).min(seats.len());
    if 0 < open && open < seats.len() {
        seats.select_nth_unstable_by(open - 1, |a, b| a.cmp(b, candidates));
    }
    for seat in seats.iter().take(open) {
        counts[seat.candidate] += 1;
    }
    let taken = claims.iter().filter(|claim| claim.from < counts[claim.candidate]);
    let last = taken.map(|claim| Seat {
        candidate: claim.candidate,
        weight: claim.weight,
        number: counts[claim.candidate] - 1,
    });
    Given {
        seats: given,
        last: last.max_by(|a, b| a.cmp(b, candidates)),
    }
}

/// A level of priority: `y` of the module's text, in units of 2^-60.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Level(u128);

impl Level {
    const UNIT_BITS: u32 = 60;
    const ZERO: Self = Self(0);
    /// Above all seats: the last one is number 2^32 - 2 of a cluster with weight 1.
    const TOP: Self = Self(1 << (32 + Self::UNIT_BITS));

    /// The level at which this many seats are had by this much weight.
    fn of(seats: u64, weight: u64) -> Self {
        let level = (u128::from(seats) << Self::UNIT_BITS) / u128::from(weight.max(1));
        Self(level.min(Self::TOP.0))
    }

    /// A level strictly between two that differ by more than one unit. It halves the orders of magnitude first, since
    /// levels range over 92 bits.
    fn between(low: Self, high: Self) -> Self {
        let bits = |level: Self| u128::BITS - level.0.leading_zeros();
        let power = Self(1 << ((bits(low) + bits(high)) / 2));
        if bits(high) > bits(low) + 1 && low < power && power < high {
            return power;
        }
        Self(low.0 + (high.0 - low.0) / 2)
    }
}

impl Claim {
    /// How many seats the cluster has when it is given all its claims above a level.
    fn seats_above(&self, level: Level) -> u32 {
        const HALF: u128 = 1 << (Level::UNIT_BITS - 1);
        let seats = (u128::from(self.weight) * level.0 + HALF) >> Level::UNIT_BITS;
        let seats = u32::try_from(seats).unwrap_or(u32::MAX);
        seats.clamp(self.from, self.to)
    }
}

/// Two levels with at most `give` seats above the one and at least `give` above the other, and no more seats between
/// them than there are claims.
fn bracket(give: u64, all: u64, claims: &[Claim]) -> (Level, Level) {
    let few = claims.len() as u64;
    let (mut low, mut high) = ((Level::ZERO, 0), (Level::TOP, all));
    let had = sum(claims, |claim| claim.from);
    let mut level = Level::of(had + give, sum(claims, |claim| claim.weight));
    // Newton's steps usually need three rounds. Each third one bisects, so that no input needs more than some 300.
    for round in 1_u32.. {
        let (seats, slope) = measure(level, claims);
        if seats <= give {
            low = (level, seats);
        }
        if seats >= give {
            high = (level, seats);
        }
        if high.1 - low.1 <= few || high.0.0 - low.0.0 <= 1 {
            break;
        }
        let missing = seats.abs_diff(give);
        // Close to the end it steps across, so that both ends come close.
        let step = Level::of(if missing <= few { 2 * missing } else { missing }, slope);
        let next = if seats < give {
            level.0.saturating_add(step.0)
        } else {
            level.0.saturating_sub(step.0)
        };
        let inside = low.0.0 < next && next < high.0.0;
        level = if inside && slope > 0 && round % 3 != 0 {
            Level(next)
        } else {
            Level::between(low.0, high.0)
        };
    }
    (low.0, high.0)
}

/// How many claimed seats are above a level, and how many more a higher level gives: the weight of the claims that
/// are neither untouched nor exhausted.
fn measure(level: Level, claims: &[Claim]) -> (u64, u64) {
    let (mut seats, mut slope) = (0, 0);
    for claim in claims {
        let had = claim.seats_above(level);
        seats += u64::from(had - claim.from);
        if claim.from < had && had < claim.to {
            slope += u64::from(claim.weight);
        }
    }
    (seats, slope)
}

fn sum(claims: &[Claim], of: impl Fn(&Claim) -> u32) -> u64 {
    claims.iter().map(|claim| u64::from(of(claim))).sum()
}
