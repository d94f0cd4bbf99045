//! `godwit label`.

use std::collections::BTreeMap;

use clap::Args;
use godwit_proto::v1;

use super::outcome::Outcome;
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::Format;
use crate::target::{Resource, Target, TargetParser};

/// Set and remove labels of a cluster, by which policies choose.
///
/// A label that is there gets the new value. Below the cluster stands what moves because of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Labels named topology.kubernetes.io/region, topology.kubernetes.io/zone and godwit.dev/provider
win over what the cluster's nodes say.

Examples:
  godwit label cluster alpha tier=prod
  godwit label cluster alpha tier=spare team- --dry-run")]
pub(crate) struct Label {
    /// `cluster`; with its name too, as in cluster/alpha
    #[arg(value_parser = TargetParser(&[Resource::Clusters]))]
    resource: Target,
    /// The cluster's name, then KEY=VALUE to set a label and KEY- to remove one
    #[arg(value_name = "NAME|KEY=VALUE|KEY-", required = true)]
    arguments: Vec<String>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Label {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let (name, arguments) = self.resource.cluster_name_before(&self.arguments)?;
        let LabelChanges { set, remove } = parse(arguments)?;
        let client = Client::connect(places).await?;
        let mut outcome = Outcome::new(self.output);
        let request = v1::LabelClusterRequest { name: name.to_string(), set, remove, dry_run: self.dry_run };
        let answer = answer(client.clusters().label_cluster(request)).await;
        outcome.cluster(answer, &name, "labeled", self.dry_run)?;
        outcome.finish()
    }
}

#[derive(Debug, PartialEq, Eq, Default)]
struct LabelChanges {
    set: BTreeMap<String, String>,
    remove: Vec<String>,
}

/// Only the form: which keys and values there may be is for the hub to say.
fn parse(arguments: &[String]) -> Result<LabelChanges, Error> {
    const FORMS: &str = "write KEY=VALUE to set a label, or KEY- to remove one";
    let wrong = |argument: &str, problem: &str| {
        Error::Usage(format!("label argument {argument:?}: {problem}; {FORMS}"))
    };
    if arguments.is_empty() {
        return Err(Error::Usage(format!("no label is given; {FORMS}")));
    }
    let mut changes = LabelChanges::default();
    for argument in arguments {
        let (key, value) = match (argument.split_once('='), argument.strip_suffix('-')) {
            (Some((key, value)), _) => (key, Some(value)),
            (None, Some(key)) => (key, None),
            (None, None) => return Err(wrong(argument, "it has neither an = nor a - at its end")),
        };
        if key.is_empty() {
            return Err(wrong(argument, "its key is empty"));
        }
        if value.is_some_and(|value| value.contains('=')) {
            return Err(wrong(argument, "it has more than one ="));
        }
        if changes.set.contains_key(key) || changes.remove.iter().any(|known| known == key) {
            return Err(wrong(argument, &format!("{key} is in another argument, too")));
        }
        match value {
            Some(value) => {
                changes.set.insert(key.to_owned(), value.to_owned());
            }
            None => changes.remove.push(key.to_owned()),
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<LabelChanges, String> {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        parse(&arguments).map_err(|error| match error {
            Error::Usage(message) => message,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn labels_are_set_and_removed_as_in_kubectl() {
        let changes = parsed(&["tier=prod", "example.com/empty=", "team-"]).expect("all are good");
        let set = [("tier", "prod"), ("example.com/empty", "")];
        let set = set.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(changes, LabelChanges { set, remove: vec!["team".to_owned()] });
    }

    #[test]
    fn a_malformed_argument_is_named_with_the_right_form() {
        for (arguments, says) in [
            (
                &["tier"][..],
                "label argument \"tier\": it has neither an = nor a - at its end; write KEY=VALUE",
            ),
            (&["=prod"], "label argument \"=prod\": its key is empty; "),
            (&["-"], "label argument \"-\": its key is empty; "),
            (&["a=b=c"], "label argument \"a=b=c\": it has more than one =; "),
            (&["a=b", "a-"], "label argument \"a-\": a is in another argument, too; "),
            (&["a=b", "a=c"], "label argument \"a=c\": a is in another argument, too; "),
            (&[], "no label is given; write KEY=VALUE"),
        ] {
            let said = parsed(arguments).expect_err(says);
            assert!(said.starts_with(says), "{said:?} does not begin with {says:?}");
        }
    }
}
