//! The part of `AccessService` that is about roles.

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_certs::AdminName;
use godwit_common::PolicyName;
use godwit_common::name::check_namespace;
use godwit_common::policy::limits::PRIORITY_MAX;
use godwit_hub_core::{AccessOrder, Answer, Command, Permit, Reach, Role, RoleBinding, RoleSource, Roles};
use godwit_proto::v1;
use godwit_rt::serve::Peer;
use tonic::{Request, Status};

use super::convert::timestamp;
use super::{Admin, convert, fields, refusal};
use crate::guard::Caller;

/// The most namespaces, and the most policies, of one binding.
const NAMES_MAX: usize = 256;

impl Admin {
    pub(super) fn who_am_i(
        &self,
        request: &Request<v1::WhoAmIRequest>,
    ) -> Result<v1::WhoAmIResponse, Status> {
        let peer = Peer::of(request)?;
        let name = Caller::of(request).name;
        let (permit, source) = self.driver.view().federation.roles.of(&name);
        let source = match source {
            RoleSource::Configured => "configured",
            RoleSource::Bound => "bound",
            RoleSource::Unbound => "unbound",
        };
        let role = permit.as_ref().map(|permit| permit.role.to_string()).unwrap_or_default();
        let (namespaces, policies, max_priority) =
            reach(&permit.map(|permit| permit.reach).unwrap_or_default());
        Ok(v1::WhoAmIResponse {
            name: name.to_string(),
            role,
            source: source.to_owned(),
            namespaces,
            policies,
            max_priority,
            serial: peer.leaf.serial.to_string(),
            expires: Some(prost_types::Timestamp::from(peer.ends())),
            address: peer.address.to_string(),
        })
    }

    pub(super) async fn bind_role(
        &self,
        request: Request<v1::BindRoleRequest>,
    ) -> Result<v1::BindRoleResponse, Status> {
        let operator = Caller::of(&request);
        let request = request.into_inner();
        let name = admin_name(&request.name)?;
        let permit = permit(&request)?;
        tracing::info!(%operator, %name, %permit, "an operator binds a role");
        let order = AccessOrder::BindRole { name, permit };
        match self.carry_out(operator, Command::Access(order)).await? {
            Answer::Applied { action, .. } => {
                Ok(v1::BindRoleResponse { action: convert::action(action).to_owned() })
            }
            other => Err(refusal::mismatched(&other)),
        }
    }

    pub(super) async fn unbind_role(
        &self,
        request: Request<v1::UnbindRoleRequest>,
    ) -> Result<v1::UnbindRoleResponse, Status> {
        let operator = Caller::of(&request);
        let name = admin_name(&request.get_ref().name)?;
        tracing::info!(%operator, %name, "an operator unbinds a role");
        let order = AccessOrder::UnbindRole { name: Arc::clone(&name) };
        match self.carry_out(operator, Command::Access(order)).await? {
            Answer::Applied { .. } => {
                let (left, _) = self.driver.view().federation.roles.of(&name);
                let role = left.map(|permit| permit.role.to_string()).unwrap_or_default();
                Ok(v1::UnbindRoleResponse { role })
            }
            other => Err(refusal::mismatched(&other)),
        }
    }

    pub(super) fn list_roles(&self) -> v1::ListRolesResponse {
        let Roles { unbound, admins, bindings } = &*self.driver.view().federation.roles;
        v1::ListRolesResponse {
            items: bindings.values().map(binding).collect(),
            unbound: unbound.map(|role| role.to_string()).unwrap_or_default(),
            admins: admins.iter().map(ToString::to_string).collect(),
        }
    }
}

fn admin_name(name: &str) -> Result<Arc<str>, Status> {
    let name: AdminName = name.parse().map_err(|error| fields::invalid("name", error))?;
    Ok(name.as_str().into())
}

pub(super) fn permit(request: &v1::BindRoleRequest) -> Result<Permit, Status> {
    let v1::BindRoleRequest { name: _, role, namespaces, policies, max_priority } = request;
    let role: Role = role.parse().map_err(|error| fields::invalid("role", error))?;
    for (field, count) in [("namespaces", namespaces.len()), ("policies", policies.len())] {
        if count > NAMES_MAX {
            return Err(fields::invalid(field, format!("{count} are too many: at most {NAMES_MAX}")));
        }
    }
    if !(-PRIORITY_MAX..=PRIORITY_MAX).contains(max_priority) {
        let problem =
            format!("{max_priority} is out of range: it must be from {} to {PRIORITY_MAX}", -PRIORITY_MAX);
        return Err(fields::invalid("max_priority", problem));
    }
    let namespace = |name: &String| {
        check_namespace(name).map_err(|error| fields::invalid("namespaces", error))?;
        Ok::<Arc<str>, Status>(name.as_str().into())
    };
    let namespaces = namespaces.iter().map(namespace).collect::<Result<BTreeSet<_>, _>>()?;
    let policy = |name: &String| fields::name::<PolicyName>("policies", name);
    let policies = policies.iter().map(policy).collect::<Result<BTreeSet<_>, _>>()?;
    Ok(Permit { role, reach: Reach { namespaces, policies, max_priority: *max_priority } })
}

fn reach(reach: &Reach) -> (Vec<String>, Vec<String>, i32) {
    let Reach { namespaces, policies, max_priority } = reach;
    let namespaces = namespaces.iter().map(ToString::to_string).collect();
    (namespaces, policies.iter().map(ToString::to_string).collect(), *max_priority)
}

fn binding(binding: &RoleBinding) -> v1::RoleBinding {
    let RoleBinding { name, permit, by, at } = binding;
    let (namespaces, policies, max_priority) = reach(&permit.reach);
    v1::RoleBinding {
        name: name.to_string(),
        role: permit.role.to_string(),
        namespaces,
        policies,
        max_priority,
        by: by.to_string(),
        at: Some(timestamp(*at)),
    }
}
