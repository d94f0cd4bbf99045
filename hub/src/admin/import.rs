//! Importing what runs already (S34): the clusters' agents tell what is there, it is compared and made one deployment, and each
//! agent's API server is asked, by a dry run, what it would make of it. Nothing is written before all of that is well.

mod application;
mod compare;
mod gather;
mod marks;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use godwit_common::ClusterName;
use godwit_hub_core::{Answer, Command, Deploy, Deployed, Import, PolicyChoice};
use godwit_proto::v1;
use serde_json::json;
use tonic::Status;

use super::{Admin, convert, fields, refusal};
use crate::guard::Caller;
use application::Together;
use compare::Difference;
pub(super) use compare::alike;
use gather::Gathered;

/// Clusters of one import, and how many are asked at the same time.
const CLUSTERS_MAX: usize = 100;
const CLUSTERS_AT_ONCE: usize = 16;
/// The most workloads that are named at once.
const NAMES_MAX: usize = 1_000;
/// Differences, or refusals, that a message names before it counts the rest.
const NAMED_MAX: usize = 10;

/// A request, checked.
struct Wanted {
    namespace: String,
    clusters: BTreeSet<ClusterName>,
    names: Vec<v1::NamedWorkload>,
    selector: String,
    policy: PolicyChoice,
    from: Option<ClusterName>,
    with_dependents: bool,
    allow_moves: bool,
    force_conflicts: bool,
    dry_run: bool,
}

impl Admin {
    /// Takes over what runs, or says what that would come to.
    pub(super) async fn import_all(
        &self,
        operator: Caller,
        request: v1::ImportRequest,
    ) -> Result<v1::ImportResponse, Status> {
        let wanted = Wanted::read(request)?;
        operator.note(|noted| {
            let clusters: Vec<&str> = wanted.clusters.iter().map(ClusterName::as_str).collect();
            noted.what = json!({"import": wanted.namespace, "clusters": clusters});
        });
        operator.look_at(&wanted.namespace)?;
        tracing::info!(%operator, namespace = wanted.namespace, dry_run = wanted.dry_run, "an operator imports");
        self.check_members(&wanted)?;
        let _slot = self.asker()?;
        let gathered = self.gather(&wanted).await?;
        let together = Together::of(&gathered, wanted.from.as_ref())?;
        let differences = compare::differences(&gathered);
        if wanted.from.is_none() && !differences.is_empty() {
            return Err(differ(&differences));
        }
        self.try_all(&wanted, &gathered, &together).await?;
        let Together { application, found, left, warnings } = together;
        let allow_moves = wanted.allow_moves || wanted.dry_run;
        let import = Import { found, allow_moves, from: wanted.from };
        let deploy = Deploy {
            request_id: "".into(),
            fingerprint: 0,
            application,
            policy: wanted.policy,
            import: Some(import),
        };
        let command = Command::Deploy(deploy);
        match self.carry_out_or_rehearse(operator, command, wanted.dry_run).await? {
            Answer::Deployed(deployed) => {
                let needs_word = wanted.dry_run && !wanted.allow_moves && moves(&deployed);
                let hint = needs_word.then(|| {
                    "the import needs --allow-moves, or a policy that allows what is there".to_owned()
                });
                let warnings = warnings.into_iter().chain(hint).collect();
                Ok(response(deployed, left, &differences, warnings, wanted.dry_run))
            }
            other => Err(refusal::mismatched(&other)),
        }
    }

    fn check_members(&self, wanted: &Wanted) -> Result<(), Status> {
        let view = self.driver.view();
        let unknown = wanted.clusters.iter().find(|name| !view.clusters.contains_key(*name));
        unknown.map_or(Ok(()), |name| {
            Err(Status::not_found(format!(
                "cluster {name} is not a member; `godwit get clusters` lists them"
            )))
        })
    }

    async fn gather(&self, wanted: &Wanted) -> Result<BTreeMap<ClusterName, Gathered>, Status> {
        let asked = futures_util::stream::iter(wanted.clusters.clone())
            .map(|cluster| async {
                let found = self.gather_from(&cluster, wanted).await;
                (cluster, found)
            })
            .buffered(CLUSTERS_AT_ONCE);
        let asked: Vec<_> = asked.collect().await;
        let gathered: BTreeMap<_, _> =
            asked.into_iter().map(|(name, found)| Ok((name, found?))).collect::<Result<_, Status>>()?;
        if gathered.values().all(|found| found.workloads.is_empty()) {
            let clusters: Vec<&str> = wanted.clusters.iter().map(ClusterName::as_str).collect();
            return Err(Status::not_found(format!(
                "none of the workloads is in namespace {} of {}; Deployments, StatefulSets, DaemonSets and CronJobs are \
                 looked for",
                wanted.namespace,
                clusters.join(", ")
            )));
        }
        for name in &wanted.names {
            let is = |found: &Gathered| {
                found.workloads.keys().any(|id| *id.kind == name.kind && *id.name == name.name)
            };
            if !gathered.values().any(is) {
                let v1::NamedWorkload { kind, name } = name;
                return Err(Status::not_found(format!(
                    "{kind} {}/{name} is in none of the clusters",
                    wanted.namespace
                )));
            }
        }
        Ok(gathered)
    }

