//! Workloads.

use std::io;
use std::time::SystemTime;

use godwit_proto::v1::{Placement, Plan, PlanRow, Rollout, WatchWorkloadsRequest, Workload};

use super::{Change, Changes, Column, Fetched, Filter, Shown, changes, column, gate, joined};
use crate::client::{Client, answer};
use crate::error::Error;
use crate::output::age;
use crate::output::colour::Colour;
use crate::output::sheet::Sheet;
use crate::output::table::Cell;
use crate::target::{WorkloadName, list_workloads, reference, short_name};

/// Clusters that a narrow table names; the rest is counted.
const CLUSTERS_SHOWN: usize = 4;
/// Remedies that are listed; many clusters that are not eligible would hide the rest.
const REMEDIES_SHOWN: usize = 20;

impl Shown for Workload {
    const COLUMNS: &'static [Column] = &[
        column("NAMESPACE"),
        column("NAME"),
        column("READY"),
        column("PENDING"),
        column("CLUSTERS"),
        column("POLICY"),
        column("AGE").ages(),
        column("REVISION").wide(),
        column("OVER-RUN").wide(),
        column("PLACEMENTS").wide(),
        column("NOTES").wide(),
    ];
    const NAMED_BY: usize = 2;

    fn cells(&self, now: SystemTime) -> Vec<Cell> {
        let short = self.ready < self.wanted;
        let ready = Cell::from(format!("{}/{}", self.ready, self.wanted));
        let pending = Cell::from(self.pending.to_string());
        vec![
            Cell::from(&*self.namespace),
            short_name(self).into(),
            ready.coloured(short.then_some(Colour::Yellow)),
            pending.coloured((self.pending > 0).then_some(Colour::Red)),
            clusters(&self.placements).into(),
            Cell::from(&*self.policy),
            age::since(self.created.as_ref(), now).into(),
            self.revision.to_string().into(),
            self.possible_over_run.to_string().into(),
            placements(&self.placements).into(),
            notes(self).into(),
        ]
    }

    fn reference(&self) -> String {
        reference(&self.namespace, &self.kind, &self.name)
    }

    async fn fetch(client: &Client, filter: &Filter) -> Result<Fetched<Self>, Error> {
        if let Some(name) = &filter.name {
            let name = WorkloadName::parse(name, filter.kind, filter.namespace.as_deref())?;
            return name.find(client).await.map(Fetched::One);
        }
        let namespace = filter.namespace.as_deref().unwrap_or_default();
        let mut all = list_workloads(client, namespace).await?;
        all.retain(|workload| filter.kind.is_none_or(|kind| kind == workload.kind));
        Ok(Fetched::Many(all))
    }

    async fn watch(client: &Client, filter: &Filter) -> Result<Changes<Self>, Error> {
        let mut request = WatchWorkloadsRequest {
            namespace: filter.namespace.clone().unwrap_or_default(),
            ..WatchWorkloadsRequest::default()
        };
        let mut kind = filter.kind;
        if let Some(name) = &filter.name {
            let name = WorkloadName::parse(name, filter.kind, filter.namespace.as_deref())?;
            kind = name.kind;
            request.namespace = name.namespace;
            request.name = name.name;
        }
        let stream = answer(client.workloads().watch_workloads(request)).await?;
        Ok(changes(stream, move |answer| {
            let item = answer.workload.filter(|workload| kind.is_none_or(|kind| kind == workload.kind))?;
            Some(Change { item, removed: answer.removed })
        }))
    }
}

