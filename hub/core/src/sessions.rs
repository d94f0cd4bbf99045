//! Sessions: who may speak for a cluster, and which of its agents leads (S10, S23, S24).

use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::{Down, Hello, Leadership, Refusal, RefusalCode, Up, VERSIONS, Welcome};
use godwit_common::{ClusterName, Generation, Time, Traits};

use crate::contract::{ClusterRecord, ClusterState, Effect, Key, SessionId, Severity, Subject};
use crate::hub::Hub;
use crate::retire::retired_message;
use crate::shared::Shared;
use crate::state::{Cluster, Leader, Session};

/// After a refusal that an operator must mend, an agent asks again this much later.
pub(crate) const REFUSED_RETRY: Duration = Duration::from_secs(60);

impl Hub {
    /// An agent's first message.
    pub(crate) fn session_opened(
        &mut self,
        session: SessionId,
        name: ClusterName,
        hello: &Hello,
        spoken: &mut Vec<Effect>,
    ) {
        if self.is_revoked(&name) {
            // It came in before the revocation did, and is about to be cut.
            return spoken.push(Effect::Close { session });
        }
        self.take_name(&name, hello);
        if let Some((code, message)) = self.refusal(&name, hello) {
            self.note_refusal(&name, hello, code, &message);
            let refusal = Refusal { code, message: message.into(), retry_after: REFUSED_RETRY };
            spoken.push(Effect::Send { session, message: Down::Refusal(refusal) });
            spoken.push(Effect::Close { session });
            return;
        }
        let Some(version) = VERSIONS.agree(hello.versions) else {
            return;
        };
        // What was accepted from nobody in particular proves nothing.
        if hello.federation.is_some() {
            self.heed_epoch(&name, hello.highest_epoch);
        }
        self.admit(&name, hello);
        let former = self.former_session(&name, &hello.instance);
        let displaced = match former {
            None if !self.has_place(&name) => self.same_zone(&name, &hello.zone),
            None | Some(_) => None,
        };
        if former.is_none() && displaced.is_none() && !self.has_place(&name) {
            self.note_standby(&name, &hello.instance, &hello.zone);
            let message = Down::Standby { retry_after: self.standby_wait(&name, &hello.instance) };
            spoken.push(Effect::Send { session, message });
            spoken.push(Effect::Close { session });
            return;
        }
        if let Some(cluster) = self.clusters.get_mut(&name) {
            let (instance, zone) = (hello.instance.clone(), hello.zone.clone());
            let heard = self.now.time;
            let Hello { supervises, knows_overrides, .. } = *hello;
            let opened = Session {
                instance,
                zone,
                heard,
                claims: false,
                unreachable: None,
                supervises,
                knows_overrides,
            };
            cluster.standbys.remove(&hello.instance);
            cluster.sessions.insert(session, opened);
        }
        self.sessions.insert(session, name.clone());
        let welcome = Welcome {
            version,
            federation: self.federation.uid,
            epoch: self.federation.epoch,
            heartbeat: self.config.heartbeat,
        };
        spoken.push(Effect::Send { session, message: Down::Welcome(welcome) });
        self.cluster_heard(&name, session);
        self.cluster_connected(&name);
        if let Some(former) = former {
            spoken.push(Effect::Close { session: former });
            self.end_session(former, "its agent began another session", spoken);
        }
        if let Some(displaced) = displaced {
            let whose = self.clusters.get(&name).and_then(|cluster| cluster.sessions.get(&displaced));
            if let Some(Session { instance, zone, .. }) = whose.cloned() {
                self.note_standby(&name, &instance, &zone);
            }
            let message = Down::Standby { retry_after: self.config.standby_retry };
            spoken.push(Effect::Send { session: displaced, message });
            spoken.push(Effect::Close { session: displaced });
            self.end_session(displaced, "an agent in another zone took its place", spoken);
        }
    }

    /// Agents of what was retired go on asking until they are uninstalled: nobody has to look.
    fn note_refusal(&mut self, name: &ClusterName, hello: &Hello, code: RefusalCode, message: &str) {
        match code {
            RefusalCode::Deleted => return,
            RefusalCode::ClusterUid => {
                let uid = hello.cluster_uid;
                if let Some(cluster) = self.clusters.get_mut(name).filter(|known| known.record.uid != uid) {
                    cluster.claimant = Some(uid);
                    self.touched.subjects.insert(Subject::Cluster(name.clone()));
                }
            }
            RefusalCode::Version | RefusalCode::Federation | RefusalCode::Protocol | RefusalCode::Busy => {}
        }
        self.note(Severity::Warning, "", "SessionRefused", name.as_str(), message);
    }

