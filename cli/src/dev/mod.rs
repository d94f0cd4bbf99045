//! `godwit dev`: a whole federation on one machine, every part of it a process of its own.

mod accidents;
mod children;
mod control;
mod federation;
mod hints;
mod layout;
mod member;
mod names;
mod narrator;
mod options;
mod process;
mod proxy;

use std::io::{self, Write};

use godwit_rt::shutdown;
use tokio::sync::mpsc;

use crate::client::Client;
use crate::context::Places;
use crate::error::Error;
use crate::output::colour::Paint;
use crate::output::table::{Cell, Table};
use crate::output::text;

pub(crate) use children::run_child;
use control::{Answer, Asked, Part};
use federation::Federation;
use layout::Layout;
use narrator::Narrator;
pub(crate) use options::Dev;
use process::Death;

/// What the hub is called among the children.
const HUB: &str = "hub";
/// The hidden names under which this program runs its parts.
const HUB_CHILD: &str = "__hub";
const AGENT: &str = "__agent";
const KUBESIM: &str = "__kubesim";

impl Dev {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        match self.action {
            Some(action) => tell(&Layout::find(self.dir.as_deref(), places)?, action).await,
            None => {
                let layout = Layout::create(self.dir.as_deref())?;
                let _lock = layout.lock()?;
                start(&layout, &self.start.options(), self.dir.is_some()).await
            }
        }
    }
}

/// Runs a federation until it is told to stop.
async fn start(layout: &Layout, options: &options::Options, elsewhere: bool) -> Result<(), Error> {
    let stop =
        shutdown::on_signals().map_err(|error| Error::failed(format!("signals cannot be heard: {error}")))?;
    // It is bound before anything starts: whoever asks early waits for the answer.
    let requests = control::listen(layout)
        .map_err(|error| Error::failed(format!("{}: {error}", layout.folder().display())))?;
    let mut narrator = Narrator::new(Paint::of_stdout());
    let begun = async {
        narrator.say(&format!("starting the hub and {} ...", options.clusters.describe()))?;
        let (federation, deaths) = Federation::start(layout, options).await?;
        let client = Client::open(federation.context().clone()).await?;
        narrator.say("waiting until every cluster is ready ...")?;
        Ok::<_, Error>((federation, deaths, client))
    };
    let (mut federation, mut deaths, client) = tokio::select! {
        begun = begun => begun?,
        () = stop.cancelled() => return Ok(()),
    };
    let ready = tokio::select! {
        ready = narrator::all_ready(&client, federation.members(), &mut deaths, &narrator) => ready,
        () = stop.cancelled() => Err(Error::Reported),
    };
    if stop.is_cancelled() {
        federation.stop().await;
        return Ok(());
    }
    if let Err(error) = ready {
        federation.stop().await;
        return Err(error);
    }
    hints::print(&federation, layout, elsewhere, &mut io::stdout())?;
    let told = tokio::select! {
        told = serve(&mut federation, client, &mut narrator, requests, deaths) => told,
        () = stop.cancelled() => Ok(()),
    };
    // Standard output may be gone by now, which is no reason to leave anything running.
    let said = narrator.say("stopping everything ...");
    federation.stop().await;
    told.and(said)
}

/// Tells what happens, and does what other terminals ask for.
async fn serve(
    federation: &mut Federation,
    client: Client,
    narrator: &mut Narrator,
    mut requests: mpsc::Receiver<Asked>,
    mut deaths: mpsc::Receiver<Death>,
) -> Result<(), Error> {
    let mut events = narrator::events(client);
    loop {
        tokio::select! {
            Some(event) = events.recv() => narrator.event(&event)?,
            Some(death) = deaths.recv() => narrator.death(&death)?,
            Some((request, answer)) = requests.recv() => {
                let made = accidents::make(federation, &request).await;
                if let Answer::Done(said) = &made {
                    narrator.accident(said)?;
                }
                // Whoever asked may have gone away.
                let _ = answer.send(made);
            }
            else => return Ok(()),
        }
    }
}

/// Asks a running federation for something.
async fn tell(layout: &Layout, action: options::Action) -> Result<(), Error> {
    match control::ask(layout, &action.request()).await? {
        Answer::Done(said) => Ok(writeln!(io::stdout(), "{}", text::plain(&said))?),
        Answer::Refused(said) => Err(Error::failed(said)),
        Answer::Status(parts) => {
            let row = |part: &Part| {
                vec![
                    Cell::from(&*part.name),
                    Cell::from(&*part.process),
                    Cell::from(&*part.agent),
                    Cell::from(&*part.link),
                ]
            };
            let rows: Vec<Vec<Cell>> = parts.iter().map(row).collect();
            let mut table = Table::new(vec!["NAME", "PROCESS", "AGENT", "LINK"]);
            Ok(table.print(&rows, Paint::of_stdout(), &mut io::stdout())?)
        }
    }
}
