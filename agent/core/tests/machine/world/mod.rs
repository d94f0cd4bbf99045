//! One agent between a scripted hub and a tiny member cluster, on a clock that the tests move.

mod member;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use godwit_agent_core::{Agent, Config, Effect, Event, Log, SessionId};
use godwit_common::link::{
    Down, Hello, Leadership, ObjectTarget, Report, Targets, Tombstone, Up, Welcome, WorkloadTarget,
    rows_digest,
};
use godwit_common::rng::Rng;
use godwit_common::{Epoch, Fence, Generation, ObjectKey, Time, Uid, WorkloadId};

pub(crate) use member::Member;

pub(crate) const FEDERATION: Uid = Uid(0xfed);

/// The whole stage. Effects are done at once unless a test holds them back.
pub(crate) struct World {
    pub(crate) now: Time,
    /// When the machine was stepped last.
    last: Time,
    pub(crate) agent: Agent,
    pub(crate) member: Member,
    /// The open session, as the agent sees it.
    pub(crate) session: Option<SessionId>,
    pub(crate) dials: Vec<(Time, Arc<str>, Hello)>,
    pub(crate) sent: Vec<(Time, Up)>,
    pub(crate) logs: Vec<Log>,
    pub(crate) effects: Vec<Effect>,
    /// Whether the hub answers a dial with a welcome.
    pub(crate) welcoming: bool,
    /// What is dialled is not answered by itself.
    pub(crate) ringing: bool,
    /// Whether the transport takes messages.
    pub(crate) taking: bool,
    pub(crate) exited: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(config(), Member::default(), Time(1_000))
    }

    pub(crate) fn with(config: Config, member: Member, now: Time) -> Self {
        Self::seeded(7, config, member, now)
    }

    pub(crate) fn seeded(seed: u64, config: Config, member: Member, now: Time) -> Self {
        let mut world = Self {
            now,
            last: Time::default(),
            agent: Agent::new(config, Rng::new(seed)),
            member,
            session: None,
            dials: Vec::new(),
            sent: Vec::new(),
            logs: Vec::new(),
            effects: Vec::new(),
            welcoming: true,
            ringing: false,
            taking: true,
            exited: false,
        };
        world.step(Event::Tick);
        world
    }

    /// A world whose agent leads and has sent its inventory.
    pub(crate) fn leading() -> Self {
        let mut world = Self::new();
        world.until(|world| world.leadership().is_some());
        world.until(|world| world.reports().any(|report| report.complete));
        world
    }

    /// The process dies and another one starts on the same member.
    pub(crate) fn restart(self) -> Self {
        let Self { mut member, now, .. } = self;
        member.forget_agent();
        let mut world = Self::with(config(), member, now + Duration::from_secs(1));
        world.until(|world| world.reports().any(|report| report.complete));
        world
    }

    /// One event, and everything that follows from it at this moment.
    pub(crate) fn step(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        let mut steps = 0;
        while let Some(event) = events.pop_front().or_else(|| self.member.next_event()) {
            let mut effects = Vec::new();
            self.last = self.now;
            self.agent.step(self.now, event, &mut effects);
            for effect in effects {
                self.effects.push(effect.clone());
                self.perform(effect, &mut events);
            }
            steps += 1;
            assert!(steps < 100_000, "the machine does not come to rest at {}", self.now);
        }
    }

    /// Delivers what the member has to say.
    pub(crate) fn settle(&mut self) {
        if let Some(event) = self.member.next_event() {
            self.step(event);
        }
    }

    /// Moves the clock, stopping at every deadline.
    pub(crate) fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.settle();
        let most = 100 + duration.as_millis() / 10;
        let mut ticks = 0;
        while let Some(deadline) = self.agent.deadline().filter(|deadline| *deadline <= end) {
            assert!(deadline > self.last, "a deadline that has passed");
            self.now = self.now.max(deadline);
            self.step(Event::Tick);
            ticks += 1;
            assert!(ticks < most, "the machine spins at {}", self.now);
        }
        self.now = end;
    }

    pub(crate) fn until(&mut self, done: impl Fn(&World) -> bool) {
        for _ in 0..2_000 {
            if done(self) {
                return;
            }
            self.advance(Duration::from_millis(50));
        }
        panic!("it never came; sent: {:#?}; logs: {:#?}", self.sent, self.logs);
    }

    pub(crate) fn hear(&mut self, message: Down) {
        let session = self.session.expect("an open session");
        self.step(Event::Received { session, message });
    }

    pub(crate) fn send_targets(&mut self, targets: Targets) {
        self.hear(Down::Targets(Arc::new(targets)));
    }

    /// The connection breaks, and none can be made until `welcoming` is set again.
    pub(crate) fn cut(&mut self) {
        self.welcoming = false;
        let session = self.session.take().expect("an open session");
        let reason = "reset".into();
        self.step(Event::Closed { session, reason });
    }

    pub(crate) fn ups(&self) -> impl DoubleEndedIterator<Item = &Up> {
        self.sent.iter().map(|(_, up)| up)
    }

    pub(crate) fn reports(&self) -> impl DoubleEndedIterator<Item = &Report> {
        self.ups().filter_map(|up| match up {
            Up::Report(report) => Some(report),
            Up::Hello(_) | Up::Heartbeat | Up::Renewal { .. } | Up::Leadership(_) | Up::Accepted { .. } => {
                None
            }
            Up::SyncWanted | Up::Alarm(_) | Up::ApiServer { .. } | Up::Recalled(_) | Up::Goodbye => None,
        })
    }

    pub(crate) fn leadership(&self) -> Option<&Leadership> {
        self.ups().rev().find_map(|up| match up {
            Up::Leadership(leadership) => Some(leadership),
            Up::Hello(_) | Up::Heartbeat | Up::Renewal { .. } | Up::Report(_) | Up::Accepted { .. } => None,
            Up::SyncWanted | Up::Alarm(_) | Up::ApiServer { .. } | Up::Recalled(_) | Up::Goodbye => None,
        })
    }

    pub(crate) fn leads(&self) -> bool {
        matches!(self.leadership(), Some(Leadership::Leading { .. }))
    }

    pub(crate) fn was_sent(&self, wanted: &Up) -> bool {
        self.ups().any(|up| up == wanted)
    }

    fn perform(&mut self, effect: Effect, events: &mut VecDeque<Event>) {
        match effect {
            Effect::Dial { session, address, hello } => {
                self.dials.push((self.now, address, hello));
                if self.ringing {
                    self.session = Some(session);
                } else if self.welcoming {
                    self.session = Some(session);
                    let message = Down::Welcome(welcome());
                    events.push_back(Event::Received { session, message });
                } else {
                    let reason = "refused".into();
                    events.push_back(Event::Closed { session, reason });
                }
            }
            Effect::Send { session, message } => {
                assert_eq!(Some(session), self.session, "a message on a session that is not open");
                self.sent.push((self.now, message));
                if self.taking {
                    events.push_back(Event::Sent { session });
                }
            }
            Effect::Hangup { session } => {
                self.session = self.session.filter(|open| *open != session);
            }
            Effect::Call { op, call } => self.member.call(op, call),
            Effect::Watch { watch, scope } => self.member.watch(watch, scope),
            Effect::Unwatch { watch } => self.member.unwatch(watch),
            Effect::Log(line) => self.logs.push(line),
            Effect::Admit { .. } => {}
            Effect::Exit => self.exited = true,
        }
    }
}

