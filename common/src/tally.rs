//! How many things there are of each kind.

use std::collections::BTreeMap;

/// How many things there are of each kind, kept as they come and go. A kind of which none is left is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally<K>(BTreeMap<K, u64>);

impl<K: Ord> Tally<K> {
    /// One more of this kind.
    pub fn add(&mut self, kind: K) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// One less, if there was any.
    pub fn remove(&mut self, kind: &K) {
        if let Some(count) = self.0.get_mut(kind) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(kind);
            }
        }
    }

    /// Whether there is any of this kind.
    pub fn contains(&self, kind: &K) -> bool {
        self.0.contains_key(kind)
    }

    /// The kinds of which there is any, in their order.
    pub fn kinds(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.keys()
    }
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_as_long_as_there_is_any_of_it() {
        let mut tally = Tally::default();
        [7, 3, 7].into_iter().for_each(|kind| tally.add(kind));
        assert_eq!(tally.kinds().collect::<Vec<_>>(), [&3, &7]);
        tally.remove(&7);
        assert!(tally.contains(&7));
        tally.remove(&7);
        tally.remove(&7);
        tally.remove(&3);
        assert_eq!(tally, Tally::default());
    }
}