    /// The session that an agent had before it came again: the hub may not have noticed its end yet, and nobody is kept
    /// out by himself.
    fn former_session(&self, name: &ClusterName, instance: &str) -> Option<SessionId> {
        let sessions = &self.clusters.get(name)?.sessions;
        let same =
            |(_, session): &(&SessionId, &Session)| !instance.is_empty() && &*session.instance == instance;
        sessions.iter().find(same).map(|(id, _)| *id)
    }

    /// Whether another agent of a cluster is wanted (S24). Those that have fallen silent are about to be given up: to
    /// wait for that would leave the cluster unheard for longer than it takes to lose it.
    fn has_place(&self, name: &ClusterName) -> bool {
        let speaks = |session: &&Session| self.now.time.since(session.heard) < self.config.vanished_after();
        let witnesses = |cluster: &Cluster| cluster.sessions.values().filter(speaks).count();
        self.clusters.get(name).is_some_and(|cluster| witnesses(cluster) < self.config.streams_per_cluster)
    }

    /// Which session makes room for an agent of a zone that has no witness yet: one of several in the same zone, but
    /// never the leader's (S24).
    fn same_zone(&self, name: &ClusterName, zone: &str) -> Option<SessionId> {
        let cluster = self.clusters.get(name)?;
        let of_zone = |zone: &str| cluster.sessions.values().filter(|session| &*session.zone == zone).count();
        if zone.is_empty() || of_zone(zone) > 0 {
            return None;
        }
        let leader = cluster.leader.as_ref().map(|leader| leader.session);
        let spare =
            |(id, session): &(&SessionId, &Session)| Some(**id) != leader && of_zone(&session.zone) > 1;
        cluster.sessions.iter().rfind(spare).map(|(id, _)| *id)
    }

    /// When an agent that is not wanted asks again. One of them, the reserve, asks so often that it takes over before the
    /// silence of all the others is a loss; the rest would only cost handshakes (S24).
    fn standby_wait(&mut self, name: &ClusterName, instance: &Arc<str>) -> Duration {
        let (now, often) = (self.now.time, self.reserve_asks(name));
        let spread = Duration::from_millis(self.rng.below(5_000));
        let rarely = self.config.standby_retry + spread;
        let Some(cluster) = self.clusters.get_mut(name) else {
            return rarely;
        };
        let other =
            |(reserve, asked): &(Arc<str>, Time)| reserve != instance && now.since(*asked) < often * 2;
        if cluster.reserve.as_ref().is_some_and(other) {
            return rarely;
        }
        cluster.reserve = Some((instance.clone(), now));
        often.min(self.config.standby_retry)
    }

    /// How often the reserve asks. It has to ask between the moment when a silent cluster's streams make room for it and that
    /// when a policy loses the cluster, which is not before its streams are dead (S1). An agent waits up to a quarter longer
    /// than it is told to.
    fn reserve_asks(&self, name: &ClusterName) -> Duration {
        let shortest = self.windows_of(name).first().copied().unwrap_or(self.config.lost_after);
        let loss = shortest.max(self.config.stream_timeout());
        let open = loss.saturating_sub(self.config.vanished_after());
        (loss / 2).min(open * 3 / 4)
    }

    /// Any later message.
    pub(crate) fn session_message(&mut self, session: SessionId, message: Up, spoken: &mut Vec<Effect>) {
        let Some(name) = self.sessions.get(&session).cloned() else {
            return;
        };
        self.cluster_heard(&name, session);
        match message {
            Up::Heartbeat => {}
            Up::Renewal { number } => self.renew(session, &name, number, spoken),
            Up::Hello(_) => {
                let message = "a session has one hello only; this is a fault of the agent".into();
                let refusal = Refusal { code: RefusalCode::Protocol, message, retry_after: REFUSED_RETRY };
                spoken.push(Effect::Send { session, message: Down::Refusal(refusal) });
                spoken.push(Effect::Close { session });
                self.end_session(session, "its last agent broke the protocol", spoken);
            }
            Up::Leadership(leadership) => self.leadership(session, &name, leadership, spoken),
            Up::Report(report) => self.report(session, &name, report),
            Up::Accepted { fence, .. } => self.accepted(session, &name, fence),
            Up::SyncWanted => {
                if let Some(leader) = self.leader_of(session, &name) {
                    leader.sent = None;
                    self.touched.send.insert(name);
                }
            }
            Up::Alarm(alarm) => self.alarm(&name, alarm),
            Up::ApiServer { unreachable } => self.api_server(session, &name, unreachable),
            Up::Recalled(recalled) => self.recalled(session, &name, recalled),
            Up::Goodbye => self.goodbye(session, &name, spoken),
        }
    }

