//! `godwit ack`.

use std::io::{self, Write};

use clap::Args;
use godwit_common::ClusterName;
use godwit_proto::{json, v1};

use super::action::Action;
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::document::{self, Syntax};
use crate::output::{Format, text};
use crate::target::{self, WorkloadName, reference};

/// Say that no traffic goes any more to the replicas of a workload that are about to stop in a cluster.
///
/// Under a policy with the traffic gate `ack` they wait for this.
#[derive(Debug, Args)]
#[command(after_help = "\
What is about to stop, and the revision of each announcement, is shown by `godwit get placements`.

Examples:
  godwit ack shop/web --cluster alpha
  godwit ack web --cluster alpha --revision 3-17")]
pub(crate) struct Ack {
    /// The workload, as NAME, NAMESPACE/NAME, KIND/NAME or NAMESPACE/KIND/NAME
    workload: String,
    /// The cluster in which they are about to stop
    #[arg(long, value_name = "NAME")]
    cluster: ClusterName,
    /// Only if this is what is announced; else whatever is
    #[arg(long)]
    revision: Option<String>,
    /// The workload's namespace, if it is not `default`
    #[arg(short, long, value_parser = target::namespace)]
    namespace: Option<String>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Ack {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let name = WorkloadName::parse(&self.workload, None, self.namespace.as_deref())?;
        let client = Client::connect(places).await?;
        let v1::Workload { namespace, kind, name, .. } = name.find(&client).await?;
        let shown = reference(&namespace, &kind, &name);
        let request = v1::AcknowledgePlacementsRequest {
            namespace,
            kind,
            name,
            cluster: self.cluster.to_string(),
            revision: self.revision.unwrap_or_default(),
        };
        let answer = answer(client.placements().acknowledge_placements(request)).await?;
        let out = &mut io::stdout().lock();
        match self.output {
            Format::Json => document::print(&json::to_json(&answer)?, Syntax::Json, out),
            Format::Yaml => document::print(&json::to_json(&answer)?, Syntax::Yaml, out),
            Format::Name => Ok(writeln!(out, "{}", text::plain(&shown))?),
            Format::Table | Format::Wide => {
                let became = Action::of(&answer.action).or("acknowledged");
                let line = format!("{shown} {became} in cluster {} ({})", self.cluster, answer.revision);
                Ok(writeln!(out, "{}", text::plain(&line))?)
            }
        }
    }
}
