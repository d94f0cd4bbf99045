//! What all commands share that empty a cluster: on which terms, and how far it is.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use godwit_common::ClusterName;
use godwit_proto::v1;

use crate::client::Client;
use crate::error::Error;
use crate::output::{Format, text};
use crate::resources::cluster::{self, counted, drain_waits, unmanaged};

/// How often a cluster is looked at, and for how long a hub that is away is waited for.
const LOOK: Duration = Duration::from_millis(500);

// No comment here for help: clap would take it for the command's own.
#[derive(Debug, Clone, Args)]
pub(super) struct Terms {
    /// How long emptying it may take before that stops and says so
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "1h")]
    pub(super) deadline: Duration,
    /// How many replicas of a workload may run meanwhile beyond those that are wanted, in percent of these, whatever
    /// their policy says
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) max_surge: Option<u32>,
    /// Stop what finds no place elsewhere all the same, down to the last copy
    #[arg(long)]
    pub(super) force: bool,
}

// As above.
#[derive(Debug, Clone, Args)]
pub(super) struct Destination {
    /// Let what leaves go only to these clusters, by name or label; what does not fit there waits
    #[arg(long, value_name = "A[,B]|KEY=VALUE[,..]", value_parser = destination)]
    pub(super) to: Option<v1::ClusterSelector>,
}

impl Terms {
    /// As the hub reads them.
    pub(super) fn with(&self, to: Option<v1::ClusterSelector>) -> v1::DrainTerms {
        v1::DrainTerms {
            within: prost_types::Duration::try_from(self.deadline).ok(),
            max_surge_percent: self.max_surge,
            force: self.force,
            to,
        }
    }
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Nothing managed is left in the cluster.
    Drained,
    /// It has left the federation.
    Retired,
}

