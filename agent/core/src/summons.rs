//! Witnesses that were lost are replaced by agents that stand by (S24). The hub cannot dial an agent, so it tells those that
//! still have a stream whom it wants, and they write that into the cluster: one ConfigMap, which those who stand by watch.
//! It changes only when somebody is called, so that waiting costs an idle watch.

use std::sync::Arc;

use godwit_common::link::Summons;
use godwit_common::{Epoch, Time};

use crate::cx::{Cx, Purpose, Retry};
use crate::leadership::describe;
use crate::{Call, CallError, Change, Config, Effect, Reply, Scope, SummonsSeen, WatchId};

#[derive(Debug)]
pub(crate) struct Summoner {
    instance: Arc<str>,
    /// To be written, until the cluster holds it or a newer one.
    wanted: Option<Summons>,
    /// What the cluster holds, if it was read since.
    known: Option<Option<SummonsSeen>>,
    busy: bool,
    retry: Retry,
    /// While this agent stands by.
    watch: Option<WatchId>,
    /// The newest that called this agent.
    heard: (Epoch, u64),
}

impl Summoner {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            instance: config.instance.clone(),
            wanted: None,
            known: None,
            busy: false,
            retry: Retry::new(config.lease_poll),
            watch: None,
            heard: (Epoch::default(), 0),
        }
    }

    /// The hub calls others.
    pub(crate) fn offer(&mut self, summons: Summons) {
        if self.wanted.as_ref().is_none_or(|wanted| wanted.order() < summons.order()) {
            self.wanted = Some(summons);
            self.known = None;
            self.retry.at = Time::default();
        }
    }

    /// Writes what is to be written, and listens while this agent stands by. `up`: it has a stream; without one it is no
    /// longer known whom the hub wants.
    pub(crate) fn pump(
        &mut self,
        cx: &mut Cx,
        up: bool,
        stands_by: bool,
        name_watch: impl FnOnce() -> WatchId,
    ) {
        match (stands_by, self.watch) {
            (true, None) => {
                let watch = name_watch();
                self.watch = Some(watch);
                cx.effects.push(Effect::Watch { watch, scope: Scope::Summons });
            }
            (false, Some(watch)) => {
                self.watch = None;
                cx.effects.push(Effect::Unwatch { watch });
            }
            (true, Some(_)) | (false, None) => {}
        }
        if !up {
            self.wanted = None;
        }
        let Some(wanted) = self.wanted.clone().filter(|_| !self.busy && self.retry.due(cx.now)) else {
            return;
        };
        let call = match &self.known {
            None => Call::ReadSummons,
            Some(Some(seen)) if seen.summons.order() >= wanted.order() => {
                self.wanted = None;
                return;
            }
            Some(seen) => {
                let version = seen.as_ref().map(|seen| seen.version.clone());
                Call::WriteSummons { summons: wanted, version }
            }
        };
        self.busy = true;
        cx.call(Purpose::Summons, call);
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.wanted.as_ref().filter(|_| !self.busy).map(|_| self.retry.at)
    }

    pub(crate) fn done(&mut self, cx: &mut Cx, result: Result<Reply, CallError>) {
        self.busy = false;
        self.known = None;
        match result {
            Ok(Reply::Summons(seen)) => {
                self.retry.succeeded();
                self.known = Some(seen);
            }
            // Another witness was faster: what it wrote is read.
            Err(CallError::Outdated) => {}
            other => self.retry.failed(cx, "calling agents that stand by", describe(other)),
        }
    }

    pub(crate) fn is_own(&self, watch: WatchId) -> bool {
        self.watch == Some(watch)
    }

    /// Takes in what the watch says; true if this agent is called, which it is once.
    pub(crate) fn heard(&mut self, change: &Change) -> bool {
        let Change::Summoned(summons) = change else { return false };
        let called = summons.agents.contains(&self.instance) && self.heard < summons.order();
        if called {
            self.heard = summons.order();
        }
        called
    }
}
