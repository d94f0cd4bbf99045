//! What can be shown: for each kind of message how it is listed, fetched, watched, and laid out.

pub(crate) mod cluster;
pub(crate) mod enrolment;
pub(crate) mod event;
pub(crate) mod federation;
pub(crate) mod gate;
pub(crate) mod migration;
pub(crate) mod orphan;
pub(crate) mod placement;
pub(crate) mod pod;
pub(crate) mod policy;
pub(crate) mod quota;
pub(crate) mod workload;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::SystemTime;

use futures_util::{Stream, StreamExt};
use prost::{Message, Name};
use tonic::Status;

use crate::client::Client;
use crate::error::Error;
use crate::output::table::Cell;

/// Which ones are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Of this namespace only.
    pub(crate) namespace: Option<String>,
    /// Workloads of this kind only.
    pub(crate) kind: Option<&'static str>,
    /// The one of this name.
    pub(crate) name: Option<String>,
    /// Placements of workloads with these labels only.
    pub(crate) labels: BTreeMap<String, String>,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its header.
    pub(crate) header: &'static str,
    /// Shown by `-o wide` only.
    pub(crate) wide: bool,
    /// It changes by itself as time goes by, which is no change of the row.
    pub(crate) ages: bool,
}

/// A column that is always shown.
pub(crate) const fn column(header: &'static str) -> Column {
    Column { header, wide: false, ages: false }
}

impl Column {
    /// The same, shown by `-o wide` only.
    pub(crate) const fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// The same, with an age in it.
    pub(crate) const fn ages(mut self) -> Self {
        self.ages = true;
        self
    }
}

/// How far something is that takes its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    /// What it is.
    pub(crate) what: String,
    /// How much of how much is done.
    pub(crate) done: u32,
    /// See `done`.
    pub(crate) of: u32,
    /// What else there is to say.
    pub(crate) rest: String,
}

/// Something as it is now, or the news that it is gone.
#[derive(Debug, Clone)]
pub(crate) struct Change<T> {
    /// It; if it is gone, only its name is set.
    pub(crate) item: T,
    /// Whether it is gone.
    pub(crate) removed: bool,
}

/// Changes as they happen.
pub(crate) type Changes<T> = Pin<Box<dyn Stream<Item = Result<Change<T>, Status>> + Send>>;

/// A kind of message that can be shown.
pub(crate) trait Shown: Message + Name + Default + Clone + 'static {
    /// Its table's columns.
    const COLUMNS: &'static [Column];

    /// How many columns, from the left, name it.
    const NAMED_BY: usize;

    /// Its row: a cell for each column.
    fn cells(&self, now: SystemTime) -> Vec<Cell>;

    /// What tells it from others, and names it to other commands: `cluster/alpha`.
    fn reference(&self) -> String;

    /// Its number, if it is of a kind that never changes and comes in order.
    fn sequence(&self) -> Option<u64> {
        None
    }

    /// How far it is, if it is something under way: on a terminal, a watch shows it as a bar.
    fn progress(&self, _now: SystemTime) -> Option<Progress> {
        None
    }

    /// All that the filter lets through, or the one that it names.
    async fn fetch(client: &Client, filter: &Filter) -> Result<Fetched<Self>, Error>;

    /// Everything as it is now, then every change.
    async fn watch(client: &Client, filter: &Filter) -> Result<Changes<Self>, Error>;
}

/// What the hub knows.
#[derive(Debug)]
pub(crate) enum Fetched<T> {
    /// The one that was named.
    One(T),
    /// A list, which may be empty.
    Many(Vec<T>),
}

/// A stream of the hub's answers as a stream of changes.
pub(crate) fn changes<A, T>(
    stream: tonic::Streaming<A>,
    mut change: impl FnMut(A) -> Option<Change<T>> + Send + 'static,
) -> Changes<T>
where
    A: Send + 'static,
    T: Send + 'static,
{
    let changes = stream.filter_map(move |answer| {
        let change = match answer {
            Ok(answer) => change(answer).map(Ok),
            Err(status) => Some(Err(status)),
        };
        std::future::ready(change)
    });
    Box::pin(changes)
}

/// The refusal to watch what does not change by itself.
pub(crate) fn unwatchable<T>(plural: &str) -> Result<T, Error> {
    Err(Error::Usage(format!(
        "{plural} cannot be watched; watch clusters, workloads, placements, policies, quotas, migrations or events"
    )))
}

/// Texts as one cell; empty if there are none.
fn joined(texts: &[String]) -> String {
    texts.join("; ")
}
