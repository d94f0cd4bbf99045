//! Whether the cluster has what its workloads need and do not bring along. Each need of any row is looked for as soon
//! as it appears, and again from time to time: nobody says when a class or a definition comes or goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use godwit_common::{Need, NeedStatus, Time};

use crate::cx::{Cx, Purpose};
use crate::leadership::describe;
use crate::rows::Rows;
use crate::schedule::Schedule;
use crate::writer::retry_wait;
use crate::{Call, CallError, Config, Kind, Log, NeedSeen, Reply};

/// What is known of each need, and when it is looked for next. A new reign forgets it all: the cluster may have changed
/// while another agent led, or none.
#[derive(Debug)]
pub(crate) struct Needs {
    met_interval: Duration,
    unmet_interval: Duration,
    in_flight_max: usize,
    known: BTreeMap<Need, Known>,
    /// Never holds what is under way.
    due: Schedule<Need>,
    busy: BTreeSet<Need>,
    /// Needs whose last check had no answer. The trouble is told when the first one fails, not for each.
    failing: BTreeSet<Need>,
    /// Kinds of which it was told that they may not be looked at.
    unreadable: BTreeSet<Kind>,
}

#[derive(Debug, Default)]
struct Known {
    /// `None` before the first answer.
    met: Option<bool>,
    /// How many checks in a row had no answer.
    failed: u32,
}

impl Needs {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            met_interval: config.needs_met_interval,
            unmet_interval: config.needs_unmet_interval,
            in_flight_max: config.needs_in_flight,
            known: BTreeMap::new(),
            due: Schedule::default(),
            busy: BTreeSet::new(),
            failing: BTreeSet::new(),
            unreadable: BTreeSet::new(),
        }
    }

    /// A reign begins: nothing is known of what these rows need. Checks of an earlier one end by themselves.
    pub(crate) fn begin(&mut self, rows: &Rows) {
        self.known.clear();
        self.due.clear();
        self.failing.clear();
        self.unreadable.clear();
        rows.needs().for_each(|need| self.want(need));
    }

    /// A row has this need. Looks for it at once, unless that is known.
    pub(crate) fn want(&mut self, need: &Need) {
        if !self.known.contains_key(need) {
            self.known.insert(need.clone(), Known::default());
            if !self.busy.contains(need) {
                self.due.set(need.clone(), Time::default());
            }
        }
    }

    /// No row has this need any more.
    pub(crate) fn forget(&mut self, need: &Need) {
        self.known.remove(need);
        self.due.cancel(need);
        self.failing.remove(need);
    }

    /// Whether it is there; `None` as long as that is not known.
    pub(crate) fn met(&self, need: &Need) -> Option<bool> {
        self.known.get(need)?.met
    }

    /// All that is known.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = NeedStatus> {
        let status =
            |(need, known): (&Need, &Known)| Some(NeedStatus { need: need.clone(), met: known.met? });
        self.known.iter().filter_map(status)
    }

    /// Starts the checks that are due, as long as few enough are under way.
    pub(crate) fn pump(&mut self, cx: &mut Cx) {
        while self.busy.len() < self.in_flight_max {
            let Some(need) = self.due.pop(cx.now) else { break };
            self.busy.insert(need.clone());
            cx.call(Purpose::Need(need.clone()), Call::CheckNeed { need });
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.due.next().filter(|_| self.busy.len() < self.in_flight_max)
    }

    /// Takes in the answer of a check; true if it is news whether the need is met.
    pub(crate) fn done(&mut self, cx: &mut Cx, need: &Need, result: Result<Reply, CallError>) -> bool {
        self.busy.remove(need);
        let Some(known) = self.known.get_mut(need) else {
            return false;
        };
        let met = match result {
            Ok(Reply::Need(NeedSeen::Met)) => true,
            Ok(Reply::Need(NeedSeen::Missing)) => false,
            Ok(Reply::Need(NeedSeen::Unreadable(reason))) => {
                if self.unreadable.insert(kind_of(need)) {
                    cx.log(Log::Unreadable { need: need.clone(), reason });
                }
                true
            }
            other => {
                let wait = retry_wait(cx, known.failed);
                known.failed = known.failed.saturating_add(1);
                self.due.set(need.clone(), cx.now + wait);
                self.trouble(cx, need, describe(other));
                return false;
            }
        };
        known.failed = 0;
        let news = known.met != Some(met);
        known.met = Some(met);
        self.failing.remove(need);
        let interval = if met { self.met_interval } else { self.unmet_interval };
        self.due.set(need.clone(), cx.now + cx.jittered(interval));
        news
    }

    fn trouble(&mut self, cx: &mut Cx, need: &Need, reason: Arc<str>) {
        if self.failing.is_empty() {
            cx.log(Log::Trouble { what: "looking for what workloads need", reason });
        }
        self.failing.insert(need.clone());
    }
}

fn kind_of(need: &Need) -> Kind {
    match need {
        Need::Kind { api_version, kind } | Need::Scalable { api_version, kind } => {
            Kind { api_version: api_version.clone(), kind: kind.clone() }
        }
        Need::Object(key) | Need::Given(key) => Kind::of(key),
    }
}

#[cfg(test)]
mod tests {
    use godwit_common::ObjectKey;
    use godwit_common::rng::Rng;

    use super::*;
    use crate::cx::Ops;

    #[test]
    fn a_need_that_comes_back_while_it_is_looked_for_is_not_looked_for_twice() {
        let (mut rng, mut effects, mut ops) = (Rng::new(1), Vec::new(), Ops::default());
        let mut cx = Cx { now: Time(1_000), rng: &mut rng, effects: &mut effects, ops: &mut ops };
        let mut needs = Needs::new(&Config::new(Vec::new(), "agent-1", "test"));
        let need = Need::Object(ObjectKey::new("v1", "Secret", "shop", "pull").expect("a valid key"));
        needs.want(&need);
        needs.pump(&mut cx);
        needs.forget(&need);
        needs.want(&need);
        needs.pump(&mut cx);
        assert_eq!((cx.effects.len(), needs.deadline()), (1, None));
        assert!(needs.done(&mut cx, &need, Ok(Reply::Need(NeedSeen::Met))), "its answer is as good");
        assert_eq!(needs.met(&need), Some(true));
        assert!(needs.deadline().is_some_and(|at| at >= Time(49_000)));
    }

    #[test]
    fn the_answer_for_a_need_that_is_forgotten_is_no_news() {
        let (mut rng, mut effects, mut ops) = (Rng::new(1), Vec::new(), Ops::default());
        let mut cx = Cx { now: Time(1_000), rng: &mut rng, effects: &mut effects, ops: &mut ops };
        let mut needs = Needs::new(&Config::new(Vec::new(), "agent-1", "test"));
        let need = Need::Object(ObjectKey::new("v1", "Secret", "shop", "pull").expect("a valid key"));
        needs.want(&need);
        needs.pump(&mut cx);
        needs.forget(&need);
        assert!(!needs.done(&mut cx, &need, Ok(Reply::Need(NeedSeen::Met))));
        assert_eq!((needs.met(&need), needs.deadline()), (None, None));
    }
}
