//! The terms of a session, and its end.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::Epoch;
use godwit_common::link::{Refusal, RefusalCode, SUMMONED_MAX, Summons, TEXT_MAX, Welcome};

use super::WireError;
use super::check::{duration, duration_to_wire, list, text, uid, uid_to_wire};
use crate::v1;

/// The most hubs to go to: a federation has a handful.
const ADDRESSES_MAX: usize = 16;
/// The longest name of an agent: that of a pod.
const NAME_MAX: usize = 253;
/// The longest address: a DNS name of 253 bytes, a colon, a port.
const ADDRESS_MAX: usize = 253 + 1 + 5;

pub(super) fn welcome_to_wire(welcome: &Welcome) -> v1::Welcome {
    v1::Welcome {
        version: welcome.version,
        federation_uid: uid_to_wire(welcome.federation),
        epoch: welcome.epoch.0,
        heartbeat_interval: Some(duration_to_wire(welcome.heartbeat)),
    }
}

pub(super) fn welcome_from_wire(wire: v1::Welcome) -> Result<Welcome, WireError> {
    let heartbeat = duration("heartbeat_interval", wire.heartbeat_interval)?;
    if heartbeat.is_zero() {
        let problem = "it is zero: signs of life need an interval";
        return Err(WireError::new("heartbeat_interval", problem));
    }
    Ok(Welcome {
        version: wire.version,
        federation: uid("federation_uid", &wire.federation_uid)?,
        epoch: Epoch(wire.epoch),
        heartbeat,
    })
}

pub(super) fn standby_to_wire(retry_after: Duration) -> v1::Standby {
    v1::Standby { retry_after: Some(duration_to_wire(retry_after)) }
}

pub(super) fn standby_from_wire(wire: v1::Standby) -> Result<Duration, WireError> {
    duration("retry_after", wire.retry_after)
}

pub(super) fn goodbye_to_wire(retry_after: Duration) -> v1::HubGoodbye {
    v1::HubGoodbye { retry_after: Some(duration_to_wire(retry_after)) }
}

pub(super) fn goodbye_from_wire(wire: v1::HubGoodbye) -> Result<Duration, WireError> {
    duration("retry_after", wire.retry_after)
}

pub(super) fn grant_to_wire(number: u64, lease: Duration) -> v1::Grant {
    v1::Grant { number, lease: Some(duration_to_wire(lease)) }
}

pub(super) fn grant_from_wire(wire: v1::Grant) -> Result<(u64, Duration), WireError> {
    let lease = duration("lease", wire.lease)?;
    if lease.is_zero() {
        return Err(WireError::new("lease", "it is zero: a lease stands for a while"));
    }
    Ok((wire.number, lease))
}

pub(super) fn summons_to_wire(summons: &Summons) -> v1::Summons {
    let agents = summons.agents.iter().map(ToString::to_string).collect();
    v1::Summons { epoch: summons.epoch.0, number: summons.number, agents }
}

pub(super) fn summons_from_wire(wire: v1::Summons) -> Result<Summons, WireError> {
    if wire.agents.is_empty() {
        return Err(WireError::new("agents", "it is empty: name an agent that is wanted"));
    }
    let agents = list("agents", wire.agents, SUMMONED_MAX, |name| text("", name, NAME_MAX))?;
    Ok(Summons { epoch: Epoch(wire.epoch), number: wire.number, agents })
}

pub(super) fn redirect_to_wire(addresses: &[Arc<str>]) -> v1::Redirect {
    v1::Redirect { addresses: addresses.iter().map(ToString::to_string).collect() }
}

pub(super) fn redirect_from_wire(wire: v1::Redirect) -> Result<Vec<Arc<str>>, WireError> {
    if wire.addresses.is_empty() {
        return Err(WireError::new("addresses", "it is empty: name a hub to go to"));
    }
    list("addresses", wire.addresses, ADDRESSES_MAX, address)
}

pub(super) fn refusal_to_wire(refusal: &Refusal) -> v1::Refusal {
    let code = match refusal.code {
        RefusalCode::Version => v1::RefusalCode::Version,
        RefusalCode::Federation => v1::RefusalCode::Federation,
        RefusalCode::ClusterUid => v1::RefusalCode::ClusterUid,
        RefusalCode::Deleted => v1::RefusalCode::Deleted,
        RefusalCode::Protocol => v1::RefusalCode::Protocol,
        RefusalCode::Busy => v1::RefusalCode::Busy,
    };
    v1::Refusal {
        code: code.into(),
        message: refusal.message.to_string(),
        retry_after: Some(duration_to_wire(refusal.retry_after)),
    }
}

pub(super) fn refusal_from_wire(wire: v1::Refusal) -> Result<Refusal, WireError> {
    let code = match v1::RefusalCode::try_from(wire.code) {
        Ok(v1::RefusalCode::Version) => RefusalCode::Version,
        Ok(v1::RefusalCode::Federation) => RefusalCode::Federation,
        Ok(v1::RefusalCode::ClusterUid) => RefusalCode::ClusterUid,
        Ok(v1::RefusalCode::Deleted) => RefusalCode::Deleted,
        Ok(v1::RefusalCode::Protocol) => RefusalCode::Protocol,
        Ok(v1::RefusalCode::Busy) => RefusalCode::Busy,
        Ok(v1::RefusalCode::Unspecified) => return Err(WireError::unknown("code")),
        // A newer hub has reasons of which this version knows nothing: its words and its wait say enough.
        Err(_) => RefusalCode::Protocol,
    };
    Ok(Refusal {
        code,
        message: text("message", wire.message, TEXT_MAX)?,
        retry_after: duration("retry_after", wire.retry_after)?,
    })
}

/// `host:port`, where an IPv6 host stands in brackets.
fn address(wire: String) -> Result<Arc<str>, WireError> {
    let address = text("", wire, ADDRESS_MAX)?;
    let parts = address.rsplit_once(':');
    let port = parts.and_then(|(_, port)| port.parse::<u16>().ok()).unwrap_or(0);
    let host = parts.map_or("", |(host, _)| host);
    let plain = |c: char| c.is_ascii_alphanumeric() || ['.', '-', '_'].contains(&c);
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let known = match bracketed {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(plain),
    };
    if known && port != 0 {
        return Ok(address);
    }
    let problem = format!("{address:?} is not host:port, such as hub.example:7443");
    Err(WireError::new("", problem))
}
