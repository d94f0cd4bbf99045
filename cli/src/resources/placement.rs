//! Placements: where traffic may go.

use std::time::SystemTime;

use futures_util::StreamExt;
use godwit_proto::v1::{ServingCluster, WatchPlacementsRequest, WatchPlacementsResponse, WorkloadPlacements};
use tonic::{Status, Streaming};

use super::{Change, Changes, Column, Fetched, Filter, Shown, changes, column};
use crate::client::{Client, answer, present};
use crate::error::Error;
use crate::output::colour::Colour;
use crate::output::table::Cell;
use crate::target::{WorkloadName, full_name, kind_and_name};

impl Shown for WorkloadPlacements {
    const COLUMNS: &'static [Column] = &[
        column("NAMESPACE"),
        column("NAME"),
        column("SERVING"),
        column("CLUSTERS"),
        column("WITHDRAWING"),
        column("READY").wide(),
        column("UNHEARD").wide(),
    ];
    const NAMED_BY: usize = 2;

    fn cells(&self, _: SystemTime) -> Vec<Cell> {
        let short = self.serving_replicas < self.wanted;
        let serving = Cell::from(format!("{}/{}", self.serving_replicas, self.wanted));
        let of = |text: fn(&ServingCluster) -> Option<String>| {
            self.clusters.iter().filter_map(text).collect::<Vec<_>>().join(", ")
        };
        vec![
            Cell::from(&*self.namespace),
            kind_and_name(&self.kind, &self.name).into(),
            serving.coloured(short.then_some(Colour::Yellow)),
            of(|one| one.serving.then(|| format!("{} {}", one.cluster, one.serving_replicas))).into(),
            notable(of(withdrawing)),
            of(|one| one.live.then(|| format!("{} {}/{}", one.cluster, one.ready, one.target))).into(),
            notable(of(unheard)),
        ]
    }

    fn reference(&self) -> String {
        format!("placements/{}", full_name(&self.namespace, &self.kind, &self.name))
    }

    async fn fetch(client: &Client, filter: &Filter) -> Result<Fetched<Self>, Error> {
        let named = filter.name.as_ref();
        let named = named.map(|name| WorkloadName::parse(name, filter.kind, filter.namespace.as_deref()));
        let Some(name) = named.transpose()? else {
            return all(open(client, request(filter)).await?).await.map(Fetched::Many);
        };
        let found = name.find(client).await?;
        let request = WatchPlacementsRequest {
            namespace: found.namespace,
            kind: found.kind,
            name: found.name,
            ..request(filter)
        };
        let mut items = all(open(client, request).await?).await?;
        present(items.pop(), "placements").map(Fetched::One)
    }

    async fn watch(client: &Client, filter: &Filter) -> Result<Changes<Self>, Error> {
        let mut request = request(filter);
        if let Some(name) = &filter.name {
            let name = WorkloadName::parse(name, filter.kind, filter.namespace.as_deref())?;
            request.namespace = name.namespace;
            request.kind = name.kind.unwrap_or_default().to_owned();
            request.name = name.name;
        }
        Ok(changes(open(client, request).await?, |answer| {
            let item = answer.workload?;
            Some(Change { item, removed: answer.removed })
        }))
    }
}

/// A cell that stands out if there is something in it.
fn notable(text: String) -> Cell {
    let colour = (!text.is_empty()).then_some(Colour::Yellow);
    Cell::from(text).coloured(colour)
}

fn request(filter: &Filter) -> WatchPlacementsRequest {
    WatchPlacementsRequest {
        namespace: filter.namespace.clone().unwrap_or_default(),
        kind: filter.kind.unwrap_or_default().to_owned(),
        match_labels: filter.labels.clone(),
        ..WatchPlacementsRequest::default()
    }
}

async fn open(
    client: &Client,
    request: WatchPlacementsRequest,
) -> Result<Streaming<WatchPlacementsResponse>, Error> {
    answer(client.placements().watch_placements(request)).await
}

/// What there is now: the beginning of a watch.
async fn all(mut stream: Streaming<WatchPlacementsResponse>) -> Result<Vec<WorkloadPlacements>, Error> {
    let mut items = Vec::new();
    while let Some(answer) = stream.next().await {
        let WatchPlacementsResponse { workload, removed, complete } = answer.map_err(Error::refused)?;
        if complete {
            return Ok(items);
        }
        items.extend(workload.filter(|_| !removed));
    }
    Err(Error::refused(Status::unavailable("the hub ended the stream")))
}

/// `alpha to 2 (ack)`.
fn withdrawing(cluster: &ServingCluster) -> Option<String> {
    let withdrawal = cluster.withdrawal.as_ref()?;
    Some(format!("{} to {} ({})", cluster.cluster, withdrawal.stays, withdrawal.gate))
}

/// Where nobody knows what serves.
fn unheard(cluster: &ServingCluster) -> Option<String> {
    let said = if cluster.lost { " (lost)" } else { "" };
    (!cluster.live).then(|| format!("{}{said}", cluster.cluster))
}

#[cfg(test)]
mod tests {
    use godwit_proto::v1::Withdrawal;

    use super::*;

    #[test]
    fn a_row_says_where_traffic_goes_and_where_it_ends() {
        let cluster = |name: &str, ready, serving_replicas| ServingCluster {
            cluster: name.into(),
            serving: serving_replicas > 0,
            serving_replicas,
            ready,
            target: ready,
            live: true,
            ..ServingCluster::default()
        };
        let withdrawal = Withdrawal { gate: "ack".into(), stays: 2, ..Withdrawal::default() };
        let placements = WorkloadPlacements {
            namespace: "shop".into(),
            kind: "Deployment".into(),
            name: "web".into(),
            wanted: 8,
            serving_replicas: 8,
            clusters: vec![
                ServingCluster { withdrawal: Some(withdrawal), ..cluster("alpha", 4, 2) },
                cluster("bravo", 6, 6),
                ServingCluster { live: false, lost: true, ..cluster("delta", 0, 0) },
            ],
            ..WorkloadPlacements::default()
        };
        let cells = placements.cells(SystemTime::UNIX_EPOCH);
        let expected = [
            Cell::from("shop"),
            Cell::from("deployment/web"),
            Cell::from("8/8"),
            Cell::from("alpha 2, bravo 6"),
            notable("alpha to 2 (ack)".to_owned()),
            Cell::from("alpha 4/4, bravo 6/6"),
            notable("delta (lost)".to_owned()),
        ];
        assert_eq!(cells, expected);
        assert_eq!(placements.reference(), "placements/shop/deployment/web");
    }
}
