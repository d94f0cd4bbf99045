//! Texts in error messages: what is wrong is quoted, but never a megabyte of it.

use std::borrow::Cow;

/// The most characters of a text that a message shows.
const SHOWN_MAX: usize = 80;

/// The text, or its beginning and an ellipsis.
pub fn clip(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_MAX) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}

/// The same in quotes. What could move a terminal's cursor is escaped.
pub fn quote(text: &str) -> String {
    format!("{:?}", clip(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = "ü".repeat(SHOWN_MAX);
        assert_eq!(clip(&long), long);
        assert_eq!(clip(&format!("{long}x")), format!("{long}…"));
    }

    #[test]
    fn a_quoted_text_stays_on_its_line() {
        assert_eq!(quote("a\n\u{1b}\"b\""), r#""a\n\u{1b}\"b\"""#);
    }
}