/// Says how far a cluster is whenever that changes, until it is so.
pub(super) async fn wait(
    client: &mut Client,
    name: &ClusterName,
    format: Format,
    until: Until,
) -> Result<(), Error> {
    let mut said = Vec::new();
    loop {
        let found = match cluster::find(client, name.as_str()).await {
            Err(error) if error.is_unavailable() => {
                if let Ok(again) = client.reconnect().await {
                    *client = again;
                }
                tokio::time::sleep(LOOK).await;
                continue;
            }
            Err(error) if error.is_not_found() && until == Until::Retired => {
                return say(format, &[format!("cluster/{name} retired")]);
            }
            found => found?,
        };
        let (lines, ended) = progress(&found, until)?;
        if lines != said {
            say(format, &lines)?;
            said = lines;
        }
        if ended {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// How far it is, and whether that is all.
fn progress(cluster: &v1::Cluster, until: Until) -> Result<(Vec<String>, bool), Error> {
    let name = format!("cluster/{}", cluster.name);
    let Some(drain) = &cluster.drain else {
        return Err(Error::failed(format!("{name}: it is not drained any more: somebody ended that")));
    };
    if until == Until::Retired && drain.purpose != "Retire" {
        return Err(Error::failed(format!("{name}: it is not retired any more: somebody ended that")));
    }
    let left = format!(
        "{} of {} left",
        counted(drain.pods.into(), "pod"),
        counted(drain.workloads.into(), "workload")
    );
    Ok(match (drain.state.as_str(), until) {
        ("Done", Until::Drained) => {
            let stay = unmanaged(cluster).into_iter().map(|line| format!("  not managed: {line}"));
            (std::iter::once(format!("{name} drained")).chain(stay).collect(), true)
        }
        ("Done" | "Cleaning", _) => {
            (vec![format!("{name}: emptied; what was applied there is being removed")], false)
        }
        ("Overdue" | "Paused", _) => {
            let waits = drain_waits(drain).join("; ");
            let state = drain.state.to_lowercase();
            return Err(Error::failed(format!("{name}: the drain is {state}, {left}: {waits}")));
        }
        _ => (vec![format!("{name}: {left}")], false),
    })
}

fn say(format: Format, lines: &[String]) -> Result<(), Error> {
    for line in lines {
        // What programs read is the answer alone.
        match format {
            Format::Table | Format::Wide => writeln!(io::stdout(), "{}", text::plain(line))?,
            Format::Json | Format::Yaml | Format::Name => eprintln!("{}", text::plain(line)),
        }
    }
    Ok(())
}

/// A time that is asked for.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let known = godwit_manifest::duration::parse(text).filter(|duration| !duration.is_zero());
    known.ok_or_else(|| "write a time such as 90s, 30m or 4h".to_owned())
}

/// Clusters by name or by label: `bravo,charlie`, `tier=new` or `tier!=old`. All labels must fit.
fn destination(text: &str) -> Result<v1::ClusterSelector, String> {
    const FORMS: &str = "write names such as bravo,charlie, or labels such as tier=new or tier!=old";
    let mut selector = v1::ClusterSelector::default();
    for part in text.split(',') {
        let differs = part.split_once("!=");
        match (differs, part.split_once('=')) {
            (Some(("", _)), _) | (None, Some(("", _))) => {
                return Err(format!("{part:?} has no key before the =; {FORMS}"));
            }
            (Some((key, value)), _) => selector.match_expressions.push(v1::Requirement {
                key: key.to_owned(),
                operator: "NotIn".to_owned(),
                values: vec![value.to_owned()],
            }),
            (None, Some((key, value))) => {
                let value = value.strip_prefix('=').unwrap_or(value);
                if selector.match_labels.insert(key.to_owned(), value.to_owned()).is_some() {
                    return Err(format!("{key} is there twice; {FORMS}"));
                }
            }
            (None, None) => {
                let name: ClusterName = part.parse().map_err(|error| format!("{error}; {FORMS}"))?;
                selector.names.push(name.to_string());
            }
        }
    }
    Ok(selector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_names_or_labels() {
        let names = destination("bravo,charlie").expect("names");
        assert_eq!(names.names, ["bravo", "charlie"]);
        let labels = destination("tier=new,gen==7,zone!=a").expect("labels");
        let equal = [("gen", "7"), ("tier", "new")];
        assert_eq!(labels.match_labels, equal.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert_eq!(labels.match_expressions[0].operator, "NotIn");
        for (wrong, says) in [
            ("", "write names such as"),
            ("=new", "\"=new\" has no key"),
            ("!=new", "\"!=new\" has no key"),
            ("a=b,a=c", "a is there twice"),
            ("Bravo", "write names such as"),
        ] {
            let said = destination(wrong).expect_err(wrong);
            assert!(said.contains(says), "{said:?} does not say {says:?}");
        }
    }

    #[test]
    fn what_a_cluster_waits_for_is_told_until_it_is_so() {
        let of = |state: &str, purpose: &str| v1::Cluster {
            name: "alpha".to_owned(),
            drain: Some(v1::Drain {
                state: state.to_owned(),
                purpose: purpose.to_owned(),
                pods: 2,
                workloads: 1,
                ..v1::Drain::default()
            }),
            unmanaged: Some(v1::UnmanagedPods {
                pods: 3,
                owners: 1,
                first: vec![v1::UnmanagedOwner {
                    namespace: "shop".to_owned(),
                    kind: "Job".to_owned(),
                    name: "report".to_owned(),
                    pods: 3,
                }],
            }),
            ..v1::Cluster::default()
        };
        let told = |state: &str, purpose: &str, until| {
            let (lines, ended) =
                progress(&of(state, purpose), until).map_err(|error| format!("{error:?}"))?;
            Ok::<_, String>((lines.join("|"), ended))
        };
        let said = |text: &str, ended: bool| Ok((text.to_owned(), ended));
        let left = "cluster/alpha: 2 pods of 1 workload left";
        assert_eq!(told("Running", "Empty", Until::Drained), said(left, false));
        let stays = "cluster/alpha drained|  not managed: job/report in shop: 3 pods";
        assert_eq!(told("Done", "Empty", Until::Drained), said(stays, true));
        let cleaning = "cluster/alpha: emptied; what was applied there is being removed";
        assert_eq!(told("Cleaning", "Retire", Until::Retired), said(cleaning, false));
        assert!(told("Running", "Empty", Until::Retired).unwrap_err().contains("not retired any more"));
        assert!(told("Overdue", "Retire", Until::Retired).unwrap_err().contains("the drain is overdue"));
    }
}