    /// Asks the API server of each cluster what it would make of it.
    async fn try_all(
        &self,
        wanted: &Wanted,
        gathered: &BTreeMap<ClusterName, Gathered>,
        together: &Together,
    ) -> Result<(), Status> {
        let asked = futures_util::stream::iter(gathered.keys().cloned())
            .map(|cluster| async move {
                match gathered.get(&cluster) {
                    Some(found) => self.try_in(&cluster, found, together, wanted.force_conflicts).await,
                    None => Ok(Vec::new()),
                }
            })
            .buffered(CLUSTERS_AT_ONCE);
        let answers: Vec<Result<Vec<String>, Status>> = asked.collect().await;
        let problems: Vec<Vec<String>> = answers.into_iter().collect::<Result<_, Status>>()?;
        let problems = problems.concat();
        if problems.is_empty() {
            return Ok(());
        }
        Err(Status::failed_precondition(some(&problems, "; ")))
    }
}

impl Wanted {
    fn read(request: v1::ImportRequest) -> Result<Self, Status> {
        let v1::ImportRequest { clusters, namespace, workloads, selector, policy_name, from, .. } = &request;
        if clusters.is_empty() || clusters.len() > CLUSTERS_MAX {
            let problem = format!("it names {} clusters: name 1 to {CLUSTERS_MAX}", clusters.len());
            return Err(fields::invalid("clusters", problem));
        }
        let clusters: BTreeSet<ClusterName> =
            clusters.iter().map(|name| fields::name("clusters", name)).collect::<Result<_, Status>>()?;
        let namespace = fields::namespace(namespace)?.to_owned();
        if workloads.len() > NAMES_MAX {
            let problem = format!("it names {} workloads: name at most {NAMES_MAX}", workloads.len());
            return Err(fields::invalid("workloads", problem));
        }
        if !workloads.is_empty() && !selector.is_empty() {
            return Err(fields::invalid("selector", "workloads are named as well: give one of the two"));
        }
        let names = workloads.iter().map(|one| {
            let id = fields::workload(&namespace, &one.kind, &one.name)?;
            Ok(v1::NamedWorkload { kind: id.kind.to_string(), name: id.name.to_string() })
        });
        let names = names.collect::<Result<_, Status>>()?;
        let policy = match policy_name.as_str() {
            "" => PolicyChoice::Annotated,
            name => PolicyChoice::Named(fields::name("policy_name", name)?),
        };
        let from = Some(from.as_str()).filter(|from| !from.is_empty());
        let from: Option<ClusterName> = from.map(|name| fields::name("from", name)).transpose()?;
        if let Some(from) = from.as_ref().filter(|from| !clusters.contains(*from)) {
            return Err(fields::invalid(
                "from",
                format!("{from} is none of the clusters: name it there, too"),
            ));
        }
        Ok(Self {
            namespace,
            clusters,
            names,
            selector: selector.clone(),
            policy,
            from,
            with_dependents: request.with_dependents,
            allow_moves: request.allow_moves,
            force_conflicts: request.force_conflicts,
            dry_run: request.dry_run,
        })
    }
}

fn differ(differences: &[Difference]) -> Status {
    let lines: Vec<String> = differences.iter().map(Difference::to_string).collect();
    Status::failed_precondition(format!(
        "the clusters differ: {}; make them alike, or say with --from which of them is right: the others follow, cluster by \
         cluster",
        some(&lines, "; ")
    ))
}

/// Whether the machine would take replicas elsewhere.
fn moves(deployed: &Deployed) -> bool {
    deployed.warnings.iter().any(|warning| warning.starts_with("moves after the import"))
}

fn response(
    deployed: Deployed,
    left: Vec<String>,
    differences: &[Difference],
    warnings: Vec<String>,
    dry_run: bool,
) -> v1::ImportResponse {
    let deployed = convert::deployed(deployed, dry_run);
    v1::ImportResponse {
        workloads: deployed.workloads,
        objects: deployed.objects,
        left,
        differences: differences.iter().map(Difference::to_wire).collect(),
        warnings: warnings.into_iter().chain(deployed.warnings).collect(),
        dry_run,
        changes: deployed.changes,
        changes_total: deployed.changes_total,
        inputs: deployed.inputs,
    }
}

/// The first of so many.
fn some(lines: &[String], separator: &str) -> String {
    let named = lines.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(separator);
    match lines.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named}{separator}and {more} more"),
    }
}
