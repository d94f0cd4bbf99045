//! `godwit apply`.

mod retry;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use godwit_proto::v1::deploy_request::Policy as PolicyChoice;
use godwit_proto::{json, v1};
use serde_json::Value;

use crate::client::Client;
use crate::context::Places;
use crate::error::Error;
use crate::input::{self, Documents, SourceApplication};
use crate::output::document::{self, Syntax};
use crate::output::{Format, text};
use crate::target::{self, DEFAULT_NAMESPACE, kind_and_name};
use retry::Sender;

/// Hand applications and policies over, or change them.
///
/// An application is plain Kubernetes manifests; `spec.replicas` is the total over all clusters. Policies go first.
/// All files are checked before anything is sent; each application is taken as a whole or not at all.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit apply -f examples/policies -f examples/web.yaml
  godwit apply -f web.yaml --replicas 100 --policy weighted --dry-run
  kustomize build . | godwit apply -f -")]
pub(crate) struct Apply {
    /// A file, a folder of .yaml, .yml and .json files, or - for standard input; may be repeated
    #[arg(short, long = "filename", value_name = "FILE|DIR|-", required = true)]
    files: Vec<PathBuf>,
    /// Look into folders below too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Divide by this policy, whatever the manifests say
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// The total, whatever the manifest says; only for a single workload
    #[arg(long, value_name = "N", allow_negative_numbers = true,
          value_parser = clap::value_parser!(u32).range(..=i64::from(godwit_manifest::MAX_REPLICAS)))]
    replicas: Option<u32>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The namespace of objects that name none
    #[arg(short, long, value_parser = target::namespace)]
    namespace: Option<String>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Apply {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let namespace = self.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let documents = input::sort(input::read(&self.files, self.recursive)?, namespace)?;
        self.check(&documents)?;
        let mut sender = Sender::new(Client::connect(places).await?)?;
        let mut report = Report::new(self.output);
        for policy in &documents.policies {
            let request = v1::ApplyPolicyRequest { policy: Some(policy.clone()), dry_run: self.dry_run };
            let answer = sender.apply_policy(&request).await;
            report.policy(
                answer.map_err(|error| error.about(format!("policy/{}", policy.name))),
                self.dry_run,
            )?;
        }
        for source in &documents.applications {
            let request = self.request(source, &documents.policies, sender.request_id()?);
            let answer = sender.deploy(&request).await;
            report.application(answer.map_err(|error| error.about(source.label.clone())))?;
        }
        report.finish()
    }

    fn check(&self, documents: &Documents) -> Result<(), Error> {
        let workloads = documents.applications.iter();
        let workloads: usize = workloads.map(|source| source.application.workloads.len()).sum();
        if self.replicas.is_some() && workloads != 1 {
            let message = format!("--replicas is for a single workload, and there are {workloads}");
            return Err(Error::Usage(message));
        }
        if self.policy.is_some() && workloads == 0 {
            return Err(Error::Usage("--policy is for workloads, and there are none".to_owned()));
        }
        Ok(())
    }

    fn request(
        &self,
        source: &SourceApplication,
        policies: &[v1::Policy],
        request_id: String,
    ) -> v1::DeployRequest {
        let named = self.policy.clone().map(PolicyChoice::PolicyName);
        let inline = || Some(PolicyChoice::InlinePolicy(self.unapplied_policy(source, policies)?));
        v1::DeployRequest {
            request_id,
            manifests: source.text.clone(),
            replicas: self.replicas.map(i64::from),
            policy: inline().or(named),
            namespace: self.namespace.clone().unwrap_or_default(),
            dry_run: self.dry_run,
        }
    }

    /// A dry run stores no policy, so the one that comes with the application goes along with it.
    fn unapplied_policy(&self, source: &SourceApplication, policies: &[v1::Policy]) -> Option<v1::Policy> {
        if !self.dry_run {
            return None;
        }
        let own =
            |workload: &godwit_manifest::Workload| workload.policy.as_ref().map(|policy| policy.to_string());
        let workloads = source.application.workloads.iter();
        let used: BTreeSet<Option<String>> =
            workloads.map(|workload| self.policy.clone().or_else(|| own(workload))).collect();
        let only = used.first().filter(|_| used.len() == 1)?.as_ref()?;
        policies.iter().find(|policy| policy.name == *only).cloned()
    }
}

/// What became of everything, as the user wants to read it.
struct Report {
    format: Format,
    documents: Vec<Value>,
    failed: bool,
}

impl Report {
    fn new(format: Format) -> Self {
        Self { format, documents: Vec::new(), failed: false }
    }

