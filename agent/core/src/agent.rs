//! The machine's root.

use godwit_common::Time;
use godwit_common::rng::Rng;

use crate::{Config, Effect, Event};

/// The agent of one member cluster.
///
/// The contract: the shell calls [`Agent::step`] with [`Event::Tick`] once at the start, then with every event in the
/// order of its arrival, and does the effects in order. It calls `step` with [`Event::Tick`] when [`Agent::deadline`]
/// has come. `now` never goes back. Equal construction and equal events yield equal effects, byte for byte.
/// `step` never blocks and never fails: what is wrong with an event becomes an effect.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    rng: Rng,
}

impl Agent {
    /// An agent that has just started and knows nothing.
    pub fn new(config: Config, rng: Rng) -> Self {
        Self { config, rng }
    }

    /// Takes in one event and says what shall be done.
    pub fn step(&mut self, _now: Time, _event: Event, _effects: &mut Vec<Effect>) {}

    /// When a [`Event::Tick`] is wanted next.
    pub fn deadline(&self) -> Option<Time> {
        None
    }
}
