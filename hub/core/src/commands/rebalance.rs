//! Balance by an operator's word: after a drain, a loss or a cluster that joined, where policies move nothing for it (S18).

use godwit_common::Uid;

use super::{no_workload, refused};
use crate::contract::{Action, Answer, Balanced, Refused, RefusedKind, Severity};
use crate::hub::Hub;
use crate::placement::Reason;

impl Hub {
    /// Moves workloads to their policy's own division.
    pub(super) fn rebalance(&mut self, what: &Balanced) -> Result<Answer, Refused> {
        let (subject, uids): (String, Vec<Uid>) = match what {
            Balanced::Workload(id) => {
                let uid = self.ids.get(id).copied().ok_or_else(|| no_workload(id))?;
                (id.to_string(), vec![uid])
            }
            Balanced::Policy(name) => {
                let policy = self.policies.get(name).ok_or_else(|| {
                    let message =
                        format!("policy {name} does not exist; `godwit get policies` lists what does");
                    refused(RefusedKind::NotFound, message)
                })?;
                (name.to_string(), policy.users.iter().copied().collect())
            }
            Balanced::All => (String::new(), self.workloads.keys().copied().collect()),
        };
        let message = format!("{} workloads move to their policies' own division", uids.len());
        let entry = self.note_command(Severity::Normal, "S18", "Rebalanced", subject, message);
        for uid in uids {
            if let Some(workload) = self.workloads.get(&uid) {
                let policy = workload.record.policy.clone();
                self.dirty.entry(uid).or_insert(Reason::Balance(policy, entry));
            }
        }
        self.make_plans();
        let changes = self.plan_changes();
        let action = if changes.total == 0 { Action::Unchanged } else { Action::Configured };
        Ok(Answer::Applied { action, changes })
    }
}
