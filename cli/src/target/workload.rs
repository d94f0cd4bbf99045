//! Workloads, as users name them and as commands name them to users.

use godwit_proto::v1;

use super::{DEFAULT_NAMESPACE, KINDS};
use crate::client::{Client, all_pages, answer, present};
use crate::error::Error;

/// One workload, as a user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkloadName {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its kind; none: whichever has this name.
    pub(crate) kind: Option<&'static str>,
    /// The kind of a custom resource, in lower case.
    pub(crate) custom: Option<String>,
    /// Its name.
    pub(crate) name: String,
}

impl WorkloadName {
    /// Reads `NAME`, `NAMESPACE/NAME`, `KIND/NAME` or `NAMESPACE/KIND/NAME`. `namespace` is what `--namespace` says.
    pub(crate) fn parse(
        text: &str,
        kind: Option<&'static str>,
        namespace: Option<&str>,
    ) -> Result<Self, Error> {
        let parts: Vec<&str> = text.split('/').collect();
        let kind_of = |word: &str| {
            let word = word.to_ascii_lowercase();
            let row = KINDS.iter().find(|(_, names)| names.contains(&word.as_str()));
            row.map(|(kind, _)| *kind)
        };
        let mut custom = None;
        let (in_namespace, of_kind, name) = match parts.as_slice() {
            [name] => (None, None, *name),
            [first, name] => match kind_of(first) {
                Some(kind) => (None, Some(kind), *name),
                None => (Some(*first), None, *name),
            },
            [in_namespace, word, name] => match kind_of(word) {
                Some(kind) => (Some(*in_namespace), Some(kind), *name),
                None => {
                    custom = Some(word.to_ascii_lowercase());
                    (Some(*in_namespace), None, *name)
                }
            },
            _ => return Err(unreadable(text, "it has too many parts")),
        };
        if name.is_empty() || [in_namespace, custom.as_deref()].contains(&Some("")) {
            return Err(unreadable(text, "a part of it is empty"));
        }
        if let (Some(one), Some(other)) = (in_namespace, namespace)
            && one != other
        {
            return Err(unreadable(text, &format!("--namespace says {other}")));
        }
        if let (Some(one), Some(other)) = (of_kind, kind)
            && one != other
        {
            return Err(unreadable(text, &format!("the word before it says {other}")));
        }
        Ok(Self {
            namespace: in_namespace.or(namespace).unwrap_or(DEFAULT_NAMESPACE).to_owned(),
            kind: of_kind.or(kind),
            custom,
            name: name.to_owned(),
        })
    }

    /// The workload itself. Without a kind it is the Deployment of this name, or else the only workload with it.
    pub(crate) async fn find(&self, client: &Client) -> Result<v1::Workload, Error> {
        if let Some(kind) = &self.custom {
            // How a custom kind is spelled, only what is there tells.
            let name = full_name(&self.namespace, kind, &self.name);
            return self.find_by_name(client, Error::failed(format!("there is no workload {name}"))).await;
        }
        let request = v1::GetWorkloadRequest {
            namespace: self.namespace.clone(),
            kind: self.kind.unwrap_or_default().to_owned(),
            name: self.name.clone(),
        };
        match answer(client.workloads().get_workload(request)).await {
            Ok(found) => present(found.workload, "workload"),
            Err(error) if error.is_not_found() && self.kind.is_none() => {
                self.find_by_name(client, error).await
            }
            Err(error) => Err(with_list(error)),
        }
    }

    async fn find_by_name(&self, client: &Client, not_found: Error) -> Result<v1::Workload, Error> {
        let mut found = list_workloads(client, &self.namespace).await?;
        let is_meant =
            |kind: &str| self.custom.as_ref().is_none_or(|word| kind.to_ascii_lowercase() == *word);
        found.retain(|workload| workload.name == self.name && is_meant(&workload.kind));
        match found.pop() {
            None => Err(with_list(not_found)),
            Some(only) if found.is_empty() => Ok(only),
            Some(last) => {
                found.push(last);
                let names: Vec<String> = found.iter().map(short_name).collect();
                Err(Error::Usage(format!("which {}? say {}", self.name, names.join(" or "))))
            }
        }
    }
}

