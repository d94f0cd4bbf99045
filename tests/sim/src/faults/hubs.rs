//! Accidents of hubs and their stores.

use crate::clock::Cx;
use crate::happening::{Happening, Mend};
use crate::world::{RESTART, World, cx};

/// How long a hub's loop stalls.
const STALLS: (u64, u64) = (100, 9_000);
/// How long a hub that has been replaced goes on speaking, or one runs on an empty store.
const STRAYS: (u64, u64) = (2_000, 60_000);

impl World {
    pub(super) fn crash_and_restart_hub(&mut self) {
        let silently = self.rng.one_in(3);
        self.crash_hub(0, silently);
        cx!(self).after(RESTART, Happening::HubStarts(0));
    }

    pub(super) fn stop_and_restart_hub(&mut self) {
        if self.hubs[0].core.is_some() {
            self.stop_hub(0);
            cx!(self).after((1_500, 8_000), Happening::HubStarts(0));
        }
    }

    /// A hub ends on purpose: it says goodbye, and is gone once that is said.
    pub fn stop_hub(&mut self, hub: usize) {
        self.note(|| format!("hub-{hub} is asked to end"));
        self.hubs[hub].hear(godwit_hub_core::Event::Stopping);
        self.run_hub(hub);
    }

    pub(super) fn stall(&mut self, suspended: bool) {
        let lasts = STALLS.0 + self.rng.below(STALLS.1);
        if self.hubs[0].stalled_until > self.now {
            return;
        }
        if suspended {
            self.hubs[0].clock_stops(lasts);
        }
        self.stall_hub(0, self.now + lasts);
    }

    /// A hub's loop does not run until then.
    pub fn stall_hub(&mut self, hub: usize, until: u64) {
        self.note(|| format!("hub-{hub} stalls until {until}"));
        let life = self.hubs[hub].life;
        self.hubs[hub].stalled_until = until;
        self.queue.push(until, Happening::HubResumes { hub, life });
    }

    /// The first time, the store is copied; the next time, the hub comes back with the copy.
    pub(super) fn restore_store(&mut self) {
        if self.kept.is_some() {
            return;
        }
        let Some(backup) = self.backup.take() else {
            self.backup = Some(self.hubs[0].store.clone());
            return;
        };
        self.note(|| "hub-0 comes back with an older store".to_owned());
        self.swap_store(backup);
    }

    /// The hub comes back with nothing: told so, it learns from the members what it was; else its store is found again
    /// later.
    pub(super) fn lose_store(&mut self) {
        if self.kept.is_none() && self.rng.one_in(2) {
            self.note(|| "hub-0 comes back with an empty store, and is to recover".to_owned());
            self.recover_with(Default::default());
        } else if self.kept.is_none() {
            self.note(|| "hub-0 comes back with an empty store".to_owned());
            let store = self.swap_store(Default::default());
            self.kept = Some(store);
            cx!(self).after(STRAYS, Happening::Mend(Mend::Store));
        }
    }

    /// The hub's own store is found again.
    pub(crate) fn find_store(&mut self) {
        if let Some(store) = self.kept.take() {
            self.swap_store(store);
        }
    }

    /// A hub comes back with another store, and is told to learn from the members what that lacks.
    pub fn recover_with(&mut self, store: crate::invariants::Records) {
        self.swap_store(store);
        self.hubs[0].config.recover = true;
    }

    /// A hub comes back with another store, which becomes the federation's truth. Returns the former.
    pub fn swap_store(&mut self, store: crate::invariants::Records) -> crate::invariants::Records {
        self.crash_hub(0, false);
        self.checker.history_forks();
        self.checker.forgets_what_was_said();
        cx!(self).after(RESTART, Happening::HubStarts(0));
        std::mem::replace(&mut self.hubs[0].store, store)
    }

    /// Another hub takes the store over, and the old one goes on with its sessions, as if on a copy of its disk.
    pub(super) fn replace_leader(&mut self) {
        if self.hubs.len() < 2 || self.hubs[0].core.is_none() || self.kept.is_some() {
            return;
        }
        self.crash_hub(1, false);
        self.depose();
        cx!(self).after(RESTART, Happening::HubStarts(0));
        cx!(self).after(STRAYS, Happening::Mend(Mend::Leader));
    }

    /// The first hub becomes the second one, which nobody has asked to go on; the first is to be started anew.
    pub fn depose(&mut self) {
        self.note(|| "hub-0 is replaced, and goes on as hub-1".to_owned());
        self.checker.history_forks();
        let before = self.hubs[0].life;
        if let [old, heir, ..] = &mut self.hubs[..] {
            old.is_replaced(heir, cx!(self));
        }
        self.hubs.swap(0, 1);
        self.checker.hub_moves(0, 1);
        self.net.hub_moves((0, before), (1, self.hubs[1].life));
    }
}
