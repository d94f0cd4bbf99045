//! The JSON form of the protocol's messages, by the rules of proto3 JSON: names in lowerCamelCase, 64-bit integers and
//! durations as strings, timestamps by RFC 3339.
//!
//! It is what `grpcurl -emit-defaults` prints: a field at its default value is there all the same, so that a script
//! finds it. An absent message is `null`; an absent `optional` and an absent member of a `oneof` are left out.
//! The same message always gives the same text: fields in the order of declaration, map entries in order of key.

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, SerializeOptions,
};
use serde_json::Value;

use crate::DESCRIPTORS;

/// Why a message has no JSON form, or a JSON value is no message.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The type is not one of the protocol's.
    #[error("{0} is not a message of this protocol")]
    Unknown(String),
    /// A value in the message has no JSON form, such as a timestamp beyond the year 9999.
    #[error("this {message} has no JSON form")]
    Unprintable {
        /// The full name of the message's type.
        message: String,
        /// What hinders it.
        source: serde_json::Error,
    },
    /// The JSON value does not describe such a message.
    #[error("this JSON is not a {message}")]
    Unreadable {
        /// The full name of the message's type.
        message: String,
        /// What hinders it: an unknown field, a value of the wrong type.
        source: serde_json::Error,
    },
    /// The generated type and the descriptor disagree.
    #[error("{message} does not fit its descriptor")]
    Mismatch {
        /// The full name of the message's type.
        message: String,
        /// Where they part.
        source: prost::DecodeError,
    },
}

/// The JSON form of a message.
pub fn to_json<M: Message + Name>(message: &M) -> Result<Value, JsonError> {
    static OPTIONS: SerializeOptions = SerializeOptions::new().skip_default_fields(false);
    let descriptor = descriptor::<M>()?;
    let dynamic = DynamicMessage::decode(descriptor.clone(), message.encode_to_vec().as_slice());
    let dynamic = dynamic.map_err(mismatch::<M>)?;
    let json = dynamic.serialize_with_options(serde_json::value::Serializer, &OPTIONS);
    let mut json = json.map_err(|source| JsonError::Unprintable { message: M::full_name(), source })?;
    complete(&mut json, &descriptor);
    Ok(json)
}

/// The message that a JSON value describes. A field that the message does not have is an error.
pub fn from_json<M: Message + Name + Default>(json: &Value) -> Result<M, JsonError> {
    let dynamic = DynamicMessage::deserialize(descriptor::<M>()?, json);
    let dynamic = dynamic.map_err(|source| JsonError::Unreadable { message: M::full_name(), source })?;
    dynamic.transcode_to().map_err(mismatch::<M>)
}

fn descriptor<M: Name>() -> Result<MessageDescriptor, JsonError> {
    static POOL: LazyLock<DescriptorPool> =
        LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).expect("the build wrote valid descriptors"));
    let name = M::full_name();
    POOL.get_message_by_name(&name).ok_or(JsonError::Unknown(name))
}

fn mismatch<M: Name>(source: prost::DecodeError) -> JsonError {
    JsonError::Mismatch { message: M::full_name(), source }
}

/// Puts `null` where a message is absent, and maps in order: reflection keeps them unordered, and in JSON only the
/// descriptor tells a map from a message.
fn complete(json: &mut Value, message: &MessageDescriptor) {
    // Well-known types have a form of their own: Timestamp is a string, and Value is any JSON.
    if message.full_name().starts_with("google.protobuf.") {
        return;
    }
    let Value::Object(entries) = json else { return };
    let mut known = std::mem::take(entries);
    for field in message.fields() {
        let name = field.json_name();
        let one = matches!(field.kind(), Kind::Message(_)) && !field.is_list() && !field.is_map();
        match known.remove(name) {
            Some(mut value) => {
                complete_field(&mut value, &field);
                entries.insert(name.to_owned(), value);
            }
            None if one && field.containing_oneof().is_none() => {
                entries.insert(name.to_owned(), Value::Null);
            }
            None => {}
        }
    }
}

fn complete_field(json: &mut Value, field: &FieldDescriptor) {
    let Kind::Message(inner) = field.kind() else { return };
    match json {
        Value::Object(map) if field.is_map() => {
            map.sort_keys();
            if let Kind::Message(inner) = inner.map_entry_value_field().kind() {
                map.values_mut().for_each(|value| complete(value, &inner));
            }
        }
        Value::Array(rows) if field.is_list() => rows.iter_mut().for_each(|row| complete(row, &inner)),
        one => complete(one, &inner),
    }
}

#[cfg(test)]
mod tests {
    use prost_types::{Duration, Timestamp};
    use serde_json::json;

    use super::*;
    use crate::v1;

    fn policy() -> v1::Policy {
        let rule = |weight| v1::ClusterRule { weight: Some(weight), ..v1::ClusterRule::default() };
        // Enough clusters that an unordered map would hardly come out sorted by chance.
        let clusters = (0..40).map(|i| (format!("c{i:02}"), rule(i))).collect();
        let spec = v1::PolicySpec {
            clusters,
            lost_after: Some(Duration { seconds: 2, nanos: 500_000_000 }),
            priority: -3,
            ..v1::PolicySpec::default()
        };
        v1::Policy { name: "spread".into(), spec: Some(spec), workloads: 0 }
    }

