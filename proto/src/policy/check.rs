//! What all parts of a policy share when they are read. Names of fields are relative to the message at hand; who holds
//! the message puts its own field in front.

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::text::{clip, quote};

use crate::field::{FieldError, bounded_len};

/// A list of bounded length; an error names the entry.
pub(super) fn list<W, T>(
    field: &str,
    wire: &[W],
    max: usize,
    convert: impl Fn(&W) -> Result<T, FieldError>,
) -> Result<Vec<T>, FieldError> {
    bounded_len(field, wire.len(), max)?;
    let entry = |(index, entry)| convert(entry).map_err(|error| error.within(&at(field, index)));
    wire.iter().enumerate().map(entry).collect()
}

/// The same in any order. One that is there twice is a slip of the pen: another was meant.
pub(super) fn set<T: Ord>(
    field: &str,
    wire: &[String],
    max: usize,
    convert: impl Fn(&str) -> Result<T, FieldError>,
) -> Result<BTreeSet<T>, FieldError> {
    let values = list(field, wire, max, |text| convert(text))?;
    let mut set = BTreeSet::new();
    for (index, value) in values.into_iter().enumerate() {
        if !set.insert(value) {
            let problem = format!("{} is listed twice; remove one of the two", clip(&wire[index]));
            return Err(FieldError::new(at(field, index), problem));
        }
    }
    Ok(set)
}

/// A number with an upper bound.
pub(super) fn bounded(field: &str, value: u32, max: u32) -> Result<u32, FieldError> {
    if value <= max {
        return Ok(value);
    }
    Err(FieldError::new(field, format!("{value} is too large; give at most {max}")))
}

/// What a word stands for; an empty one stands for the default.
pub(super) fn one_of<T: Copy + Default>(
    field: &str,
    word: &str,
    choices: &[(&str, T)],
) -> Result<T, FieldError> {
    if word.is_empty() {
        return Ok(T::default());
    }
    let found = choices.iter().find(|(name, _)| *name == word);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        FieldError::new(field, format!("{} is not known: write {}", quote(word), names.join(" or ")))
    })
}

/// A text whose form is looked at when all of the policy is there.
pub(super) fn text(text: &str) -> Result<Arc<str>, FieldError> {
    Ok(text.into())
}

pub(super) fn texts_to_wire<'a>(texts: impl IntoIterator<Item = &'a Arc<str>>) -> Vec<String> {
    texts.into_iter().map(ToString::to_string).collect()
}

fn at(field: &str, index: usize) -> String {
    format!("{field}[{index}]")
}
