//! What carries Godwit's label in members, and no workload explains.

use std::time::SystemTime;

use godwit_proto::v1::{ListOrphansRequest, Orphan};

use super::{Changes, Column, Fetched, Filter, Shown, column, unwatchable};
use crate::client::{Client, all_pages, answer};
use crate::error::Error;
use crate::output::table::Cell;

impl Shown for Orphan {
    const COLUMNS: &'static [Column] = &[
        column("CLUSTER"),
        column("NAMESPACE"),
        column("NAME"),
        column("READY"),
        column("REVISION"),
        column("UID").wide(),
    ];
    const NAMED_BY: usize = 3;

    fn cells(&self, _: SystemTime) -> Vec<Cell> {
        vec![
            Cell::from(&*self.cluster),
            Cell::from(&*self.namespace),
            format!("{}/{}", self.kind.to_lowercase(), self.name).into(),
            format!("{}/{}", self.ready, self.pods).into(),
            self.revision.to_string().into(),
            Cell::from(&*self.uid),
        ]
    }

    fn reference(&self) -> String {
        format!("orphan/{}/{}/{}/{}", self.cluster, self.namespace, self.kind.to_lowercase(), self.name)
    }

    /// A name is that of a cluster.
    async fn fetch(client: &Client, filter: &Filter) -> Result<Fetched<Self>, Error> {
        let all = all_pages(async |page_token| {
            let request = ListOrphansRequest {
                cluster: filter.name.clone().unwrap_or_default(),
                namespace: filter.namespace.clone().unwrap_or_default(),
                page_token,
                ..ListOrphansRequest::default()
            };
            let page = answer(client.clusters().list_orphans(request)).await?;
            Ok((page.items, page.next_page_token))
        })
        .await?;
        Ok(Fetched::Many(all))
    }

    async fn watch(_: &Client, _: &Filter) -> Result<Changes<Self>, Error> {
        unwatchable("orphans")
    }
}
