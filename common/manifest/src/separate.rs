//! Telling policies, quotas and applications apart in one text.

use std::cell::RefCell;

use crate::catalog;
use crate::error::{Collector, ManifestErrors};
use crate::godwit::Kind;
use crate::node::Node;
use crate::source;

/// A text divided into what the hub takes as policies, as quotas and as an application. Each part keeps every line and
/// column of the whole: the others are blanked out, so errors still point into the author's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Separated {
    /// The policies, for [`parse_policies`](crate::parse_policies); `None` if there are none.
    pub policies: Option<String>,
    /// The quotas, for [`parse_quotas`](crate::parse_quotas); `None` if there are none.
    pub quotas: Option<String>,
    /// Everything else, for [`parse_application`](crate::parse_application); `None` if there is nothing.
    pub application: Option<String>,
}

/// Divides a text. Only what is not well-formed is refused here; everything else is for the parser of each part.
pub fn separate(text: &str) -> Result<Separated, ManifestErrors> {
    let errors = RefCell::new(Collector::default());
    let documents = source::read(text, &errors);
    let mut parts = [(); 3].map(|()| Part::new(text));
    let [policies, quotas, application] = &mut parts;
    for document in documents {
        let part = match kind_of(&document.root) {
            Some(Kind::Policy) => &mut *policies,
            Some(Kind::Quota) => &mut *quotas,
            None => &mut *application,
        };
        part.keep(document.range);
    }
    let [policies, quotas, application] = parts.map(Part::finish);
    errors.into_inner().finish(Separated { policies, quotas, application })
}

/// The kind of a document of Godwit's own; one of an unknown kind counts as a policy, whose parser refuses it.
fn kind_of(root: &Node) -> Option<Kind> {
    let text = |key| root.get(key).and_then(Node::as_text);
    let is_own =
        text("apiVersion").is_some_and(|version| catalog::group_of(version) == catalog::GODWIT_GROUP);
    let is_quota = text("kind") == Some(Kind::Quota.name());
    is_own.then_some(if is_quota { Kind::Quota } else { Kind::Policy })
}

struct Part<'a> {
    text: &'a str,
    kept: String,
    done: usize,
    empty: bool,
}

impl<'a> Part<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, kept: String::new(), done: 0, empty: true }
    }

    fn keep(&mut self, range: std::ops::Range<usize>) {
        self.blank_until(range.start);
        self.kept.push_str(self.text.get(range.clone()).unwrap_or_default());
        self.done = range.end;
        self.empty = false;
    }

    fn blank_until(&mut self, end: usize) {
        let gap = self.text.get(self.done..end).unwrap_or_default();
        let blank = |c: char| if c.is_whitespace() { c } else { ' ' };
        self.kept.extend(gap.chars().map(blank));
        self.done = end;
    }

    fn finish(mut self) -> Option<String> {
        if self.empty {
            return None;
        }
        self.blank_until(self.text.len());
        Some(self.kept)
    }
}
