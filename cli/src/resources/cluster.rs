//! Member clusters.

use std::io;
use std::time::{Duration, SystemTime};

use godwit_proto::policy::selector_from_wire;
use godwit_proto::v1::{
    Cluster, ClusterTaint, Drain, DrainWait, Flapping, GetClusterRequest, ListClustersRequest, Room,
    Survival, UnmanagedOwner, UnmanagedPods, WatchClustersRequest, WorkloadShortage,
};

use super::{Change, Changes, Column, Fetched, Filter, Shown, changes, column, gate};
use crate::client::{Client, all_pages, answer, present};
use crate::error::Error;
use crate::output::colour::Colour;
use crate::output::sheet::Sheet;
use crate::output::table::Cell;
use crate::output::{self, age, amount, colour};
use crate::target::kind_and_name;

impl Shown for Cluster {
    const COLUMNS: &'static [Column] = &[
        column("NAME"),
        column("STATE"),
        column("SINCE").ages(),
        column("AGENTS"),
        column("NODES"),
        column("WORKLOADS"),
        column("READY"),
        column("FREE-CPU"),
        column("FREE-MEMORY"),
        column("FREE-PODS"),
        column("LAST-SEEN").wide().ages(),
        column("N-1").wide(),
        column("REGION").wide(),
        column("ZONES").wide(),
        column("PROVIDER").wide(),
        column("LABELS").wide(),
        column("TAINTS").wide(),
        column("GENERATION").wide(),
        column("REASON").wide(),
    ];
    const NAMED_BY: usize = 1;

    fn cells(&self, now: SystemTime) -> Vec<Cell> {
        let free = |amount: fn(&Room) -> String| self.free.as_ref().map(amount).unwrap_or_default();
        vec![
            Cell::from(&*self.name),
            Cell::from(state(self)).coloured(state_colour(self)),
            age::since(self.since.as_ref(), now).into(),
            self.agents.to_string().into(),
            format!("{}/{}", self.nodes_ready, self.nodes).into(),
            self.workloads.to_string().into(),
            format!("{}/{}", self.ready, self.replicas).into(),
            free(cpu).into(),
            free(memory).into(),
            free(|room| room.pods.to_string()).into(),
            age::since(self.last_seen.as_ref(), now).into(),
            survives(self.survival.as_ref()),
            Cell::from(&*self.region),
            self.zones.join(",").into(),
            Cell::from(&*self.provider),
            labels(self).join(",").into(),
            self.taints.iter().map(taint).collect::<Vec<_>>().join(",").into(),
            format!("{}/{}", self.accepted_generation, self.generation).into(),
            Cell::from(&*self.reason),
        ]
    }

    fn reference(&self) -> String {
        format!("cluster/{}", self.name)
    }

    async fn fetch(client: &Client, filter: &Filter) -> Result<Fetched<Self>, Error> {
        if let Some(name) = &filter.name {
            return find(client, name).await.map(Fetched::One);
        }
        let all = all_pages(async |page_token| {
            let request = ListClustersRequest { page_token, ..ListClustersRequest::default() };
            let page = answer(client.clusters().list_clusters(request)).await?;
            Ok((page.items, page.next_page_token))
        })
        .await?;
        Ok(Fetched::Many(all))
    }

    async fn watch(client: &Client, filter: &Filter) -> Result<Changes<Self>, Error> {
        let name = filter.name.clone().unwrap_or_default();
        let stream = answer(client.clusters().watch_clusters(WatchClustersRequest { name })).await?;
        Ok(changes(stream, |answer| {
            let item = answer.cluster?;
            Some(Change { item, removed: answer.removed })
        }))
    }
}

/// The cluster of that name.
pub(crate) async fn find(client: &Client, name: &str) -> Result<Cluster, Error> {
    let request = GetClusterRequest { name: name.to_owned() };
    let found = answer(client.clusters().get_cluster(request)).await;
    let found = found.map_err(|error| match error.is_not_found() {
        true => error.with_hint("`godwit get clusters` lists all clusters that were ever seen"),
        false => error,
    })?;
    present(found.cluster, "cluster")
}

