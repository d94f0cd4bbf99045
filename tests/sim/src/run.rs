//! One run: a world drawn from a seed, in which everything goes wrong for a while; then everything is put right, and
//! the federation must settle. The test and the command line make the same runs.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use godwit_common::ClusterName;
use godwit_common::rng::Rng;
use godwit_hub_core::{Config, Hub};

use crate::extras::Extras;
use crate::faults::Faults;
use crate::invariants::Seen;
use crate::operator::Operator;
use crate::scenario::{ClusterSetup, Setup};
use crate::world::{Release, Sink, World};

/// How long everything must stay as it is, in seconds, to count as settled.
const CALM: u64 = 70;
/// Within how many seconds of the last accident everything must have settled: what goes back or evens out in steps takes a
/// minute for each (S13, S18), one workload after the other.
const SETTLED: u64 = 3_600;
/// And for each cluster beyond [`MANY`]: revisions go over them one after the other (S31).
const SETTLED_EACH: u64 = 30;
/// In how many rounds of plan, apply and report it settles, once no deadline is outstanding (I5).
const ROUNDS: u64 = 3;
/// Above so many clusters a look at the whole federation takes longer than what happens in a second.
const MANY: usize = 50;

/// What decides a run: the seed, and what is not to be drawn from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Run {
    /// Decides all that is not said here.
    pub seed: u64,
    /// How many clusters there are.
    pub clusters: Option<usize>,
    /// How many agents each of them has.
    pub agents: Option<usize>,
    /// How long things go wrong, in milliseconds.
    pub lasts: Option<u64>,
    /// Whether hubs come back with other stores, and go on beside other ones.
    pub forks: Option<bool>,
    /// Whether some agents are of an older release.
    pub releases: Option<bool>,
    /// Whether something runs in the clusters before, to be imported or not.
    pub brownfield: Option<bool>,
}

/// What came of a run that went well.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// How much time has passed in the world, in milliseconds.
    pub passed: u64,
    /// How many things have happened.
    pub happened: u64,
    /// Over all that happened and what it came to: two runs that are the same have the same.
    pub digest: u64,
    /// What was seen.
    pub seen: Seen,
}

impl Run {
    /// A run of which the seed decides everything.
    pub fn of(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Makes the run. It panics, with what is wrong, where an invariant breaks or the federation does not settle.
    pub fn make(&self, trace: Option<Sink>) -> Outcome {
        let mut rng = Rng::new(self.seed);
        let mut extras = Extras::some(self);
        let mut world = World::new(extras.added_to(self.setup(&mut rng, trace)));
        extras.settle_in(&mut world);
        world.run(5);
        let per_cluster = (world.members.len() as u64).div_ceil(5);
        let operator = Operator {
            every: 4_000 + rng.below(20_000),
            winds_up: false,
            replicas_max: (4 + rng.below(40)) * per_cluster,
            uniform: !rng.one_in(3),
            gated: rng.one_in(4),
            forgets: false,
        };
        world.begin_operator(operator);
        world.begin_router(500 + rng.below(4_000));
        world.begin_faults(Faults::some(&mut rng, self.forks));
        extras.begin(&mut world);
        let lasts = self.lasts.unwrap_or((60 + rng.below(240)) * 1000);
        world.run_to(world.now + lasts);
        world.operator.winds_up = true;
        world.heal();
        extras.wind_up(&mut world);
        settle(&mut world);
        Outcome {
            passed: world.now,
            happened: world.happened,
            digest: world.fingerprint(),
            seen: world.checker.seen,
        }
    }

    fn setup(&self, rng: &mut Rng, trace: Option<Sink>) -> Setup {
        let drawn = 1 + usize::try_from(rng.below(5)).unwrap_or(0);
        let cluster = |number: usize| ClusterSetup {
            name: format!("c{number}"),
            // Now and then there are more than keep a stream (S24).
            agents: self.agents.unwrap_or_else(|| {
                let least = if rng.one_in(6) { 5 } else { 1 };
                least + usize::try_from(rng.below(3)).unwrap_or(0)
            }),
            nodes: 1 + u32::try_from(rng.below(3)).unwrap_or(0),
            cpu_millis: 500 + 500 * rng.below(5),
            supervises: !rng.one_in(4),
            release: Release::default(),
        };
        let clusters = (0..self.clusters.unwrap_or(drawn)).map(cluster).collect();
        let seed = rng.next_u64() ^ self.seed;
        let seconds = Duration::from_secs;
        let mut hub = Config {
            // Clusters are to flap soon, and to be steady again before a run is over.
            flapping_limit: 1,
            flapping_stable: seconds(20),
            flapping_stable_most: seconds(60),
            // And replicas are to be back.
            fail_back_after: seconds(40),
            fail_back_pause: seconds(10),
            ..Config::default()
        };
        // And leases are to run out.
        hub.gate_lease = seconds([6, 12, 45][usize::try_from(rng.below(3)).unwrap_or(0)]);
        hub.gate_margin = seconds(1);
        if rng.one_in(2) {
            // So slow that there is something to pause and to cancel (S7).
            hub.pace_least = 1 + u32::try_from(rng.below(3)).unwrap_or(0);
            hub.pace_percent = 1;
        }
        let hubs = if rng.one_in(2) { 2 } else { 1 };
        Setup { seed, hub, hubs, clusters, trace }
    }
}

/// The command that makes the run again.
impl Display for Run {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // An overflow is found only where it is looked for.
        let profile = if cfg!(debug_assertions) { "" } else { " --release" };
        write!(f, "cargo run{profile} -p sim -- --seed {} --trace", self.seed)?;
        if let Some(clusters) = self.clusters {
            write!(f, " --clusters {clusters}")?;
        }
        if let Some(agents) = self.agents {
            write!(f, " --agents {agents}")?;
        }
        match self.forks {
            Some(true) => write!(f, " --forks")?,
            Some(false) => write!(f, " --one-history")?,
            None => {}
        }
        match self.brownfield {
            Some(true) => write!(f, " --brownfield")?,
            Some(false) => write!(f, " --greenfield")?,
            None => {}
        }
        match self.releases {
            Some(true) => write!(f, " --old-agents")?,
            Some(false) => write!(f, " --one-release")?,
            None => {}
        }
        if let Some(lasts) = self.lasts {
            write!(f, " --hours {}", lasts as f64 / 3_600_000.0)?;
        }
        Ok(())
    }
}

