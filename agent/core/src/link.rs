//! The way to the hub: one session at a time, over one of several addresses.
//!
//! The hub says nothing at regular times, so its silence means nothing here: a dead peer is found by HTTP/2 keepalive
//! in the shell, and by messages that the transport does not take any more.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use godwit_common::backoff::Backoff;
use godwit_common::link::{Down, Hello, Refusal, Summons, Targets, Up, VERSIONS, Welcome};
use godwit_common::{Time, Uid};

use crate::cx::Cx;
use crate::outbox::Outbox;
use crate::{Config, Effect, Log, SessionId};

/// The most messages that the transport has not taken yet; more would only grow old in its queue.
const UNSENT_MAX: usize = 8;
/// The most addresses of one redirect that are tried.
const REDIRECTS_MAX: usize = 16;
/// A heartbeat outside these bounds would be a mistake of the hub that costs it, or the network, dearly.
const HEARTBEAT_MIN: Duration = Duration::from_millis(50);
const HEARTBEAT_MAX: Duration = Duration::from_secs(60);
/// The same for the waits that the hub asks for.
const WAIT_MIN: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// An operator's remedy takes a while: a refused agent does not ask again sooner.
const REFUSED_MIN: Duration = Duration::from_secs(30);

/// How many different lines about the connection are remembered, so that none is logged at every attempt.
const TOLD_MAX: usize = 64;

/// What the rest of the machine must hear.
#[derive(Debug)]
pub(crate) enum News {
    Nothing,
    Welcomed(Welcome),
    Targets(Arc<Targets>),
    Summons(Summons),
    /// The renewal of this number is answered: the lease stands for so long from when it was sent (S9).
    Granted(u64, Duration),
    /// The hub asks for all that the cluster holds.
    Recall(Arc<[(Uid, u64)]>),
    Lost,
}

#[derive(Debug)]
enum State {
    Idle { retry: Time },
    Dialing(Session),
    Open(Session),
}

#[derive(Debug)]
struct Session {
    id: SessionId,
    address: Arc<str>,
    /// When it was dialled, or, once open, welcomed.
    since: Time,
    heartbeat: Duration,
    beat_at: Time,
    /// When each message was sent that the transport has not taken yet.
    unsent: VecDeque<Time>,
}

#[derive(Debug)]
pub(crate) struct Link {
    state: State,
    sessions: u64,
    hubs: Vec<Arc<str>>,
    turn: usize,
    redirects: VecDeque<Arc<str>>,
    backoff: Backoff,
    dial_limit: Duration,
    dial_cap: Duration,
    send_stall: Duration,
    /// Since when no session is welcomed.
    down_since: Option<Time>,
    /// What was logged about the connection since the last welcome.
    told: BTreeSet<Arc<str>>,
    /// The hub has enough agents of this cluster, and will call if it wants this one.
    stands_by: bool,
    stopping: bool,
    pub(crate) outbox: Outbox,
}