/// All workloads of a namespace, or of all of them.
pub(crate) async fn list_workloads(client: &Client, namespace: &str) -> Result<Vec<v1::Workload>, Error> {
    all_pages(async |page_token| {
        let request = v1::ListWorkloadsRequest {
            namespace: namespace.to_owned(),
            page_token,
            ..v1::ListWorkloadsRequest::default()
        };
        let page = answer(client.workloads().list_workloads(request)).await?;
        Ok((page.items, page.next_page_token))
    })
    .await
}

/// A workload as one names it on the command line, such as `deployment/web`.
pub(crate) fn short_name(workload: &v1::Workload) -> String {
    kind_and_name(&workload.kind, &workload.name)
}

/// The same of its parts.
pub(crate) fn kind_and_name(kind: &str, name: &str) -> String {
    format!("{}/{name}", kind.to_ascii_lowercase())
}

/// A workload as commands name it to other commands, in any namespace: `workload/shop/deployment/web`.
pub(crate) fn reference(namespace: &str, kind: &str, name: &str) -> String {
    format!("workload/{}", full_name(namespace, kind, name))
}

/// The same as people read it: `shop/deployment/web`.
pub(crate) fn full_name(namespace: &str, kind: &str, name: &str) -> String {
    format!("{namespace}/{}", kind_and_name(kind, name))
}

fn with_list(error: Error) -> Error {
    if error.is_not_found() {
        return error.with_hint("`godwit get workloads` lists all workloads of all namespaces");
    }
    error
}

fn unreadable(text: &str, reason: &str) -> Error {
    Error::Usage(format!(
        "workload {text:?}: {reason}; write NAME, NAMESPACE/NAME, KIND/NAME or NAMESPACE/KIND/NAME"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;

    #[test]
    fn a_workload_is_named_in_four_ways() {
        let parse = |text: &str, namespace: Option<&str>| {
            let name = WorkloadName::parse(text, None, namespace).ok()?;
            Some(format!("{} {} {}", name.namespace, name.kind.unwrap_or("?"), name.name))
        };
        assert_eq!(parse("web", None).as_deref(), Some("default ? web"));
        assert_eq!(parse("web", Some("shop")).as_deref(), Some("shop ? web"));
        assert_eq!(parse("shop/web", None).as_deref(), Some("shop ? web"));
        assert_eq!(parse("deploy/web", None).as_deref(), Some("default Deployment web"));
        assert_eq!(parse("shop/sts/web", Some("shop")).as_deref(), Some("shop StatefulSet web"));
        for bad in ["", "/web", "web/", "a/b/c/d", "shop//web"] {
            assert_eq!(parse(bad, None), None, "{bad:?}");
        }
        assert_eq!(parse("shop/fleet/ships", None).as_deref(), Some("shop ? ships"));
        let fleet = WorkloadName::parse("shop/Fleet/ships", None, None).expect("a workload");
        assert_eq!(fleet.custom.as_deref(), Some("fleet"));
        assert_eq!(parse("shop/web", Some("other")), None);
        assert!(WorkloadName::parse("sts/web", Some("Deployment"), None).is_err());
    }

    #[test]
    fn what_commands_print_they_read() {
        let reference = reference("shop", "StatefulSet", "store");
        assert_eq!(reference, "workload/shop/statefulset/store");
        let target = Target::parse(&reference).expect("it is a target");
        let name = WorkloadName::parse(target.require_name().expect("a name"), target.kind, None);
        let expected = WorkloadName {
            namespace: "shop".to_owned(),
            kind: Some("StatefulSet"),
            custom: None,
            name: "store".to_owned(),
        };
        assert_eq!(name.expect("a workload"), expected);
    }
}
