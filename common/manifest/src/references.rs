//! Objects that manifests name: what must be there for a pod to start.

use std::collections::BTreeSet;

use godwit_common::{Need, ObjectKey};

use crate::field::{Field, Object};
use crate::node::Data;

/// Classes that every cluster has.
const SYSTEM_PRIORITY: &str = "system-";
/// The account that every namespace has.
const DEFAULT_ACCOUNT: &str = "default";

/// The objects that a pod names and does not call optional.
pub(crate) fn of_pod(spec: &Object<'_>, namespace: &str) -> BTreeSet<Need> {
    let mut found = Found { namespace, needs: BTreeSet::new() };
    for secret in list(spec, "imagePullSecrets") {
        found.named(&secret, "name", "Secret");
    }
    let account = spec.get("serviceAccountName").or_else(|| spec.get("serviceAccount"));
    if let Some(account) = account
        && account.node.as_text() != Some(DEFAULT_ACCOUNT)
    {
        found.object("v1", "ServiceAccount", &account);
    }
    if let Some(class) = spec.get("priorityClassName")
        && !class.node.as_text().is_some_and(|name| name.starts_with(SYSTEM_PRIORITY))
    {
        found.class("scheduling.k8s.io/v1", "PriorityClass", &class);
    }
    if let Some(class) = spec.get("runtimeClassName") {
        found.class("node.k8s.io/v1", "RuntimeClass", &class);
    }
    for key in ["initContainers", "containers"] {
        for container in checked_list(spec, key) {
            found.container(&container);
        }
    }
    for volume in list(spec, "volumes") {
        found.volume(&volume);
    }
    found.needs
}

/// The storage class of a claim, or of a template of one.
pub(crate) fn of_claim(claim: &Field<'_>) -> Option<Need> {
    class_in_spec(claim, "storageClassName", "storage.k8s.io/v1", "StorageClass")
}

/// What a dependent names.
pub(crate) fn of_dependent(field: &Field<'_>, key: &ObjectKey) -> Option<Need> {
    match (&*key.api_version, &*key.kind) {
        ("v1", "PersistentVolumeClaim") => of_claim(field),
        ("networking.k8s.io/v1", "Ingress") => {
            class_in_spec(field, "ingressClassName", "networking.k8s.io/v1", "IngressClass")
        }
        _ => None,
    }
}

struct Found<'a> {
    namespace: &'a str,
    needs: BTreeSet<Need>,
}

impl Found<'_> {
    fn container(&mut self, container: &Object<'_>) {
        for variable in list(container, "env") {
            if let Some(from) = variable.mapping("valueFrom") {
                self.source(&from, "secretKeyRef", "name", "Secret");
                self.source(&from, "configMapKeyRef", "name", "ConfigMap");
            }
        }
        for from in list(container, "envFrom") {
            self.source(&from, "secretRef", "name", "Secret");
            self.source(&from, "configMapRef", "name", "ConfigMap");
        }
    }

    fn volume(&mut self, volume: &Object<'_>) {
        self.source(volume, "secret", "secretName", "Secret");
        self.source(volume, "configMap", "name", "ConfigMap");
        self.source(volume, "persistentVolumeClaim", "claimName", "PersistentVolumeClaim");
        let projected = volume.mapping("projected");
        for source in projected.iter().flat_map(|projected| list(projected, "sources")) {
            self.source(&source, "secret", "name", "Secret");
            self.source(&source, "configMap", "name", "ConfigMap");
        }
        let ephemeral = volume.mapping("ephemeral");
        let template = ephemeral.and_then(|ephemeral| ephemeral.get("volumeClaimTemplate"));
        self.needs.extend(template.and_then(|template| of_claim(&template)));
    }

    /// An object that `of` names under `key`, unless it is optional there.
    fn source(&mut self, of: &Object<'_>, key: &str, name: &str, kind: &str) {
        if let Some(source) = of.mapping(key)
            && !source.flag("optional")
        {
            self.named(&source, name, kind);
        }
    }

    fn named(&mut self, object: &Object<'_>, name: &str, kind: &str) {
        if let Some(field) = object.get(name) {
            self.object("v1", kind, &field);
        }
    }

    fn object(&mut self, api_version: &str, kind: &str, name: &Field<'_>) {
        self.needs.extend(need(api_version, kind, self.namespace, name));
    }

    fn class(&mut self, api_version: &str, kind: &str, name: &Field<'_>) {
        self.needs.extend(need(api_version, kind, "", name));
    }
}

fn class_in_spec(field: &Field<'_>, key: &str, api_version: &str, kind: &str) -> Option<Need> {
    let spec = field.object()?.mapping("spec")?;
    need(api_version, kind, "", &spec.get(key)?)
}

/// An empty name names nothing: the class of a claim may be none.
fn need(api_version: &str, kind: &str, namespace: &str, name: &Field<'_>) -> Option<Need> {
    let text = name.text().filter(|text| !text.is_empty())?;
    match ObjectKey::new(api_version, kind, namespace, text) {
        Ok(key) => Some(Need::Object(key)),
        Err(error) => {
            name.refuse(error.to_string(), format!("write the name of a {kind}"));
            None
        }
    }
}

/// The mappings of a list.
fn list<'a>(object: &Object<'a>, key: &str) -> Vec<Object<'a>> {
    let items = object.get(key).map(|field| field.items()).unwrap_or_default();
    items.iter().filter_map(Field::object).collect()
}

/// The same of a list whose mistakes are reported elsewhere.
fn checked_list<'a>(object: &Object<'a>, key: &str) -> Vec<Object<'a>> {
    let field = object.get(key).filter(|field| matches!(field.node.data, Data::List(_)));
    let items = field.map(|field| field.items()).unwrap_or_default();
    items.iter().filter(|item| matches!(item.node.data, Data::Map(_))).filter_map(Field::object).collect()
}
