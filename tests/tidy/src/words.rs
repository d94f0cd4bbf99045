//! Small helpers to look at text.

/// The places (byte offsets) at which `word` stands alone, not as a part of a longer word.
pub(crate) fn places_of(text: &str, word: &str) -> Vec<usize> {
    let alone = |place: &usize| {
        let before = text[..*place].chars().next_back();
        let after = text[*place + word.len()..].chars().next();
        let extends = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !extends(before) && !extends(after)
    };
    text.match_indices(word).map(|(place, _)| place).filter(alone).collect()
}

/// Maximal runs of letters, digits and underscores, with their line number.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().flat_map(|(index, line)| {
        let parts = line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        parts.map(move |word| (index + 1, word))
    })
}

/// The number of the line that holds this byte, from 1.
pub(crate) fn line_of(text: &str, place: usize) -> usize {
    text[..place].matches('\n').count() + 1
}

/// Rust source with its line comments blanked, so that a check looks at code only. Lines stay where they are.
pub(crate) fn without_comments(source: &str) -> String {
    let code = |line: &str| match line.find("//") {
        // `://` is an address inside a string.
        Some(place) if !line[..place].ends_with(':') => line[..place].to_owned(),
        _ => line.to_owned(),
    };
    source.lines().map(code).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_word_is_found_only_where_it_stands_alone() {
    assert_eq!(places_of("fs, offs, fs_x, fs", "fs"), [0, 16]);
}

#[test]
fn words_carry_their_line() {
    let found: Vec<_> = words("a (b1)\n\nc_d.").collect();
    assert_eq!(found, [(1, "a"), (1, "b1"), (3, "c_d")]);
}

#[test]
fn comments_are_blanked_and_addresses_kept() {
    assert_eq!(without_comments("a; // b\n\"http://c\";"), "a; \n\"http://c\";");
    assert_eq!(line_of("a\nb", 2), 2);
}
