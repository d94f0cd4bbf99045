//! What became of several things that one command changes.

use std::io::{self, Write};

use godwit_common::ClusterName;
use godwit_proto::json;
use serde_json::Value;

use super::action::{Answer, dry};
use super::moves::Moved;
use crate::error::Error;
use crate::output::document::{self, Syntax};
use crate::output::{Format, text};

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
    pub(super) fn thing(
        &mut self,
        answer: &impl Answer,
        name: &str,
        became: &str,
        moved: &Moved,
    ) -> Result<(), Error> {
        match self.format {
            Format::Json | Format::Yaml => self.document(json::to_json(answer)?),
            Format::Name => writeln!(io::stdout(), "{}", text::plain(name))?,
            Format::Table | Format::Wide => {
                let on = match self.format {
                    Format::Wide if !answer.inputs().is_empty() => {
                        format!(", decided on {}", answer.inputs())
                    }
                    _ => String::new(),
                };
                writeln!(io::stdout(), "{}", text::plain(&format!("{name} {became}{on}")))?;
                moved.print(&mut io::stdout())?;
            }
        }
        Ok(())
    }

    /// The hub's answer about a cluster, which the command made what `done` says.
    pub(super) fn cluster(
        &mut self,
        answer: Result<impl Answer, Error>,
        name: &ClusterName,
        done: &str,
        dry_run: bool,
    ) -> Result<(), Error> {
        let name = format!("cluster/{name}");
        let Some(answer) = self.taken(answer.map_err(|error| error.about(&*name))) else {
            return Ok(());
        };
        let became = format!("{}{}", answer.action().or(done), dry(dry_run));
        let moved = Moved { plans: answer.changes().to_vec(), untold: answer.untold() };
        self.thing(&answer, &name, &became, &moved)
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
