//! Retiring clusters, and letting what was retired join again (S23).

use godwit_common::ClusterName;

use super::{no_cluster, refused};
use crate::contract::{
    Action, Answer, Changes, ClusterState, DrainState, DrainTerms, Key, Purpose, Refused, RefusedKind,
    Severity, Subject,
};
use crate::hub::Hub;

impl Hub {
    /// Takes a cluster out: it is emptied, cleaned up, and leaves. What cannot be emptied is forgotten as it is, if that
    /// is meant.
    pub(super) fn retire(&mut self, name: &ClusterName, terms: &DrainTerms) -> Result<Answer, Refused> {
        let cluster = self.clusters.get(name).ok_or_else(|| no_cluster(name))?;
        let state = cluster.health.state;
        let drain = cluster.record.drain.as_ref();
        let cleaning = drain.is_some_and(|drain| drain.state == DrainState::Cleaning);
        // Of what is being cleaned up nothing runs any more: nobody has to be sure that it is lost.
        let lost = matches!(state, ClusterState::Lost | ClusterState::Joining) || (cleaning && terms.force);
        let gone = lost && !cluster.live();
        match gone {
            true if terms.force => {
                self.check_accounted(name)?;
                Ok(self.retire_unseen(name))
            }
            true => {
                let message = format!(
                    "cluster {name} is {}, and nothing there can be stopped or cleaned up: with --force it is \
                     forgotten all the same; what may still run there is not stopped by anybody then",
                    state.as_str()
                );
                Err(refused(RefusedKind::FailedPrecondition, message))
            }
            false if cleaning => {
                Ok(Answer::Applied { action: Action::Unchanged, changes: Changes::default() })
            }
            false => self.start_drain(name, terms, Purpose::Retire),
        }
    }

    fn retire_unseen(&mut self, name: &ClusterName) -> Answer {
        let message = "it is forgotten as it is: what may still run there is not stopped";
        let entry = self.note_command(Severity::Warning, "S23", "ClusterRetired", name.as_str(), message);
        // It is not connected: nobody has to be told.
        self.retire_now(name, entry, &mut Vec::new());
        self.make_plans();
        Answer::Applied { action: Action::Configured, changes: self.plan_changes() }
    }

    /// Lets a cluster that was retired join again; it does so as a new one.
    pub(super) fn readmit(&mut self, name: &ClusterName) -> Result<Answer, Refused> {
        let of_name = self.retired.values().filter(|retired| retired.name == *name);
        let uids: Vec<_> = of_name.map(|retired| retired.uid).collect();
        if uids.is_empty() {
            let message = format!(
                "no cluster {name} was retired: `godwit describe federation` lists those that were; \
                 `godwit drain cluster {name} --cancel` ends a retirement that is under way"
            );
            return Err(refused(RefusedKind::NotFound, message));
        }
        for uid in uids {
            self.retired.remove(&uid);
            self.touched.keys.insert(Key::Retired(uid));
        }
        self.touched.subjects.insert(Subject::Federation);
        let message = "it may join again, as a new one";
        self.note_command(Severity::Normal, "S23", "ClusterReadmitted", name.as_str(), message);
        Ok(Answer::Applied { action: Action::Configured, changes: Changes::default() })
    }
}