    /// A session is over; the reason is told if it was the last of its cluster.
    pub(crate) fn end_session(&mut self, session: SessionId, reason: &str, spoken: &mut Vec<Effect>) {
        let Some(name) = self.sessions.remove(&session) else {
            return;
        };
        if let Some(cluster) = self.clusters.get_mut(&name) {
            cluster.sessions.remove(&session);
            if cluster.leader.as_ref().is_some_and(|leader| leader.session == session) {
                self.leader_gone(&name, spoken);
            }
        }
        self.note_degradation(&name);
        self.cluster_disconnected(&name, reason);
        self.call_standbys(&name, spoken);
    }

    /// Why an agent may not speak for a cluster, if so.
    fn refusal(&self, name: &ClusterName, hello: &Hello) -> Option<(RefusalCode, String)> {
        let (known, uid) = (self.clusters.get(name), hello.cluster_uid);
        if VERSIONS.agree(hello.versions).is_none() {
            let (ours, theirs) = (VERSIONS, hello.versions);
            let message = format!(
                "the agent speaks protocol versions {} to {}, the hub {} to {}: upgrade the older of the two",
                theirs.oldest, theirs.newest, ours.oldest, ours.newest
            );
            return Some((RefusalCode::Version, message));
        }
        if let Some(other) = hello.federation.filter(|federation| *federation != self.federation.uid) {
            let message = format!(
                "cluster {name} belongs to federation {other}, this is {}: \
                 connect it to its own hub, or remove the ConfigMap that holds its fence",
                self.federation.uid
            );
            return Some((RefusalCode::Federation, message));
        }
        if self.is_nameless() {
            let message = "this hub has lost its store, and waits for a member of the federation that it shall take \
                           over: this cluster belongs to none";
            return Some((RefusalCode::Federation, message.to_owned()));
        }
        if let Some(retired) = self.retired.get(&uid) {
            return Some((RefusalCode::Deleted, retired_message(&retired.name)));
        }
        if let Some(known) = known.filter(|known| known.record.uid != uid) {
            let message = format!(
                "cluster {name} is known with the UID {}, this one has {uid}: if it was built anew, \
                 `godwit replace cluster {name} --uid {uid}`; if it is another, give it a certificate with another name",
                known.record.uid
            );
            return Some((RefusalCode::ClusterUid, message));
        }
        // A known one was checked when it joined: who comes back costs nothing, however large the fleet.
        let twin = |other: &&Shared<Cluster>| known.is_none() && other.record.uid == uid;
        if let Some(twin) = self.clusters.values().find(twin) {
            let message = format!(
                "this cluster (UID {uid}) is a member already, as {}: \
                 one cluster has one name, so use the certificate of {0}",
                twin.record.name
            );
            return Some((RefusalCode::ClusterUid, message));
        }
        if known.is_none() && self.clusters.len() >= self.config.clusters {
            let message = format!("the federation is full: {} clusters", self.config.clusters);
            return Some((RefusalCode::Protocol, message));
        }
        None
    }

    /// A new name joins (S23); a known one may have moved.
    fn admit(&mut self, name: &ClusterName, hello: &Hello) {
        let (provider, region) = (hello.region.provider.clone(), hello.region.region.clone());
        if let Some(cluster) = self.clusters.get_mut(name) {
            let traits = &cluster.record.traits;
            if (&traits.provider, &traits.region) != (&provider, &region) {
                self.retrait(name, |traits| (traits.provider, traits.region) = (provider, region));
            }
            return;
        }
        let (uid, joined) = (hello.cluster_uid, self.now.wall);
        let record = ClusterRecord {
            name: name.clone(),
            uid,
            generation: Generation(0),
            joined,
            inventoried: false,
            traits: Traits { provider, region, ..Traits::default() },
            taints: Vec::new(),
            cordoned: false,
            drain: None,
            maintenance: None,
            awaited: None,
            dead: None,
            knows_overrides: false,
        };
        let mut cluster = Cluster::new(record, ClusterState::Joining, self.now);
        // It may have been a member before, and hold a lease from then.
        cluster.leased_until = self.leased_from_now();
        self.clusters.insert(name.clone(), Shared::new(cluster));
        self.touched.keys.insert(Key::Cluster(name.clone()));
        let message =
            format!("cluster {name} (UID {uid}) has joined; it gets work from growth and pending replicas");
        self.note(Severity::Normal, "S23", "ClusterJoined", name.as_str(), message);
    }

