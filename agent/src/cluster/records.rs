//! The agent's own two objects in the member: the Lease of its election (S24) and the ConfigMap of the fence (S10).
//! Both are changed by merge patches that carry the `resourceVersion` which was read.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use godwit_agent_core::{
    CallError, FenceRecord, FenceSeen, Kind, LeaseSeen, LeaseWrite, SummonsSeen, labels,
};
use godwit_common::link::{LeaderTerm, SUMMONED_MAX, Summons};
use godwit_common::{Digest, Epoch, Fence, Generation, Term};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Resource};
use serde_json::{Value, json};

use super::{Cluster, ELECTION_LIMIT, error, sight};

/// What Kubernetes takes a Lease without a duration for.
const DURATION_DEFAULT: Duration = Duration::from_secs(15);

impl Cluster {
    pub(super) async fn read_lease(&self) -> Result<Option<LeaseSeen>, CallError> {
        let found = self.own::<Lease>().get_opt(labels::LEASE).await.map_err(error::sort)?;
        found.map(lease_seen).transpose()
    }

    pub(super) async fn write_lease(&self, write: &LeaseWrite) -> Result<LeaseSeen, CallError> {
        let now = MicroTime(Timestamp::now());
        let mut spec = json!({
            "holderIdentity": &*write.holder,
            "leaseTransitions": i32::try_from(write.transitions).unwrap_or(i32::MAX),
            "leaseDurationSeconds": i32::try_from(write.duration.as_secs()).unwrap_or(i32::MAX).max(1),
            "renewTime": now,
        });
        if write.acquired {
            spec["acquireTime"] = json!(now);
        }
        let mut parts = json!({ "spec": spec });
        // Who cannot be asked takes away where another could.
        let asked_at = self.asked_at.as_deref();
        if asked_at.is_some() || write.version.is_some() {
            parts["metadata"] = json!({"annotations": {labels::ASKED_AT: asked_at}});
        }
        let written = self.swap::<Lease>(labels::LEASE, parts, write.version.as_deref()).await?;
        lease_seen(written)
    }

    /// Where the agent that leads is asked what may run on a node (S9).
    pub(crate) async fn leaders_address(&self) -> Result<Option<String>, String> {
        let found = tokio::time::timeout(ELECTION_LIMIT, self.own::<Lease>().get_opt(labels::LEASE)).await;
        let found =
            found.map_err(|_| format!("the API server has not answered within {ELECTION_LIMIT:?}"))?;
        let lease = found.map_err(|error| error::chain(&error))?;
        Ok(lease.and_then(|lease| lease.metadata.annotations?.remove(labels::ASKED_AT)))
    }

    pub(super) async fn read_fence(&self) -> Result<Option<FenceSeen>, CallError> {
        let found = self.own::<ConfigMap>().get_opt(labels::FENCE).await.map_err(error::sort)?;
        found.map(fence_seen).transpose()
    }

    pub(super) async fn write_fence(
        &self,
        record: &FenceRecord,
        version: Option<&str>,
    ) -> Result<FenceSeen, CallError> {
        let data = json!({
            "federation": record.fence.federation.to_string(),
            "epoch": record.fence.epoch.to_string(),
            "generation": record.fence.generation.to_string(),
            "digest": format!("{:016x}", record.digest.0),
            "lease": record.term.lease.to_string(),
            "transitions": record.term.transitions.to_string(),
            "kinds": kinds_to_text(&record.kinds),
            "scaled": kinds_to_text(&record.scaled),
        });
        let written = self.swap::<ConfigMap>(labels::FENCE, json!({ "data": data }), version).await?;
        fence_seen(written)
    }

    pub(super) async fn read_summons(&self) -> Result<Option<SummonsSeen>, CallError> {
        let found = self.own::<ConfigMap>().get_opt(labels::SUMMONS).await.map_err(error::sort)?;
        Ok(found.map(summons_seen))
    }