    #[test]
    fn defaults_are_there_and_absent_fields_are_null_or_left_out() {
        let expected = json!({
            "name": "spread",
            "spec": {
                "strategy": "", "default": null, "clusters": {}, "rebalance": "", "lostAfter": "2.500s", "mode": "",
                "priority": -3, "maxUnavailable": 0, "tiers": [], "clusterSelector": null, "rules": [], "spread": [],
                "fallback": [], "tolerations": [], "affinity": [], "antiAffinity": [], "colocate": false,
                "preemptible": false, "trafficGate": null, "rollout": null, "survivor": "", "failBack": "",
                "fence": "", "data": "", "divide": false, "prestage": "", "drift": "",
                "overrides": [], "exportServices": false,
            },
            "workloads": 0,
        });
        let mut policy = policy();
        let spec = policy.spec.as_mut().expect("the policy has one");
        spec.clusters.clear();
        assert_eq!(to_json(&policy).expect("JSON").to_string(), expected.to_string());
        policy.spec = None;
        assert_eq!(
            to_json(&policy).expect("JSON").to_string(),
            r#"{"name":"spread","spec":null,"workloads":0}"#
        );
        // An optional field that is set to zero is there.
        let rule = v1::ClusterRule { min: Some(0), ..v1::ClusterRule::default() };
        assert_eq!(to_json(&rule).expect("JSON"), json!({"min": 0}));
    }

    #[test]
    fn large_numbers_enums_bytes_and_times_follow_proto3_json() {
        let cluster = v1::Cluster {
            generation: u64::MAX,
            last_seen: Some(Timestamp { seconds: 1_800_000_000, nanos: 250_000_000 }),
            ..v1::Cluster::default()
        };
        let json = to_json(&cluster).expect("JSON");
        assert_eq!(json["generation"], "18446744073709551615");
        assert_eq!(json["lastSeen"], "2027-01-15T08:00:00.250Z");
        let taint = v1::Taint { effect: v1::TaintEffect::NoExecute.into(), ..v1::Taint::default() };
        assert_eq!(to_json(&taint).expect("JSON")["effect"], "TAINT_EFFECT_NO_EXECUTE");
        let fence = v1::Fence { federation_uid: vec![0; 3], ..v1::Fence::default() };
        assert_eq!(to_json(&fence).expect("JSON")["federationUid"], "AAAA");
    }

    #[test]
    fn maps_are_sorted_at_any_depth() {
        let response =
            v1::ListPoliciesResponse { items: vec![policy()], ..v1::ListPoliciesResponse::default() };
        let json = to_json(&response).expect("JSON");
        let clusters = json["items"][0]["spec"]["clusters"].as_object().expect("a map");
        let keys: Vec<&String> = clusters.keys().collect();
        assert_eq!(keys.len(), 40);
        assert!(keys.is_sorted(), "{keys:?}");
    }

    #[test]
    fn fields_are_declared_in_order_of_number() {
        // Reflection prints fields by number: in this way that is the order of declaration too.
        let pool = DescriptorPool::decode(DESCRIPTORS).expect("valid descriptors");
        for message in pool.all_messages() {
            let fields = message.descriptor_proto().field.iter();
            assert!(fields.map(|field| field.number()).is_sorted(), "{}", message.full_name());
        }
    }

    #[test]
    fn json_is_read_back() {
        let policy = policy();
        let json = to_json(&policy).expect("JSON");
        assert_eq!(from_json::<v1::Policy>(&json).expect("a policy"), policy);
        let inline = json!({"replicas": "7", "inline_policy": {"name": "x"}, "dryRun": true});
        let request: v1::DeployRequest = from_json(&inline).expect("names as declared are taken too");
        assert_eq!((request.replicas, request.dry_run), (Some(7), true));
        assert!(matches!(request.policy, Some(v1::deploy_request::Policy::InlinePolicy(_))));
    }

    #[test]
    fn json_that_is_no_such_message_is_refused() {
        let reason = |json| {
            let error = from_json::<v1::Policy>(&json).expect_err("it is no policy");
            let source = std::error::Error::source(&error).expect("the reason");
            format!("{error}: {source}")
        };
        assert_eq!(
            reason(json!({"nam": "x"})),
            "this JSON is not a godwit.v1.Policy: unrecognized field name 'nam'"
        );
        for bad in
            [json!(null), json!([]), json!("x"), json!({"workloads": -1}), json!({"spec": {"lostAfter": 7}})]
        {
            let reason = reason(bad);
            assert!(reason.starts_with("this JSON is not a godwit.v1.Policy: "), "{reason}");
        }
    }

    #[test]
    fn a_time_beyond_the_calendar_has_no_json() {
        let event =
            v1::Event { time: Some(Timestamp { seconds: i64::MAX, nanos: 0 }), ..v1::Event::default() };
        let error = to_json(&event).expect_err("there is no such day");
        assert_eq!(error.to_string(), "this godwit.v1.Event has no JSON form");
    }
}