    /// An agent begins or ceases to lead (S24).
    fn leadership(
        &mut self,
        session: SessionId,
        name: &ClusterName,
        leadership: Leadership,
        spoken: &mut Vec<Effect>,
    ) {
        let ours = self.federation.epoch;
        let Some(cluster) = self.clusters.get_mut(name) else {
            return;
        };
        if let Some(session) = cluster.sessions.get_mut(&session) {
            session.claims = matches!(leadership, Leadership::Leading { .. });
        }
        match leadership {
            Leadership::Following => {
                if cluster.leader.as_ref().is_some_and(|leader| leader.session == session) {
                    self.leader_gone(name, spoken);
                }
            }
            Leadership::Leading { term, fence, base, digest } => {
                let older = |known: godwit_common::link::LeaderTerm| {
                    known.lease == term.lease && known.transitions > term.transitions
                };
                if cluster.term.is_some_and(older) {
                    return;
                }
                cluster.term = Some(term);
                let generation = cluster.record.generation;
                // Rows at the newest generation that do not add up are no base to build on.
                let adds_up = base < generation || (base == generation && digest == cluster.digest);
                let newer = fence.epoch > ours || fence.generation > generation;
                let sent = (base > Generation(0) && adds_up && !newer).then_some(base);
                let instance = cluster
                    .sessions
                    .get(&session)
                    .map_or_else(|| Arc::from(""), |session| session.instance.clone());
                cluster.leader = Some(Leader {
                    session,
                    instance,
                    sent,
                    accepted: fence.generation,
                    reflects: Generation(0),
                    inventoried: false,
                    reporting_since: Time::default(),
                    fence_behind: fence.epoch < ours,
                });
                self.reporting_changed(name);
                self.look_at_ability(name);
                self.look_at_overrides(session, name);
                self.show_seats(name);
                self.moving_at(name);
                self.recall_due(name);
                self.heed_fence(name, fence);
            }
        }
    }

    /// What the leader of a cluster has said holds no longer: its successor says it again.
    ///
    /// A successor may have spoken already, and not been believed for long: terms of different Leases have no order, so
    /// the last to speak is the leader, and that may be an agent that does not know yet that its Lease was deleted (S24).
    /// It would have no reason to speak again; a new session makes it.
    fn leader_gone(&mut self, name: &ClusterName, spoken: &mut Vec<Effect>) {
        let Some(cluster) = self.clusters.get_mut(name) else {
            return;
        };
        let former = cluster.leader.take().map(|leader| leader.session);
        let claims = cluster.sessions.iter().filter(|(id, session)| session.claims && Some(**id) != former);
        let claimants: Vec<SessionId> = claims.map(|(id, _)| *id).collect();
        self.reporting_changed(name);
        self.show_seats(name);
        // What was about to stop because of what is ready there stays, as long as nobody says that it is.
        self.moving_at(name);
        for session in claimants {
            spoken.push(Effect::Close { session });
            self.end_session(session, "who leads it is asked again", spoken);
        }
    }

    /// The leading agent's session, if this is it.
    pub(crate) fn leader_of(&mut self, session: SessionId, name: &ClusterName) -> Option<&mut Leader> {
        self.clusters.get_mut(name)?.leader.as_mut().filter(|leader| leader.session == session)
    }

    /// Whether an agent reaches the API server of its cluster (S3).
    fn api_server(&mut self, session: SessionId, name: &ClusterName, unreachable: Option<Arc<str>>) {
        let session = self.clusters.get_mut(name).and_then(|cluster| cluster.sessions.get_mut(&session));
        if let Some(session) = session {
            session.unreachable = unreachable;
            self.note_degradation(name);
        }
    }

    fn goodbye(&mut self, session: SessionId, name: &ClusterName, spoken: &mut Vec<Effect>) {
        let last = self.clusters.get(name).is_some_and(|cluster| cluster.sessions.len() == 1);
        if last && let Some(cluster) = self.clusters.get_mut(name) {
            cluster.health.grace = self.config.goodbye_grace;
        }
        self.end_session(session, "its last agent said goodbye", spoken);
    }
}
