//! What a command is about: `clusters`, `workload web`, `deployment/web`, `shop/web`.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use godwit_common::NameError;
use godwit_common::name::check_namespace;
use godwit_proto::v1;

use crate::client::{Client, all_pages, answer, present};
use crate::error::Error;

/// The namespace of workloads that are named without one, as in kubectl.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// Checks what `--namespace` says.
pub(crate) fn namespace(text: &str) -> Result<String, NameError> {
    check_namespace(text).map(|()| text.to_owned())
}

/// The kinds of things that the hub knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// The member clusters.
    Clusters,
    /// The workloads.
    Workloads,
    /// The policies.
    Policies,
    /// The quotas.
    Quotas,
    /// The migrations.
    Migrations,
    /// The journal.
    Events,
    /// The federation as a whole.
    Federation,
}

/// What each is called. The first name is the one that help and completion show.
const RESOURCES: [(Resource, &[&str]); 7] = [
    (Resource::Clusters, &["clusters", "cluster", "cl"]),
    (Resource::Workloads, &["workloads", "workload", "wl"]),
    (Resource::Policies, &["policies", "policy", "pol"]),
    (Resource::Quotas, &["quotas", "quota"]),
    (Resource::Migrations, &["migrations", "migration", "mig"]),
    (Resource::Events, &["events", "event", "ev"]),
    (Resource::Federation, &["federation", "fed"]),
];

/// The kinds of workloads, with kubectl's names for them.
const KINDS: [(&str, &[&str]); 2] = [
    ("Deployment", &["deployment", "deployments", "deploy"]),
    ("StatefulSet", &["statefulset", "statefulsets", "sts"]),
];

/// The first argument: a resource, possibly with a kind of workloads and a name, as in `deployment/web`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Of what sort it is.
    pub(crate) resource: Resource,
    /// Only workloads of this kind.
    pub(crate) kind: Option<&'static str>,
    /// Which one.
    pub(crate) name: Option<String>,
}

impl Resource {
    /// What several are called.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Clusters => "clusters",
            Self::Workloads => "workloads",
            Self::Policies => "policies",
            Self::Quotas => "quotas",
            Self::Migrations => "migrations",
            Self::Events => "events",
            Self::Federation => "federation",
        }
    }

    /// What one is called.
    pub(crate) fn singular(self) -> &'static str {
        match self {
            Self::Clusters => "cluster",
            Self::Workloads => "workload",
            Self::Policies => "policy",
            Self::Quotas => "quota",
            Self::Migrations => "migration",
            Self::Events => "event",
            Self::Federation => "federation",
        }
    }
}

impl Target {
    /// The same with the name of the second argument, if there is one.
    pub(crate) fn named(mut self, name: Option<String>) -> Result<Self, Error> {
        match (&self.name, name) {
            (_, None) => {}
            (None, name) => self.name = name,
            (Some(first), Some(second)) => {
                let message = format!("two names are given, {first:?} and {second:?}; give one");
                return Err(Error::Usage(message));
            }
        }
        Ok(self)
    }

    /// The name; for commands that need one.
    pub(crate) fn require_name(&self) -> Result<&str, Error> {
        let singular = self.resource.singular();
        let plural = self.resource.plural();
        self.name.as_deref().ok_or_else(|| {
            Error::Usage(format!("which {singular}? give its name (`godwit get {plural}` lists them)"))
        })
    }

    /// All names, as in kubectl: one resource before several names, or each with its own, as in `cluster/alpha`.
    pub(crate) fn all_named(self, rest: Vec<String>) -> Result<Vec<String>, Error> {
        let Some(first) = &self.name else {
            self.check_names(&rest)?;
            return Ok(rest);
        };
        let mut names = vec![first.clone()];
        for text in rest {
            let Some(Self { name: Some(name), .. }) =
                Self::parse(&text).filter(|other| other.resource == self.resource)
            else {
                let singular = self.resource.singular();
                let message = format!(
                    "{text:?} follows {singular}/{first}; write {singular}/NAME for each, or {singular} NAME..."
                );
                return Err(Error::Usage(message));
            };
            names.push(name);
        }
        self.check_names(&names)?;
        Ok(names)
    }

    /// The name, which is that of the first argument unless it came with the resource; and the other arguments.
    pub(crate) fn named_before(self, arguments: &[String]) -> Result<(String, &[String]), Error> {
        let (name, rest) = match (self.name.clone(), arguments) {
            (Some(name), arguments) => (name, arguments),
            (None, [name, rest @ ..]) => (name.clone(), rest),
            (None, []) => (String::new(), arguments),
        };
        self.check_names(std::slice::from_ref(&name))?;
        Ok((name, rest))
    }

