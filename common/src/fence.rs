//! What keeps stale leaders harmless (S10): epochs, generations, terms.

use std::fmt;

use crate::Uid;

/// Rises with each leadership of the hub; never reused within a federation (S10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

/// Rises with each change of one cluster's targets (S10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation(pub u64);

/// Rises with each change of the leading agent in a member cluster (S24): the transitions of its Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Term(pub u64);

/// The newest (epoch, generation) of one federation that a member cluster has accepted. It lives in the member
/// itself and only ever rises (S10, I7); the derived order is the order of authority within a federation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fence {
    /// Whose targets these are.
    pub federation: Uid,
    /// The hub's leadership.
    pub epoch: Epoch,
    /// The cluster's targets.
    pub generation: Generation,
}

macro_rules! number {
    ($($name:ident),*) => {
        $(
            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{}", self.0)
                }
            }

            impl $name {
                /// The next one up.
                pub fn next(self) -> Self {
                    Self(self.0.saturating_add(1))
                }
            }
        )*
    };
}

number!(Epoch, Generation, Term);
