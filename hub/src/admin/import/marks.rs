//! Marks that other tools leave on what they manage: they may set back what Godwit writes.

use godwit_common::{ClusterName, ObjectKey};
use serde_json::Value;

/// Where a mark is, what it is called, and who leaves it.
const MARKS: [(&str, &str, &str); 5] = [
    ("annotations", "meta.helm.sh/release-name", "Helm release"),
    ("annotations", "argocd.argoproj.io/tracking-id", "Argo CD application"),
    ("labels", "argocd.argoproj.io/instance", "Argo CD application"),
    ("labels", "kustomize.toolkit.fluxcd.io/name", "Flux Kustomization"),
    ("labels", "helm.toolkit.fluxcd.io/name", "Flux HelmRelease"),
];

/// A warning for each.
pub(super) fn of(cluster: &ClusterName, key: &ObjectKey, manifest: &str) -> Vec<String> {
    let object: Value = serde_json::from_str(manifest).unwrap_or_default();
    let mark = |(table, name, who): &(&str, &str, &'static str)| {
        let value = object.get("metadata")?.get(table)?.get(name)?.as_str()?;
        Some((*who, value.to_owned()))
    };
    let marks = MARKS.iter().filter_map(mark);
    marks
        .map(|(who, value)| {
            format!(
                "{key} in {cluster} carries the mark of the {who} {value}: let that go first, or leave it only the count \
                 (docs/gitops.md), for it may set back what Godwit writes"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(metadata: &str) -> Vec<String> {
        let key = ObjectKey::new("apps/v1", "Deployment", "shop", "web").unwrap();
        of(&"alpha".parse().unwrap(), &key, &format!("{{\"metadata\":{metadata}}}"))
    }

    #[test]
    fn whoever_may_set_it_back_is_named() {
        assert_eq!(
            marks(r#"{"labels":{"app":"web","app.kubernetes.io/managed-by":"me"}}"#),
            Vec::<String>::new()
        );
        let helm = marks(r#"{"annotations":{"meta.helm.sh/release-name":"shop"}}"#);
        assert!(helm[0].contains("Deployment shop/web in alpha") && helm[0].contains("Helm release shop"));
        let both = r#"{"annotations":{"argocd.argoproj.io/tracking-id":"a:b"},"labels":{"kustomize.toolkit.fluxcd.io/name":"apps"}}"#;
        assert_eq!(marks(both).len(), 2);
        assert!(marks("[").is_empty());
    }
}
