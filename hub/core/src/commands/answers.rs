//! What answers to deployments say.

use std::collections::BTreeMap;

use godwit_common::{ClusterName, PolicyName, Uid};

use crate::changes::NAMES_MAX;
use crate::contract::{Action, DeployedWorkload, Policy};
use crate::hub::Hub;
use crate::state::{SeatState, Workload};

impl Hub {
    /// What workloads have now, and why.
    pub(super) fn deployed(&mut self, uids: &[(Uid, Action)]) -> Vec<DeployedWorkload> {
        let names = uids.iter().map(|(uid, _)| *uid);
        let reports = self.before.as_mut().map(|before| before.take_reports(names));
        let mut reports = reports.unwrap_or_default();
        let (mut counts_left, mut names_left) = (NAMES_MAX, NAMES_MAX);
        let deployed = uids.iter().filter_map(|(uid, action)| {
            let workload = self.workloads.get(uid)?;
            let policy = &self.policies.get(&workload.record.policy)?.policy;
            let report = reports.remove(uid).unwrap_or_default();
            let mut deployed = DeployedWorkload { report, ..self.deployed_as(workload, policy, *action) };
            deployed.placements.truncate(counts_left);
            deployed.rollout.truncate(names_left);
            counts_left -= deployed.placements.len();
            names_left -= deployed.rollout.len();
            Some(deployed)
        });
        deployed.collect()
    }

    fn deployed_as(&self, workload: &Workload, policy: &Policy, action: Action) -> DeployedWorkload {
        let placement = |(name, seat): (&ClusterName, &SeatState)| {
            let count = seat.seat.placed;
            (count > 0).then(|| (name.clone(), count))
        };
        let placements: Vec<_> = workload.seats.iter().filter_map(placement).collect();
        let rollout = self.rollout_order(workload, policy);
        let record = &workload.record;
        DeployedWorkload {
            id: workload.id().clone(),
            action,
            policy: policy.name.clone(),
            replicas: record.spec.replicas,
            revision: record.revision,
            behind: u32::try_from(rollout.len()).unwrap_or(u32::MAX),
            rollout,
            clusters: u32::try_from(placements.len()).unwrap_or(u32::MAX),
            placements,
            pending: record.pending,
            reasons: record.pending_reasons.iter().map(|reason| reason.to_string()).collect(),
            report: Vec::new(),
        }
    }

    /// What the caller of a request may not expect.
    pub(super) fn warnings(&self, policies: &[PolicyName]) -> Vec<String> {
        let mut warnings: Vec<String> =
            self.federation.freeze.iter().map(|freeze| freeze.message.to_string()).collect();
        let used: BTreeMap<&PolicyName, &Policy> =
            policies.iter().filter_map(|name| Some((name, &self.policies.get(name)?.policy))).collect();
        warnings.extend(used.into_values().filter_map(|policy| self.hasty(policy)));
        warnings
    }
}
