//! Failures as the API reports them: `Status` objects.

use serde_json::{Map, Value, json};

use crate::kinds::Kind;

/// Why a request was refused, in the words of Kubernetes.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    /// The HTTP status.
    pub(crate) code: u16,
    /// The machine-readable reason, such as `NotFound`.
    pub(crate) reason: &'static str,
    /// The sentence for people.
    pub(crate) message: String,
    details: Map<String, Value>,
}

/// One thing that is wrong with an object.
#[derive(Debug, Clone)]
pub(crate) struct Cause {
    /// The path of the field.
    pub(crate) field: String,
    /// The class of the error, such as `FieldValueInvalid`.
    pub(crate) reason: &'static str,
    /// What is wrong.
    pub(crate) message: String,
}

impl Cause {
    /// A field whose value is not allowed.
    pub(crate) fn invalid(field: &str, value: &Value, message: &str) -> Self {
        Self {
            field: field.to_owned(),
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {value}: {message}"),
        }
    }

    /// A field that must be there.
    pub(crate) fn required(field: &str, message: &str) -> Self {
        Self {
            field: field.to_owned(),
            reason: "FieldValueRequired",
            message: format!("Required value: {message}"),
        }
    }

    fn json(&self) -> Value {
        json!({"reason": self.reason, "message": self.message, "field": self.field})
    }
}

impl ApiError {
    /// An error without details.
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Map::new() }
    }

    /// 400: the request makes no sense.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 404 for a path that nothing serves.
    pub(crate) fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
    }

    /// 404 for an object.
    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} not found", kind.resource);
        Self::new(404, "NotFound", message).about(kind, name)
    }

    /// 409 for a name that is taken.
    pub(crate) fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", kind.resource);
        Self::new(409, "AlreadyExists", message).about(kind, name)
    }

    /// 409 for a lost race or an unmet precondition.
    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.resource);
        Self::new(409, "Conflict", message).about(kind, name)
    }

    /// 409 for fields that other managers own.
    pub(crate) fn apply_conflict(kind: &Kind, name: &str, causes: Vec<(String, String)>) -> Self {
        let count = causes.len();
        let listed: Vec<String> =
            causes.iter().map(|(manager, field)| format!("{manager}: {field}")).collect();
        let plural = if count == 1 { "conflict" } else { "conflicts" };
        let message = format!("Apply failed with {count} {plural}: conflicts with {}", listed.join(", "));
        let mut error = Self::new(409, "Conflict", message).about(kind, name);
        let causes: Vec<Value> = causes
            .into_iter()
            .map(|(manager, field)| {
                json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": field})
            })
            .collect();
        error.details.insert("causes".into(), Value::Array(causes));
        error
    }

    /// 403: understood and refused.
    pub(crate) fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("{} {name:?} is forbidden: {why}", kind.resource);
        Self::new(403, "Forbidden", message).about(kind, name)
    }

    /// 422 for an object that breaks its rules.
    pub(crate) fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        let listed: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let listed = match listed.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let shown =
            if kind.group.is_empty() { kind.kind.clone() } else { format!("{}.{}", kind.kind, kind.group) };
        let message = format!("{shown} {name:?} is invalid: {listed}");
        let mut error = Self::new(422, "Invalid", message).about(kind, name);
        error.details.insert("kind".into(), json!(kind.kind));
        let causes = causes.iter().map(Cause::json).collect();
        error.details.insert("causes".into(), Value::Array(causes));
        error
    }

    /// 410 for a resource version that history no longer reaches.
    pub(crate) fn gone(asked: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    /// 504 for a resource version that lies ahead.
    pub(crate) fn too_large_version(asked: u64, current: u64) -> Self {
        let message = format!("Too large resource version: {asked}, current: {current}");
        let mut error = Self::new(504, "Timeout", message);
        error.details.insert(
            "causes".into(),
            json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]),
        );
        error.details.insert("retryAfterSeconds".into(), json!(1));
        error
    }

    /// 429: an eviction would break a disruption budget.
    pub(crate) fn too_many_disruptions(message: String) -> Self {
        let mut error = Self::new(
            429,
            "TooManyRequests",
            "Cannot evict pod as it would violate the pod's disruption budget.",
        );
        error.details.insert("causes".into(), json!([{"reason": "DisruptionBudget", "message": message}]));
        error
    }

    /// The `Status` object.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        });
        if !self.details.is_empty() {
            status["details"] = Value::Object(self.details.clone());
        }
        status["code"] = json!(self.code);
        status
    }

    /// Adds what the error is about.
    #[must_use]
    pub(crate) fn about(mut self, kind: &Kind, name: &str) -> Self {
        self.details.insert("name".into(), json!(name));
        if !kind.group.is_empty() {
            self.details.insert("group".into(), json!(kind.group));
        }
        self.details.insert("kind".into(), json!(kind.plural));
        self
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.message)
    }
}

impl std::error::Error for ApiError {}
