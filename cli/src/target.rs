//! What a command is about: `clusters`, `workload web`, `deployment/web`, `shop/web`.

mod clusters;
mod workload;

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use godwit_common::NameError;
use godwit_common::name::check_namespace;

use crate::error::Error;
pub(crate) use workload::{WorkloadName, full_name, kind_and_name, list_workloads, reference, short_name};

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
    /// The pods of a workload.
    Pods,
    /// Where traffic to workloads may go.
    Placements,
    /// The policies.
    Policies,
    /// The quotas.
    Quotas,
    /// The migrations.
    Migrations,
    /// The journal.
    Events,
    /// What carries our label in members, and no workload explains.
    Orphans,
    /// The clusters that wait to join.
    Enrolments,
    /// The federation as a whole.
    Federation,
}

/// What each is called. The first name is the one that help and completion show.
const RESOURCES: [(Resource, &[&str]); 11] = [
    (Resource::Clusters, &["clusters", "cluster", "cl"]),
    (Resource::Workloads, &["workloads", "workload", "wl"]),
    (Resource::Pods, &["pods", "pod", "po"]),
    (Resource::Placements, &["placements", "placement"]),
    (Resource::Policies, &["policies", "policy", "pol"]),
    (Resource::Quotas, &["quotas", "quota"]),
    (Resource::Migrations, &["migrations", "migration", "mig"]),
    (Resource::Events, &["events", "event", "ev"]),
    (Resource::Orphans, &["orphans", "orphan"]),
    (Resource::Enrolments, &["enrolments", "enrolment"]),
    (Resource::Federation, &["federation", "fed"]),
];

/// The kinds of workloads, with kubectl's names for them.
const KINDS: [(&str, &[&str]); 5] = [
    ("Deployment", &["deployment", "deployments", "deploy"]),
    ("StatefulSet", &["statefulset", "statefulsets", "sts"]),
    ("DaemonSet", &["daemonset", "daemonsets", "ds"]),
    ("Job", &["job", "jobs"]),
    ("CronJob", &["cronjob", "cronjobs", "cj"]),
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
            Self::Pods => "pods",
            Self::Placements => "placements",
            Self::Policies => "policies",
            Self::Quotas => "quotas",
            Self::Migrations => "migrations",
            Self::Events => "events",
            Self::Orphans => "orphans",
            Self::Enrolments => "enrolments",
            Self::Federation => "federation",
        }
    }

    /// What one is called.
    pub(crate) fn singular(self) -> &'static str {
        match self {
            Self::Clusters => "cluster",
            Self::Workloads => "workload",
            Self::Pods => "pod",
            Self::Placements => "placement",
            Self::Policies => "policy",
            Self::Quotas => "quota",
            Self::Migrations => "migration",
            Self::Events => "event",
            Self::Orphans => "orphan",
            Self::Enrolments => "enrolment",
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
        self.name.as_deref().ok_or_else(|| Error::Usage(self.which()))
    }

    /// The question for a name that is missing.
    fn which(&self) -> String {
        let (singular, plural) = (self.resource.singular(), self.resource.plural());
        format!("which {singular}? give its name (`godwit get {plural}` lists them)")
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
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
        assert_eq!(parse("nodes"), None);
    }

    #[test]
    fn one_name_is_enough() {
        let target = Target::parse("cluster/alpha").expect("it is a target");
        assert_eq!(target.clone().named(None).expect("one name").name.as_deref(), Some("alpha"));
        assert!(matches!(target.named(Some("bravo".into())), Err(Error::Usage(_))));
    }
}