impl Link {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            state: State::Idle { retry: Time::default() },
            sessions: 0,
            hubs: config.hubs.clone(),
            turn: 0,
            redirects: VecDeque::new(),
            backoff: Backoff::new(config.dial_first, config.dial_cap),
            dial_limit: config.dial_limit,
            dial_cap: config.dial_cap,
            send_stall: config.send_stall,
            down_since: None,
            told: BTreeSet::new(),
            stands_by: false,
            stopping: false,
            outbox: Outbox::default(),
        }
    }

    /// A hub has welcomed this agent, and the session stands.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether the hub will call if it wants this agent.
    pub(crate) fn stands_by(&self) -> bool {
        self.stands_by && !self.stopping
    }

    /// The hub wants this agent: it dials at once.
    pub(crate) fn summoned(&mut self, now: Time) {
        if let State::Idle { retry } = &mut self.state {
            *retry = now;
        }
    }

    /// Up, or down for less than `grace`.
    pub(crate) fn was_up_within(&self, grace: Duration, now: Time) -> bool {
        self.is_up() || self.down_since.is_some_and(|since| now < since + grace)
    }

    pub(crate) fn down_since(&self) -> Option<Time> {
        self.down_since
    }

    pub(crate) fn received(&mut self, cx: &mut Cx, session: SessionId, message: Down) -> News {
        if self.current() != Some(session) {
            return News::Nothing;
        }
        match message {
            Down::Welcome(welcome) => self.welcomed(cx, welcome),
            Down::Targets(targets) if self.is_up() => News::Targets(targets),
            Down::Recall(known) if self.is_up() => News::Recall(known),
            Down::Targets(_) | Down::Recall(_) => {
                let wait = self.retry_wait(cx);
                self.hang_up(cx, wait, "the hub spoke before its welcome")
            }
            Down::Grant { number, lease } if self.is_up() => News::Granted(number, lease),
            // Nobody has asked for it.
            Down::Grant { .. } => News::Nothing,
            Down::Standby { retry_after } => {
                let wait = spread(cx, retry_after.clamp(WAIT_MIN, WAIT_MAX));
                self.say_once(cx, "standby", Log::StandingBy(wait));
                self.stands_by = true;
                self.leave(cx, wait)
            }
            Down::Summons(summons) if self.is_up() => News::Summons(summons),
            // It says nothing to one who is not welcomed.
            Down::Summons(_) => News::Nothing,
            Down::Redirect { addresses } => {
                self.redirects = addresses.into_iter().take(REDIRECTS_MAX).collect();
                let wait = self.retry_wait(cx);
                self.hang_up(cx, wait, "the hub sent us to another one")
            }
            Down::Refusal(refusal) => self.refused(cx, refusal),
            Down::Goodbye { retry_after } => {
                let wait = spread(cx, retry_after.clamp(WAIT_MIN, WAIT_MAX));
                self.hang_up(cx, wait, "the hub said goodbye")
            }
        }
    }

    pub(crate) fn sent(&mut self, session: SessionId) {
        if let State::Open(open) = &mut self.state
            && open.id == session
        {
            open.unsent.pop_front();
        }
    }

    pub(crate) fn closed(&mut self, cx: &mut Cx, session: SessionId, reason: &Arc<str>) -> News {
        if self.current() != Some(session) {
            return News::Nothing;
        }
        let address = match &self.state {
            State::Dialing(session) | State::Open(session) => session.address.clone(),
            State::Idle { .. } => return News::Nothing,
        };
        let line: Arc<str> = format!("{address}: {reason}").into();
        self.say_once(cx, &line, Log::Disconnected(line.clone()));
        let wait = self.retry_wait(cx);
        self.ended(cx, wait)
    }

    /// The process ends: says so, and dials no more.
    pub(crate) fn stop(&mut self, cx: &mut Cx) {
        self.stopping = true;
        self.outbox.clear();
        if self.is_up() {
            self.send(cx, Up::Goodbye);
        }
        if let State::Dialing(session) = &self.state {
            let id = session.id;
            cx.effects.push(Effect::Hangup { session: id });
            self.state = State::Idle { retry: cx.now };
        }
    }

    /// True once nothing is left to be sent after [`Link::stop`].
    pub(crate) fn is_drained(&self) -> bool {
        match &self.state {
            State::Idle { .. } => true,
            State::Dialing(_) => false,
            State::Open(session) => session.unsent.is_empty(),
        }
    }

    pub(crate) fn close(&mut self, cx: &mut Cx) {
        if let Some(session) = self.current() {
            cx.effects.push(Effect::Hangup { session });
            self.state = State::Idle { retry: cx.now };
        }
    }

    /// Does what is due by time; `hello` is absent as long as the agent does not know who it is.
    pub(crate) fn pump(&mut self, cx: &mut Cx, hello: impl FnOnce() -> Option<Hello>) -> News {
        match &self.state {
            State::Idle { retry } if *retry <= cx.now && !self.stopping => {
                if let Some(hello) = hello() {
                    self.dial(cx, hello);
                }
                News::Nothing
            }
            State::Idle { .. } => News::Nothing,
            State::Dialing(session) if session.since + self.dial_limit <= cx.now => {
                let wait = self.retry_wait(cx);
                self.hang_up(cx, wait, "no welcome in time")
            }
            State::Dialing(_) => News::Nothing,
            State::Open(session) => {
                let stalled = session.unsent.front().is_some_and(|sent| *sent + self.send_stall <= cx.now);
                if stalled {
                    let wait = self.retry_wait(cx);
                    return self.hang_up(cx, wait, "the stream takes no more messages");
                }
                News::Nothing
            }
        }
    }

    /// How often the hub wants a sign of life, while a session stands.
    pub(crate) fn heartbeat(&self) -> Option<Duration> {
        match &self.state {
            State::Open(session) => Some(session.heartbeat),
            State::Dialing(_) | State::Idle { .. } => None,
        }
    }

    /// True when the session can take a message now.
    pub(crate) fn has_room(&self) -> bool {
        matches!(&self.state, State::Open(session) if session.unsent.len() < UNSENT_MAX)
    }

    /// True when the transport has taken everything: a report made now is not older than it need be.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(&self.state, State::Open(session) if session.unsent.is_empty())
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self, cx: &mut Cx) {
        while self.has_room() && !self.stopping {
            let Some(message) = self.outbox.pop(cx.now) else {
                break;
            };
            self.send(cx, message);
        }
    }

    /// Sends a sign of life if nothing else was said for long enough.
    pub(crate) fn beat(&mut self, cx: &mut Cx) {
        if let State::Open(session) = &self.state
            && session.beat_at <= cx.now
            && self.has_room()
            && !self.stopping
        {
            self.send(cx, Up::Heartbeat);
        }
    }

    pub(crate) fn send(&mut self, cx: &mut Cx, message: Up) {
        if let State::Open(session) = &mut self.state {
            session.beat_at = cx.now + cx.jittered(session.heartbeat);
            session.unsent.push_back(cx.now);
            let session = session.id;
            cx.effects.push(Effect::Send { session, message });
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        match &self.state {
            State::Idle { retry } => (!self.stopping).then_some(*retry),
            State::Dialing(session) => Some(session.since + self.dial_limit),
            State::Open(session) => {
                let stall = session.unsent.front().map(|sent| *sent + self.send_stall);
                let room = session.unsent.len() < UNSENT_MAX && !self.stopping;
                let beat = room.then_some(session.beat_at);
                let outbox = self.outbox.deadline().filter(|_| room);
                [stall, beat, outbox].into_iter().flatten().min()
            }
        }
    }

    fn current(&self) -> Option<SessionId> {
        match &self.state {
            State::Idle { .. } => None,
            State::Dialing(session) | State::Open(session) => Some(session.id),
        }
    }

    fn dial(&mut self, cx: &mut Cx, hello: Hello) {
        let address = match self.redirects.pop_front() {
            Some(address) => address,
            None => {
                let Some(address) = self.hubs.get(self.turn % self.hubs.len().max(1)) else {
                    return;
                };
                self.turn += 1;
                address.clone()
            }
        };
        self.sessions += 1;
        let id = SessionId(self.sessions);
        self.outbox.clear();
        self.state = State::Dialing(Session {
            id,
            address: address.clone(),
            since: cx.now,
            heartbeat: HEARTBEAT_MAX,
            beat_at: cx.now,
            unsent: VecDeque::new(),
        });
        cx.effects.push(Effect::Dial { session: id, address, hello });
    }

    fn welcomed(&mut self, cx: &mut Cx, welcome: Welcome) -> News {
        if welcome.version < VERSIONS.oldest || welcome.version > VERSIONS.newest {
            return self.hang_up(cx, REFUSED_MIN, "the hub chose a protocol version that was not offered");
        }
        let idle = State::Idle { retry: cx.now };
        match std::mem::replace(&mut self.state, idle) {
            State::Dialing(mut session) => {
                session.heartbeat = welcome.heartbeat.clamp(HEARTBEAT_MIN, HEARTBEAT_MAX);
                session.beat_at = cx.now + cx.jittered(session.heartbeat);
                session.since = cx.now;
                cx.log(Log::Connected(session.address.clone()));
                self.told.clear();
                self.down_since = None;
                self.stands_by = false;
                self.redirects.clear();
                // The next failure begins with this hub again: it is known to lead.
                self.turn = self.hubs.iter().position(|hub| *hub == session.address).unwrap_or(self.turn);
                self.state = State::Open(session);
                News::Welcomed(welcome)
            }
            // A repeated welcome says nothing new.
            state @ (State::Open(_) | State::Idle { .. }) => {
                self.state = state;
                News::Nothing
            }
        }
    }

    fn refused(&mut self, cx: &mut Cx, refusal: Refusal) -> News {
        let Refusal { code, message, retry_after } = refusal;
        self.say_once(cx, &message.clone(), Log::Refused { code, message });
        let wait = spread(cx, retry_after.clamp(REFUSED_MIN, WAIT_MAX));
        self.leave(cx, wait)
    }

    /// The wait before the next dial. A session that stood for a while ends the row of failures; one that fell at once
    /// does not.
    fn retry_wait(&mut self, cx: &mut Cx) -> Duration {
        if let State::Open(session) = &self.state
            && cx.now.since(session.since) >= self.dial_cap
        {
            self.backoff.reset();
        }
        self.backoff.next(cx.rng)
    }

    fn hang_up(&mut self, cx: &mut Cx, wait: Duration, reason: &str) -> News {
        self.say_once(cx, reason, Log::Disconnected(reason.into()));
        self.leave(cx, wait)
    }

    fn leave(&mut self, cx: &mut Cx, wait: Duration) -> News {
        if let Some(session) = self.current() {
            cx.effects.push(Effect::Hangup { session });
        }
        self.ended(cx, wait)
    }

    fn ended(&mut self, cx: &mut Cx, wait: Duration) -> News {
        let idle = State::Idle { retry: cx.now + wait };
        let was = std::mem::replace(&mut self.state, idle);
        self.outbox.clear();
        match was {
            State::Open(_) => {
                self.down_since = Some(cx.now);
                News::Lost
            }
            State::Dialing(_) | State::Idle { .. } => News::Nothing,
        }
    }

    /// Logs a line unless it was said since the last welcome.
    fn say_once(&mut self, cx: &mut Cx, what: &str, line: Log) {
        if self.told.contains(what) {
            return;
        }
        if self.told.len() >= TOLD_MAX {
            self.told.clear();
        }
        self.told.insert(what.into());
        cx.log(line);
    }
}

/// The hub's wait and up to a quarter more, so that those who were sent away together do not return together.
fn spread(cx: &mut Cx, wait: Duration) -> Duration {
    let quarter = u64::try_from(wait.as_millis() / 4).unwrap_or(0);
    wait + Duration::from_millis(cx.rng.below(quarter + 1))
}
