//! "Did you mean": the known word nearest to a mistyped one.

/// Longer words are never typing mistakes of ours, and comparing them costs time.
const WORD_MAX: usize = 48;

/// The known word nearest to `word`, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.len() > WORD_MAX {
        return None;
    }
    let plain = |text: &str| text.replace(['_', '-'], "").to_lowercase();
    let typed = plain(word);
    let allowed = match typed.chars().count() {
        0..=2 => 0,
        3..=4 => 1,
        _ => 2,
    };
    known
        .iter()
        .map(|candidate| (distance(&typed, &plain(candidate)), *candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The remedy for an unknown word: the nearest known one, or all of them.
pub(crate) fn remedy(word: &str, known: &[&str]) -> String {
    match (nearest(word, known), known) {
        (Some(candidate), _) => format!("did you mean {candidate:?}?"),
        (None, [only]) => format!("write {only}"),
        (None, _) => format!("known are {}", known.join(", ")),
    }
}

/// Levenshtein's distance, with a swap of neighbours as one step: single-character edits that turn one into the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let swap = row > 0 && column > 0 && from[row - 1] == *b && to[column - 1] == *a;
            let mut best =
                (last[column] + usize::from(a != b)).min(last[column + 1] + 1).min(next[column] + 1);
            if swap {
                best = best.min(before[column - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut last, next);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["replicas", "selector", "template", "lostAfter", "min", "max"];
        assert_eq!(nearest("replica", &known), Some("replicas"));
        assert_eq!(nearest("relpicas", &known), Some("replicas"));
        assert_eq!(nearest("Replicas", &known), Some("replicas"));
        assert_eq!(nearest("lost_after", &known), Some("lostAfter"));
        assert_eq!(nearest("mni", &known), Some("min"));
        assert_eq!(nearest("volume", &known), None);
        assert_eq!(nearest("m", &known), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), &known), None);
    }
}
