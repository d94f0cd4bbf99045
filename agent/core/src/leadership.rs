//! Which agent of the cluster leads (S24): the holder of a Lease in the member cluster.
//!
//! Times count from what this agent saw, on its own clock: a Lease is expired when it has not changed before our eyes
//! for its duration, and our own is held from the moment that the renewal which succeeded was *sent*. The wall-clock
//! times inside the Lease are for people.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::LeaderTerm;
use godwit_common::{Term, Time};

use crate::cx::{Cx, Purpose, Retry};
use crate::{Call, CallError, Config, LeaseSeen, LeaseWrite, Log, Reply};

/// Durations in a Lease outside these bounds are not believed: it is waited for at least, and at most, so long.
const DURATION_MIN: Duration = Duration::from_secs(1);
const DURATION_MAX: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    Nothing,
    /// Won an election.
    Won(LeaderTerm),
    Lost(&'static str),
}

#[derive(Debug)]
pub(crate) struct Leadership {
    me: Arc<str>,
    duration: Duration,
    renew: Duration,
    poll: Duration,
    /// The Lease of somebody else, and since when it has not changed.
    seen: Option<(LeaseSeen, Time)>,
    /// When there was last no Lease at all.
    absent: Option<Time>,
    reign: Option<Reign>,
    /// When the call under way was sent.
    busy: Option<(Time, Doing)>,
    next: Time,
    retry: Retry,
    api: Api,
}

/// Whether the API server answers. Whoever has a stream to the hub asks it every few seconds, the leader or not.
#[derive(Debug, Default)]
struct Api {
    /// When the first call was sent that it has left unanswered, and every one since.
    silent_since: Option<Time>,
    /// That is as long ago as a Lease stands, and this is why.
    unreachable: Option<Arc<str>>,
}

#[derive(Debug)]
struct Reign {
    term: LeaderTerm,
    version: Arc<str>,
    /// When the newest renewal that succeeded was sent.
    confirmed: Time,
    /// From when on nobody else can still take himself for the leader.
    alone_from: Time,
    /// The next renewal reads first: the Lease has changed under us, or the answer was lost.
    reread: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Reading,
    Taking,
    Renewing,
    Releasing,
}

