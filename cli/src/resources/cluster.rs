//! Member clusters.

use std::io;
use std::time::{Duration, SystemTime};

use godwit_proto::v1::{Cluster, GetClusterRequest, ListClustersRequest, Room, WatchClustersRequest};

use super::{Change, Changes, Column, Fetched, Filter, Shown, changes, column};
use crate::client::{Client, all_pages, answer, present};
use crate::error::Error;
use crate::output::sheet::Sheet;
use crate::output::table::Cell;
use crate::output::{age, colour};

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
        column("REGION").wide(),
        column("PROVIDER").wide(),
        column("GENERATION").wide(),
        column("REASON").wide(),
    ];
    const NAMED_BY: usize = 1;

    fn cells(&self, now: SystemTime) -> Vec<Cell> {
        let free = |amount: fn(&Room) -> String| self.free.as_ref().map(amount).unwrap_or_default();
        vec![
            Cell::from(&*self.name),
            Cell::from(&*self.state).coloured(colour::of_state(&self.state)),
            age::since(self.since.as_ref(), now).into(),
            self.agents.to_string().into(),
            format!("{}/{}", self.nodes_ready, self.nodes).into(),
            self.workloads.to_string().into(),
            format!("{}/{}", self.ready, self.replicas).into(),
            free(cpu).into(),
            free(memory).into(),
            free(|room| room.pods.to_string()).into(),
            age::since(self.last_seen.as_ref(), now).into(),
            Cell::from(&*self.region),
            Cell::from(&*self.provider),
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
    present(found.map_err(with_list)?.cluster, "cluster")
}

/// The error, with where to look for the name of one that is not found.
pub(crate) fn with_list(error: Error) -> Error {
    match error.is_not_found() {
        true => error.with_hint("`godwit get clusters` lists all clusters that were ever seen"),
        false => error,
    }
}

/// Everything about it.
pub(crate) fn describe(cluster: &Cluster, now: SystemTime, sheet: &mut Sheet<'_>) -> io::Result<()> {
    sheet.line("Name", &cluster.name)?;
    sheet.line("UID", &cluster.uid)?;
    let since = age::since(cluster.since.as_ref(), now);
    let state = format!("{} for {since}", cluster.state);
    sheet.coloured("State", state, colour::of_state(&cluster.state))?;
    sheet.line("Reason", &cluster.reason)?;
    sheet.line("Last seen", format!("{} ago", age::since(cluster.last_seen.as_ref(), now)))?;
    let lost_after = Duration::from_millis(cluster.lost_after_ms.into());
    sheet.line("Lost after", format!("{lost_after:?} of silence"))?;
    sheet.line("Agents", cluster.agents.to_string())?;
    sheet.line("Leader", &cluster.leader)?;
    sheet.line("Provider", &cluster.provider)?;
    sheet.line("Region", &cluster.region)?;
    sheet.line("Nodes", format!("{} ready of {}", cluster.nodes_ready, cluster.nodes))?;
    sheet.line("Allocatable", room(cluster.allocatable.as_ref()))?;
    sheet.line("Free", room(cluster.free.as_ref()))?;
    sheet.line("Workloads", cluster.workloads.to_string())?;
    sheet.line("Replicas", format!("{} ready of {}", cluster.ready, cluster.replicas))?;
    let generation = format!("{}, accepted {}", cluster.generation, cluster.accepted_generation);
    sheet.line("Generation", generation)?;
    if cluster.removals_held > 0 {
        let held =
            format!("{}; `godwit confirm removal {}` lets them go on", cluster.removals_held, cluster.name);
        sheet.coloured("Removals held", held, Some(colour::Colour::Yellow))?;
    }
    sheet.lines("Orphans", &cluster.orphans)
}

fn room(room: Option<&Room>) -> String {
    let text = |room: &Room| format!("{} CPU, {} memory, {} pods", cpu(room), memory(room), room.pods);
    room.map(text).unwrap_or_default()
}

/// Cores, such as `1.5`.
fn cpu(room: &Room) -> String {
    match room.cpu_millis % 1000 {
        0 => (room.cpu_millis / 1000).to_string(),
        _ => format!("{:.1}", f64::from(room.cpu_millis) / 1000.0),
    }
}

/// Memory in the unit that suits it.
fn memory(room: &Room) -> String {
    match room.memory_mib {
        mib @ 0..10_240 => format!("{mib}Mi"),
        mib => format!("{}Gi", mib / 1024),
    }
}
