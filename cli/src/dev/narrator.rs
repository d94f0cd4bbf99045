//! What `godwit dev` tells while it runs: the hub's journal, the accidents, and children that died.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use godwit_proto::v1::{Cluster, Event};
use prost_types::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::member::Member;
use super::process::{Death, tail};
use crate::client::Client;
use crate::error::Error;
use crate::output::colour::{self, Colour, Paint};
use crate::output::{age, text};
use crate::resources::{Filter, Shown};

/// Events that wait to be printed.
const EVENTS_MAX: usize = 256;
/// The wait before a hub that went away is dialled again.
const REDIAL: Duration = Duration::from_millis(500);
/// How long everything may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How often it is told meanwhile what is missing.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Prints one line for each thing that happens.
pub(super) struct Narrator {
    paint: Paint,
}

impl Narrator {
    pub(super) fn new(paint: Paint) -> Self {
        Self { paint }
    }

    /// Says something itself.
    pub(super) fn say(&self, line: &str) -> Result<(), Error> {
        Ok(writeln!(io::stdout(), "{}", self.paint.apply(Some(Colour::Grey), line))?)
    }

    /// Tells an accident that was made, or undone.
    pub(super) fn accident(&self, said: &str) -> Result<(), Error> {
        let said = text::plain(said);
        Ok(writeln!(
            io::stdout(),
            "{}  {}",
            now(),
            self.paint.apply(Some(Colour::Green), &format!("==> {said}"))
        )?)
    }

    /// Tells an event of the hub.
    pub(super) fn event(&self, event: &Event) -> Result<(), Error> {
        let time = clock(event.time.as_ref());
        let rule = if event.rule.is_empty() { String::new() } else { format!(" ({})", event.rule) };
        let head = text::plain(&event.reason).into_owned() + &rule;
        let head = format!("{head:24}");
        let head = self.paint.apply(colour::of_event(&event.r#type), &head);
        let said = event.subject.is_empty() || event.message.contains(&event.subject);
        let subject = if said { String::new() } else { format!("{}: ", text::plain(&event.subject)) };
        Ok(writeln!(io::stdout(), "{time}  {head} {subject}{}", text::plain(&event.message))?)
    }

    /// Tells what an agent said last whose cluster is not ready yet.
    fn late(&self, log: &Path) -> Result<(), Error> {
        let last = tail(log).pop().unwrap_or_else(|| "nothing yet".to_owned());
        self.say(&format!("still waiting; {} ends with: {}", log.display(), text::plain(&last)))
    }

    /// Tells the death of a child that nobody killed.
    pub(super) fn death(&self, death: &Death) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        let line = format!("==> {} died ({}); the end of {}:", death.name, death.how, death.log.display());
        writeln!(out, "{}  {}", now(), self.paint.apply(Some(Colour::Red), &line))?;
        for line in tail(&death.log) {
            writeln!(out, "    {}", text::plain(&line))?;
        }
        let cluster = death.name.strip_suffix("-agent").unwrap_or(&death.name);
        Ok(writeln!(out, "    `godwit dev heal {cluster}` starts it again")?)
    }
}

/// The hub's journal from its beginning, over all its restarts.
pub(super) fn events(mut client: Client) -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(EVENTS_MAX);
    tokio::spawn(async move {
        let mut last = 0;
        while !sender.is_closed() {
            if let Ok(mut changes) = Event::watch(&client, &Filter::default()).await {
                while let Some(Ok(change)) = changes.next().await {
                    if change.item.sequence > last {
                        last = change.item.sequence;
                        if sender.send(change.item).await.is_err() {
                            return;
                        }
                    }
                }
            }
            tokio::time::sleep(REDIAL).await;
            if let Ok(fresh) = client.reconnect().await {
                client = fresh;
            }
        }
    });
    receiver
}

/// Waits until every cluster is ready. A child that dies meanwhile ends the wait; a cluster that takes long is told.
pub(super) async fn all_ready(
    client: &Client,
    members: &[Member],
    deaths: &mut mpsc::Receiver<Death>,
    narrator: &Narrator,
) -> Result<(), Error> {
    let mut changes = Cluster::watch(client, &Filter::default()).await?;
    let mut missing: BTreeSet<&str> = members.iter().map(|member| member.name().as_str()).collect();
    let begin = Instant::now();
    let mut patience = tokio::time::interval_at(begin + TELL_EVERY, TELL_EVERY);
    while !missing.is_empty() {
        tokio::select! {
            change = changes.next() => match change {
                Some(Ok(change)) if change.item.state == "Ready" => {
                    missing.remove(change.item.name.as_str());
                }
                Some(Ok(_)) => {}
                Some(Err(status)) => return Err(Error::refused(status)),
                None => return Err(Error::failed("the hub ended while the clusters joined")),
            },
            Some(death) = deaths.recv() => {
                let tail = tail(&death.log).join("\n");
                return Err(Error::failed(format!("{} died ({}):\n{tail}", death.name, death.how)));
            }
            _ = patience.tick() => {
                let late = members.iter().filter(|member| missing.contains(member.name().as_str()));
                late.map(Member::agent_log).try_for_each(|log| narrator.late(&log))?;
                if begin.elapsed() > READY_WITHIN {
                    return Err(Error::failed(format!("not all clusters are ready after {READY_WITHIN:?}")));
                }
            }
        }
    }
    Ok(())
}

fn now() -> String {
    clock(Some(&SystemTime::now().into()))
}

/// The time of day in UTC, as in the logs.
fn clock(time: Option<&Timestamp>) -> String {
    let moment = age::moment(time);
    moment.get(11..19).unwrap_or(&moment).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_is_short() {
        assert_eq!(clock(Some(&Timestamp { seconds: 1_800_000_000, nanos: 123_000_000 })), "08:00:00");
        assert_eq!(clock(None), "-");
    }
}