impl Leadership {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            me: config.instance.clone(),
            duration: config.lease_duration,
            renew: config.lease_renew,
            poll: config.lease_poll,
            seen: None,
            absent: None,
            reign: None,
            busy: None,
            next: Time::default(),
            retry: Retry::new(config.lease_poll),
            api: Api::default(),
        }
    }

    pub(crate) fn term(&self) -> Option<LeaderTerm> {
        self.reign.as_ref().map(|reign| reign.term)
    }

    /// From when on no earlier leader can bring back what this one removes (S28).
    pub(crate) fn alone_from(&self) -> Time {
        self.reign.as_ref().map(|reign| reign.alone_from).unwrap_or_default()
    }

    /// Another agent was seen to hold the Lease, and this one does not.
    pub(crate) fn is_led_by_other(&self) -> bool {
        let other = |(lease, _): &(LeaseSeen, Time)| !lease.holder.is_empty() && lease.holder != self.me;
        self.reign.is_none() && self.seen.as_ref().is_some_and(other)
    }

    /// Why the API server cannot be reached, if it has not been for as long as a Lease stands (S3).
    pub(crate) fn unreachable(&self) -> Option<&Arc<str>> {
        self.api.unreachable.as_ref()
    }

    /// Nothing of ours is under way or held any more.
    pub(crate) fn is_released(&self) -> bool {
        self.reign.is_none() && self.busy.is_none()
    }

    /// Gives up without asking: somebody else has been seen to rule.
    pub(crate) fn depose(&mut self, cx: &mut Cx) {
        self.reign = None;
        self.next = cx.now + cx.jittered(self.poll);
    }

    /// `campaign`: a stream is up, this agent may win. `keep`: if it leads, it may go on.
    pub(crate) fn pump(&mut self, cx: &mut Cx, campaign: bool, keep: bool) -> News {
        if let Some(reign) = &self.reign
            && reign.confirmed + self.duration <= cx.now
        {
            self.reign = None;
            self.next = cx.now;
            return News::Lost("the Lease could not be renewed in time");
        }
        if self.busy.is_some() {
            return News::Nothing;
        }
        match &self.reign {
            Some(_) if !keep => {
                self.release(cx);
                News::Lost("there is no stream to a hub")
            }
            Some(reign) if self.next <= cx.now => {
                if reign.reread {
                    self.start(cx, Doing::Reading, Call::ReadLease);
                } else {
                    let write =
                        self.write(&self.me, reign.term.transitions.0, false, Some(reign.version.clone()));
                    self.start(cx, Doing::Renewing, write);
                }
                News::Nothing
            }
            None if campaign && self.next <= cx.now => {
                self.start(cx, Doing::Reading, Call::ReadLease);
                News::Nothing
            }
            Some(_) | None => News::Nothing,
        }
    }

    pub(crate) fn done(&mut self, cx: &mut Cx, result: Result<Reply, CallError>, campaign: bool) -> News {
        let Some((sent, doing)) = self.busy.take() else {
            return News::Nothing;
        };
        self.heed_answer(cx.now, sent, &result);
        match result {
            Ok(Reply::Lease(lease)) => {
                // That the Lease can be read does not mean that it can be written.
                if doing != Doing::Reading {
                    self.retry.succeeded();
                }
                match (doing, lease) {
                    (Doing::Reading, lease) => self.read(cx, lease, campaign),
                    (Doing::Taking, Some(lease)) => self.taken(cx, sent, lease),
                    (Doing::Renewing, Some(lease)) => self.renewed(cx, sent, &lease),
                    (Doing::Taking | Doing::Renewing, None) | (Doing::Releasing, _) => News::Nothing,
                }
            }
            Err(CallError::Outdated) => {
                self.reread();
                self.next = cx.now;
                News::Nothing
            }
            other => {
                self.reread();
                self.retry.failed(cx, "leader election", describe(other));
                self.next = self.retry.at;
                News::Nothing
            }
        }
    }

    /// Whatever is answered, the API server is there. One call that is lost says little.
    fn heed_answer(&mut self, now: Time, sent: Time, result: &Result<Reply, CallError>) {
        match result {
            Err(CallError::Unavailable(reason)) => {
                let since = *self.api.silent_since.get_or_insert(sent);
                if now.since(since) >= self.duration {
                    self.api.unreachable = Some(reason.clone());
                }
            }
            Ok(_)
            | Err(CallError::Outdated | CallError::NamespaceMissing | CallError::Refused(_))
            | Err(CallError::FieldConflict { .. }) => self.api = Api::default(),
        }
    }

    pub(crate) fn deadline(&self, campaign: bool, keep: bool) -> Option<Time> {
        let expiry = self.reign.as_ref().map(|reign| reign.confirmed + self.duration);
        // A leader that may not go on has given up in the last step, unless a call of its own is under way.
        let active = self.busy.is_none() && (campaign || (keep && self.reign.is_some()));
        let next = active.then_some(self.next);
        [expiry, next].into_iter().flatten().min()
    }

    fn read(&mut self, cx: &mut Cx, lease: Option<LeaseSeen>, campaign: bool) -> News {
        if let Some(reign) = &mut self.reign {
            return match lease {
                Some(lease) if holds(&lease, &self.me, reign.term) => {
                    reign.version = lease.version;
                    reign.reread = false;
                    self.next = cx.now;
                    News::Nothing
                }
                other => {
                    self.seen = other.map(|lease| (lease, cx.now));
                    self.depose(cx);
                    News::Lost("another agent took the Lease")
                }
            };
        }
        let Some(lease) = lease else {
            self.seen = None;
            self.absent = Some(cx.now);
            return self.take(cx, campaign, 1, None);
        };
        let free = lease.holder.is_empty() || lease.holder == self.me;
        let since = match &self.seen {
            Some((seen, since)) if seen.version == lease.version && seen.uid == lease.uid => *since,
            Some(_) | None => cx.now,
        };
        let expires = since + lease.duration.clamp(DURATION_MIN, DURATION_MAX);
        let (transitions, version) = (lease.transitions.saturating_add(1), lease.version.clone());
        self.seen = Some((lease, since));
        if free || expires <= cx.now {
            return self.take(cx, campaign, transitions, Some(version));
        }
        self.next = expires.min(cx.now + cx.jittered(self.poll));
        News::Nothing
    }

    fn take(&mut self, cx: &mut Cx, campaign: bool, transitions: u64, version: Option<Arc<str>>) -> News {
        if campaign {
            let write = self.write(&self.me, transitions, true, version);
            self.start(cx, Doing::Taking, write);
        }
        News::Nothing
    }

    fn taken(&mut self, cx: &mut Cx, sent: Time, lease: LeaseSeen) -> News {
        let term = LeaderTerm { lease: lease.uid, transitions: Term(lease.transitions) };
        self.seen = None;
        // A Lease that was not there may have been deleted under a leader, who learns of that when he renews it next,
        // and until then has calls under way. Any other was waited for.
        let others = self.duration + self.renew;
        let anew = (lease.transitions == 1).then_some(cx.now).or(self.absent);
        let alone_from = anew.map_or(cx.now, |absent| absent + others);
        let version = lease.version;
        self.reign = Some(Reign { term, version, confirmed: sent, alone_from, reread: false });
        self.next = sent + cx.jittered(self.renew);
        cx.log(Log::Leading(term));
        News::Won(term)
    }

    fn renewed(&mut self, cx: &mut Cx, sent: Time, lease: &LeaseSeen) -> News {
        if let Some(reign) = &mut self.reign {
            reign.version = lease.version.clone();
            reign.confirmed = sent;
            self.next = sent + cx.jittered(self.renew);
        }
        News::Nothing
    }

    fn release(&mut self, cx: &mut Cx) {
        if let Some(reign) = self.reign.take() {
            let write = self.write("", reign.term.transitions.0, false, Some(reign.version));
            self.start(cx, Doing::Releasing, write);
        }
    }

    fn reread(&mut self) {
        if let Some(reign) = &mut self.reign {
            reign.reread = true;
        }
    }

    fn start(&mut self, cx: &mut Cx, doing: Doing, call: Call) {
        self.busy = Some((cx.now, doing));
        cx.call(Purpose::Lease, call);
    }

    fn write(&self, holder: &str, transitions: u64, acquired: bool, version: Option<Arc<str>>) -> Call {
        Call::WriteLease(LeaseWrite {
            holder: holder.into(),
            transitions,
            duration: self.duration,
            acquired,
            version,
        })
    }
}

fn holds(lease: &LeaseSeen, me: &str, term: LeaderTerm) -> bool {
    *lease.holder == *me && lease.uid == term.lease && lease.transitions == term.transitions.0
}

/// The reason of a failed call, for people.
pub(crate) fn describe(result: Result<Reply, CallError>) -> Arc<str> {
    match result {
        Ok(_) => "the answer does not belong to the question".into(),
        Err(CallError::Outdated) => "it was changed by somebody else at the same time".into(),
        Err(CallError::NamespaceMissing) => "its namespace does not exist".into(),
        Err(CallError::FieldConflict { message, .. }) => message,
        Err(CallError::Refused(message) | CallError::Unavailable(message)) => message,
    }
}
