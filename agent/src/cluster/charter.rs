//! What is kept on objects for a hub that has lost its store (S10), as annotations of JSON.

use std::sync::Arc;

use godwit_agent_core::labels;
use godwit_common::link::{CHARTER_OBJECTS_MAX, COUNT_MAX, Charter};
use godwit_common::{Epoch, ObjectKey, Uid, WorkloadId};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

/// The text of the annotation.
pub(crate) fn write(charter: &Charter) -> String {
    let object = |(uid, key): &(Uid, ObjectKey)| {
        let ObjectKey { api_version, kind, namespace, name } = key;
        json!([uid.to_string(), &**api_version, &**kind, &**namespace, &**name])
    };
    let leader = charter.leader.as_ref().map(|id| json!([&*id.namespace, &*id.kind, &*id.name]));
    json!({
        "replicas": charter.replicas,
        "policy": charter.policy.as_str(),
        "number": charter.number,
        "leader": leader,
        "objects": charter.objects.iter().map(object).collect::<Vec<_>>(),
        "epoch": charter.written.0.0,
        "entry": charter.written.1,
        "supervised": charter.supervised,
    })
    .to_string()
}

/// What is kept on an object; nothing if somebody has changed it into what cannot be read.
pub(crate) fn read(metadata: &ObjectMeta) -> Option<Arc<Charter>> {
    let text = metadata.annotations.as_ref()?.get(labels::CHARTER)?;
    parse(&serde_json::from_str(text).ok()?).map(Arc::new)
}

/// The manifest that is kept on an object.
pub(crate) fn manifest(metadata: &ObjectMeta) -> Option<Arc<str>> {
    metadata.annotations.as_ref()?.get(labels::MANIFEST).map(|text| text.as_str().into())
}

fn parse(value: &Value) -> Option<Charter> {
    let number = |field: &str| value.get(field)?.as_u64();
    let objects = value.get("objects")?.as_array()?;
    let leader = match value.get("leader")?.as_array().map(Vec::as_slice) {
        Some([namespace, kind, name]) => {
            Some(WorkloadId::new(namespace.as_str()?, kind.as_str()?, name.as_str()?).ok()?)
        }
        Some(_) => return None,
        None => None,
    };
    Some(Charter {
        replicas: u32::try_from(number("replicas")?).ok()?.min(COUNT_MAX),
        policy: value.get("policy")?.as_str()?.parse().ok()?,
        number: number("number")?,
        leader,
        objects: objects.iter().take(CHARTER_OBJECTS_MAX).map(object).collect::<Option<_>>()?,
        supervised: value.get("supervised")?.as_bool()?,
        written: (Epoch(number("epoch")?), number("entry")?),
    })
}

fn object(value: &Value) -> Option<(Uid, ObjectKey)> {
    let [uid, api_version, kind, namespace, name] = value.as_array()?.as_slice() else { return None };
    let key = ObjectKey::new(api_version.as_str()?, kind.as_str()?, namespace.as_str()?, name.as_str()?);
    Some((uid.as_str()?.parse().ok()?, key.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charter() -> Charter {
        Charter {
            replicas: 6,
            policy: "spread".parse().unwrap(),
            number: 3,
            leader: Some(WorkloadId::new("shop", "Deployment", "front").unwrap()),
            objects: vec![(Uid(7), ObjectKey::new("v1", "ConfigMap", "shop", "web").unwrap())],
            supervised: true,
            written: (Epoch(2), 41),
        }
    }

    fn kept(text: &str) -> Option<Arc<Charter>> {
        let annotations = Some([(labels::CHARTER.to_owned(), text.to_owned())].into());
        read(&ObjectMeta { annotations, ..ObjectMeta::default() })
    }

    #[test]
    fn what_is_written_is_read_again() {
        for charter in [charter(), Charter { leader: None, objects: Vec::new(), ..charter() }] {
            assert_eq!(kept(&write(&charter)).as_deref(), Some(&charter));
        }
    }

    #[test]
    fn what_somebody_has_spoilt_counts_as_nothing() {
        let whole = write(&charter());
        for (from, to) in [("6", "-1"), ("spread", "No!"), ("ConfigMap", ""), ("[", ""), ("epoch", "age")] {
            assert_eq!(kept(&whole.replacen(from, to, 1)), None, "{from} became {to:?}");
        }
        assert_eq!((kept(""), kept("[]"), kept("{}")), (None, None, None));
    }
}
