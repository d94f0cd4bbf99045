//! What became of a thing, and the hub's answers that say so.

use std::fmt;

use godwit_proto::v1;
use prost::{Message, Name};

/// What became of a thing, as the hub says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// It is new.
    Created,
    /// It was there, and is different now.
    Configured,
    /// It was there already, just so.
    Unchanged,
    /// A word of a hub that is newer than this command.
    Other(String),
}

/// An answer about one thing: what became of it, and what moves because of it.
pub(super) trait Answer: Message + Name {
    fn action(&self) -> Action;
    fn changes(&self) -> &[v1::PlanChange];
    /// What the plans were decided on, or would be (S30).
    fn inputs(&self) -> &str;
    /// How many plans change beyond those that the answer has.
    fn untold(&self) -> u64;
}

macro_rules! answer {
    ($($message:ident),*) => {$(
        impl Answer for v1::$message {
            fn action(&self) -> Action {
                Action::of(&self.action)
            }

            fn changes(&self) -> &[v1::PlanChange] {
                &self.changes
            }

            fn inputs(&self) -> &str {
                &self.inputs
            }

            fn untold(&self) -> u64 {
                self.changes_total.saturating_sub(self.changes.len() as u64)
            }
        }
    )*};
}

answer!(
    ApplyPolicyResponse,
    ApplyQuotaResponse,
    CancelMigrationResponse,
    ConfirmDeadResponse,
    CordonClusterResponse,
    DrainClusterResponse,
    LabelClusterResponse,
    MaintainClusterResponse,
    PauseMigrationResponse,
    RebalanceResponse,
    ReplaceClusterResponse,
    RetireClusterResponse,
    ResumeMigrationResponse,
    TaintClusterResponse,
    UndoRolloutResponse,
    UncordonClusterResponse
);

impl Action {
    /// The action of the hub's word for it.
    pub(super) fn of(word: &str) -> Self {
        match word {
            "created" => Self::Created,
            "configured" => Self::Configured,
            "unchanged" => Self::Unchanged,
            other => Self::Other(other.to_owned()),
        }
    }

    /// What a command says of a thing that it makes so: `cordoned`, unless it was so already.
    pub(super) fn or(&self, done: &str) -> String {
        match self {
            Self::Unchanged => self.to_string(),
            Self::Created | Self::Configured | Self::Other(_) => done.to_owned(),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Other(word) => word,
        })
    }
}

/// What follows the words for a thing that was not really changed.
pub(super) fn dry(dry_run: bool) -> &'static str {
    if dry_run { " (dry run)" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_hub_is_said_again() {
        for word in ["created", "configured", "unchanged", "renewed", ""] {
            assert_eq!(Action::of(word).to_string(), word);
        }
    }

    #[test]
    fn only_what_was_so_already_is_unchanged() {
        let said = |word: &str| Action::of(word).or("cordoned");
        assert_eq!(said("configured"), "cordoned");
        assert_eq!(said("unchanged"), "unchanged");
        assert_eq!(said("unchanged but renewed"), "cordoned");
    }
}
