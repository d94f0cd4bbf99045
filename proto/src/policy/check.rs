//! The checks that all parts of a policy share. Names of fields are relative to the message at hand; who holds the
//! message puts its own field in front.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{TEXT_MAX, VALUES_MAX};
use crate::field::{FieldError, bounded_len};

/// Errors quote what they refuse, but never a megabyte of it.
const SHOWN_MAX: usize = 80;

/// A list of bounded length; an error names the entry.
pub(super) fn list<W, T>(
    field: &str,
    wire: &[W],
    max: usize,
    convert: impl Fn(&W) -> Result<T, FieldError>,
) -> Result<Vec<T>, FieldError> {
    bounded_len(field, wire.len(), max)?;
    let entry = |(index, entry)| convert(entry).map_err(|error| error.within(&format!("{field}[{index}]")));
    wire.iter().enumerate().map(entry).collect()
}

/// A number with an upper bound.
pub(super) fn bounded(field: &str, value: u32, max: u32) -> Result<u32, FieldError> {
    if value <= max {
        return Ok(value);
    }
    Err(FieldError::new(field, format!("{value} is too large: at most {max}")))
}

/// The word, or nothing if it is empty, which stands for the default.
pub(super) fn one_of<'a>(field: &str, word: &'a str, allowed: &[&str]) -> Result<&'a str, FieldError> {
    if word.is_empty() || allowed.contains(&word) {
        return Ok(word);
    }
    Err(FieldError::new(field, format!("{} is not known: write {}", shown(word), allowed.join(" or "))))
}

/// A text that may be empty, but is short, and never moves the cursor of who reads it.
pub(super) fn line(field: &str, text: &str) -> Result<Arc<str>, FieldError> {
    if text.len() > TEXT_MAX {
        return Err(FieldError::new(field, format!("it has {} bytes: at most {TEXT_MAX}", text.len())));
    }
    if text.contains(char::is_control) {
        let problem = format!("{} holds control characters: leave them out", shown(text));
        return Err(FieldError::new(field, problem));
    }
    Ok(text.into())
}

/// The same, where an empty text means nothing.
pub(super) fn word(field: &str, text: &str) -> Result<Arc<str>, FieldError> {
    if text.is_empty() {
        return Err(FieldError::new(field, "it is empty: write it, or leave the entry out"));
    }
    line(field, text)
}

/// Words in any order; one that is there twice counts once.
pub(super) fn words(field: &str, texts: &[String]) -> Result<BTreeSet<Arc<str>>, FieldError> {
    Ok(list(field, texts, VALUES_MAX, |text| word("", text))?.into_iter().collect())
}

pub(super) fn texts_to_wire<'a>(texts: impl IntoIterator<Item = &'a Arc<str>>) -> Vec<String> {
    texts.into_iter().map(ToString::to_string).collect()
}

/// A value in quotes, cut to what a line holds.
pub(super) fn shown(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_MAX).collect();
    format!("{shown:?}")
}
