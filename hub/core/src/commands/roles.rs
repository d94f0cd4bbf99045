//! What operators may do, said by an admin. It is durable, and counts from the next call on.

use std::sync::Arc;

use super::refused;
use crate::contract::{
    Action, Answer, Changes, Key, Permit, Refused, RefusedKind, Role, RoleBinding, Severity, Subject,
    is_system,
};
use crate::hub::Hub;

/// The most bindings.
const BINDINGS_MAX: usize = 10_000;

impl Hub {
    pub(super) fn bind_role(&mut self, name: Arc<str>, permit: Permit) -> Result<Answer, Refused> {
        let action = self.check_binding(&name, &permit)?;
        if action == Action::Unchanged {
            return Ok(Answer::Applied { action, changes: Changes::default() });
        }
        let message = format!("{name} is {permit} from now on");
        self.note_command(Severity::Warning, "S23", "RoleBound", &name, message);
        let binding =
            RoleBinding { name: name.clone(), permit, by: self.operator.clone(), at: self.now.wall };
        Arc::make_mut(&mut self.roles).bindings.insert(name.clone(), binding);
        self.role_changed(name);
        Ok(Answer::Applied { action, changes: Changes::default() })
    }

    /// Whether a role may be bound, and what that would do.
    pub(super) fn check_binding(&self, name: &Arc<str>, permit: &Permit) -> Result<Action, Refused> {
        check_reach(permit)?;
        self.check_other(name)?;
        let action = match self.roles.bindings.get(name) {
            Some(known) if known.permit == *permit => Action::Unchanged,
            Some(_) => Action::Configured,
            None => Action::Created,
        };
        if action == Action::Created && self.roles.bindings.len() >= BINDINGS_MAX {
            let message = format!("{BINDINGS_MAX} roles are bound, and there may be no more: unbind some");
            return Err(refused(RefusedKind::ResourceExhausted, message));
        }
        Ok(action)
    }

    pub(super) fn unbind_role(&mut self, name: &Arc<str>) -> Result<Answer, Refused> {
        self.check_other(name)?;
        if !self.roles.bindings.contains_key(name) {
            let message = format!("no role is bound to {name}; `godwit role list` shows those that are");
            return Err(refused(RefusedKind::NotFound, message));
        }
        Arc::make_mut(&mut self.roles).bindings.remove(name);
        let left = self.roles.unbound.map_or("without a role", Role::name);
        let message = format!("nothing is bound to {name} any more, who is {left} from now on");
        self.note_command(Severity::Warning, "S23", "RoleUnbound", name, message);
        self.role_changed(name.clone());
        Ok(Answer::Applied { action: Action::Configured, changes: Changes::default() })
    }

    /// Nobody takes a role from themselves: so there is always an admin, who was one when everybody else ceased to be.
    fn check_other(&self, name: &Arc<str>) -> Result<(), Refused> {
        if *name == self.operator {
            let message =
                "nobody changes a role of their own, who could be the last admin: let another admin do it";
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        if self.roles.admins.contains(name) {
            let message = format!(
                "{name} is an admin by the hub's configuration (access.admins), whatever is bound: change it there"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        Ok(())
    }

    fn role_changed(&mut self, name: Arc<str>) {
        self.touched.keys.insert(Key::RoleBinding(name));
        self.touched.subjects.insert(Subject::Federation);
    }
}

/// What a role may be bound to depends on the role.
fn check_reach(permit: &Permit) -> Result<(), Refused> {
    let Permit { role, reach } = permit;
    let wrong = |message: &str| Err(refused(RefusedKind::InvalidArgument, message));
    if let Some(namespace) = reach.namespaces.iter().find(|namespace| is_system(namespace)) {
        return wrong(&format!("namespaces: {namespace} is the system's own, and for admins alone"));
    }
    match role {
        Role::Deployer if reach.namespaces.is_empty() => wrong(
            "namespaces: it is empty, and a deployer is bound to some: name them, or make it an operator",
        ),
        Role::Operator | Role::Admin if !reach.namespaces.is_empty() => wrong(&format!(
            "namespaces: a role of {role} reaches everywhere: leave them out, or use deployer"
        )),
        Role::Viewer | Role::Operator | Role::Admin
            if !reach.policies.is_empty() || reach.max_priority != 0 =>
        {
            wrong("policies: policies and a priority are for the role deployer: leave them out")
        }
        Role::Viewer | Role::Deployer | Role::Operator | Role::Admin => Ok(()),
    }
}