    pub(super) async fn write_summons(
        &self,
        summons: &Summons,
        version: Option<&str>,
    ) -> Result<SummonsSeen, CallError> {
        let data = json!({
            "epoch": summons.epoch.to_string(),
            "number": summons.number.to_string(),
            "agents": summons.agents.join(" "),
        });
        let written = self.swap::<ConfigMap>(labels::SUMMONS, json!({ "data": data }), version).await?;
        Ok(summons_seen(written))
    }

    pub(super) fn own<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Writes parts of an object if it is still at that version, or makes it if it must not exist.
    async fn swap<K>(&self, name: &str, parts: Value, version: Option<&str>) -> Result<K, CallError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + serde::de::DeserializeOwned + serde::Serialize,
    {
        let manager = labels::FIELD_MANAGER;
        let mut body = parts;
        body["apiVersion"] = json!(K::api_version(&()));
        body["kind"] = json!(K::kind(&()));
        body["metadata"]["name"] = json!(name);
        body["metadata"]["namespace"] = json!(&*self.namespace);
        let Some(version) = version else {
            return self.make(&body).await;
        };
        body["metadata"]["resourceVersion"] = json!(version);
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        match self.own::<K>().patch(name, &params, &Patch::Merge(&body)).await {
            // It was deleted meanwhile: what was read does not hold any more.
            Err(error) if error::is_object_missing(&error) => Err(CallError::Outdated),
            other => other.map_err(error::sort),
        }
    }

    async fn make<K>(&self, body: &Value) -> Result<K, CallError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + serde::de::DeserializeOwned + serde::Serialize,
    {
        let unreadable = |error: serde_json::Error| CallError::Refused(error.to_string().into());
        let object: K = serde_json::from_value(body.clone()).map_err(unreadable)?;
        let params =
            PostParams { field_manager: Some(labels::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let api = self.own::<K>();
        match api.create(&params, &object).await.map_err(error::sort) {
            // Outside the cluster nobody has made the agent's own namespace.
            Err(CallError::NamespaceMissing) => {
                self.create_namespace(&self.namespace, None).await?;
                api.create(&params, &object).await.map_err(error::sort)
            }
            other => other,
        }
    }
}

fn lease_seen(lease: Lease) -> Result<LeaseSeen, CallError> {
    let uid = sight::uid(&lease.metadata).ok_or_else(|| {
        CallError::Refused(format!("Lease {}: its UID is not a UUID", labels::LEASE).into())
    })?;
    let spec = lease.spec.unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Ok(LeaseSeen {
        uid,
        version: lease.metadata.resource_version.unwrap_or_default().into(),
        holder: spec.holder_identity.unwrap_or_default().into(),
        transitions: spec.lease_transitions.and_then(|count| u64::try_from(count).ok()).unwrap_or(0),
        duration: seconds.map_or(DURATION_DEFAULT, Duration::from_secs),
    })
}

fn fence_seen(map: ConfigMap) -> Result<FenceSeen, CallError> {
    let data = map.data.unwrap_or_default();
    let fence = Fence {
        federation: field(&data, "federation")?,
        epoch: Epoch(field(&data, "epoch")?),
        generation: Generation(field(&data, "generation")?),
    };
    let term = LeaderTerm { lease: field(&data, "lease")?, transitions: Term(field(&data, "transitions")?) };
    let Hex(digest) = field(&data, "digest")?;
    let text = |name: &str| data.get(name).map_or("", String::as_str);
    let (kinds, scaled) = (kinds(text("kinds"))?, self::kinds(text("scaled"))?);
    Ok(FenceSeen {
        record: FenceRecord { fence, digest: Digest(digest), term, kinds, scaled },
        version: map.metadata.resource_version.unwrap_or_default().into(),
    })
}

/// One a line, as `API_VERSION KIND`.
fn kinds_to_text(kinds: &BTreeSet<Kind>) -> String {
    let lines: Vec<String> = kinds.iter().map(|kind| format!("{} {}", kind.api_version, kind.kind)).collect();
    lines.join("\n")
}

fn kinds(text: &str) -> Result<BTreeSet<Kind>, CallError> {
    let kind = |line: &str| {
        let (api_version, kind) = line.split_once(' ')?;
        Some(Kind { api_version: api_version.into(), kind: kind.into() })
    };
    let wrong = |line: &str| {
        let text = format!("ConfigMap {}: {line:?} under kinds is no API version and kind", labels::FENCE);
        CallError::Refused(format!("{text}; restore its last value").into())
    };
    text.lines().map(|line| kind(line).ok_or_else(|| wrong(line))).collect()
}

struct Hex(u64);

impl FromStr for Hex {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Hex)
    }
}

