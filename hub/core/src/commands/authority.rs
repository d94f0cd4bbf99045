//! Whether who commands may do so there. The shell has looked whether somebody of their role may command such a thing at all;
//! here it is about what the command touches, in the state that it would change.

use godwit_common::{ObjectKey, PolicyName, WorkloadId};

use super::refused;
use crate::contract::{
    AccessOrder, Balanced, Command, Deploy, Permit, PolicyChoice, Refused, RefusedKind, Role, is_system,
};
use crate::hub::Hub;

/// What a command is about.
enum About<'a> {
    /// An application, with a policy for each of its workloads.
    Application(&'a Deploy),
    /// The total of a workload: more of it takes room from others.
    Total(&'a WorkloadId),
    /// A workload.
    Workload(&'a WorkloadId),
    /// Nobody's namespace.
    Federation,
    /// Who belongs to the federation, and who may do what.
    Membership,
    /// Nobody commands it: what somebody shows, a token or a certificate, and what that is good for, is looked at there.
    Shown,
}

impl Hub {
    /// Refuses what reaches beyond the bounds of whoever commands it.
    pub(super) fn authorise(&self, command: &Command) -> Result<(), Refused> {
        let about = about(command);
        if matches!(about, About::Shown) {
            return Ok(());
        }
        let (permit, _) = self.roles.of(&self.operator);
        let Some(permit) = permit else {
            return Err(self.denied("has no role", "nothing may be commanded without one", "viewer or more"));
        };
        if permit.role == Role::Viewer {
            return Err(self.beyond(&permit, "a viewer changes nothing", "deployer"));
        }
        match about {
            About::Application(deploy) => self.authorise_deploy(&permit, deploy),
            About::Total(workload) => {
                self.authorise_place(&permit, &workload.namespace)?;
                let found = self.ids.get(workload).and_then(|uid| self.workloads.get(uid));
                found.map_or(Ok(()), |found| self.authorise_policy(&permit, &found.record.policy))
            }
            About::Workload(workload) => self.authorise_place(&permit, &workload.namespace),
            About::Federation if permit.role >= Role::Operator => Ok(()),
            About::Federation => Err(self.beyond(&permit, "this is about the whole federation", "operator")),
            About::Membership if permit.role == Role::Admin => Ok(()),
            About::Membership => Err(self.beyond(
                &permit,
                "this says who belongs to the federation, or may do what in it",
                "admin",
            )),
            About::Shown => Ok(()),
        }
    }

    fn authorise_deploy(&self, permit: &Permit, deploy: &Deploy) -> Result<(), Refused> {
        let application = &deploy.application;
        for object in application.objects.iter().map(|object| &object.key) {
            if object.namespace.is_empty() {
                self.authorise_cluster_wide(permit, object)?;
            } else {
                self.authorise_place(permit, &object.namespace)?;
            }
        }
        for workload in &application.workloads {
            self.authorise_place(permit, &workload.id.namespace)?;
        }
        if permit.role >= Role::Operator {
            return Ok(());
        }
        if let PolicyChoice::Inline(policy) = &deploy.policy {
            let problem = format!("policy {} would be made or changed by this", policy.name);
            return Err(self.beyond(permit, &problem, "operator"));
        }
        self.policies_of(deploy)?.iter().try_for_each(|policy| self.authorise_policy(permit, policy))
    }

    fn authorise_cluster_wide(&self, permit: &Permit, object: &ObjectKey) -> Result<(), Refused> {
        if permit.role == Role::Admin {
            return Ok(());
        }
        Err(self.beyond(permit, &format!("{object} belongs to no namespace, but to whole clusters"), "admin"))
    }

    fn authorise_place(&self, permit: &Permit, namespace: &str) -> Result<(), Refused> {
        match permit.role {
            Role::Admin => Ok(()),
            Role::Viewer | Role::Deployer | Role::Operator if is_system(namespace) => {
                Err(self.beyond(permit, &format!("namespace {namespace} is the system's own"), "admin"))
            }
            Role::Operator if !self.knows_namespace(namespace) => {
                let problem = format!("namespace {namespace} is new: nothing was ever deployed to it");
                Err(self.beyond(permit, &problem, "admin"))
            }
            Role::Operator => Ok(()),
            Role::Viewer | Role::Deployer if permit.is_bounded() && permit.sees(namespace) => Ok(()),
            Role::Viewer | Role::Deployer => {
                Err(self.beyond(permit, &format!("this is about namespace {namespace}"), "deployer there"))
            }
        }
    }

    fn authorise_policy(&self, permit: &Permit, policy: &PolicyName) -> Result<(), Refused> {
        if permit.role >= Role::Operator {
            return Ok(());
        }
        let allowed = &permit.reach.policies;
        if !allowed.is_empty() && !allowed.contains(policy) {
            let problem = format!("this is under policy {policy}");
            return Err(self.beyond(permit, &problem, "deployer under that policy"));
        }
        let priority = self.policies.get(policy).map_or(0, |known| known.policy.placement.priority);
        if priority > permit.reach.max_priority {
            let problem = format!("policy {policy} has the priority {priority}");
            return Err(self.beyond(permit, &problem, "deployer up to that priority"));
        }
        Ok(())
    }

    /// Whether something is in a namespace, or may be: a workload, a quota, somebody's role, or the namespace itself.
    fn knows_namespace(&self, namespace: &str) -> bool {
        let first = WorkloadId { namespace: namespace.into(), kind: "".into(), name: "".into() };
        let workload = self.ids.range(first..).next();
        let bound =
            || self.roles.bindings.values().any(|one| one.permit.reach.namespaces.contains(namespace));
        let itself = || {
            let key = ObjectKey::new("v1", "Namespace", "", namespace);
            key.is_ok_and(|key| self.object_keys.contains_key(&key))
        };
        namespace == "default"
            || workload.is_some_and(|(id, _)| &*id.namespace == namespace)
            || self.quotas.contains_key(namespace)
            || bound()
            || itself()
    }

    fn beyond(&self, permit: &Permit, problem: &str, needed: &str) -> Refused {
        self.denied(&format!("is {permit}"), problem, needed)
    }

    /// Who, what they are, what is in the way, what it takes, and who can give it.
    fn denied(&self, standing: &str, problem: &str, needed: &str) -> Refused {
        let who = &self.operator;
        let message = format!(
            "{who} {standing}, and {problem}: that takes the role {needed}, which an admin gives with `godwit role bind \
             {who}`; `godwit whoami` shows what you may do"
        );
        refused(RefusedKind::PermissionDenied, message)
    }
}

fn about(command: &Command) -> About<'_> {
    match command {
        Command::Deploy(deploy) => About::Application(deploy),
        Command::Scale { workload, .. } => About::Total(workload),
        Command::DeleteWorkload { workload }
        | Command::Acknowledge { workload, .. }
        | Command::Rollout { workload, .. }
        | Command::Rebalance(Balanced::Workload(workload)) => About::Workload(workload),
        Command::Access(
            AccessOrder::Enrol(_)
            | AccessOrder::EnrolPod(_)
            | AccessOrder::PinIssuer { .. }
            | AccessOrder::LogIn(_),
        ) => About::Shown,
        Command::Rebalance(Balanced::Policy(_) | Balanced::All)
        | Command::ApplyPolicy(_)
        | Command::DeletePolicy { .. }
        | Command::ConfirmRemoval { .. }
        | Command::ConfirmDead { .. }
        | Command::Cordon { .. }
        | Command::Drain { .. }
        | Command::Migrate { .. }
        | Command::Maintain { .. }
        | Command::Label { .. }
        | Command::Taint { .. }
        | Command::ApplyQuota(_)
        | Command::DeleteQuota { .. }
        | Command::ConfirmFreeze
        | Command::ReleaseFreeze => About::Federation,
        Command::DeleteCluster { .. }
        | Command::Retire { .. }
        | Command::Readmit { .. }
        | Command::Replace { .. }
        | Command::Rebuilt { .. }
        | Command::Access(
            AccessOrder::CreateToken { .. }
            | AccessOrder::Judge { .. }
            | AccessOrder::DeleteToken { .. }
            | AccessOrder::Revoke(_)
            | AccessOrder::EndRevocation(_)
            | AccessOrder::NoteAuthority { .. }
            | AccessOrder::BindRole { .. }
            | AccessOrder::UnbindRole { .. },
        ) => About::Membership,
    }
}
