//! Supervisors and the agents that they ask (S9).

use std::sync::Arc;
use std::time::Duration;

use godwit_agent_core::{self as agent, AskId};
use godwit_common::Time;

use super::{World, cx};
use crate::clock::Cx;
use crate::happening::{AgentId, Happening};

/// How long an answer is on its way to a supervisor.
const ANSWER: (u64, u64) = (1, 40);
/// A slow one, one time in [`SLOW_ONE_IN`].
const ANSWER_SLOW: (u64, u64) = (500, 12_000);
const SLOW_ONE_IN: u64 = 50;

/// A question of a supervisor that no agent has answered.
#[derive(Debug)]
pub(crate) struct Question {
    cluster: usize,
    pod: Arc<str>,
    /// On the supervisor's own clock.
    asked: Time,
}

impl World {
    /// A supervisor asks every agent of its cluster; the one that leads knows.
    pub(super) fn supervisor_asks(&mut self, cluster: usize, pod: &Arc<str>) {
        let Some((uid, asked)) = self.members[cluster].supervisor_asks(cx!(self), pod) else { return };
        for agent in 0..self.agents[cluster].len() {
            let id = AgentId { cluster, agent };
            if self.agent(id).core.is_none() {
                continue;
            }
            self.last_question += 1;
            let ask = AskId(self.last_question);
            self.questions.insert(ask, Question { cluster, pod: pod.clone(), asked });
            self.step_agent(id, agent::Event::Asked { ask, uids: vec![uid] });
        }
    }

    /// An agent has answered a supervisor.
    pub(super) fn supervisor_is_answered(&mut self, ask: AskId, lasts: Option<Duration>) {
        let question = self.questions.remove(&ask);
        let (Some(Question { cluster, pod, asked }), Some(lasts)) = (question, lasts) else { return };
        let takes = if self.rng.one_in(SLOW_ONE_IN) { ANSWER_SLOW } else { ANSWER };
        cx!(self).after(takes, Happening::SupervisorHears { cluster, pod, asked, lasts });
    }

    pub(super) fn supervisor_hears(&mut self, cluster: usize, pod: &Arc<str>, asked: Time, lasts: Duration) {
        let Some((id, life)) = self.members[cluster].supervisor_hears(cx!(self), pod, asked, lasts) else {
            return;
        };
        self.note(|| format!("the process of {pod} starts, for {lasts:?} at most"));
        self.checker.process_starts(&self.members[cluster], &id, life);
    }
}