/// A fence that cannot be read is no fence at zero: nothing is applied until somebody has mended it.
fn field<T: FromStr>(data: &BTreeMap<String, String>, name: &str) -> Result<T, CallError> {
    let value = data.get(name).map(String::as_str);
    value.and_then(|value| value.parse().ok()).ok_or_else(|| {
        let value = value.unwrap_or("(missing)");
        let text =
            format!("ConfigMap {}: the key {name} is {value:?}; restore its last value", labels::FENCE);
        CallError::Refused(text.into())
    })
}

fn summons_seen(map: ConfigMap) -> SummonsSeen {
    SummonsSeen {
        version: map.metadata.resource_version.as_deref().unwrap_or_default().into(),
        summons: summons(&map),
    }
}

/// Who is called. What cannot be read calls nobody, and is older than any call.
pub(super) fn summons(map: &ConfigMap) -> Summons {
    let text = |key: &str| map.data.as_ref().and_then(|data| data.get(key)).map_or("", String::as_str);
    Summons {
        epoch: Epoch(text("epoch").parse().unwrap_or(0)),
        number: text("number").parse().unwrap_or(0),
        agents: text("agents").split_whitespace().take(SUMMONED_MAX).map(Into::into).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(edit: impl FnOnce(&mut BTreeMap<String, String>)) -> ConfigMap {
        let mut data: BTreeMap<String, String> = [
            ("federation", "00000000-0000-0000-0000-0000000000fe"),
            ("epoch", "3"),
            ("generation", "9"),
            ("digest", "00ff00ff00ff00ff"),
            ("lease", "00000000-0000-0000-0000-000000000007"),
            ("transitions", "2"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        edit(&mut data);
        ConfigMap { data: Some(data), ..ConfigMap::default() }
    }

    #[test]
    fn the_fence_is_read_as_it_was_written() {
        let record = fence_seen(map(|_| {})).unwrap().record;
        assert_eq!((record.fence.epoch, record.fence.generation), (Epoch(3), Generation(9)));
        assert_eq!((record.digest, record.term.transitions), (Digest(0x00ff_00ff_00ff_00ff), Term(2)));
        assert!(record.kinds.is_empty(), "older builds wrote none");
        let kind = |kind: &str| Kind { api_version: "example.com/v1".into(), kind: kind.into() };
        let written = BTreeSet::from([kind("Fleet"), kind("Swarm")]);
        let text = kinds_to_text(&written);
        assert_eq!(kinds(&text), Ok(written));
    }

    #[test]
    fn a_damaged_fence_is_an_error_that_names_the_key() {
        for (key, value) in
            [("epoch", Some("many")), ("digest", None), ("lease", Some("")), ("kinds", Some("Fleet"))]
        {
            let map = map(|data| match value {
                Some(value) => drop(data.insert(key.to_owned(), value.to_owned())),
                None => drop(data.remove(key)),
            });
            let error = fence_seen(map).unwrap_err();
            assert!(matches!(&error, CallError::Refused(text) if text.contains(key)), "{error:?}");
        }
    }
}
