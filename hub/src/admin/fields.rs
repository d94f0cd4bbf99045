//! Fields of requests, checked.

use std::fmt::Display;
use std::str::FromStr;

use godwit_common::name::check_namespace;
use godwit_common::text::quote;
use godwit_common::{Epoch, NameError, WorkloadId};
use godwit_hub_core::{MigrationId, WithdrawalId};
use godwit_manifest::MAX_REPLICAS;
use tonic::Status;

/// As in Kubernetes.
pub(super) const DEFAULT_NAMESPACE: &str = "default";
const DEFAULT_KIND: &str = "Deployment";

/// A field that is not what it must be.
pub(super) fn invalid(field: &str, problem: impl Display) -> Status {
    Status::invalid_argument(format!("{field}: {problem}"))
}

/// A name that is needed.
pub(super) fn name<T: FromStr<Err = NameError>>(field: &str, text: &str) -> Result<T, Status> {
    if text.is_empty() {
        return Err(invalid(field, "it is empty: write the name"));
    }
    text.parse().map_err(|error| invalid(field, error))
}

/// The namespace that a request means.
pub(super) fn namespace(text: &str) -> Result<&str, Status> {
    let namespace = or(text, DEFAULT_NAMESPACE);
    check_namespace(namespace).map_err(|error| invalid("namespace", error))?;
    Ok(namespace)
}

/// The workload that a request means.
pub(super) fn workload(namespace: &str, kind: &str, name: &str) -> Result<WorkloadId, Status> {
    if name.is_empty() {
        return Err(invalid("name", "it is empty: write the workload's name"));
    }
    // The error says which of the three it is about.
    WorkloadId::new(or(namespace, DEFAULT_NAMESPACE), or(kind, DEFAULT_KIND), name)
        .map_err(|error| Status::invalid_argument(error.to_string()))
}

/// A total.
pub(super) fn replicas(value: i64) -> Result<u32, Status> {
    let fits = u32::try_from(value).ok().filter(|value| *value <= MAX_REPLICAS);
    fits.ok_or_else(|| {
        invalid("replicas", format!("{value} is out of range: it must be from 0 to {MAX_REPLICAS}"))
    })
}

/// A migration, as it is shown: `m-12`.
pub(super) fn migration(text: &str) -> Result<MigrationId, Status> {
    let number = text.strip_prefix("m-").and_then(|number| number.parse().ok());
    let wrong = || invalid("id", format!("{} is not a migration's id: write one such as m-12", quote(text)));
    number.map(MigrationId).ok_or_else(wrong)
}

/// An announcement, as it is shown: `3-17`.
pub(super) fn withdrawal(text: &str) -> Result<WithdrawalId, Status> {
    let numbers = text.split_once('-');
    let numbers = numbers.and_then(|(epoch, number)| Some((epoch.parse().ok()?, number.parse().ok()?)));
    let wrong = || {
        let problem = format!("{} is not a withdrawal's: write one that WatchPlacements gave", quote(text));
        invalid("revision", problem)
    };
    numbers.map(|(epoch, number)| WithdrawalId { epoch: Epoch(epoch), number }).ok_or_else(wrong)
}

/// The kind of workloads that a filter means; none for all.
pub(super) fn kind(text: &str) -> Result<Option<&str>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    WorkloadId::new(DEFAULT_NAMESPACE, text, "name").map_err(|error| invalid("kind", error))?;
    Ok(Some(text))
}

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}
