//! `godwit taint`.

use clap::Args;
use godwit_common::TaintEffect;
use godwit_proto::v1;

use super::outcome::Outcome;
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::Format;
use crate::target::{Resource, Target, TargetParser};

/// Add and remove taints of a cluster, which keep workloads away.
///
/// Policies that tolerate a taint are not affected. Below the cluster stands what moves because of it.
#[derive(Debug, Args)]
#[command(after_help = "\
NoSchedule lets the cluster get nothing new, PreferNoSchedule only what fits nowhere else, and
NoExecute moves away what runs there. Taints are removed first, then added.

Examples:
  godwit taint cluster alpha maintenance:NoExecute --dry-run
  godwit taint cluster alpha team=data:NoSchedule
  godwit taint cluster alpha team:NoSchedule- maintenance-")]
pub(crate) struct Taint {
    /// `cluster`; with its name too, as in cluster/alpha
    #[arg(value_parser = TargetParser(&[Resource::Clusters]))]
    resource: Target,
    /// The cluster's name, then KEY=VALUE:EFFECT or KEY:EFFECT to add a taint, KEY:EFFECT- or KEY- to
    /// remove some
    #[arg(value_name = "NAME|TAINT|TAINT-", required = true)]
    arguments: Vec<String>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Taint {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let (name, arguments) = self.resource.cluster_name_before(&self.arguments)?;
        let TaintChanges { add, remove } = parse(arguments)?;
        // As in kubectl, what is only taken away is called so.
        let verb = if add.is_empty() { "untainted" } else { "tainted" };
        let client = Client::connect(places).await?;
        let mut outcome = Outcome::new(self.output);
        let request = v1::TaintClusterRequest { name: name.to_string(), add, remove, dry_run: self.dry_run };
        let answer = answer(client.clusters().taint_cluster(request)).await;
        outcome.cluster(answer, &name, verb, self.dry_run)?;
        outcome.finish()
    }
}

#[derive(Debug, PartialEq, Default)]
struct TaintChanges {
    add: Vec<v1::ClusterTaint>,
    remove: Vec<String>,
}

/// Only the form: which keys and values there may be is for the hub to say.
fn parse(arguments: &[String]) -> Result<TaintChanges, Error> {
    if arguments.is_empty() {
        return Err(Error::Usage(format!("no taint is given; {FORMS}")));
    }
    let mut changes = TaintChanges::default();
    for argument in arguments {
        match argument.strip_suffix('-') {
            Some(named) => changes.remove.push(removed(argument, named)?),
            None => {
                let taint = added(argument)?;
                let is_same =
                    |known: &v1::ClusterTaint| (&known.key, &known.effect) == (&taint.key, &taint.effect);
                if changes.add.iter().any(is_same) {
                    let problem = format!("{}:{} is in another argument, too", taint.key, taint.effect);
                    return Err(wrong(argument, &problem));
                }
                changes.add.push(taint);
            }
        }
    }
    Ok(changes)
}

fn added(argument: &str) -> Result<v1::ClusterTaint, Error> {
    let Some((named, effect)) = argument.rsplit_once(':') else {
        return Err(wrong(argument, "it has no effect"));
    };
    let (key, value) = named.split_once('=').unwrap_or((named, ""));
    check(argument, key, Some(effect))?;
    Ok(v1::ClusterTaint {
        key: key.to_owned(),
        value: value.to_owned(),
        effect: effect.to_owned(),
        added: None,
    })
}

/// A value may stand there, so that what was added can be pasted; key and effect are enough to tell taints apart.
fn removed(argument: &str, named: &str) -> Result<String, Error> {
    let (named, effect) = match named.rsplit_once(':') {
        Some((named, effect)) => (named, Some(effect)),
        None => (named, None),
    };
    let key = named.split_once('=').map_or(named, |(key, _)| key);
    check(argument, key, effect)?;
    Ok(match effect {
        Some(effect) => format!("{key}:{effect}"),
        None => key.to_owned(),
    })
}

fn check(argument: &str, key: &str, effect: Option<&str>) -> Result<(), Error> {
    if key.is_empty() {
        return Err(wrong(argument, "its key is empty"));
    }
    match effect.filter(|effect| TaintEffect::of_name(effect).is_none()) {
        None => Ok(()),
        Some(effect) => {
            let known = TaintEffect::ALL.map(TaintEffect::name).join(", ");
            Err(wrong(argument, &format!("{effect:?} is no effect, which are {known}")))
        }
    }
}

const FORMS: &str = "write KEY=VALUE:EFFECT or KEY:EFFECT to add a taint, KEY:EFFECT- or KEY- to remove some";

fn wrong(argument: &str, problem: &str) -> Error {
    Error::Usage(format!("taint argument {argument:?}: {problem}; {FORMS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<TaintChanges, String> {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        parse(&arguments).map_err(|error| match error {
            Error::Usage(message) => message,
            other => panic!("{other:?}"),
        })
    }

    fn taint(key: &str, value: &str, effect: &str) -> v1::ClusterTaint {
        let [key, value, effect] = [key, value, effect].map(str::to_owned);
        v1::ClusterTaint { key, value, effect, added: None }
    }

    #[test]
    fn taints_are_added_and_removed_as_in_kubectl() {
        let arguments = ["team=data:NoSchedule", "gone:NoExecute", "old-", "a:NoSchedule-", "b=c:NoExecute-"];
        let changes = parsed(&arguments).expect("all are good");
        assert_eq!(changes.add, [taint("team", "data", "NoSchedule"), taint("gone", "", "NoExecute")]);
        assert_eq!(changes.remove, ["old", "a:NoSchedule", "b:NoExecute"]);
        let two = parsed(&["a:NoSchedule", "a:NoExecute"]).expect("two effects are two taints");
        assert_eq!(two.add.len(), 2);
    }

    #[test]
    fn a_malformed_argument_is_named_with_the_right_form() {
        for (arguments, says) in [
            (&["team=data"][..], "taint argument \"team=data\": it has no effect; write KEY=VALUE:EFFECT"),
            (&["team"], "taint argument \"team\": it has no effect; "),
            (&[":NoExecute"], "taint argument \":NoExecute\": its key is empty; "),
            (&["-"], "taint argument \"-\": its key is empty; "),
            (
                &["a=b:Never"],
                "taint argument \"a=b:Never\": \"Never\" is no effect, which are NoSchedule, PreferNoSchedule, NoExecute; ",
            ),
            (&["a:-"], "taint argument \"a:-\": \"\" is no effect"),
            (
                &["a=b:NoExecute", "a=c:NoExecute"],
                "taint argument \"a=c:NoExecute\": a:NoExecute is in another argument, too; ",
            ),
            (&[], "no taint is given; write KEY=VALUE:EFFECT"),
        ] {
            let said = parsed(arguments).expect_err(says);
            assert!(said.starts_with(says), "{said:?} does not begin with {says:?}");
        }
    }
}
