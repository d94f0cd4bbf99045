//! Clusters that have used a join token, and wait for an operator's word.

use std::time::SystemTime;

use godwit_proto::v1::{Enrolment, ListEnrolmentsRequest};

use super::{Changes, Column, Fetched, Filter, Shown, column, unwatchable};
use crate::client::{Client, answer};
use crate::error::Error;
use crate::output::age;
use crate::output::table::Cell;

impl Shown for Enrolment {
    const COLUMNS: &'static [Column] = &[
        column("CLUSTER"),
        column("UID"),
        column("FROM"),
        column("AGE").ages(),
        column("EXPIRES").ages(),
        column("TOKEN"),
        column("BY"),
        column("KEY").wide(),
    ];
    const NAMED_BY: usize = 2;

    fn cells(&self, now: SystemTime) -> Vec<Cell> {
        let left = age::until(self.expires.as_ref(), now).unwrap_or_default();
        vec![
            Cell::from(&*self.cluster),
            Cell::from(&*self.cluster_uid),
            Cell::from(&*self.from),
            age::since(self.since.as_ref(), now).into(),
            age::short(left).into(),
            Cell::from(&*self.token),
            Cell::from(&*self.token_created_by),
            Cell::from(&*self.key),
        ]
    }

    fn reference(&self) -> String {
        format!("enrolment/{}", self.cluster)
    }

    async fn fetch(client: &Client, filter: &Filter) -> Result<Fetched<Self>, Error> {
        let mut items = answer(client.access().list_enrolments(ListEnrolmentsRequest {})).await?.items;
        items.retain(|item| filter.name.as_ref().is_none_or(|name| item.cluster == *name));
        Ok(Fetched::Many(items))
    }

    async fn watch(_: &Client, _: &Filter) -> Result<Changes<Self>, Error> {
        unwatchable("enrolments")
    }
}
