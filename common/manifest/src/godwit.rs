//! What all documents of Godwit's own group have in common.

use std::cell::RefCell;

use crate::application::DEFAULT_NAMESPACE;
use crate::catalog::{self, GODWIT_GROUP};
use crate::error::Collector;
use crate::field::{Object, Report};
use crate::metadata;
use crate::source::Document;

/// The only version there is.
const API_VERSION: &str = "godwit.dev/v1";

/// The kinds of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Policy,
    Quota,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Policy, Self::Quota];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Policy => "Policy",
            Self::Quota => "Quota",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Policy => "a policy",
            Self::Quota => "a quota",
        }
    }
}

pub(crate) fn report<'a>(errors: &'a RefCell<Collector>, document: &Document) -> Report<'a> {
    metadata::report((errors, DEFAULT_NAMESPACE), document, &document.root)
}

/// Checks that a document is of the wanted kind.
pub(crate) fn check_type(object: &Object<'_>, wanted: Kind) -> Option<()> {
    let (api_version, kind) = metadata::type_of(object)?;
    let is_other = Kind::ALL.iter().any(|other| *other != wanted && other.name() == kind);
    if catalog::group_of(api_version) != GODWIT_GROUP || (is_other && api_version == API_VERSION) {
        object.at.refuse(
            format!("{kind} of {api_version} is not {}", wanted.title()),
            "apply applications and policies each on their own",
        );
        return None;
    }
    if kind != wanted.name() || api_version != API_VERSION {
        let known: Vec<String> = Kind::ALL.map(|known| format!("kind: {}", known.name())).into();
        let kinds = match Kind::ALL.iter().any(|known| known.name() == kind) {
            true => format!("kind: {kind}"),
            false => known.join(" or "),
        };
        object.at.refuse(
            format!("there is no {kind} in {api_version}"),
            format!("write apiVersion: {API_VERSION} and {kinds}"),
        );
        return None;
    }
    Some(())
}
