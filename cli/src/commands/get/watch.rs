//! `godwit get --watch`: everything as it is now, then every change, for as long as it takes.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use godwit_common::backoff::Backoff;
use godwit_common::rng::Rng;
use godwit_proto::json;
use serde_json::Value;

use super::Columns;
use crate::client::Client;
use crate::error::Error;
use crate::output::Format;
use crate::output::bars::Bars;
use crate::output::colour::{self, Paint};
use crate::output::document::{self, Syntax};
use crate::output::table::{Cell, Table};
use crate::resources::{Change, Changes, Filter, Shown};

/// Changes that arrive this close together are printed together, so that their columns are aligned.
const TOGETHER: Duration = Duration::from_millis(50);
/// Rows that wait for that at most.
const TOGETHER_MAX: usize = 1000;
/// The first wait before the hub is tried again, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How often bars are drawn over again while nothing changes: times go on.
const REDRAW: Duration = Duration::from_secs(1);

/// Watches until the user has seen enough. A hub that goes away is waited for: when it is back it says everything once
/// more, of which only what is new is printed.
pub(super) async fn watch<T: Shown>(
    mut client: Client,
    filter: &Filter,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut printer = Printer::<T>::new(format);
    let mut rng = Rng::new(seed());
    let mut backoff = Backoff::new(RETRY.0, RETRY.1);
    loop {
        let ended = match T::watch(&client, filter).await {
            Ok(changes) => {
                backoff.reset();
                follow(changes, &mut printer, out).await?
            }
            Err(error) => error,
        };
        if !ended.is_unavailable() {
            return Err(ended);
        }
        printer.forget_bars(out)?;
        eprintln!("the connection to the hub is lost; waiting for it");
        client = loop {
            tokio::time::sleep(backoff.next(&mut rng)).await;
            if let Ok(client) = client.reconnect().await {
                break client;
            }
        };
    }
}

/// Prints changes until the stream ends, and says how it ended.
async fn follow<T: Shown>(
    mut changes: Changes<T>,
    printer: &mut Printer<T>,
    out: &mut dyn Write,
) -> Result<Error, Error> {
    let mut waiting = Vec::new();
    loop {
        let next = match waiting.len() {
            0 if printer.shows_bars() => tokio::time::timeout(REDRAW, changes.next()).await,
            0 => Ok(changes.next().await),
            TOGETHER_MAX.. => {
                printer.print(&std::mem::take(&mut waiting), out)?;
                continue;
            }
            _ => tokio::time::timeout(TOGETHER, changes.next()).await,
        };
        match next {
            Ok(Some(Ok(change))) => waiting.push(change),
            Ok(Some(Err(status))) => {
                printer.print(&waiting, out)?;
                return Ok(Error::refused(status));
            }
            Ok(None) => {
                printer.print(&waiting, out)?;
                return Ok(Error::refused(tonic::Status::unavailable("the hub ended the stream")));
            }
            Err(_) => printer.print(&std::mem::take(&mut waiting), out)?,
        }
    }
}

/// Prints what is new, and remembers what it printed.
struct Printer<T> {
    format: Format,
    columns: Columns,
    table: Table,
    paint: Paint,
    printed: BTreeMap<String, Printed>,
    /// The number of the last one, for kinds that come in order.
    last: Option<u64>,
    /// On a terminal: what is under way is a bar, until it is over.
    live: Option<Live<T>>,
}

/// What is under way, by its reference, and the bars that show it.
struct Live<T> {
    bars: Bars,
    under_way: BTreeMap<String, T>,
}

impl<T: Shown> Live<T> {
    /// Only tables are for people who look, and only a terminal can be drawn on.
    fn on(terminal: bool, format: Format) -> Option<Self> {
        let table = matches!(format, Format::Table | Format::Wide);
        (terminal && table).then(|| Self { bars: Bars::default(), under_way: BTreeMap::new() })
    }

    /// Whether a change is shown by a bar, and not by a row.
    fn take(&mut self, change: &Change<T>, now: SystemTime) -> bool {
        let reference = change.item.reference();
        let under_way = !change.removed && change.item.progress(now).is_some();
        match under_way {
            true => self.under_way.insert(reference, change.item.clone()),
            false => self.under_way.remove(&reference),
        };
        under_way
    }