/// Everything about it; `plan` is why.
pub(crate) fn describe(
    workload: &Workload,
    plan: &Plan,
    now: SystemTime,
    sheet: &mut Sheet<'_>,
) -> io::Result<()> {
    sheet.line("Name", &workload.name)?;
    sheet.line("Namespace", &workload.namespace)?;
    sheet.line("Kind", &workload.kind)?;
    sheet.line("UID", &workload.uid)?;
    sheet.line("Created", format!("{} ago", age::since(workload.created.as_ref(), now)))?;
    sheet.line("Policy", &workload.policy)?;
    if workload.scale_only {
        sheet.line("Mode", "scale-only: its objects are GitOps' own")?;
    }
    if !workload.colocated_with.is_empty() {
        sheet.line("Shares clusters of", &workload.colocated_with)?;
    }
    let rollout = workload.rollout.clone().unwrap_or_default();
    let failed = rollout.state == "Failed" || rollout.instead_of.is_some();
    sheet.coloured("Revision", rollout_line(&rollout), failed.then_some(Colour::Red))?;
    let waits = rollout.waiting.iter().map(|wait| format!("{}: {}", wait.cluster, wait.reason));
    sheet.lines("Rollout waits for", &waits.collect::<Vec<_>>())?;
    let replicas =
        format!("{} wanted, {} ready, {} pending", workload.wanted, workload.ready, workload.pending);
    sheet.line("Replicas", replicas)?;
    if !workload.finished.is_empty() {
        let failed = workload.finished == "Failed";
        let said = format!("{}: it does not run again", workload.finished);
        sheet.coloured("Finished", said, failed.then_some(Colour::Red))?;
    }
    sheet.lines("Pending because", &workload.pending_reasons)?;
    if workload.possible_over_run > 0 {
        let over_run = format!(
            "up to {} copies beyond the total may run where the hub cannot see",
            workload.possible_over_run
        );
        sheet.coloured("Possible over-run", over_run, Some(Colour::Yellow))?;
    }
    gate::describe(workload.gate.as_ref(), sheet)?;
    let displaced = workload.displaced.iter().map(|(cluster, replicas)| format!("{replicas} of {cluster}"));
    sheet.lines("Displaced", &displaced.collect::<Vec<_>>())?;
    if workload.deleting {
        let pending_on = match workload.deletion_pending_on.as_slice() {
            [] => "yes".to_owned(),
            clusters => format!("pending on {}", clusters.join(", ")),
        };
        sheet.coloured("Deletion", pending_on, Some(Colour::Yellow))?;
    }
    sheet.lines("Problems", &workload.problems)?;
    sheet.lines("Goes with it", &workload.objects)?;
    let headers =
        vec!["CLUSTER", "TARGET", "SENT", "OBSERVED", "READY", "REVISION", "UPDATED", "CONNECTED", "REASON"];
    let rows: Vec<Vec<Cell>> = workload.placements.iter().map(placement_row).collect();
    sheet.table("Placements", headers, &rows, "none")?;
    describe_plan(plan, false, sheet)
}

/// How far a workload's newest revision is, in one line.
pub(crate) fn rollout_line(rollout: &Rollout) -> String {
    let Rollout { revision, state, message, instead_of, clusters, clusters_updated, .. } = rollout;
    let far = format!("{clusters_updated} of {clusters} clusters have it, all ready");
    let why = if message.is_empty() { String::new() } else { format!("; {message}") };
    match (state.as_str(), instead_of) {
        ("", _) | ("Completed", None) if clusters_updated >= clusters => format!("{revision}, rolled out"),
        ("", _) => format!("{revision}; {far}"),
        ("Completed", Some(_)) => format!("{revision}, rolled back{why}"),
        (_, Some(_)) => format!("{revision}, rolling back; {far}{why}"),
        (state, None) => format!("{revision}, {state}; {far}{why}"),
    }
}

/// Why each cluster has what it has, and what would change it: in a column of its own if it is `wide`, else below, where
/// long lines leave the table readable.
pub(crate) fn describe_plan(plan: &Plan, wide: bool, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let mut headers = vec!["CLUSTER", "ELIGIBLE", "REPLICAS", "WEIGHT", "MIN", "MAX", "ROOM", "REASON"];
    let mut rows: Vec<Vec<Cell>> = plan.report.iter().map(plan_row).collect();
    let wide = wide && plan.report.iter().any(|row| !row.remedy.is_empty());
    if wide {
        headers.push("CHANGED-BY");
        for (cells, row) in rows.iter_mut().zip(&plan.report) {
            cells.push(Cell::from(&*row.remedy));
        }
    }
    sheet.table("Plan", headers, &rows, "no clusters")?;
    if wide { Ok(()) } else { sheet.lines("Changed by", &remedies(&plan.report)) }
}

/// What would change a cluster's share, with all clusters to which it applies: `bravo, charlie: more room`.
fn remedies(report: &[PlanRow]) -> Vec<String> {
    let mut by_remedy: Vec<(&str, Vec<&str>)> = Vec::new();
    for row in report.iter().filter(|row| !row.remedy.is_empty()) {
        match by_remedy.iter_mut().find(|(remedy, _)| *remedy == row.remedy) {
            Some((_, clusters)) => clusters.push(&row.cluster),
            None => by_remedy.push((&row.remedy, vec![&row.cluster])),
        }
    }
    let named = |clusters: &[&str]| match clusters.len().saturating_sub(CLUSTERS_SHOWN) {
        0 => clusters.join(", "),
        more => format!("{} and {more} more", clusters[..CLUSTERS_SHOWN].join(", ")),
    };
    let shown = by_remedy.iter().take(REMEDIES_SHOWN);
    let mut lines: Vec<String> =
        shown.map(|(remedy, clusters)| format!("{}: {remedy}", named(clusters))).collect();
    if by_remedy.len() > REMEDIES_SHOWN {
        let more = by_remedy.len() - REMEDIES_SHOWN;
        lines.push(format!("... and {more} more; `godwit explain` with -o wide shows all"));
    }
    lines
}