pub(crate) fn config() -> Config {
    Config::new(vec!["hub-a:7443".into(), "hub-b:7443".into()], "agent-1", "test")
}

pub(crate) fn welcome() -> Welcome {
    Welcome { version: 1, federation: FEDERATION, epoch: Epoch(1), heartbeat: Duration::from_secs(2) }
}

pub(crate) fn fence(epoch: u64, generation: u64) -> Fence {
    Fence { federation: FEDERATION, epoch: Epoch(epoch), generation: Generation(generation) }
}

pub(crate) fn web() -> WorkloadId {
    workload_id("web")
}

pub(crate) fn workload_id(name: &str) -> WorkloadId {
    WorkloadId::new("shop", "Deployment", name).expect("valid")
}

pub(crate) fn key(kind: &str, namespace: &str, name: &str) -> ObjectKey {
    let api_version = match kind {
        "Deployment" | "StatefulSet" => "apps/v1",
        _ => "v1",
    };
    ObjectKey::new(api_version, kind, namespace, name).expect("valid")
}

pub(crate) fn workload(uid: u128, name: &str, revision: u64, replicas: u32) -> WorkloadTarget {
    WorkloadTarget {
        uid: Uid(uid),
        workload: workload_id(name),
        api_version: "apps/v1".into(),
        revision,
        replicas,
        ordinals: 0,
        overrides: Default::default(),
        manifest: Some(format!("{{\"name\":\"{name}\"}}").into()),
        needs: Vec::new(),
        supervised: false,
        scale_only: false,
        charter: None,
        tolerates_drift: false,
        shown: false,
        adopts: None,
    }
}

pub(crate) fn object(uid: u128, kind: &str, name: &str, revision: u64) -> ObjectTarget {
    let namespace = if kind == "Namespace" { "" } else { "shop" };
    ObjectTarget {
        uid: Uid(uid),
        key: key(kind, namespace, name),
        revision,
        manifest: Some("{}".into()),
        tolerates_drift: false,
        bounds: Default::default(),
        adopts: None,
        overrides: Default::default(),
    }
}

/// A whole state.
pub(crate) fn whole(fence: Fence, objects: Vec<ObjectTarget>, workloads: Vec<WorkloadTarget>) -> Targets {
    Targets {
        fence,
        base: Generation(0),
        digest: rows_digest(&objects, &workloads),
        objects,
        workloads,
        tombstones: Vec::new(),
    }
}

/// Changes after the generation before; `live` is every workload there is afterwards.
pub(crate) fn change(fence: Fence, workloads: Vec<WorkloadTarget>, live: &[WorkloadTarget]) -> Targets {
    Targets {
        fence,
        base: Generation(fence.generation.0 - 1),
        digest: rows_digest([], live),
        objects: Vec::new(),
        workloads,
        tombstones: Vec::new(),
    }
}

pub(crate) fn tombstone(uid: u128, name: &str) -> Tombstone {
    let what = godwit_common::link::Tombstoned::Workload {
        workload: workload_id(name),
        api_version: "apps/v1".into(),
    };
    Tombstone { uid: Uid(uid), what }
}