    /// What is left out most easily is the name before other arguments, which hold what no name does.
    fn check_names(&self, names: &[String]) -> Result<(), Error> {
        let (singular, plural) = (self.resource.singular(), self.resource.plural());
        let which = format!("which {singular}? give its name (`godwit get {plural}` lists them)");
        match names.iter().find(|name| name.is_empty() || name.contains(['=', ':', '/'])) {
            None if names.is_empty() => Err(Error::Usage(which)),
            None => Ok(()),
            Some(bad) => Err(Error::Usage(format!("{bad:?} is not the name of a {singular}; {which}"))),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (word, name) = match text.split_once('/') {
            Some((word, name)) => (word, Some(name.to_owned())),
            None => (text, None),
        };
        let word = word.to_ascii_lowercase();
        let is = |(_, names): &&(_, &[&str])| names.contains(&word.as_str());
        if let Some((resource, _)) = RESOURCES.iter().find(|row| row.1.contains(&word.as_str())) {
            return Some(Self { resource: *resource, kind: None, name });
        }
        let (kind, _) = KINDS.iter().find(is)?;
        Some(Self { resource: Resource::Workloads, kind: Some(kind), name })
    }
}

/// Reads a [`Target`] for clap. Only some resources make sense to each command.
#[derive(Debug, Clone)]
pub(crate) struct TargetParser(pub(crate) &'static [Resource]);

impl TypedValueParser for TargetParser {
    type Value = Target;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Target, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, argument, value)?;
        let target = Target::parse(&text).filter(|target| self.0.contains(&target.resource));
        target.ok_or_else(|| {
            let mut error = clap::Error::new(ErrorKind::InvalidValue).with_cmd(command);
            if let Some(argument) = argument {
                error.insert(ContextKind::InvalidArg, ContextValue::String(argument.to_string()));
            }
            error.insert(ContextKind::InvalidValue, ContextValue::String(text));
            let names = self.0.iter().map(|resource| resource.plural().to_owned());
            error.insert(ContextKind::ValidValue, ContextValue::Strings(names.collect()));
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let known = RESOURCES.iter().filter(|(resource, _)| self.0.contains(resource));
        Some(Box::new(known.map(|(_, names)| {
            let (first, aliases) = names.split_first().map_or(("", &[][..]), |(first, rest)| (*first, rest));
            PossibleValue::new(first).aliases(aliases.iter().copied())
        })))
    }
}

/// One workload, as a user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkloadName {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its kind; none: whichever has this name.
    pub(crate) kind: Option<&'static str>,
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
        let (in_namespace, of_kind, name) = match parts.as_slice() {
            [name] => (None, None, *name),
            [first, name] => match kind_of(first) {
                Some(kind) => (None, Some(kind), *name),
                None => (Some(*first), None, *name),
            },
            [in_namespace, word, name] => match kind_of(word) {
                Some(kind) => (Some(*in_namespace), Some(kind), *name),
                None => return Err(unreadable(text, "its kind is neither deployment nor statefulset")),
            },
            _ => return Err(unreadable(text, "it has too many parts")),
        };
        if name.is_empty() || in_namespace.is_some_and(str::is_empty) {
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
            name: name.to_owned(),
        })
    }

    /// The workload itself. Without a kind it is the Deployment of this name, or else the only workload with it.
    pub(crate) async fn find(&self, client: &Client) -> Result<v1::Workload, Error> {
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
        found.retain(|workload| workload.name == self.name);
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
    use super::*;

    #[test]
    fn targets_have_kubectls_short_forms() {
        let parse = |text| Target::parse(text).map(|target| (target.resource, target.kind, target.name));
        assert_eq!(parse("cl"), Some((Resource::Clusters, None, None)));
        assert_eq!(parse("Deploy"), Some((Resource::Workloads, Some("Deployment"), None)));
        let named = Some((Resource::Workloads, Some("StatefulSet"), Some("store".to_owned())));
        assert_eq!(parse("sts/store"), named);
        assert_eq!(parse("pods"), None);
    }

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
        for bad in ["", "/web", "web/", "a/b/c", "a/b/c/d", "shop//web"] {
            assert_eq!(parse(bad, None), None, "{bad:?}");
        }
        assert_eq!(parse("shop/web", Some("other")), None);
        assert!(WorkloadName::parse("sts/web", Some("Deployment"), None).is_err());
    }

    #[test]
    fn several_are_named_after_one_word_or_each_with_its_own() {
        let named = |first: &str, rest: &[&str]| {
            let target = Target::parse(first).expect("it is a target");
            target.all_named(rest.iter().map(|name| (*name).to_owned()).collect())
        };
        assert_eq!(named("cluster", &["alpha", "bravo"]).expect("two"), ["alpha", "bravo"]);
        assert_eq!(named("cluster/alpha", &["cl/bravo"]).expect("two"), ["alpha", "bravo"]);
        for (first, rest) in [
            ("cluster", &[][..]),
            ("cluster/alpha", &["bravo"]),
            ("cluster", &["cluster/alpha"]),
            ("cluster/", &[]),
            ("cluster/alpha", &["policy/bravo"]),
        ] {
            assert!(matches!(named(first, rest), Err(Error::Usage(_))), "{first} {rest:?}");
        }
    }

    #[test]
    fn a_name_may_stand_before_other_arguments() {
        let arguments = ["alpha", "tier=prod"].map(str::to_owned);
        let target = |text| Target::parse(text).expect("it is a target");
        let (name, rest) = target("cluster").named_before(&arguments).expect("a name");
        assert_eq!((&*name, rest), ("alpha", &arguments[1..]));
        let (name, rest) = target("cluster/bravo").named_before(&arguments[1..]).expect("a name");
        assert_eq!((&*name, rest), ("bravo", &arguments[1..]));
        assert!(matches!(target("cluster").named_before(&arguments[1..]), Err(Error::Usage(_))));
    }

    #[test]
    fn one_name_is_enough() {
        let target = Target::parse("cluster/alpha").expect("it is a target");
        assert_eq!(target.clone().named(None).expect("one name").name.as_deref(), Some("alpha"));
        assert!(matches!(target.named(Some("bravo".into())), Err(Error::Usage(_))));
    }
}