/// Everything about it.
pub(crate) fn describe(cluster: &Cluster, now: SystemTime, sheet: &mut Sheet<'_>) -> io::Result<()> {
    sheet.line("Name", &cluster.name)?;
    sheet.line("UID", &cluster.uid)?;
    let since = age::since(cluster.since.as_ref(), now);
    sheet.coloured("State", format!("{} for {since}", state(cluster)), state_colour(cluster))?;
    sheet.line("Reason", &cluster.reason)?;
    describe_marks(cluster, now, sheet)?;
    sheet.line("Last seen", format!("{} ago", age::since(cluster.last_seen.as_ref(), now)))?;
    let lost_after = Duration::from_millis(cluster.lost_after_ms.into());
    sheet.line("Lost after", format!("{lost_after:?} of silence"))?;
    sheet.line("Agents", cluster.agents.to_string())?;
    sheet.line("Leader", &cluster.leader)?;
    sheet.line("Provider", &cluster.provider)?;
    sheet.line("Region", &cluster.region)?;
    sheet.line("Zones", cluster.zones.join(", "))?;
    lines_or_none("Labels", &labels(cluster), sheet)?;
    let added = |one: &ClusterTaint| format!("{} for {}", taint(one), age::since(one.added.as_ref(), now));
    lines_or_none("Taints", &cluster.taints.iter().map(added).collect::<Vec<_>>(), sheet)?;
    sheet.line("Nodes", format!("{} ready of {}", cluster.nodes_ready, cluster.nodes))?;
    sheet.line("Allocatable", room(cluster.allocatable.as_ref()))?;
    sheet.line("Free", room(cluster.free.as_ref()))?;
    sheet.line("Workloads", cluster.workloads.to_string())?;
    sheet.line("Replicas", format!("{} ready of {}", cluster.ready, cluster.replicas))?;
    sheet.lines("Not managed", &unmanaged(cluster))?;
    gate::describe(cluster.gate.as_ref(), sheet)?;
    describe_survival(cluster.survival.as_ref(), now, sheet)?;
    let generation = format!("{}, accepted {}", cluster.generation, cluster.accepted_generation);
    sheet.line("Generation", generation)?;
    if cluster.removals_held > 0 {
        let held =
            format!("{}; `godwit confirm removal {}` lets them go on", cluster.removals_held, cluster.name);
        sheet.coloured("Removals held", held, Some(Colour::Yellow))?;
    }
    sheet.lines("Orphans", &cluster.orphans)
}

/// What operators have said of it, and what is odd about it.
fn describe_marks(cluster: &Cluster, now: SystemTime, sheet: &mut Sheet<'_>) -> io::Result<()> {
    if let Some(until) = &cluster.maintenance_until {
        let until = age::moment(Some(until));
        let said = format!(
            "until {until} it gets nothing new, and its silence is no loss; `godwit maintenance end cluster {}` ends that",
            cluster.name
        );
        sheet.coloured("Maintenance", said, Some(Colour::Yellow))?;
    }
    if !cluster.awaited.is_empty() {
        let said = format!(
            "{} was cancelled: what it holds stays its plan until it returns; `godwit drain cluster {}` ends that",
            cluster.awaited, cluster.name
        );
        sheet.coloured("Awaited", said, Some(Colour::Yellow))?;
    }
    if let Some(since) = &cluster.dead_since {
        let said = format!("since {}, by an operator's word", age::moment(Some(since)));
        sheet.coloured("Confirmed dead", said, Some(Colour::Red))?;
    } else if cluster.unaccounted > 0 {
        let said = format!(
            "up to {} of workloads that may run only once; they are replaced when it is back, or after \
             `godwit confirm-dead cluster {}`",
            counted(cluster.unaccounted, "pod"),
            cluster.name
        );
        sheet.coloured("May still run", said, Some(Colour::Yellow))?;
    }
    if let Some(drain) = &cluster.drain {
        describe_drain(cluster, drain, now, sheet)?;
    } else if cluster.cordoned {
        let cordoned = format!("it gets nothing new; `godwit uncordon cluster {}` ends that", cluster.name);
        sheet.coloured("Cordoned", cordoned, Some(Colour::Yellow))?;
    }
    if !cluster.claimant_uid.is_empty() {
        let refused = format!(
            "a cluster with the UID {}; if this one was built anew, `godwit replace cluster {} --rebuilt`",
            cluster.claimant_uid, cluster.name
        );
        sheet.coloured("Name claimed by", refused, Some(Colour::Yellow))?;
    }
    if !cluster.degraded.is_empty() {
        let degraded = format!("it gets nothing new: {}", cluster.degraded);
        sheet.coloured("Degraded", degraded, Some(Colour::Yellow))?;
    }
    if let Some(flapping) = &cluster.flapping {
        sheet.coloured("Flapping", describe_flapping(flapping), Some(Colour::Yellow))?;
    }
    Ok(())
}

fn describe_flapping(flapping: &Flapping) -> String {
    let stable = Duration::from_millis(flapping.stable_for_ms.into());
    match &flapping.until {
        Some(until) => {
            format!("it gets nothing new until {}, if it stays connected", age::moment(Some(until)))
        }
        None => format!("it gets nothing new until it has been connected for {stable:?}"),
    }
}

