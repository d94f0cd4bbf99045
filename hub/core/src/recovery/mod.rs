//! Recovery: a hub whose store is empty, or older than what the members have seen, says nothing and decides nothing. It
//! asks the members what they hold, takes over what it does not know, and goes on when an operator accepts that (S10).
//!
//! This file asks and listens; `take_over` makes one view of what was heard, `accept` puts it in force.

mod accept;
mod take_over;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::link::{Down, Hello, ROWS_MAX, Recalled, RecalledObject};
use godwit_common::{ClusterName, Uid};

use crate::contract::{Effect, FreezeCause, Key, Recovery, SessionId, Severity, Subject};
use crate::hub::Hub;

/// How many clusters tell at once what they hold: what the first ones have told, the others need not send.
const AT_ONCE: usize = 8;
/// The most manifests that are kept of one cluster until it has told all.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most findings that are listed.
const FINDINGS_MAX: usize = 100;

/// Who has told what it holds. Not durable: a hub that starts asks again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recalls {
    /// Those that are telling.
    asked: BTreeMap<ClusterName, Asked>,
    /// Those that have told all.
    heard: BTreeSet<ClusterName>,
    /// Somebody was heard who belongs to no federation.
    strangers: bool,
    /// Somebody may be asked.
    due: bool,
    /// What an operator should know before accepting the view, by what it is about.
    findings: BTreeMap<String, String>,
    /// From where the ordinals of workloads begin in each cluster (S32).
    ordinals: BTreeMap<(Uid, ClusterName), u32>,
    /// Lives that were unknown, or have changed since the store was written.
    changed: BTreeSet<Uid>,
}

#[derive(Debug, Clone)]
struct Asked {
    session: SessionId,
    objects: Vec<RecalledObject>,
    bytes: usize,
}

impl Hub {
    /// Whether this hub's view is not accepted: nothing is said to the members, and nothing is planned.
    pub(crate) fn in_doubt(&self) -> bool {
        self.federation.freeze.as_ref().is_some_and(|freeze| match freeze.cause {
            FreezeCause::MassLoss => false,
            FreezeCause::NewerHistory | FreezeCause::Recovery => true,
        })
    }

    /// The hub was started with the word that its store is empty, or older than the federation.
    pub(crate) fn begin_recovery(&mut self) {
        let from_nothing = self.clusters.is_empty() && self.workloads.is_empty();
        let named = !from_nothing;
        self.federation.recovery = Some(Recovery { from_nothing, named, missing: BTreeSet::new() });
        let message = "the hub was started with --recover: it rebuilds its view from what the members hold, and \
                       says nothing to them until `godwit freeze release` accepts that view";
        self.freeze(FreezeCause::Recovery, message.to_owned());
        self.doubt();
    }

    /// What is known is in doubt, from now on or anew: everybody is asked.
    pub(crate) fn doubt(&mut self) {
        self.federation.recovery.get_or_insert_with(|| Recovery {
            from_nothing: false,
            named: true,
            missing: BTreeSet::new(),
        });
        self.touched.keys.insert(Key::Federation);
        self.recalls.asked.clear();
        self.recalls.heard.clear();
        self.recalls.due = true;
    }

    /// A hub with an empty store becomes the federation that the first member belongs to.
    pub(crate) fn take_name(&mut self, name: &ClusterName, hello: &Hello) {
        let nameless = |recovery: &&mut Recovery| !recovery.named;
        let Some(recovery) = self.federation.recovery.as_mut().filter(nameless) else { return };
        let Some(federation) = hello.federation else {
            self.recalls.strangers = true;
            return;
        };
        recovery.named = true;
        self.federation.uid = federation;
        self.federation.epoch = self.federation.epoch.max(hello.highest_epoch).next();
        self.touched.keys.insert(Key::Federation);
        self.touched.subjects.insert(Subject::Federation);
        let message = format!("this hub takes over federation {federation}, to which cluster {name} belongs");
        self.note(Severity::Warning, "S10", "FederationTakenOver", name.as_str(), message);
    }

    /// Whether an agent has to wait until this hub knows which federation it is.
    pub(crate) fn is_nameless(&self) -> bool {
        self.federation.recovery.as_ref().is_some_and(|recovery| !recovery.named)
    }

