//! Why a command failed: what its user reads on standard error, and the status it ends with.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use tonic::{Code, Status};

use crate::output::text;

/// The status of a command that could not do what it was asked.
const FAILED: u8 = 1;
/// The status of a command that was not asked properly.
const USAGE: u8 = 2;

/// The status of a comparison that found differences, as with `diff` and `kubectl diff`.
pub(crate) const DIFFERENT: u8 = 1;
/// The status of a comparison that could not be made.
const NOT_COMPARED: u8 = 2;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Error {
    /// The arguments make no sense together.
    Usage(String),
    /// It did not work.
    Failed {
        /// What happened; several lines for several mistakes.
        message: String,
        /// What to do about it, where that is not plain.
        hint: Option<String>,
    },
    /// The hub said no.
    Refused {
        /// What was asked of it, such as `deployment/web`, where the hub's own words do not say it; may be empty.
        about: String,
        /// Its answer.
        status: Box<Status>,
        /// What to do about it, where that is known.
        hint: Option<String>,
    },
    /// Parts of it did not work, and each was already reported.
    Reported,
    /// Standard output cannot be written.
    Output(io::Error),
}

impl Error {
    /// A failure that speaks for itself.
    pub(crate) fn failed(message: impl Display) -> Self {
        Self::Failed { message: message.to_string(), hint: None }
    }

    /// The hub's refusal.
    pub(crate) fn refused(status: Status) -> Self {
        // What the hub itself says has no source: this comes from a connection that broke.
        let status = match std::error::Error::source(&status) {
            Some(_) => Status::unavailable("the connection to the hub was lost"),
            None => status,
        };
        Self::Refused {
            about: String::new(),
            hint: hint_for(status.code()).map(str::to_owned),
            status: Box::new(status),
        }
    }

    /// The same, with what to do about it.
    pub(crate) fn with_hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Failed { hint, .. } | Self::Refused { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    /// The same, with what it is about.
    pub(crate) fn about(mut self, what: impl Into<String>) -> Self {
        if let Self::Refused { about, .. } = &mut self {
            *about = what.into();
        }
        self
    }

    /// Whether the hub said that there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if status.code() == Code::NotFound)
    }

