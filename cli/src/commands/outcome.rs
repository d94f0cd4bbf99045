//! What became of several things that one command changes.

use std::io::{self, Write};

use godwit_common::ClusterName;
use godwit_proto::{json, v1};
use prost::{Message, Name};
use serde_json::Value;

use crate::error::Error;
use crate::output::document::{self, Syntax};
use crate::output::{Format, changes, text};

/// The answers, as the user wants to read them.
pub(super) struct Outcome {
    pub(super) format: Format,
    documents: Vec<Value>,
    failed: bool,
}

impl Outcome {
    pub(super) fn new(format: Format) -> Self {
        Self { format, documents: Vec::new(), failed: false }
    }

    /// An error ends what it is about only: the others are independent of it.
    pub(super) fn taken<T>(&mut self, answer: Result<T, Error>) -> Option<T> {
        answer
            .inspect_err(|error| {
                self.failed = true;
                error.report();
            })
            .ok()
    }

    /// One thing: what other commands call it, and what became of it; then what moves because of it.
    pub(super) fn thing<M: Message + Name>(
        &mut self,
        answer: &M,
        name: &str,
        became: &str,
        moved: &[v1::PlanChange],
    ) -> Result<(), Error> {
        match self.format {
            Format::Json | Format::Yaml => self.document(json::to_json(answer)?),
            Format::Name => writeln!(io::stdout(), "{}", text::plain(name))?,
            Format::Table | Format::Wide => {
                writeln!(io::stdout(), "{}", text::plain(&format!("{name} {became}")))?;
                changes::print(moved, &mut io::stdout())?;
            }
        }
        Ok(())
    }

    /// The hub's answer about a cluster.
    pub(super) fn taken_of_cluster<T>(&mut self, answer: Result<T, Error>, name: &ClusterName) -> Option<T> {
        self.taken(answer.map_err(|error| error.about(format!("cluster/{name}"))))
    }

    /// A cluster, which became what the command makes of it unless the hub says that it was so already.
    pub(super) fn cluster<M: Message + Name>(
        &mut self,
        answer: &M,
        name: &ClusterName,
        became: &str,
        action: &str,
        moved: &[v1::PlanChange],
    ) -> Result<(), Error> {
        let became = if action.starts_with("unchanged") { action } else { became };
        self.thing(answer, &format!("cluster/{name}"), became, moved)
    }

    /// An answer for programs, which are printed together.
    pub(super) fn document(&mut self, document: Value) {
        self.documents.push(document);
    }

    /// Prints what was collected for programs. It fails if anything did.
    pub(super) fn finish(self) -> Result<(), Error> {
        let syntax = match self.format {
            Format::Json => Some(Syntax::Json),
            Format::Yaml => Some(Syntax::Yaml),
            Format::Name | Format::Table | Format::Wide => None,
        };
        if let Some(syntax) = syntax
            && !self.documents.is_empty()
        {
            document::print(&document::one_or_list(self.documents), syntax, &mut io::stdout())?;
        }
        if self.failed { Err(Error::Reported) } else { Ok(()) }
    }
}

/// What follows the words for a thing that was not really changed.
pub(super) fn dry(dry_run: bool) -> &'static str {
    if dry_run { " (dry run)" } else { "" }
}
