//! What happens to an object on its way into the store: defaults first, then validation.

mod defaults;
mod pod;
mod validate;

pub(crate) use defaults::prepare;
pub(crate) use validate::{is_dns_label, validate};