    fn policy(&mut self, answer: Result<v1::ApplyPolicyResponse, Error>, dry_run: bool) -> Result<(), Error> {
        let Some(answer) = self.taken(answer) else { return Ok(()) };
        let name = answer.policy.as_ref().map(|policy| &*policy.name).unwrap_or_default();
        let name = format!("policy/{name}");
        match self.format {
            Format::Json | Format::Yaml => self.documents.push(json::to_json(&answer)?),
            Format::Name => writeln!(io::stdout(), "{}", text::plain(&name))?,
            Format::Table | Format::Wide => {
                let line = format!("{name} {}{}", answer.action, dry(dry_run));
                writeln!(io::stdout(), "{}", text::plain(&line))?;
            }
        }
        Ok(())
    }

    fn application(&mut self, answer: Result<v1::DeployResponse, Error>) -> Result<(), Error> {
        let Some(answer) = self.taken(answer) else { return Ok(()) };
        for warning in &answer.warnings {
            eprintln!("warning: {}", text::plain(warning));
        }
        match self.format {
            Format::Json | Format::Yaml => self.documents.push(json::to_json(&answer)?),
            Format::Name => {
                for workload in &answer.workloads {
                    writeln!(io::stdout(), "{}", text::plain(&reference(workload)))?;
                }
            }
            Format::Table | Format::Wide => {
                for workload in &answer.workloads {
                    writeln!(io::stdout(), "{}", text::plain(&deployed(workload, answer.dry_run)))?;
                }
                if !answer.objects.is_empty() {
                    let line = format!("goes ahead of them: {}", answer.objects.join(", "));
                    writeln!(io::stdout(), "{}", text::plain(&line))?;
                }
            }
        }
        Ok(())
    }

    /// An error ends its own document only: the others are independent of it.
    fn taken<T>(&mut self, answer: Result<T, Error>) -> Option<T> {
        answer
            .inspect_err(|error| {
                self.failed = true;
                error.report();
            })
            .ok()
    }

    fn finish(self) -> Result<(), Error> {
        let syntax = match self.format {
            Format::Json => Some(Syntax::Json),
            Format::Yaml => Some(Syntax::Yaml),
            Format::Name | Format::Table | Format::Wide => None,
        };
        if let Some(syntax) = syntax
            && !self.documents.is_empty()
        {
            document::print(&document::one_or_list(self.documents), syntax, &mut io::stdout())?;
        }
        if self.failed { Err(Error::Reported) } else { Ok(()) }
    }
}

/// A workload for other commands.
pub(super) fn reference(workload: &v1::DeployedWorkload) -> String {
    format!("workload/{}/{}", workload.namespace, kind_and_name(&workload.kind, &workload.name))
}

/// What became of a workload, in one line.
pub(super) fn deployed(workload: &v1::DeployedWorkload, dry_run: bool) -> String {
    let placements = workload.placements.iter().filter(|share| share.replicas > 0);
    let placements: Vec<String> =
        placements.map(|share| format!("{} {}", share.replicas, share.cluster)).collect();
    let place = match (placements.is_empty(), workload.replicas) {
        (true, 0) => "no replicas wanted".to_owned(),
        (true, _) => "nothing placed".to_owned(),
        (false, _) => placements.join(", "),
    };
    let pending = match (workload.pending, workload.reasons.is_empty()) {
        (0, _) => String::new(),
        (pending, true) => format!("; {pending} pending"),
        (pending, false) => format!("; {pending} pending: {}", workload.reasons.join("; ")),
    };
    let namespace = match workload.namespace.as_str() {
        "default" => String::new(),
        namespace => format!(" in {namespace}"),
    };
    format!(
        "{} {}{namespace}{}: {place}{pending}",
        kind_and_name(&workload.kind, &workload.name),
        workload.action,
        dry(dry_run)
    )
}

fn dry(dry_run: bool) -> &'static str {
    if dry_run { " (dry run)" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload() -> v1::DeployedWorkload {
        let share = |cluster: &str, replicas| v1::Share { cluster: cluster.into(), replicas };
        v1::DeployedWorkload {
            namespace: "default".into(),
            kind: "Deployment".into(),
            name: "web".into(),
            action: "configured".into(),
            replicas: 100,
            placements: vec![share("alpha", 20), share("bravo", 40), share("charlie", 40), share("delta", 0)],
            ..v1::DeployedWorkload::default()
        }
    }

    #[test]
    fn a_line_says_where_everything_goes() {
        assert_eq!(deployed(&workload(), false), "deployment/web configured: 20 alpha, 40 bravo, 40 charlie");
        let short = v1::DeployedWorkload {
            namespace: "shop".into(),
            placements: Vec::new(),
            pending: 100,
            reasons: vec!["no CPU left".into(), "delta is lost".into()],
            ..workload()
        };
        assert_eq!(
            deployed(&short, true),
            "deployment/web configured in shop (dry run): nothing placed; 100 pending: no CPU left; delta is lost"
        );
        let none = v1::DeployedWorkload { replicas: 0, placements: Vec::new(), ..workload() };
        assert_eq!(deployed(&none, false), "deployment/web configured: no replicas wanted");
    }
}
