//! `godwit render`.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use godwit_common::policy::overrides::{about, changes_in};
use godwit_common::policy::{Override, Policy, usual_policy};
use godwit_common::{ClusterName, ObjectKey, Traits, WorkloadId, WorkloadKind};
use godwit_manifest::Workload;
use godwit_manifest::told::{self, Told};
use godwit_proto::{policy as wire, v1};
use serde_json::{Value, json};

use crate::client::{Client, all_pages, answer, present};
use crate::context::Places;
use crate::error::Error;
use crate::input;
use crate::output::document::{self, Syntax};
use crate::resources::{cluster, policy};
use crate::target::{self, DEFAULT_NAMESPACE, Resource, Target, TargetParser, WorkloadName};

/// Print the objects that clusters get of a workload: what was handed over, and what is different there.
///
/// Labels and annotations of Godwit's own are left out, and values of Secrets are hidden; so is what the workload needs in
/// namespaces that you may not look at. Of files, the count is left out, too: how many a cluster gets, `godwit apply --dry-run` says.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit render workload shop/web
  godwit render workload shop/web --cluster eu1 -o json
  godwit render -f web.yaml --policy regional --cluster eu1")]
pub(crate) struct Render {
    /// `workload`; with its name too, as in deployment/web
    #[arg(value_parser = TargetParser(&[Resource::Workloads]), required_unless_present = "files", conflicts_with = "files")]
    resource: Option<Target>,
    /// The workload's name
    name: Option<String>,
    /// Render these files instead, which need not be deployed: a file, a folder, or - for standard input
    #[arg(short, long = "filename", value_name = "FILE|DIR|-", requires = "clusters")]
    files: Vec<PathBuf>,
    /// With files: under this policy, whatever the manifests say. Otherwise under the one that `godwit apply` would take: that of the
    /// manifest, or else the one that is in force, or else the usual one
    #[arg(long, value_name = "NAME", requires = "files")]
    policy: Option<String>,
    /// Only in this cluster; may be repeated. Otherwise in all that may run the workload
    #[arg(long = "cluster", value_name = "NAME")]
    clusters: Vec<ClusterName>,
    /// The namespace of the workload, or of objects that name none
    #[arg(short, long, value_parser = target::namespace)]
    namespace: Option<String>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// One document for each object, each cluster's after a comment with its name
    #[default]
    Yaml,
    /// One document with all clusters
    Json,
}

/// What one cluster gets: the objects, or what is wrong with them.
struct Rendered {
    cluster: String,
    objects: Vec<Result<Value, String>>,
    /// So many others the caller may not look at.
    left_out: u32,
}

impl Render {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let client = Client::connect(places).await?;
        let rendered = match &self.resource {
            Some(resource) => self.deployed(&client, resource.clone()).await?,
            None => self.of_files(&client).await?,
        };
        print(&rendered, self.output)?;
        let problems =
            rendered.iter().flat_map(|one| one.objects.iter().filter_map(|object| object.as_ref().err()));
        match problems.count() {
            0 => Ok(()),
            count => Err(Error::failed(format!("{count} objects cannot be rendered"))),
        }
    }

    async fn deployed(&self, client: &Client, resource: Target) -> Result<Vec<Rendered>, Error> {
        let target = resource.named(self.name.clone())?;
        let name = WorkloadName::parse(target.require_name()?, target.kind, self.namespace.as_deref())?;
        let v1::Workload { namespace, kind, name, .. } = name.find(client).await?;
        let clusters: Vec<String> = self.clusters.iter().map(ToString::to_string).collect();
        let items = all_pages(async |page_token| {
            let request = v1::GetRenderedWorkloadRequest {
                namespace: namespace.clone(),
                kind: kind.clone(),
                name: name.clone(),
                clusters: clusters.clone(),
                page_size: 0,
                page_token,
            };
            let page = answer(client.workloads().get_rendered_workload(request)).await?;
            Ok((page.items, page.next_page_token))
        })
        .await?;
        let object = |object: v1::RenderedObject| match object.problem.is_empty() {
            true => serde_json::from_str(&object.manifest)
                .map_err(|error| format!("the hub's answer is not JSON: {error}")),
            false => Err(format!("{} {}/{}: {}", object.kind, object.namespace, object.name, object.problem)),
        };
        let one = |item: v1::RenderedCluster| Rendered {
            cluster: item.cluster,
            objects: item.objects.into_iter().map(object).collect(),
            left_out: item.left_out,
        };
        Ok(items.into_iter().map(one).collect())
    }

    /// What need not be deployed is rendered here: by the hub's policies, and by what it knows of the clusters.
    async fn of_files(&self, client: &Client) -> Result<Vec<Rendered>, Error> {
        let namespace = self.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let documents = input::sort(input::read(&self.files, false)?, namespace)?;
        let mut clusters = Vec::new();
        for name in &self.clusters {
            clusters.push((name.clone(), traits(cluster::find(client, name.as_str()).await?)));
        }
        let mut rendered: Vec<Rendered> = clusters
            .iter()
            .map(|(name, _)| Rendered { cluster: name.to_string(), objects: Vec::new(), left_out: 0 })
            .collect();
        for source in &documents.applications {
            let application = &source.application;
            let mut all = Vec::new();
            for workload in &application.workloads {
                let policy = self.policy_of(client, workload).await?;
                all.push(rules(client, &documents.policies, &policy).await?);
            }
            // What they lean on follows the oldest of them, the first that is deployed.
            let first = all.first().map_or(&[][..], Vec::as_slice);
            for dependent in &application.dependents {
                render(&mut rendered, &clusters, (&dependent.key, &dependent.manifest), first);
            }
            for (workload, rules) in application.workloads.iter().zip(&all) {
                let rules = if workload.scale_only { &[] } else { rules.as_slice() };
                render(&mut rendered, &clusters, (&workload.object, &workload.manifest), rules);
            }
        }
        Ok(rendered)
    }

    /// The policy that applying the files would deploy a workload under.
    async fn policy_of(&self, client: &Client, workload: &Workload) -> Result<String, Error> {
        if let Some(name) = &self.policy {
            return Ok(name.clone());
        }
        if let Some(name) = &workload.policy {
            return Ok(name.to_string());
        }
        let WorkloadId { namespace, kind, name } = &workload.id;
        let request = v1::GetWorkloadRequest {
            namespace: namespace.to_string(),
            kind: kind.to_string(),
            name: name.to_string(),
        };
        match answer(client.workloads().get_workload(request)).await {
            Ok(found) => Ok(present(found.workload, "workload")?.policy),
            Err(error) if error.is_not_found() => Ok(usual_policy(WorkloadKind::of(&workload.id)).to_owned()),
            Err(error) => Err(error),
        }
    }
}

