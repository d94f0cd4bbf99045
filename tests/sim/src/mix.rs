//! Swarm testing (Groce and others, 2012): each run leaves some kinds of things out, and makes others frequent. What only
//! shows when one kind is rare, or comes all the time, is then found as well.

use godwit_common::rng::Rng;

/// How much more often than usual a kind may come in a run.
const MORE: u64 = 4;

/// Of several kinds of things, which ones happen, and how often each.
#[derive(Debug, Clone)]
pub(crate) struct Mix<T> {
    weights: Vec<(T, u64)>,
}

/// Nothing happens.
impl<T> Default for Mix<T> {
    fn default() -> Self {
        Self { weights: Vec::new() }
    }
}

impl<T: Copy> Mix<T> {
    /// Some of these, each with its usual weight, changed by chance.
    pub(crate) fn some(usual: &[(T, u64)], rng: &mut Rng) -> Self {
        // In some runs nearly everything happens, in others little.
        let kept = 1 + rng.below(MORE);
        let mut weights = Vec::new();
        for (kind, weight) in usual {
            if rng.below(MORE + 1) < kept {
                weights.push((*kind, weight * (1 + rng.below(MORE))));
            }
        }
        Self { weights }
    }

    /// One of them; none if nothing was left in.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Option<T> {
        let mut drawn = rng.below(self.weights.iter().map(|(_, weight)| weight).sum());
        for (kind, weight) in &self.weights {
            if drawn < *weight {
                return Some(*kind);
            }
            drawn -= weight;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const USUAL: [(char, u64); 4] = [('a', 1), ('b', 2), ('c', 3), ('d', 1)];

    #[test]
    fn mixes_differ_and_every_kind_is_drawn_from_some() {
        let mut rng = Rng::new(3);
        let mut sizes = BTreeSet::new();
        let mut drawn = BTreeSet::new();
        for _ in 0..200 {
            let mix = Mix::some(&USUAL, &mut rng);
            sizes.insert(mix.weights.len());
            drawn.extend((0..50).filter_map(|_| mix.draw(&mut rng)));
        }
        assert_eq!(sizes, (0..=USUAL.len()).collect());
        assert_eq!(drawn, ('a'..='d').collect());
    }

    #[test]
    fn nothing_comes_of_an_empty_mix() {
        assert_eq!(Mix::<char>::default().draw(&mut Rng::new(1)), None);
    }
}
