//! What an answer of the API server means for the one who asked.

use std::sync::Arc;

use godwit_agent_core::CallError;
use kube::core::Status;

/// Sorts a failure of kube's client.
pub(crate) fn sort(error: kube::Error) -> CallError {
    match error {
        kube::Error::Api(status) => sort_status(&status),
        other => CallError::Unavailable(chain(&other).into()),
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// True if the object itself was not found, and neither its namespace nor its kind.
pub(crate) fn is_object_missing(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => {
            status.code == 404 && !is_namespace_missing(status) && has_details(status)
        }
        _ => false,
    }
}

fn sort_status(status: &Status) -> CallError {
    let message: Arc<str> = status.message.as_str().into();
    match status.code {
        404 if is_namespace_missing(status) => CallError::NamespaceMissing,
        409 => {
            let fields = conflicts(status);
            if fields.is_empty() {
                return CallError::Outdated;
            }
            CallError::FieldConflict { fields, message }
        }
        // Credentials are renewed, load passes, and servers come back.
        401 | 408 | 429 => CallError::Unavailable(message),
        code if code >= 500 => CallError::Unavailable(message),
        _ => CallError::Refused(message),
    }
}

/// The details say so; servers behind the aggregation layer send the words alone.
fn is_namespace_missing(status: &Status) -> bool {
    let kind = status.details.as_ref().map(|details| details.kind.as_str());
    status.code == 404 && (kind == Some("namespaces") || status.message.starts_with("namespaces \""))
}

/// A 404 without details is the answer to a path that the server does not serve: the kind is gone, not the object.
fn has_details(status: &Status) -> bool {
    status.details.as_ref().is_some_and(|details| !details.name.is_empty())
}

fn conflicts(status: &Status) -> Vec<Arc<str>> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let conflicts = causes.filter(|cause| cause.reason == "FieldManagerConflict");
    conflicts.map(|cause| cause.field.as_str().into()).collect()
}

#[cfg(test)]
mod tests {
    use kube::core::response::{StatusCause, StatusDetails};

    use super::*;

    fn status(code: u16, kind: &str, causes: Vec<StatusCause>) -> Status {
        let details = StatusDetails {
            name: "web".into(),
            group: String::new(),
            kind: kind.into(),
            uid: String::new(),
            causes,
            retry_after_seconds: 0,
        };
        Status::failure("why", "").with_code(code).with_details(details)
    }

    #[test]
    fn answers_are_sorted_by_what_can_be_done_about_them() {
        let owned = StatusCause {
            reason: "FieldManagerConflict".into(),
            message: "conflict with \"kubectl\"".into(),
            field: ".spec.replicas".into(),
        };
        let conflict =
            CallError::FieldConflict { fields: vec![".spec.replicas".into()], message: "why".into() };
        let cases = [
            (status(409, "deployments", vec![]), CallError::Outdated),
            (status(409, "deployments", vec![owned]), conflict),
            (status(404, "namespaces", vec![]), CallError::NamespaceMissing),
            (status(404, "deployments", vec![]), CallError::Refused("why".into())),
            (status(422, "deployments", vec![]), CallError::Refused("why".into())),
            (status(403, "deployments", vec![]), CallError::Refused("why".into())),
            (status(401, "deployments", vec![]), CallError::Unavailable("why".into())),
            (status(429, "deployments", vec![]), CallError::Unavailable("why".into())),
            (status(503, "deployments", vec![]), CallError::Unavailable("why".into())),
        ];
        for (status, expected) in cases {
            assert_eq!(sort_status(&status), expected, "{status:?}");
        }
    }

    #[test]
    fn only_the_object_itself_can_be_missing() {
        let missing = |status: Status| is_object_missing(&kube::Error::Api(status.boxed()));
        assert!(missing(status(404, "deployments", vec![])));
        assert!(!missing(status(404, "namespaces", vec![])));
        assert!(!missing(Status::failure("404 page not found", "").with_code(404)));
        assert!(!missing(status(403, "deployments", vec![])));
    }
}
