//! Telling policies and applications apart in one text.

use std::cell::RefCell;

use crate::catalog;
use crate::error::{Collector, ManifestErrors};
use crate::node::Node;
use crate::source;

/// A text divided into what the hub takes as policies and what it takes as an application. Both halves keep every line
/// and column of the whole: the other half is blanked out, so errors still point into the author's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Separated {
    /// The policies, for [`parse_policies`](crate::parse_policies); `None` if there are none.
    pub policies: Option<String>,
    /// Everything else, for [`parse_application`](crate::parse_application); `None` if there is nothing.
    pub application: Option<String>,
}

/// Divides a text. Only what is not well-formed is refused here; everything else is for the parser of each half.
pub fn separate(text: &str) -> Result<Separated, ManifestErrors> {
    let errors = RefCell::new(Collector::default());
    let documents = source::read(text, &errors);
    let (mut policies, mut application) = (Half::new(text), Half::new(text));
    for document in documents {
        let half = if is_policy(&document.root) { &mut policies } else { &mut application };
        half.keep(document.range);
    }
    let separated = Separated { policies: policies.finish(), application: application.finish() };
    errors.into_inner().finish(separated)
}

fn is_policy(root: &Node) -> bool {
    let api_version = root.get("apiVersion").and_then(Node::as_text);
    api_version.is_some_and(|version| catalog::group_of(version) == catalog::GODWIT_GROUP)
}

struct Half<'a> {
    text: &'a str,
    kept: String,
    done: usize,
    empty: bool,
}

impl<'a> Half<'a> {
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