    fn draw(&mut self, now: SystemTime, out: &mut dyn Write) -> Result<(), Error> {
        let all: Vec<_> = self.under_way.values().filter_map(|item| item.progress(now)).collect();
        if all.is_empty() {
            return Ok(self.bars.clear(out)?);
        }
        Ok(self.bars.draw(&all, out)?)
    }
}

/// What was printed last of one thing.
#[derive(PartialEq)]
enum Printed {
    Document(Value),
    /// Without ages.
    Row(Vec<Cell>),
}

impl<T: Shown> Printer<T> {
    fn new(format: Format) -> Self {
        let columns = Columns::of::<T>(format == Format::Wide);
        Self {
            format,
            table: columns.table(),
            columns,
            paint: Paint::of_stdout(),
            printed: BTreeMap::new(),
            last: None,
            live: Live::on(colour::stdout_takes_codes(), format),
        }
    }

    /// Whatever is under way is told of again.
    fn forget_bars(&mut self, out: &mut dyn Write) -> Result<(), Error> {
        if let Some(live) = &mut self.live {
            live.under_way.clear();
            live.bars.clear(out)?;
            out.flush()?;
        }
        Ok(())
    }

    fn shows_bars(&self) -> bool {
        self.live.as_ref().is_some_and(|live| !live.under_way.is_empty())
    }

    fn print(&mut self, changes: &[Change<T>], out: &mut dyn Write) -> Result<(), Error> {
        let now = SystemTime::now();
        let mut rows = Vec::new();
        if let Some(live) = &mut self.live {
            live.bars.clear(out)?;
        }
        for change in changes {
            if self.live.as_mut().is_some_and(|live| live.take(change, now)) {
                continue;
            }
            let reference = change.item.reference();
            match self.format {
                Format::Table | Format::Wide => {
                    let (row, lasting) = self.row(change, now);
                    if self.is_new(change, reference, Printed::Row(lasting)) {
                        rows.push(row);
                    }
                }
                Format::Name => {
                    if self.is_new(change, reference.clone(), Printed::Row(Vec::new())) {
                        writeln!(out, "{reference}")?;
                    }
                }
                Format::Json => self.document(change, reference, Syntax::Json, out)?,
                Format::Yaml => self.document(change, reference, Syntax::Yaml, out)?,
            }
        }
        if !rows.is_empty() {
            self.table.print(&rows, self.paint, out)?;
        }
        if let Some(live) = &mut self.live {
            live.draw(now, out)?;
        }
        Ok(out.flush()?)
    }

    fn document(
        &mut self,
        change: &Change<T>,
        reference: String,
        syntax: Syntax,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let mut document = json::to_json(&change.item)?;
        if change.removed {
            document["removed"] = Value::Bool(true);
        }
        if self.is_new(change, reference, Printed::Document(document.clone())) {
            document::print_next(&document, syntax, out)?;
        }
        Ok(())
    }

    /// The row, and what of it changes only when the thing itself does.
    fn row(&self, change: &Change<T>, now: SystemTime) -> (Vec<Cell>, Vec<Cell>) {
        let mut cells = change.item.cells(now);
        if change.removed {
            for (index, cell) in cells.iter_mut().enumerate().skip(T::NAMED_BY) {
                *cell = Cell::from(if index == T::NAMED_BY { "removed" } else { "" });
            }
        }
        let row = self.columns.row(cells);
        let ages = self.columns.shown().map(|column| column.ages);
        let lasting = ages.zip(&row).filter(|(ages, _)| !ages).map(|(_, cell)| cell.clone());
        let lasting = lasting.collect();
        (row, lasting)
    }

    fn is_new(&mut self, change: &Change<T>, reference: String, printed: Printed) -> bool {
        if let Some(number) = change.item.sequence() {
            let is_new = self.last.is_none_or(|last| number > last);
            self.last = self.last.max(Some(number));
            return is_new;
        }
        if change.removed {
            return self.printed.remove(&reference).is_some();
        }
        if self.printed.get(&reference) == Some(&printed) {
            return false;
        }
        self.printed.insert(reference, printed);
        true
    }
}