/// The rules of a policy: of the files, or of the hub.
async fn rules(client: &Client, files: &[v1::Policy], name: &str) -> Result<Vec<Override>, Error> {
    let spec = match files.iter().find(|policy| policy.name == name) {
        Some(found) => found.spec.clone(),
        None => policy::find(client, name).await?.spec,
    };
    let terms = wire::from_wire(&format!("policy {name}"), &spec.unwrap_or_default());
    let Policy { overrides, .. } = terms.map_err(|error| Error::failed(error.to_string()))?.placement;
    Ok(overrides)
}

fn render(
    rendered: &mut [Rendered],
    clusters: &[(ClusterName, Traits)],
    (key, manifest): (&ObjectKey, &str),
    rules: &[Override],
) {
    let rules = about(rules, (&key.kind, &key.namespace, &key.name));
    for (one, (name, traits)) in rendered.iter_mut().zip(clusters) {
        let object = told::shown(key, manifest, &changes_in(&rules, name, traits), Told::default());
        one.objects.push(object.map_err(|problem| format!("{key}: {problem}")));
    }
}

fn traits(cluster: v1::Cluster) -> Traits {
    let label = |(key, value): (String, String)| (key.into(), value.into());
    Traits {
        labels: cluster.labels.into_iter().map(label).collect(),
        provider: cluster.provider.into(),
        region: cluster.region.into(),
        zones: cluster.zones.into_iter().map(Into::into).collect::<BTreeSet<_>>(),
    }
}

fn print(rendered: &[Rendered], form: Form) -> Result<(), Error> {
    let out = &mut io::stdout().lock();
    match form {
        Form::Yaml => {
            for Rendered { cluster, objects, left_out } in rendered {
                if *left_out > 0 {
                    eprintln!(
                        "cluster {cluster}: not shown are {left_out} objects of no namespace that you may look at"
                    );
                }
                for object in objects {
                    match object {
                        Ok(object) => document::print_noted(&format!("cluster {cluster}"), object, out)?,
                        Err(problem) => eprintln!("cluster {cluster}: {problem}"),
                    }
                }
            }
            Ok(())
        }
        Form::Json => {
            let object = |object: &Result<Value, String>| match object {
                Ok(object) => object.clone(),
                Err(problem) => json!({ "problem": problem }),
            };
            let one = |Rendered { cluster, objects, left_out }: &Rendered| {
                let objects: Vec<Value> = objects.iter().map(object).collect();
                json!({"cluster": cluster, "objects": objects, "leftOut": left_out})
            };
            document::print(
                &json!({"items": rendered.iter().map(one).collect::<Vec<_>>()}),
                Syntax::Json,
                out,
            )
        }
    }
}
