//! `godwit delete`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use godwit_proto::v1;

use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::input;
use crate::output::text;
use crate::resources::cluster;
use crate::target::{self, DEFAULT_NAMESPACE, Resource, Target, TargetParser, WorkloadName, kind_and_name};

const RESOURCES: &[Resource] =
    &[Resource::Workloads, Resource::Policies, Resource::Quotas, Resource::Clusters];

/// End workloads, delete policies and quotas, forget lost clusters.
///
/// A deleted workload stops in every cluster, and its objects go with it; where a cluster is away, as soon as it is back.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit delete workload shop/web
  godwit delete -f examples/web.yaml
  godwit delete quota shop
  godwit delete cluster delta --force")]
pub(crate) struct Delete {
    /// What it is; with its name too, as in deployment/web
    #[arg(value_parser = TargetParser(RESOURCES), required_unless_present = "files", conflicts_with = "files")]
    resource: Option<Target>,
    /// Its name
    #[arg(conflicts_with = "files")]
    name: Option<String>,
    /// Everything that these files hold: workloads first, then policies and quotas
    #[arg(short, long = "filename", value_name = "FILE|DIR|-")]
    files: Vec<PathBuf>,
    /// Look into folders below too
    #[arg(short = 'R', long, requires = "files")]
    recursive: bool,
    /// The workload's namespace, if it is not `default`
    #[arg(short, long, value_parser = target::namespace)]
    namespace: Option<String>,
    /// Forget a lost cluster although what runs there is not stopped
    #[arg(long)]
    force: bool,
}

impl Delete {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let Some(resource) = self.resource.clone() else {
            return self.delete_files(places).await;
        };
        let target = resource.named(self.name.clone())?;
        let name = target.require_name()?;
        if self.force && target.resource != Resource::Clusters {
            return Err(Error::Usage("--force is for clusters".to_owned()));
        }
        let client = Client::connect(places).await?;
        match target.resource {
            Resource::Workloads => {
                let name = WorkloadName::parse(name, target.kind, self.namespace.as_deref())?;
                let found = name.find(&client).await?;
                delete_workload(&client, &found.namespace, &found.kind, &found.name).await
            }
            Resource::Policies => delete_policy(&client, name).await,
            Resource::Quotas => delete_quota(&client, name).await,
            Resource::Clusters => delete_cluster(&client, name, self.force).await,
            Resource::Pods
            | Resource::Placements
            | Resource::Migrations
            | Resource::Events
            | Resource::Orphans
            | Resource::Enrolments
            | Resource::Federation => {
                Err(Error::Usage(format!("{} cannot be deleted", target.resource.plural())))
            }
        }
    }

    async fn delete_files(&self, places: &Places) -> Result<(), Error> {
        let namespace = self.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let documents = input::sort(input::read(&self.files, self.recursive)?, namespace)?;
        let client = Client::connect(places).await?;
        let mut failed = false;
        let mut note = |result: Result<(), Error>| match result {
            Err(error @ Error::Output(_)) => Err(error),
            Err(error) => {
                error.report();
                failed = true;
                Ok(())
            }
            Ok(()) => Ok(()),
        };
        for workload in documents.applications.iter().flat_map(|source| &source.application.workloads) {
            let id = &workload.id;
            note(delete_workload(&client, &id.namespace, &id.kind, &id.name).await)?;
        }
        for policy in &documents.policies {
            note(delete_policy(&client, &policy.name).await)?;
        }
        for quota in &documents.quotas {
            note(delete_quota(&client, &quota.namespace).await)?;
        }
        if failed { Err(Error::Reported) } else { Ok(()) }
    }
}

async fn delete_workload(client: &Client, namespace: &str, kind: &str, name: &str) -> Result<(), Error> {
    let request = v1::DeleteWorkloadRequest {
        namespace: namespace.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
    };
    let what = kind_and_name(kind, name);
    let deleted = answer(client.workloads().delete_workload(request)).await;
    let pending_on = deleted.map_err(|error| error.about(&*what))?.deletion_pending_on;
    let line = match pending_on.as_slice() {
        [] => format!("{what} deleted"),
        clusters => format!("{what} deleted; its end is pending on {}", clusters.join(", ")),
    };
    Ok(writeln!(io::stdout(), "{}", text::plain(&line))?)
}

async fn delete_policy(client: &Client, name: &str) -> Result<(), Error> {
    let request = v1::DeletePolicyRequest { name: name.to_owned() };
    let deleted = answer(client.policies().delete_policy(request)).await;
    deleted.map_err(|error| error.about(format!("policy/{name}")))?;
    Ok(writeln!(io::stdout(), "policy/{name} deleted")?)
}

async fn delete_quota(client: &Client, namespace: &str) -> Result<(), Error> {
    let request = v1::DeleteQuotaRequest { namespace: namespace.to_owned() };
    let deleted = answer(client.quotas().delete_quota(request)).await;
    deleted.map_err(|error| error.about(format!("quota/{namespace}")))?;
    Ok(writeln!(io::stdout(), "quota/{namespace} deleted")?)
}

async fn delete_cluster(client: &Client, name: &str, force: bool) -> Result<(), Error> {
    // An unknown name is the likelier mistake, and its error should not ask for --force.
    let found = cluster::find(client, name).await?;
    let drained = found.drain.is_some_and(|drain| drain.state == "Done");
    if !force && !drained {
        return Err(Error::failed(format!("cluster/{name}: what may still run there is not stopped"))
            .with_hint("add --force to forget the cluster all the same"));
    }
    let request = v1::DeleteClusterRequest { name: name.to_owned(), force };
    let deleted = answer(client.clusters().delete_cluster(request)).await;
    deleted.map_err(|error| error.about(format!("cluster/{name}")))?;
    Ok(writeln!(io::stdout(), "cluster/{name} deleted")?)
}
