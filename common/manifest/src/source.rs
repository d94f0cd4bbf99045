//! From text to documents: YAML with any number of documents, or JSON with any number of values.

use std::cell::RefCell;
use std::ops::Range;

use crate::error::{Collector, ManifestError, Position};
use crate::node::Node;
use crate::yaml::{self, Allowance, YamlError};

/// The longest text: twice what fits into one object of a cluster's etcd, and no more than a gRPC message of ours.
pub const MAX_TEXT_BYTES: usize = 4 << 20;
/// The most documents of a text, empty ones included.
pub const MAX_DOCUMENTS: usize = 1_000;
/// The deepest nesting; the deepest real manifests (JSON schemas inside resource definitions) stay below 40.
pub const MAX_DEPTH: usize = 64;
/// The most values of a text, counted after its aliases are expanded: an alias repeats what it names.
const MAX_NODES: usize = 400_000;
/// The most text, counted after its aliases are expanded.
const MAX_EXPANDED_BYTES: usize = 2 * MAX_TEXT_BYTES;
/// The most aliases of a document; people write a handful.
pub(crate) const MAX_ALIASES: usize = 1_000;

/// One document that is not empty.
pub(crate) struct Document {
    /// Counted from 1, empty documents included.
    pub(crate) index: usize,
    /// The lines of the text before it.
    pub(crate) lines_before: u64,
    /// Where it stands in the text, in bytes.
    pub(crate) range: Range<usize>,
    pub(crate) root: Node,
}

/// Reads every document. A document that is not well-formed is reported, and the others are read all the same.
pub(crate) fn read(text: &str, errors: &RefCell<Collector>) -> Vec<Document> {
    if text.len() > MAX_TEXT_BYTES {
        let problem = format!("the text has {} bytes", text.len());
        let remedy = format!("at most {MAX_TEXT_BYTES} are read at once: divide it");
        errors.borrow_mut().push(whole_text(problem, &remedy));
        return Vec::new();
    }
    let mut reader = Reader {
        errors,
        allowance: Allowance { nodes: MAX_NODES, bytes: MAX_EXPANDED_BYTES },
        documents: Vec::new(),
    };
    if !text.trim_start().starts_with('{') || !reader.read_json(text) {
        reader.read_yaml(text);
    }
    reader.documents
}

/// An error about the text as a whole.
pub(crate) fn whole_text(problem: impl Into<String>, remedy: &str) -> ManifestError {
    ManifestError {
        document: None,
        position: None,
        object: String::new(),
        field: String::new(),
        problem: problem.into(),
        remedy: remedy.to_owned(),
    }
}

struct Reader<'a> {
    errors: &'a RefCell<Collector>,
    allowance: Allowance,
    documents: Vec<Document>,
}

impl Reader<'_> {
    /// Reads the text as JSON values, one after the other; false if the very first is none, since YAML may begin with
    /// a brace too.
    fn read_json(&mut self, text: &str) -> bool {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Node>();
        let mut start = 0;
        for index in 1.. {
            let value = match values.next() {
                None => break,
                Some(Ok(root)) => root,
                Some(Err(_)) if index == 1 => return false,
                Some(Err(error)) => {
                    let position = Position { line: error.line() as u64, column: error.column() as u64 };
                    let problem = format!("this is not well-formed JSON: {}", plain(&error));
                    self.refuse(index, Some(position), problem, "correct the text there");
                    break;
                }
            };
            let range = start..values.byte_offset();
            start = range.end;
            self.keep_json(Document { index, lines_before: 0, range, root: value });
        }
        true
    }

    fn read_yaml(&mut self, text: &str) {
        for (index, (range, lines_before)) in (1..).zip(divide(text)) {
            if index > MAX_DOCUMENTS {
                let problem = format!("the text has more than {MAX_DOCUMENTS} documents");
                let error = whole_text(problem, "divide it into several applications");
                return self.errors.borrow_mut().push(error);
            }
            let chunk = text.get(range.clone()).unwrap_or_default();
            match yaml::compose(chunk, &mut self.allowance) {
                Ok(root) if root.is_null() => {}
                Ok(root) => self.documents.push(Document { index, lines_before, range, root }),
                Err(YamlError { mut position, problem, remedy }) => {
                    position.line += lines_before;
                    self.refuse(index, Some(position), problem, &remedy);
                }
            }
        }
    }

    /// Keeps a document of JSON unless it is empty, and holds it to the same limits.
    fn keep_json(&mut self, document: Document) {
        if document.root.is_null() {
            return;
        }
        let weight = document.root.weight();
        if weight.depth > MAX_DEPTH {
            let remedy = format!("at most {MAX_DEPTH} levels are read");
            self.refuse(document.index, None, "it nests too deep".to_owned(), &remedy);
        } else if self.allowance.charge(weight) {
            self.documents.push(document);
        } else {
            let problem = "the text has too many values".to_owned();
            self.refuse(document.index, None, problem, "divide it");
        }
    }

    fn refuse(&self, index: usize, position: Option<Position>, problem: String, remedy: &str) {
        self.errors.borrow_mut().push(ManifestError {
            document: Some(index),
            position,
            object: String::new(),
            field: String::new(),
            problem,
            remedy: remedy.to_owned(),
        });
    }
}

/// Divides YAML at its document markers, which YAML allows at the start of a line and nowhere else. Gives each
/// document's bytes, its own marker included, and the number of lines before it. What stands before the first marker
/// (comments, directives) belongs to the first document.
fn divide(text: &str) -> Vec<(Range<usize>, u64)> {
    let mut documents = Vec::new();
    let (mut start, mut lines_before) = (0, 0);
    let (mut offset, mut has_content) = (0, false);
    for (line_number, line) in (0..).zip(text.split_inclusive('\n')) {
        let marks = |marker| {
            let rest = line.strip_prefix(marker);
            rest.is_some_and(|rest: &str| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
        };
        if marks("---") && has_content {
            documents.push((start..offset, lines_before));
            (start, lines_before) = (offset, line_number);
        }
        offset += line.len();
        if marks("...") && has_content {
            documents.push((start..offset, lines_before));
            (start, lines_before, has_content) = (offset, line_number + 1, false);
            continue;
        }
        let blank = line.trim().is_empty() || line.starts_with(['#', '%']);
        has_content |= !blank;
    }
    if has_content {
        documents.push((start..text.len(), lines_before));
    }
    documents
}

/// The message of a JSON error without the place that it ends with: the place is reported beside it.
fn plain(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}