    /// Somebody may have become ready to be asked, or has stopped telling.
    pub(crate) fn recall_due(&mut self, name: &ClusterName) {
        if self.in_doubt() {
            self.recalls.asked.remove(name);
            self.recalls.due = true;
        }
    }

    /// Asks those who can be asked, a few at a time.
    pub(crate) fn ask_members(&mut self, spoken: &mut Vec<Effect>) {
        if !std::mem::take(&mut self.recalls.due) || !self.in_doubt() {
            return;
        }
        let recalls = &self.recalls;
        let leader = |name: &ClusterName| {
            let leader = self.clusters.get(name)?.leader.as_ref()?;
            leader.inventoried.then_some(leader.session)
        };
        let open = |name: &&ClusterName| !recalls.heard.contains(*name) && !recalls.asked.contains_key(*name);
        let room = AT_ONCE.saturating_sub(recalls.asked.len());
        let next = self.clusters.keys().filter(open).filter_map(|name| Some((name.clone(), leader(name)?)));
        let next: Vec<(ClusterName, SessionId)> = next.take(room).collect();
        if next.is_empty() {
            return;
        }
        let known: Arc<[(Uid, u64)]> = self.known_revisions().into();
        for (name, session) in next {
            spoken.push(Effect::Send { session, message: Down::Recall(known.clone()) });
            self.recalls.asked.insert(name, Asked { session, objects: Vec::new(), bytes: 0 });
        }
    }

    /// What need not be sent again.
    fn known_revisions(&self) -> Vec<(Uid, u64)> {
        let workloads = self.workloads.iter();
        let revisions =
            workloads.flat_map(|(uid, workload)| workload.revisions.keys().map(|number| (*uid, *number)));
        let objects = self.objects.iter().map(|(uid, object)| (*uid, object.record.revision));
        revisions.chain(objects).take(ROWS_MAX).collect()
    }

    /// A member tells what it holds.
    pub(crate) fn recalled(&mut self, session: SessionId, name: &ClusterName, recalled: Recalled) {
        let Some(asked) = self.recalls.asked.get_mut(name).filter(|asked| asked.session == session) else {
            return;
        };
        match recalled {
            Recalled::Object(mut object) => {
                asked.bytes += object.manifest.as_ref().map_or(0, |manifest| manifest.len());
                if asked.bytes > BYTES_MAX {
                    object.manifest = None;
                }
                asked.objects.push(object);
            }
            Recalled::End => {
                let objects = std::mem::take(&mut asked.objects);
                self.recalls.asked.remove(name);
                self.recalls.heard.insert(name.clone());
                self.recalls.due = true;
                self.touched.subjects.insert(Subject::Federation);
                self.take_told(name, objects);
            }
        }
    }

    /// What an operator should know before accepting the view.
    fn find(&mut self, about: impl Into<String>, what: impl Into<String>) {
        let (about, what) = (about.into(), what.into());
        if self.recalls.findings.len() < FINDINGS_MAX || self.recalls.findings.contains_key(&about) {
            self.recalls.findings.insert(about, what);
            self.touched.subjects.insert(Subject::Federation);
        }
    }

    /// How far the recovery is, and what was found, for people.
    pub(crate) fn recovery_alarms(&self) -> Vec<String> {
        let Some(recovery) = self.federation.recovery.as_ref().filter(|_| self.in_doubt()) else {
            return Vec::new();
        };
        let awaited = self.clusters.keys().filter(|name| !self.recalls.heard.contains(*name));
        let awaited: Vec<&str> = awaited.map(ClusterName::as_str).take(20).collect();
        let mut alarms = vec![format!(
            "recovery: {} clusters have told what they hold, {} workloads are known",
            self.recalls.heard.len(),
            self.workloads.len()
        )];
        if !awaited.is_empty() {
            alarms.push(format!("recovery: these clusters have not told: {}", awaited.join(", ")));
        }
        let missing: Vec<&str> =
            recovery.missing.iter().map(godwit_common::PolicyName::as_str).take(20).collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            alarms.push(format!("recovery: what these policies say is not known, apply them: {missing}"));
        }
        let findings = self.recalls.findings.iter().map(|(about, what)| format!("recovery: {about}: {what}"));
        alarms.extend(findings);
        alarms.extend(self.ended_workloads());
        alarms.extend(self.short_workloads());
        alarms
    }
}