fn placement_row(placement: &Placement) -> Vec<Cell> {
    let connected = if placement.live { "yes" } else { "no" };
    vec![
        Cell::from(&*placement.cluster),
        placement.target.to_string().into(),
        placement.sent.to_string().into(),
        placement.observed.to_string().into(),
        placement.ready.to_string().into(),
        placement.revision.to_string().into(),
        placement.updated.to_string().into(),
        Cell::from(connected).coloured((!placement.live).then_some(Colour::Yellow)),
        Cell::from(&*placement.reason),
    ]
}

/// One row of a plan's report.
pub(crate) fn plan_row(row: &PlanRow) -> Vec<Cell> {
    let bound = |bound: Option<u32>| bound.map(|bound| bound.to_string()).unwrap_or_default();
    vec![
        Cell::from(&*row.cluster),
        Cell::from(if row.eligible { "yes" } else { "no" }),
        row.replicas.to_string().into(),
        row.weight.to_string().into(),
        row.min.to_string().into(),
        bound(row.max).into(),
        bound(row.room).into(),
        Cell::from(&*row.reason),
    ]
}

/// `alpha 20, bravo 40`, and how many clusters more.
fn clusters(placements: &[Placement]) -> String {
    let holding: Vec<&Placement> = placements.iter().filter(|placement| placement.target > 0).collect();
    let named = holding.iter().take(CLUSTERS_SHOWN);
    let mut text: Vec<String> = named.map(|one| format!("{} {}", one.cluster, one.target)).collect();
    if holding.len() > CLUSTERS_SHOWN {
        text.push(format!("{} more", holding.len() - CLUSTERS_SHOWN));
    }
    text.join(", ")
}

/// Ready, and the target, in every cluster that holds some: `alpha 18/20`.
fn placements(placements: &[Placement]) -> String {
    let holding = placements.iter().filter(|one| one.target > 0 || one.observed > 0);
    let text = holding.map(|one| format!("{} {}/{}", one.cluster, one.ready, one.target));
    text.collect::<Vec<_>>().join(", ")
}

fn notes(workload: &Workload) -> String {
    let mut notes = Vec::new();
    if workload.deleting {
        notes.push(match workload.deletion_pending_on.as_slice() {
            [] => "deleting".to_owned(),
            clusters => format!("deletion pending on {}", clusters.join(", ")),
        });
    }
    if let Some(rollout) = workload.rollout.as_ref().filter(|one| !matches!(&*one.state, "" | "Completed")) {
        notes.push(format!("revision {}", rollout_line(rollout)));
    }
    notes.extend(workload.pending_reasons.iter().cloned());
    let drifted = workload.placements.iter().filter(|placement| !placement.drift.is_empty());
    notes.extend(drifted.map(|placement| format!("{}: {}", placement.cluster, placement.reason)));
    notes.extend(workload.problems.iter().cloned());
    joined(&notes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::colour::Paint;

    fn row(cluster: &str, reason: &str, remedy: &str) -> PlanRow {
        PlanRow {
            cluster: cluster.into(),
            eligible: true,
            reason: reason.into(),
            remedy: remedy.into(),
            ..PlanRow::default()
        }
    }

    fn sheet(plan: &Plan, wide: bool) -> String {
        let mut out = Vec::new();
        describe_plan(plan, wide, &mut Sheet::new(&mut out, Paint::Never))
            .expect("a vector takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_would_change_a_share_stands_below_the_plan_or_in_a_column() {
        let report = vec![
            row("alpha", "maximum reached", "raise max in the rule of alpha"),
            row("bravo", "no room", "more room"),
            row("charlie", "by weight", ""),
            row("delta", "no room", "more room"),
        ];
        let plan = Plan { report, ..Plan::default() };
        insta::assert_snapshot!(sheet(&plan, false), @"
        Plan:
          CLUSTER   ELIGIBLE   REPLICAS   WEIGHT   MIN   MAX   ROOM   REASON
          alpha     yes        0          0        0     -     -      maximum reached
          bravo     yes        0          0        0     -     -      no room
          charlie   yes        0          0        0     -     -      by weight
          delta     yes        0          0        0     -     -      no room
        Changed by:         alpha: raise max in the rule of alpha
                            bravo, delta: more room
        ");
        let wide = sheet(&plan, true);
        assert!(wide.contains("REASON            CHANGED-BY\n"), "{wide}");
        assert!(wide.contains("no room           more room\n") && !wide.contains("Changed by"), "{wide}");
    }

    #[test]
    fn many_remedies_and_clusters_are_counted() {
        let same: Vec<PlanRow> = (0..9).map(|number| row(&format!("c{number}"), "", "more room")).collect();
        assert_eq!(remedies(&same), ["c0, c1, c2, c3 and 5 more: more room"]);
        let name = |number: usize| format!("c{number}");
        let own: Vec<PlanRow> = (0..25).map(|number| row(&name(number), "", &name(number))).collect();
        let lines = remedies(&own);
        assert_eq!(lines.len(), REMEDIES_SHOWN + 1);
        assert!(lines[REMEDIES_SHOWN].starts_with("... and 5 more; "), "{lines:?}");
    }
}
