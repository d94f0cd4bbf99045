//! Several messages in one row of bytes.

/// The bytes after a tag and two bytes of length, as often as there are some. What is cut off at the end is the last.
pub(crate) fn pieces(mut data: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (&[tag, low, high], rest) = data.split_first_chunk()?;
        let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
        let (piece, after) = rest.split_at(length);
        data = after;
        Some((tag, piece))
    })
}