fn describe_drain(
    cluster: &Cluster,
    drain: &Drain,
    now: SystemTime,
    sheet: &mut Sheet<'_>,
) -> io::Result<()> {
    let since = age::since(drain.started.as_ref(), now);
    let left = counted(drain.pods.into(), "pod");
    let workloads = counted(drain.workloads.into(), "workload");
    let said = match drain.state.as_str() {
        "Cleaning" => {
            let said = format!("empty after {since}; what was applied there is removed, then it leaves");
            return sheet.coloured("Retirement", said, Some(Colour::Yellow));
        }
        "Done" => "nothing managed is left; it gets nothing new".to_owned(),
        "Overdue" => format!("overdue after {since}: {left} of {workloads} left, and nothing more moves"),
        "Paused" => format!("paused: {left} of {workloads} left"),
        _ => format!("for {since}: {left} of {workloads} left"),
    };
    let name = &cluster.name;
    let (what, ends) = match drain.purpose.as_str() {
        "Retire" => ("Retirement", format!("drain cluster {name} --cancel")),
        "Maintenance" => ("Drain", format!("maintenance end cluster {name}")),
        _ => ("Drain", format!("uncordon cluster {name}")),
    };
    let said = format!("{said}; `godwit {ends}` ends that");
    sheet.coloured(what, said, Some(Colour::Yellow))?;
    if let Some(to) = drain.to.as_ref().and_then(|to| selector_from_wire("to", to).ok()) {
        sheet.line("Goes to", format!("{to} only"))?;
    }
    if let Some(window) = drain.maintenance.as_ref().filter(|_| drain.state != "Done") {
        sheet.line("After that", format!("maintenance for {window}"))?;
    }
    let mut waits = drain_waits(drain);
    match (drain.workloads as usize).saturating_sub(waits.len()) {
        0 => {}
        more => waits.push(format!("... and {more} more")),
    }
    sheet.lines("Left there", &waits)
}

/// What the first workloads wait for in a cluster that is drained.
pub(crate) fn drain_waits(drain: &Drain) -> Vec<String> {
    let wait = |wait: &DrainWait| {
        let name = kind_and_name(&wait.kind, &wait.name);
        format!("{name}{}: {}", output::changes::in_namespace(&wait.namespace), wait.reason)
    };
    drain.waiting.iter().map(wait).collect()
}

/// The owners of pods that stay when everything managed is gone.
pub(crate) fn unmanaged(cluster: &Cluster) -> Vec<String> {
    let Some(UnmanagedPods { owners, first, .. }) = &cluster.unmanaged else { return Vec::new() };
    let one = |owner: &UnmanagedOwner| {
        let name = kind_and_name(&owner.kind, &owner.name);
        let (namespace, pods) = (output::changes::in_namespace(&owner.namespace), owner.pods);
        format!("{name}{namespace}: {}", counted(pods.into(), "pod"))
    };
    let mut lines: Vec<String> = first.iter().map(one).collect();
    match (*owners as usize).saturating_sub(lines.len()) {
        0 => {}
        more => lines.push(format!("... and {more} more")),
    }
    lines
}

fn describe_survival(survival: Option<&Survival>, now: SystemTime, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let Some(survival) = survival else {
        return sheet.line("If it is lost", "not known yet");
    };
    let checked = age::since(survival.checked.as_ref(), now);
    if survival.unplaced == 0 {
        return sheet.line("If it is lost", format!("the others can take over all (found {checked} ago)"));
    }
    let lost = format!(
        "{} of {} would find no room elsewhere (found {checked} ago)",
        counted(survival.unplaced, "replica"),
        counted(survival.workloads.into(), "workload")
    );
    sheet.coloured("If it is lost", lost, Some(Colour::Yellow))?;
    let one = |short: &WorkloadShortage| {
        let name = kind_and_name(&short.kind, &short.name);
        format!("{name}{}: {}", output::changes::in_namespace(&short.namespace), short.replicas)
    };
    let mut examples: Vec<String> = survival.examples.iter().map(one).collect();
    match (survival.workloads as usize).saturating_sub(examples.len()) {
        0 => {}
        more => examples.push(format!("... and {more} more")),
    }
    sheet.lines("Without room", &examples)
}

fn lines_or_none(name: &str, lines: &[String], sheet: &mut Sheet<'_>) -> io::Result<()> {
    match lines.is_empty() {
        true => sheet.line(name, "none"),
        false => sheet.lines(name, lines),
    }
}

