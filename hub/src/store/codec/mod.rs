//! Records to rows and back. A row is a text key, such as `seat/UUID/CLUSTER`, and a `godwit.store.v1.Record`.
//! Everything read is checked as if a stranger had written it.

mod access;
mod cluster;
mod federation;
mod migration;
mod parts;
mod pod;
mod policy;
mod quota;
mod request;
mod revision;
mod workload;

use std::fmt;

use godwit_hub_core::{Key, Record};
use godwit_proto::store::v1 as wire;
use prost::Message;

use wire::record::Record as Row;

/// Why a row is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(String);

impl Invalid {
    fn new(field: &str, problem: impl fmt::Display) -> Self {
        Self(format!("{field}: {problem}"))
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text under which a record is stored. Numbers have twenty digits, so that rows stand in their order.
pub fn key(key: &Key) -> String {
    match key {
        Key::Federation => "federation".to_owned(),
        Key::Policy(name) => format!("policy/{name}"),
        Key::Workload(uid) => format!("workload/{uid}"),
        Key::Revision(workload, number) => format!("revision/{workload}/{number:020}"),
        Key::Seat(workload, cluster) => format!("seat/{workload}/{cluster}"),
        Key::Object(uid) => format!("object/{uid}"),
        Key::ObjectRow(object, cluster) => format!("object-row/{object}/{cluster}"),
        Key::Ended(uid) => format!("ended/{uid}"),
        Key::Cluster(name) => format!("cluster/{name}"),
        Key::Migration(id) => format!("migration/{:020}", id.0),
        Key::Journal(number) => format!("journal/{number:020}"),
        Key::Request(id) => format!("request/{id}"),
        Key::Quota(namespace) => format!("quota/{namespace}"),
        Key::Retired(uid) => format!("retired/{uid}"),
        Key::Token(hash) => format!("token/{hash}"),
        Key::Revocation(what) => format!("revocation/{}/{}", what.kind(), what.name()),
        Key::RoleBinding(name) => format!("role/{name}"),
        Key::Issuer(name) => format!("issuer/{name}"),
    }
}

/// The bytes of a record.
pub fn encode(record: &Record) -> Vec<u8> {
    let row = match record {
        Record::Federation(federation) => Row::Federation(federation::to_wire(federation)),
        Record::Policy(policy) => Row::Policy(policy::to_wire(policy)),
        Record::Workload(workload) => Row::Workload(workload::to_wire(workload)),
        Record::Revision(revision) => Row::Revision(revision::to_wire(revision)),
        Record::Seat { workload, cluster, seat } => {
            Row::Seat(workload::seat_to_wire(*workload, cluster, seat))
        }
        Record::Object(object) => Row::Object(workload::object_to_wire(object)),
        Record::ObjectRow { object, cluster, row } => {
            Row::ObjectRow(workload::object_row_to_wire(*object, cluster, row))
        }
        Record::Ended(ended) => Row::Ended(workload::ended_to_wire(ended)),
        Record::Cluster(cluster) => Row::Cluster(cluster::to_wire(cluster)),
        Record::Migration(migration) => Row::Migration(migration::to_wire(migration)),
        Record::Journal(entry) => Row::JournalEntry(federation::entry_to_wire(entry)),
        Record::Request(request) => Row::Request(request::to_wire(request)),
        Record::Quota(quota) => Row::Quota(quota::to_wire(quota)),
        Record::Retired(retired) => Row::Retired(cluster::retired_to_wire(retired)),
        Record::Token(token) => Row::Token(access::token_to_wire(token)),
        Record::Revocation(revocation) => Row::Revocation(access::revocation_to_wire(revocation)),
        Record::RoleBinding(binding) => Row::RoleBinding(access::binding_to_wire(binding)),
        Record::Issuer(pinned) => Row::Issuer(access::issuer_to_wire(pinned)),
    };
    wire::Record { record: Some(row) }.encode_to_vec()
}

/// The record of a row.
pub fn decode(found_under: &str, bytes: &[u8]) -> Result<Record, Invalid> {
    let row = wire::Record::decode(bytes).map_err(|error| Invalid(format!("not a record: {error}")))?;
    let row =
        row.record.ok_or_else(|| Invalid("a record of a kind that this version does not know".to_owned()))?;
    let record = match row {
        Row::Federation(federation) => Record::Federation(federation::from_wire(federation)?),
        Row::Policy(policy) => Record::Policy(policy::from_wire(policy)?),
        Row::Workload(workload) => Record::Workload(workload::from_wire(workload)?),
        Row::Revision(revision) => Record::Revision(revision::from_wire(revision)?.into()),
        Row::Seat(seat) => workload::seat_from_wire(seat)?,
        Row::Object(object) => Record::Object(workload::object_from_wire(object)?),
        Row::ObjectRow(row) => workload::object_row_from_wire(row)?,
        Row::Ended(ended) => Record::Ended(workload::ended_from_wire(ended)?),
        Row::Cluster(cluster) => Record::Cluster(cluster::from_wire(cluster)?),
        Row::Migration(migration) => Record::Migration(migration::from_wire(migration)?),
        Row::JournalEntry(entry) => Record::Journal(federation::entry_from_wire(entry)?),
        Row::Request(request) => Record::Request(request::from_wire(request)?),
        Row::Quota(quota) => Record::Quota(quota::from_wire(quota)?),
        Row::Retired(retired) => Record::Retired(cluster::retired_from_wire(retired)?),
        Row::Token(token) => Record::Token(access::token_from_wire(token)?),
        Row::Revocation(revocation) => Record::Revocation(access::revocation_from_wire(revocation)?),
        Row::RoleBinding(binding) => Record::RoleBinding(access::binding_from_wire(binding)?),
        Row::Issuer(pinned) => Record::Issuer(access::issuer_from_wire(pinned)?),
    };
    let belongs_under = key(&record.key());
    if belongs_under != found_under {
        return Err(Invalid(format!("the row holds the record of {belongs_under:?}")));
    }
    Ok(record)
}

#[cfg(test)]
mod tests;
