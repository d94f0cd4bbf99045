//! Pods, as the member clusters see them.

use std::io;
use std::time::SystemTime;

use godwit_proto::v1;

use super::{Changes, Column, Fetched, Filter, Shown, column, unwatchable};
use crate::client::{Client, answer};
use crate::error::Error;
use crate::output::age;
use crate::output::colour::{self, Colour};
use crate::output::sheet::Sheet;
use crate::output::table::Cell;
use crate::output::text;
use crate::target::WorkloadName;

/// The newest events of members that are shown with a workload.
const EVENTS_SHOWN: usize = 20;

impl Shown for v1::Pod {
    const COLUMNS: &'static [Column] = &[
        column("CLUSTER"),
        column("NAME"),
        column("READY"),
        column("STATUS"),
        column("RESTARTS"),
        column("LAST END"),
        column("NODE"),
        column("AGE").ages(),
    ];
    const NAMED_BY: usize = 2;

    fn cells(&self, now: SystemTime) -> Vec<Cell> {
        let ready = self.containers.iter().filter(|container| container.ready).count();
        let restarts: u64 = self.containers.iter().map(|container| u64::from(container.restarts)).sum();
        let bad = !self.ready && !self.terminating && self.phase != "Succeeded";
        vec![
            Cell::from(&*self.cluster),
            Cell::from(&*self.name),
            Cell::from(format!("{ready}/{}", self.containers.len())),
            Cell::from(status(self)).coloured(bad.then_some(Colour::Yellow)),
            Cell::from(restarts.to_string()),
            Cell::from(last_end(self)),
            Cell::from(&*self.node),
            Cell::from(age::since(self.created.as_ref(), now)),
        ]
    }

    fn reference(&self) -> String {
        format!("{}/{}/{}", self.cluster, self.namespace, self.name)
    }

    async fn fetch(client: &Client, filter: &Filter) -> Result<Fetched<Self>, Error> {
        let name = filter.name.as_deref().ok_or_else(which_workload)?;
        let workload =
            WorkloadName::parse(name, filter.kind, filter.namespace.as_deref())?.find(client).await?;
        let found = list(client, &workload, false).await?;
        found.silent.iter().for_each(tell_silent);
        Ok(Fetched::Many(found.items))
    }

    async fn watch(_: &Client, _: &Filter) -> Result<Changes<Self>, Error> {
        unwatchable("pods")
    }
}

/// The pods of a workload, and the clusters that did not answer.
pub(crate) async fn list(
    client: &Client,
    workload: &v1::Workload,
    events: bool,
) -> Result<v1::ListPodsResponse, Error> {
    let request = v1::ListPodsRequest {
        namespace: workload.namespace.clone(),
        kind: workload.kind.clone(),
        name: workload.name.clone(),
        cluster: String::new(),
        events,
    };
    answer(client.pods().list_pods(request)).await
}

/// Says on standard error what is missing.
pub(crate) fn tell_silent(silent: &v1::SilentCluster) {
    let v1::SilentCluster { cluster, reason } = silent;
    eprintln!("{}: {}", text::plain(cluster), text::plain(reason));
}

/// The question for the name of a workload.
pub(crate) fn which_workload() -> Error {
    Error::Usage("which workload? give its name, as in `godwit get pods shop/web`".to_owned())
}

/// What the members tell of the pods, the newest last: all of those that are not ready, and warnings of the others.
pub(crate) fn describe_events(pods: &[v1::Pod], now: SystemTime, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let mut all: Vec<(&v1::Pod, &v1::PodEvent)> = Vec::new();
    for pod in pods {
        let told = pod.events.iter().filter(|event| !pod.ready || event.r#type == "Warning");
        all.extend(told.map(|event| (pod, event)));
    }
    if all.is_empty() {
        return Ok(());
    }
    all.sort_by_key(|(_, event)| event.time.as_ref().map(|time| (time.seconds, time.nanos)));
    let row = |(pod, event): &(&v1::Pod, &v1::PodEvent)| {
        let times = if event.count > 1 { format!(" (x{})", event.count) } else { String::new() };
        vec![
            Cell::from(age::since(event.time.as_ref(), now)),
            Cell::from(&*event.r#type).coloured(colour::of_event(&event.r#type)),
            Cell::from(&*event.reason),
            Cell::from(&*pod.cluster),
            Cell::from(&*pod.name),
            Cell::from(format!("{}{times}", event.message)),
        ]
    };
    let rows: Vec<Vec<Cell>> = all.iter().skip(all.len().saturating_sub(EVENTS_SHOWN)).map(row).collect();
    let headers = vec!["AGE", "TYPE", "REASON", "CLUSTER", "POD", "MESSAGE"];
    sheet.table("Events of pods", headers, &rows, "none")
}

/// Why it is as it is, or else its phase.
fn status(pod: &v1::Pod) -> String {
    match (pod.terminating, pod.reason.as_str()) {
        (true, _) => "Terminating".to_owned(),
        (false, "") => pod.phase.clone(),
        (false, reason) => reason.to_owned(),
    }
}

/// Why its containers ended last, and with what.
fn last_end(pod: &v1::Pod) -> String {
    let ended = pod.containers.iter().filter(|container| !container.last_termination.is_empty());
    let ended = ended.map(|container| match container.last_exit_code {
        0 => container.last_termination.clone(),
        code => format!("{} ({code})", container.last_termination),
    });
    let mut ended: Vec<String> = ended.collect();
    ended.dedup();
    ended.join(", ")
}
