//! The federation as a whole.

use std::io;
use std::time::SystemTime;

use godwit_proto::v1::{Federation, Freeze, GetFederationRequest, RetiredCluster};

use super::{Changes, Column, Fetched, Filter, Shown, column, unwatchable};
use crate::client::{Client, answer, present};
use crate::error::Error;
use crate::output::age;
use crate::output::colour::Colour;
use crate::output::sheet::Sheet;
use crate::output::table::Cell;

impl Shown for Federation {
    const COLUMNS: &'static [Column] = &[
        column("CLUSTERS"),
        column("WORKLOADS"),
        column("READY"),
        column("PENDING"),
        column("FROZEN"),
        column("ALARMS"),
        column("EPOCH"),
        column("VERSION"),
        column("UID").wide(),
    ];
    const NAMED_BY: usize = 0;

    fn cells(&self, _: SystemTime) -> Vec<Cell> {
        let frozen = self.freeze.as_ref().map_or("no", |freeze| &*freeze.cause);
        let alarms = self.alarms.len();
        vec![
            format!("{}/{}", self.clusters_ready, self.clusters).into(),
            self.workloads.to_string().into(),
            format!("{}/{}", self.ready, self.replicas).into(),
            self.pending.to_string().into(),
            Cell::from(frozen).coloured(self.freeze.as_ref().map(|_| Colour::Red)),
            Cell::from(alarms.to_string()).coloured((alarms > 0).then_some(Colour::Yellow)),
            self.epoch.to_string().into(),
            Cell::from(&*self.version),
            Cell::from(&*self.uid),
        ]
    }

    fn reference(&self) -> String {
        format!("federation/{}", self.uid)
    }

    async fn fetch(client: &Client, filter: &Filter) -> Result<Fetched<Self>, Error> {
        if filter.name.is_some() {
            return Err(Error::Usage("there is one federation; give no name".to_owned()));
        }
        find(client).await.map(Fetched::One)
    }

    async fn watch(_: &Client, _: &Filter) -> Result<Changes<Self>, Error> {
        unwatchable("the federation")
    }
}

/// The federation.
pub(crate) async fn find(client: &Client) -> Result<Federation, Error> {
    let found = answer(client.federation().get_federation(GetFederationRequest {})).await?;
    present(found.federation, "federation")
}

/// Everything about it.
pub(crate) fn describe(federation: &Federation, now: SystemTime, sheet: &mut Sheet<'_>) -> io::Result<()> {
    sheet.line("UID", &federation.uid)?;
    sheet.line("Version", &federation.version)?;
    sheet.line("Epoch", federation.epoch.to_string())?;
    sheet.line("Clusters", format!("{} ready of {}", federation.clusters_ready, federation.clusters))?;
    sheet.line("Workloads", federation.workloads.to_string())?;
    let replicas =
        format!("{} wanted, {} ready, {} pending", federation.replicas, federation.ready, federation.pending);
    sheet.line("Replicas", replicas)?;
    match &federation.freeze {
        None => sheet.line("Freeze", "none")?,
        Some(freeze) => sheet.coloured("Freeze", freeze_text(freeze, now), Some(Colour::Red))?,
    }
    let retired = |one: &RetiredCluster| {
        format!("{} (UID {}) {} ago", one.name, one.uid, age::since(one.retired.as_ref(), now))
    };
    sheet.lines("Retired", &federation.retired.iter().map(retired).collect::<Vec<_>>())?;
    sheet.lines("Alarms", &federation.alarms)
}

/// What is frozen, why, and for how long.
pub(crate) fn freeze_text(freeze: &Freeze, now: SystemTime) -> String {
    format!("{} for {}: {}", freeze.cause, age::since(freeze.since.as_ref(), now), freeze.message)
}