    /// Whether the hub or the way to it failed, so that the same request may work in a moment.
    pub(crate) fn is_unavailable(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if status.code() == Code::Unavailable)
    }

    /// Whether the hub has answered that it does not do what it was asked, rather than failed at it.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if says_no(status.code()))
    }

    /// How long the hub wants us to wait before the same request, where it says so (gRFC A6).
    pub(crate) fn pushback(&self) -> Option<Duration> {
        let Self::Refused { status, .. } = self else { return None };
        let wait = status.metadata().get("grpc-retry-pushback-ms")?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_millis(wait))
    }

    /// Tells the user on standard error.
    pub(crate) fn report(&self) {
        let lines = self.lines();
        if !lines.is_empty() {
            eprint!("{lines}");
        }
    }

    /// What the command ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(USAGE),
            // Whoever reads has seen enough, as `head` has.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Self::Failed { .. } | Self::Refused { .. } | Self::Reported | Self::Output(_) => {
                ExitCode::from(FAILED)
            }
        }
    }

    /// The same of a comparison, for which [`DIFFERENT`] has another meaning.
    pub(crate) fn exit_code_of_diff(&self) -> ExitCode {
        match self {
            // What was not read to the end was a difference.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(DIFFERENT),
            Self::Usage(_)
            | Self::Failed { .. }
            | Self::Refused { .. }
            | Self::Reported
            | Self::Output(_) => ExitCode::from(NOT_COMPARED),
        }
    }

    fn lines(&self) -> String {
        match self {
            Self::Usage(message) => format!("error: {message}\n"),
            Self::Failed { message, hint } => with_hint(each_line(message), hint.as_deref()),
            Self::Refused { about, status, hint } => {
                let about = if about.is_empty() { String::new() } else { format!("{about}: ") };
                let said = match status.message() {
                    "" => "the hub gave no reason",
                    said => said,
                };
                let message = format!("{about}{}: {said}", words(status.code()));
                with_hint(each_line(&message), hint.as_deref())
            }
            Self::Reported => String::new(),
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => String::new(),
            Self::Output(error) => format!("error: cannot write to standard output: {error}\n"),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<godwit_proto::json::JsonError> for Error {
    fn from(error: godwit_proto::json::JsonError) -> Self {
        let cause = std::error::Error::source(&error).map(|source| format!(": {source}"));
        Self::failed(format!("{error}{}", cause.unwrap_or_default()))
    }
}

/// A message may list several mistakes, one a line; each is an error of its own.
fn each_line(message: &str) -> String {
    let lines = message.lines().map(|line| format!("error: {}\n", text::plain(line)));
    lines.collect()
}

fn with_hint(mut lines: String, hint: Option<&str>) -> String {
    if let Some(hint) = hint {
        lines.push_str(&format!("hint: {hint}\n"));
    }
    lines
}

fn words(code: Code) -> &'static str {
    match code {
        Code::Ok => "no error",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown error",
        Code::InvalidArgument => "invalid argument",
        Code::DeadlineExceeded => "no answer in time",
        Code::NotFound => "not found",
        Code::AlreadyExists => "already exists",
        Code::PermissionDenied => "permission denied",
        Code::ResourceExhausted => "too much",
        Code::FailedPrecondition => "not possible now",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out of range",
        Code::Unimplemented => "not implemented",
        Code::Internal => "internal error of the hub",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data loss",
        Code::Unauthenticated => "not authenticated",
    }
}

/// Of a request of one answer: what the hub refuses so, it has not done in part either, and will refuse again.
fn says_no(code: Code) -> bool {
    match code {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::Unauthenticated => true,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => false,
    }
}

fn hint_for(code: Code) -> Option<&'static str> {
    match code {
        Code::Unimplemented => Some("the hub is older than this command; `godwit version` shows both"),
        Code::Unavailable => Some("the hub is stopping or overloaded; try again in a moment"),
        Code::DeadlineExceeded => Some("the hub is overloaded; its log says more"),
        // What it takes depends on who asks for what: a role, another certificate, a new token. The hub's own words say it.
        Code::PermissionDenied | Code::Unauthenticated => None,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::DataLoss => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_and_why_and_what_to_do() {
        let error = Error::refused(Status::not_found("workload default/web does not exist"))
            .with_hint("`godwit get workloads` lists them");
        assert_eq!(
            error.lines(),
            "error: not found: workload default/web does not exist\nhint: `godwit get workloads` lists them\n"
        );
        let error = Error::refused(Status::unimplemented("no such method")).about("web.yaml");
        assert_eq!(
            error.lines(),
            "error: web.yaml: not implemented: no such method\n\
             hint: the hub is older than this command; `godwit version` shows both\n"
        );
    }

    #[test]
    fn whoever_may_not_is_told_what_it_takes_by_the_hub_alone() {
        let said = "bob is viewer, and Deploy takes the role deployer: an admin gives it with `godwit role bind bob`";
        for (status, words) in [
            (Status::permission_denied(said), "permission denied"),
            (Status::unauthenticated(said), "not authenticated"),
        ] {
            assert_eq!(Error::refused(status).lines(), format!("error: {words}: {said}\n"));
        }
    }

    #[test]
    fn a_broken_connection_is_no_refusal() {
        let broken = Error::refused(Status::from_error(io::Error::other("reset").into()));
        assert!(broken.is_unavailable());
        assert!(broken.lines().starts_with("error: unavailable: the connection to the hub was lost"));
        assert!(!Error::refused(Status::unknown("the hub's own words")).is_unavailable());
        assert!(!broken.is_final() && !Error::refused(Status::internal("it may be half done")).is_final());
        assert!(Error::refused(Status::failed_precondition("used already")).is_final());
    }

    #[test]
    fn several_mistakes_are_several_errors_and_control_characters_are_escaped() {
        let error = Error::failed("a.yaml:1:2: x\na.yaml:3:4: \u{1b}[31my");
        assert_eq!(error.lines(), "error: a.yaml:1:2: x\nerror: a.yaml:3:4: \\u{1b}[31my\n");
    }

    #[test]
    fn whoever_stops_reading_gets_no_error() {
        let closed = Error::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(closed.lines(), "");
        assert_eq!(format!("{:?}", closed.exit_code()), format!("{:?}", ExitCode::SUCCESS));
        let full = Error::Output(io::ErrorKind::StorageFull.into());
        assert!(full.lines().starts_with("error: cannot write to standard output"));
    }
}
