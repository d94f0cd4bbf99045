//! The journal.

use std::time::SystemTime;

use godwit_proto::v1::{Event, ListEventsRequest, WatchEventsRequest};

use super::{Change, Changes, Column, Fetched, Filter, Shown, changes, column};
use crate::client::{Client, all_pages, answer};
use crate::error::Error;
use crate::output::table::Cell;
use crate::output::{age, colour};
use crate::target::WorkloadName;

impl Shown for Event {
    const COLUMNS: &'static [Column] = &[
        column("AGE").ages(),
        column("TYPE"),
        column("REASON"),
        column("RULE"),
        column("SUBJECT"),
        column("MESSAGE"),
        column("TIME").wide(),
        column("SEQUENCE").wide(),
        column("INPUTS").wide(),
    ];
    const NAMED_BY: usize = 1;

    fn cells(&self, now: SystemTime) -> Vec<Cell> {
        vec![
            age::since(self.time.as_ref(), now).into(),
            Cell::from(&*self.r#type).coloured(colour::of_event(&self.r#type)),
            Cell::from(&*self.reason),
            Cell::from(&*self.rule),
            Cell::from(&*self.subject),
            Cell::from(&*self.message),
            age::moment(self.time.as_ref()).into(),
            self.sequence.to_string().into(),
            Cell::from(&*self.inputs),
        ]
    }

    fn reference(&self) -> String {
        format!("event/{}", self.sequence)
    }

    fn sequence(&self) -> Option<u64> {
        Some(self.sequence)
    }

    async fn fetch(client: &Client, filter: &Filter) -> Result<Fetched<Self>, Error> {
        about(client, &subject(filter)?).await.map(Fetched::Many)
    }

    async fn watch(client: &Client, filter: &Filter) -> Result<Changes<Self>, Error> {
        let subject = subject(filter)?;
        let stream = answer(client.events().watch_events(WatchEventsRequest { subject })).await?;
        Ok(changes(stream, |answer| {
            let item = answer.event?;
            Some(Change { item, removed: false })
        }))
    }
}

/// All events about a subject, the newest last.
pub(crate) async fn about(client: &Client, subject: &str) -> Result<Vec<Event>, Error> {
    all_pages(async |page_token| {
        let request =
            ListEventsRequest { page_token, subject: subject.to_owned(), ..ListEventsRequest::default() };
        let page = answer(client.events().list_events(request)).await?;
        Ok((page.items, page.next_page_token))
    })
    .await
}

/// A workload as the journal names it.
pub(crate) fn workload_subject(kind: &str, namespace: &str, name: &str) -> String {
    format!("{kind} {namespace}/{name}")
}

/// A cluster is named as it is; a workload has a slash or a namespace, and is a Deployment unless it says otherwise.
fn subject(filter: &Filter) -> Result<String, Error> {
    let Some(name) = &filter.name else {
        return Ok(String::new());
    };
    let of_workload = name.contains('/') || filter.namespace.is_some();
    if !of_workload || name.contains(' ') {
        return Ok(name.clone());
    }
    let name = WorkloadName::parse(name, None, filter.namespace.as_deref())?;
    Ok(workload_subject(name.kind.unwrap_or("Deployment"), &name.namespace, &name.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_clusters_or_workloads() {
        let subject = |name: &str| {
            let filter = Filter { name: Some(name.to_owned()), ..Filter::default() };
            subject(&filter).expect("it is a subject")
        };
        assert_eq!(subject("alpha"), "alpha");
        assert_eq!(subject("shop/web"), "Deployment shop/web");
        assert_eq!(subject("sts/store"), "StatefulSet default/store");
        assert_eq!(subject("Deployment shop/web"), "Deployment shop/web");
    }
}
