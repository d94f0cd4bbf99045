//! The four patch formats, and who owns which field.

pub(crate) mod apply;
pub(crate) mod fieldset;
pub(crate) mod json;
pub(crate) mod managed;
pub(crate) mod merge;
pub(crate) mod schema;
pub(crate) mod strategic;
