//! Who gets seats where clusters are in groups: the emptiest group first, and within each of them likewise.

use super::fill::{Filler, Part, Reach, Tier};
use crate::strategy::Limits;
use crate::webster::Claim;

impl Filler<'_> {
    /// Gives seats to the emptiest groups of a level first, and within each of them likewise. Returns how many.
    pub(super) fn fill_groups(
        &mut self,
        level: usize,
        members: &[u32],
        give: u64,
        end: &impl Fn(usize, &Limits) -> u32,
        totals: &[u64],
        counts: &mut [u32],
    ) -> u64 {
        if level == self.groups.depth() {
            return self.fill_group(level - 1, members, give, end, counts);
        }
        let group = |member: &u32| self.groups.at(*member, level);
        let mut chunks: Vec<&[u32]> = members.chunk_by(|a, b| group(a) == group(b)).collect();
        let rank = |chunk: &&[u32]| chunk.first().map_or(0, |member| self.groups.rank(group(member)));
        chunks.sort_by_key(rank);
        let mut given = 0;
        for chunks in chunks.chunk_by(|a, b| rank(a) == rank(b)) {
            let claims: Vec<Claim> =
                chunks.iter().filter_map(|one| self.claim_of(level, one, end, totals, counts)).collect();
            self.claims.clear();
            claims.iter().filter(|claim| claim.from < claim.to).for_each(|claim| self.claims.push(*claim));
            // What each group then has, under the candidate that stands for it.
            let mut has: Vec<u32> = vec![0; counts.len()];
            claims.iter().for_each(|claim| has[claim.candidate as usize] = claim.from);
            self.claims.serve(give - given, self.candidates, &mut has);
            for (members, claim) in chunks.iter().zip(claims) {
                let give = u64::from(has[claim.candidate as usize] - claim.from);
                if give > 0 {
                    given += self.fill_groups(level + 1, members, give, end, totals, counts);
                }
            }
        }
        given
    }

    /// Gives seats to the clusters of an innermost group. Returns how many.
    fn fill_group(
        &mut self,
        level: usize,
        members: &[u32],
        give: u64,
        end: &impl Fn(usize, &Limits) -> u32,
        counts: &mut [u32],
    ) -> u64 {
        let (limits, tier) = (self.limits, Tier { part: Part::Rest, weighted: true });
        let rank = |member: &u32| limits[*member as usize].rank;
        let mut given = 0;
        for members in members.chunk_by(|a, b| rank(a) == rank(b)) {
            self.claim(tier, members, end, counts);
            let (more, edge) = self.claims.serve(give - given, self.candidates, counts);
            given += more;
            if let (Some(member), true) = (members.first(), more > 0) {
                let rank = rank(member);
                self.reaches[self.groups.at(*member, level) as usize] = Reach { rank, edge };
            }
        }
        given
    }

    /// What some clusters of a group claim for it: what others of it hold counts as well.
    fn claim_of(
        &self,
        level: usize,
        members: &[u32],
        end: &impl Fn(usize, &Limits) -> u32,
        totals: &[u64],
        counts: &[u32],
    ) -> Option<Claim> {
        let group = self.groups.at(*members.first()?, level);
        let candidate = self.groups.first(group);
        let more = |member: &u32| {
            let (index, limits) = (*member as usize, &self.limits[*member as usize]);
            let end = if limits.weight > 0 { end(index, limits) } else { 0 };
            u64::from(end.saturating_sub(counts[index]))
        };
        let from = totals[group as usize];
        let to = from + members.iter().map(more).sum::<u64>();
        let to = if self.capped { to.min(self.groups.cap(group)) } else { to };
        // Seats beyond the type are never given: no more are wanted.
        let narrow = |seats: u64| u32::try_from(seats).unwrap_or(u32::MAX);
        Some(Claim { candidate, weight: 1, from: narrow(from), to: narrow(to.max(from)) })
    }
}
