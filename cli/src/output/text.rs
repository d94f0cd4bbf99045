//! Text that somebody else wrote, made safe for a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with its control characters, and those that reorder a line, written as escapes. Pods, nodes and manifests
/// carry text from anywhere, and a terminal obeys what is in it.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            plain.extend(c.escape_default());
        } else {
            plain.push(c);
        }
    }
    Cow::Owned(plain)
}

/// JSON with the same characters as `\uXXXX`: they can stand only in its strings, so it still says the same.
pub(crate) fn plain_json(json: &str) -> Cow<'_, str> {
    // Line breaks are the printer's own; in strings they are escaped already.
    let is_unsafe = |c: char| c != '\n' && is_unsafe(c);
    if !json.chars().any(is_unsafe) {
        return Cow::Borrowed(json);
    }
    let mut plain = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_unsafe(c) {
            // All of them are below U+FFFF, so one unit says each.
            let _ = write!(plain, "\\u{:04x}", u32::from(c));
        } else {
            plain.push(c);
        }
    }
    Cow::Owned(plain)
}

fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_the_rest_stays() {
        assert_eq!(plain("web: größer"), "web: größer");
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{9b}d\u{202e}"), "a\\u{1b}[2Jb\\nc\\u{9b}d\\u{202e}");
    }

    #[test]
    fn escaped_json_says_the_same() {
        let value = serde_json::json!({"a": "x\u{9b}\u{7f}\u{1b}\u{202e}\ny"});
        let json = serde_json::to_string_pretty(&value).expect("JSON");
        let plain = plain_json(&json);
        assert!(plain.chars().all(|c| c == '\n' || !is_unsafe(c)), "{plain}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&plain).expect("JSON"), value);
    }
}
