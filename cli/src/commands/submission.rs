//! What `apply` sends and `diff` only asks about: the files, and what goes with them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use godwit_proto::v1;
use godwit_proto::v1::deploy_request::Policy as PolicyChoice;

use crate::error::Error;
use crate::input::{self, Documents, SourceApplication};
use crate::target::{self, DEFAULT_NAMESPACE};

// No comment here for help: clap would take it for the command's own.
#[derive(Debug, Args)]
pub(super) struct Submission {
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
    /// The namespace of objects that name none
    #[arg(short, long, value_parser = target::namespace)]
    namespace: Option<String>,
}

impl Submission {
    /// Reads and checks all files.
    pub(super) fn read(&self) -> Result<Documents, Error> {
        let namespace = self.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let documents = input::sort(input::read(&self.files, self.recursive)?, namespace)?;
        let workloads = documents.applications.iter();
        let workloads: usize = workloads.map(|source| source.application.workloads.len()).sum();
        if self.replicas.is_some() && workloads != 1 {
            let message = format!("--replicas is for a single workload, and there are {workloads}");
            return Err(Error::Usage(message));
        }
        if self.policy.is_some() && workloads == 0 {
            return Err(Error::Usage("--policy is for workloads, and there are none".to_owned()));
        }
        Ok(documents)
    }

    /// What hands an application over.
    pub(super) fn deployment(
        &self,
        source: &SourceApplication,
        policies: &[v1::Policy],
        request_id: String,
        dry_run: bool,
    ) -> v1::DeployRequest {
        let inline = self.policy_along(source, policies).filter(|_| dry_run);
        let named = self.policy.clone().map(PolicyChoice::PolicyName);
        v1::DeployRequest {
            request_id,
            manifests: source.text.clone(),
            replicas: self.replicas.map(i64::from),
            policy: inline.cloned().map(PolicyChoice::InlinePolicy).or(named),
            namespace: self.namespace.clone().unwrap_or_default(),
            dry_run,
        }
    }

    /// A dry run stores no policy, so the one that comes with an application goes along with it.
    pub(super) fn policy_along<'a>(
        &self,
        source: &SourceApplication,
        policies: &'a [v1::Policy],
    ) -> Option<&'a v1::Policy> {
        let own =
            |workload: &godwit_manifest::Workload| workload.policy.as_ref().map(|policy| policy.to_string());
        let workloads = source.application.workloads.iter();
        let used: BTreeSet<Option<String>> =
            workloads.map(|workload| self.policy.clone().or_else(|| own(workload))).collect();
        let only = used.first().filter(|_| used.len() == 1)?.as_ref()?;
        policies.iter().find(|policy| policy.name == *only)
    }
}