/// Retries need no good randomness, only a different one in each process.
fn seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| std::process::id().into())
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use godwit_proto::v1::{Cluster, Event, Migration};

    use super::*;

    fn cluster(name: &str, state: &str) -> Change<Cluster> {
        let item = Cluster { name: name.into(), state: state.into(), ..Cluster::default() };
        Change { item, removed: false }
    }

    async fn watched<T: Shown>(format: Format, changes: Vec<Change<T>>) -> (String, Error) {
        watched_on(false, format, changes).await
    }

    async fn watched_on<T: Shown>(
        terminal: bool,
        format: Format,
        changes: Vec<Change<T>>,
    ) -> (String, Error) {
        let live = Live::on(terminal, format);
        let mut printer = Printer { paint: Paint::Never, live, ..Printer::new(format) };
        let mut out = Vec::new();
        let changes = Box::pin(stream::iter(changes.into_iter().map(Ok)));
        let ended = follow(changes, &mut printer, &mut out).await.expect("it is written");
        (String::from_utf8(out).expect("text"), ended)
    }

    #[tokio::test]
    async fn only_what_changed_is_printed_again() {
        let gone = Change { removed: true, ..cluster("bravo", "") };
        let changes = vec![
            cluster("alpha", "Ready"),
            cluster("bravo", "Ready"),
            cluster("alpha", "Ready"),
            cluster("alpha", "Lost"),
            gone.clone(),
            gone,
        ];
        let (text, ended) = watched(Format::Table, changes.clone()).await;
        let words: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
        let expected = [
            ["NAME", "STATE"],
            ["alpha", "Ready"],
            ["bravo", "Ready"],
            ["alpha", "Lost"],
            ["bravo", "removed"],
        ];
        assert_eq!(words, expected);
        assert!(ended.is_unavailable());

        let (text, _) = watched(Format::Json, changes).await;
        let documents: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
        let states: Vec<&str> = documents.iter().filter_map(|document| document["state"].as_str()).collect();
        assert_eq!(states, ["Ready", "Ready", "Lost", ""]);
        assert_eq!(documents[3]["removed"], true);
        assert_eq!(documents[0].get("removed"), None);
    }

    fn migration(id: &str, ready: u32, over: bool) -> Change<Migration> {
        let item = Migration {
            id: id.into(),
            cause: "Capacity".into(),
            state: if over { "Completed" } else { "Running" }.into(),
            replicas: 4,
            replicas_ready: ready,
            started: Some(prost_types::Timestamp::default()),
            completed: over.then(prost_types::Timestamp::default),
            ..Migration::default()
        };
        Change { item, removed: false }
    }

    #[tokio::test]
    async fn what_is_under_way_is_a_bar_on_a_terminal_and_a_row_elsewhere() {
        let first = vec![migration("m-1", 1, false), migration("m-2", 2, false)];
        let (bars, _) = watched_on(true, Format::Table, first.clone()).await;
        assert!(
            bars.contains("m-1 Capacity  [######..................]  25%  1/4 ready, 0/0 workloads, "),
            "{bars}"
        );
        assert!(!bars.contains("STATE"), "{bars}");
        let (rows, _) = watched_on(false, Format::Table, first.clone()).await;
        assert!(rows.contains("STATE") && !rows.contains('['), "{rows}");
        let (names, _) = watched_on(true, Format::Name, first).await;
        assert_eq!(names, "migration/m-1\nmigration/m-2\n");
        // What is over stays as a row, above the bars of the others.
        let then = vec![migration("m-2", 2, false), migration("m-1", 4, true)];
        let (bars, _) = watched_on(true, Format::Table, then).await;
        let at = |text: &str| bars.find(text).unwrap_or_else(|| panic!("no {text} in {bars}"));
        assert!(at("m-1") < at("m-2 Capacity  [") && at("Completed") < at("m-2 Capacity  ["), "{bars}");
    }

    #[tokio::test]
    async fn events_that_were_seen_are_not_repeated() {
        let event = |sequence| Change { item: Event { sequence, ..Event::default() }, removed: false };
        let (text, _) = watched(Format::Name, vec![event(1), event(2), event(1), event(2), event(3)]).await;
        assert_eq!(text, "event/1\nevent/2\nevent/3\n");
    }
}
