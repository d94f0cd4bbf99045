//! What commands print, and how.

pub(crate) mod age;
pub(crate) mod amount;
pub(crate) mod bars;
pub(crate) mod changes;
pub(crate) mod colour;
pub(crate) mod document;
pub(crate) mod sheet;
pub(crate) mod table;
pub(crate) mod text;

use clap::ValueEnum;

/// The forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For people, with more columns.
    Wide,
    /// The proto3 JSON of the admin messages, default values included.
    Json,
    /// The same as YAML.
    Yaml,
    /// Names only, for other commands.
    Name,
}
