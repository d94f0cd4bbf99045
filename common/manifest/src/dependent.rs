//! Everything that is not a workload.

use crate::canonical;
use crate::catalog::Scope;
use crate::field::Object;
use crate::metadata::{self, Metadata, Role};
use crate::model::Dependent;
use crate::totals;

/// Reads a dependent; `None` after a mistake, which is reported. Its content passes through unread, but for the most
/// frequent mistake in it: a number where only texts are allowed; which, of a Secret, is not repeated.
pub(crate) fn read(
    object: &Object<'_>,
    (api_version, kind): (&str, &str),
    scope: Scope,
) -> Option<Dependent> {
    let metadata = metadata::read(object, (api_version, kind), scope, Role::Dependent);
    let texts: &[&str] = match (api_version, kind) {
        ("v1", "ConfigMap") => &["data", "binaryData"],
        ("v1", "Secret") => &["data", "stringData"],
        _ => &[],
    };
    for key in texts {
        if let Some(data) = object.get(key).and_then(|field| field.object()) {
            match kind {
                "Secret" => data.unquoted_texts(),
                _ => drop(data.texts()),
            }
        }
    }
    let Metadata { key, .. } = metadata?;
    let manifest = canonical::manifest(object.at.node.to_value(), &key.namespace).into();
    let scales = totals::check(object, &key);
    Some(Dependent { key, manifest, scales })
}
