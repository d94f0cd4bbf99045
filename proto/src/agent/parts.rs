//! A large state as several messages, each far below what one may hold.

use godwit_common::link::ROWS_MAX;

/// A part is closed before its rows grow beyond this; one row alone may be larger, by a manifest.
const PART_BYTES: usize = 1024 * 1024;
/// What a row costs in its list, beyond itself: more than its tag and length, so that `ROWS_MAX` holds too.
const ROW_BYTES: usize = PART_BYTES / ROWS_MAX;

/// The parts that have been filled so far.
pub(super) struct Parts<P> {
    full: Vec<P>,
    current: P,
    empty: P,
    bytes: usize,
}

impl<P: Clone> Parts<P> {
    /// Begins; every part begins like `empty`, which says what all of them share.
    pub(super) fn new(empty: P) -> Self {
        Self { full: Vec::new(), current: empty.clone(), empty, bytes: 0 }
    }

    /// The part that takes a row of so many bytes.
    pub(super) fn for_row(&mut self, bytes: usize) -> &mut P {
        let bytes = bytes + ROW_BYTES;
        if self.bytes > 0 && self.bytes + bytes > PART_BYTES {
            self.full.push(std::mem::replace(&mut self.current, self.empty.clone()));
            self.bytes = 0;
        }
        self.bytes += bytes;
        &mut self.current
    }

    /// All parts, and what `close` makes of the last one: there always is one.
    pub(super) fn end(mut self, close: impl FnOnce(&mut P)) -> Vec<P> {
        close(&mut self.current);
        self.full.push(self.current);
        self.full
    }
}
