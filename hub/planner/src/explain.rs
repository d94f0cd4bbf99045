//! What decided each cluster's number, where nothing had to be given or taken: what the policy's own division says.

use crate::candidate::Candidate;
use crate::divide::{Demand, Division, Scratch, divide};
use crate::report::Bound;

/// What decided the number of each candidate.
///
/// A division that keeps what is held knows of a cluster that it gave nothing only that it is as it was. Whether that is
/// its share all the same, or what keeps it from more, the policy's own division tells.
pub fn bounds(demand: &Demand<'_>, candidates: &[Candidate<'_>], division: &Division<'_>) -> Vec<Bound> {
    let known = (0..candidates.len()).map(|index| division.bound(index).unwrap_or(Bound::HELD));
    let mut bounds: Vec<Bound> = known.collect();
    if demand.moves > 0 || !bounds.contains(&Bound::HELD) {
        return bounds;
    }
    let mut scratch = Scratch::default();
    let own = divide(&Demand { moves: u32::MAX, ..*demand }, candidates, &mut scratch);
    let counts = division.counts.iter().zip(own.counts);
    for ((index, bound), (count, share)) in bounds.iter_mut().enumerate().zip(counts) {
        if *bound != Bound::HELD {
            continue;
        }
        let decided = own.bound(index).filter(|_| count == share);
        *bound = decided.unwrap_or(Bound::Held { share: Some(*share) });
    }
    bounds
}
