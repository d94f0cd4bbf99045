//! `EventService`.

use std::ops::Bound;

use godwit_hub_core::JournalEntry;
use godwit_proto::v1;
use godwit_proto::v1::event_service_server::EventService;
use tonic::{Request, Response, Status};

use super::page::Page;
use super::watch::{Change, Watched};
use super::{Admin, convert};
use crate::guard::Caller;

/// What a watcher sees of the past.
const PAST_MAX: usize = 500;

#[tonic::async_trait]
impl EventService for Admin {
    type WatchEventsStream = Watched<v1::WatchEventsResponse>;

    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        let caller = Caller::of(&request);
        let request = request.into_inner();
        let page = Page::new("events", request.page_size, &request.page_token)?;
        let after = page.after.as_deref().map(str::parse::<u64>).transpose();
        let from = after.map_err(|_| Page::bad_token())?.map_or(Bound::Unbounded, Bound::Excluded);
        let view = self.driver.view();
        let entries = view.journal.range::<_, u64>((from, Bound::Unbounded));
        let wanted =
            entries.filter(|(_, entry)| is_about(&request.subject, &entry.subject) && is_for(&caller, entry));
        let (items, next_page_token) =
            page.fill(wanted.map(|(number, entry)| (number.to_string(), convert::event(entry))));
        Ok(Response::new(v1::ListEventsResponse { items, next_page_token }))
    }

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let caller = Caller::of(&request);
        let subject = request.into_inner().subject;
        let view = self.driver.view();
        let is_wanted = move |entry: &JournalEntry| is_about(&subject, &entry.subject);
        let newest_first = view.journal.iter().rev();
        let newest_first = newest_first.filter(|(_, entry)| is_wanted(entry) && is_for(&caller, entry));
        let first = newest_first.take(PAST_MAX).last().map_or(0, |(number, _)| *number);
        drop(view);
        self.watch(
            caller.clone(),
            |view| &view.journal,
            move |change| {
                let entry = match change {
                    Change::Initial(entry) => Some(entry).filter(|entry| entry.number >= first)?,
                    Change::New(entry) | Change::Changed { now: entry, .. } => entry,
                    // The journal forgets its oldest entries.
                    Change::Gone(_) | Change::Complete => return None,
                };
                (is_wanted(entry) && is_for(&caller, entry))
                    .then(|| v1::WatchEventsResponse { event: Some(convert::event(entry)) })
            },
        )
    }
}

fn is_about(wanted: &str, subject: &str) -> bool {
    wanted.is_empty() || wanted == subject
}

/// Who is bound to namespaces hears of the workloads there, which are called `Deployment shop/web`, and of nothing else.
fn is_for(caller: &Caller, entry: &JournalEntry) -> bool {
    let namespace = || entry.subject.split_once(' ').and_then(|(_, name)| name.split_once('/'));
    caller.sees_all() || namespace().is_some_and(|(namespace, _)| caller.sees(namespace))
}