/// How often each cluster is told something new, while nothing is heard but what follows from that (I5).
#[derive(Debug, Default)]
struct Rounds {
    began: BTreeMap<ClusterName, u64>,
    /// Commands carried out, and hubs started, by then.
    inputs: (u64, u64),
}

impl Rounds {
    /// Another look. Where something waits for its moment, or an operator has spoken, or somebody is away, it begins anew.
    fn look(&mut self, world: &World) {
        let now = world.generations();
        let inputs = (world.checker.seen.commands, world.checker.seen.restarts);
        let waits = world.hubs[0].core.as_ref().is_none_or(Hub::has_deadlines);
        // Where histories fork, a hub may go on speaking that nobody asked to: what it says is heard as well.
        let forked = world.checker.histories_may_fork;
        if waits || forked || inputs != self.inputs || !world.all_ready() {
            // Who joins has a generation above its own fence's once it is heard: that is no round.
            self.began.clear();
            self.inputs = inputs;
            return;
        }
        if now.len() != self.began.len() {
            self.began = now;
            return;
        }
        for (cluster, generation) in &now {
            let rounds = generation - self.began.get(cluster).copied().unwrap_or(*generation);
            assert!(
                rounds <= ROUNDS,
                "I5: {cluster} was told something new {rounds} times, and nothing had changed"
            );
        }
    }
}

/// Waits until everything is as it shall be, and stays so.
fn settle(world: &mut World) {
    let step = if world.members.len() > MANY { 10 } else { 1 };
    let settled = SETTLED + world.members.len().saturating_sub(MANY) as u64 * SETTLED_EACH;
    let end = world.now + settled * 1000;
    let (mut since, mut targets) = (world.now, world.targets());
    let mut rounds = Rounds::default();
    loop {
        world.run(step);
        rounds.look(world);
        let missing = world.unsettled();
        let now = world.targets();
        if !missing.is_empty() || now != targets {
            (since, targets) = (world.now, now);
        }
        if world.now - since >= CALM * 1000 {
            return;
        }
        // A Job may end late, and what found no node is tried again now and then (S17): the calm after that is waited for.
        let late = if missing.is_empty() { 2 * CALM * 1000 } else { 0 };
        assert!(world.now < end + late, "I5: it does not settle within {settled} s: {missing:#?}");
    }
}
