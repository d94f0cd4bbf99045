//! What only some runs have beside the usual: what runs in the clusters before, and agents of an older release. It is drawn from a stream of its own, so that a
//! seed whose run has none of it means the run that it always meant.

use godwit_common::rng::Rng;

use crate::run::Run;
use crate::scenario::Setup;
use crate::world::{Release, World};

/// Where the stream of its own begins.
const STREAM: u64 = 0x6f6c_6465_7220_6f6e;
/// Agents are of several releases in so many runs, one of them.
const RELEASES_ONE_IN: u64 = 4;

/// Something runs in the clusters before in so many runs, one of them; and of these nobody imports it in so many, one of them.
const BROWNFIELD_ONE_IN: u64 = 4;
const IGNORED_ONE_IN: u64 = 4;

/// What a run has beside the usual.
#[derive(Debug)]
pub(crate) struct Extras {
    rng: Rng,
    /// Agents are of several releases, and this is how often clusters get other ones.
    releases: Option<u64>,
    /// Something runs before, and this is whether it is imported.
    brownfield: Option<bool>,
}

impl Extras {
    /// Some of it, or none.
    pub(crate) fn some(run: &Run) -> Self {
        let mut rng = Rng::new(run.seed ^ STREAM);
        let drawn = rng.one_in(RELEASES_ONE_IN);
        let every = [0, 20_000, 60_000][usize::try_from(rng.below(3)).unwrap_or(0)];
        let releases = run.releases.unwrap_or(drawn).then_some(every);
        let drawn = rng.one_in(BROWNFIELD_ONE_IN);
        let imported = !rng.one_in(IGNORED_ONE_IN);
        let brownfield = run.brownfield.unwrap_or(drawn).then_some(imported);
        Self { rng, releases, brownfield }
    }

    /// What the world begins with.
    pub(crate) fn added_to(&mut self, mut setup: Setup) -> Setup {
        for cluster in &mut setup.clusters {
            if self.releases.is_some() && self.rng.one_in(2) {
                cluster.release = Release::Older;
            }
        }
        setup
    }

    /// It is there before anything else happens.
    pub(crate) fn settle_in(&self, world: &mut World) {
        if let Some(imported) = self.brownfield {
            world.begin_brownfield(imported);
        }
    }

    /// It comes about.
    pub(crate) fn begin(&mut self, world: &mut World) {
        if let Some(every) = self.releases.filter(|every| *every > 0) {
            world.begin_upgrades(every);
        }
    }

    /// Upgrades that were begun end, and in some runs the others are made, too.
    pub(crate) fn wind_up(&mut self, world: &mut World) {
        world.upgrades = 0;
        let all = self.releases.is_some() && self.rng.one_in(2);
        for cluster in (0..world.members.len()).filter(|_| all) {
            world.set_release(cluster, Release::Newer);
        }
    }
}