/// In kubectl's manner: `Ready,cordoned`.
fn state(cluster: &Cluster) -> String {
    // Who is drained is cordoned, too: that goes without saying.
    let cordoned = if cluster.cordoned && cluster.drain.is_none() { ",cordoned" } else { "" };
    let flapping = if cluster.flapping.is_some() { ",flapping" } else { "" };
    format!("{}{cordoned}{flapping}", cluster.state)
}

/// A cordon wants a look, but is less than what else is wrong.
fn state_colour(cluster: &Cluster) -> Option<Colour> {
    match colour::of_state(&cluster.state) {
        Some(Colour::Green) if cluster.cordoned || cluster.flapping.is_some() => Some(Colour::Yellow),
        other => other,
    }
}

/// Whether all that it holds would be taken over if it were lost.
fn survives(survival: Option<&Survival>) -> Cell {
    match survival {
        None => Cell::from(age::NONE),
        Some(Survival { unplaced: 0, .. }) => Cell::from("survives"),
        Some(survival) => Cell::from(format!("short {}", survival.unplaced)).coloured(Some(Colour::Yellow)),
    }
}

fn labels(cluster: &Cluster) -> Vec<String> {
    cluster.labels.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

/// As kubectl writes it: `team=data:NoSchedule`.
fn taint(taint: &ClusterTaint) -> String {
    match taint.value.as_str() {
        "" => format!("{}:{}", taint.key, taint.effect),
        value => format!("{}={value}:{}", taint.key, taint.effect),
    }
}

pub(crate) fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn room(room: Option<&Room>) -> String {
    let text = |room: &Room| format!("{} CPU, {} memory, {} pods", cpu(room), memory(room), room.pods);
    room.map(text).unwrap_or_default()
}

fn cpu(room: &Room) -> String {
    amount::cores(room.cpu_millis.into())
}

fn memory(room: &Room) -> String {
    amount::mebibytes(room.memory_mib)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::colour::Paint;

    fn cluster() -> Cluster {
        let web = WorkloadShortage {
            namespace: "shop".into(),
            kind: "Deployment".into(),
            name: "web".into(),
            replicas: 12,
        };
        Cluster {
            name: "alpha".into(),
            state: "Ready".into(),
            cordoned: true,
            labels: [("tier".to_owned(), "prod".to_owned()), ("team".to_owned(), String::new())].into(),
            taints: vec![ClusterTaint {
                key: "spot".into(),
                effect: "NoSchedule".into(),
                ..ClusterTaint::default()
            }],
            zones: vec!["a".into(), "b".into()],
            survival: Some(Survival { unplaced: 12, workloads: 2, examples: vec![web], checked: None }),
            ..Cluster::default()
        }
    }

    #[test]
    fn a_row_says_what_operators_put_on_a_cluster_and_whether_its_loss_is_survived() {
        let cells = cluster().cells(SystemTime::UNIX_EPOCH);
        assert_eq!(cells.len(), Cluster::COLUMNS.len());
        let cell = |header: &str| {
            let index = Cluster::COLUMNS.iter().position(|column| column.header == header).expect(header);
            cells[index].clone()
        };
        let yellow = |text: &str| Cell::from(text).coloured(Some(Colour::Yellow));
        assert_eq!((cell("STATE"), cell("N-1")), (yellow("Ready,cordoned"), yellow("short 12")));
        assert_eq!((cell("ZONES"), cell("LABELS")), (Cell::from("a,b"), Cell::from("team=,tier=prod")));
        assert_eq!(cell("TAINTS"), Cell::from("spot:NoSchedule"));
        assert_eq!(survives(None), Cell::from("-"));
        assert_eq!(survives(Some(&Survival::default())), Cell::from("survives"));
    }

    #[test]
    fn room_is_shown_as_quotas_are() {
        let free = Room { cpu_millis: 1250, memory_mib: 2048, pods: 3 };
        assert_eq!(room(Some(&free)), "1.25 CPU, 2Gi memory, 3 pods");
        assert_eq!(room(None), "");
    }

    #[test]
    fn the_sheet_names_what_would_find_no_room() {
        let mut out = Vec::new();
        let mut sheet = Sheet::new(&mut out, Paint::Never);
        let now = SystemTime::UNIX_EPOCH;
        describe_survival(cluster().survival.as_ref(), now, &mut sheet).expect("written");
        describe_survival(None, now, &mut sheet).expect("written");
        let expected = "\
If it is lost:      12 replicas of 2 workloads would find no room elsewhere (found - ago)
Without room:       deployment/web in shop: 12
                    ... and 1 more
If it is lost:      not known yet
";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
