//! From text to documents: YAML with any number of documents, or JSON with any number of values.

use std::cell::RefCell;
use std::ops::Range;

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DeserializeError as YamlError, MessageFormatter, UserMessageFormatter};

use crate::error::{Collector, ManifestError, Position};
use crate::node::{JsonNode, Node, YamlNode};

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
/// The most aliases and anchors of a document; people write a handful.
const MAX_ALIASES: usize = 1_000;

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
        nodes_left: MAX_NODES,
        bytes_left: MAX_EXPANDED_BYTES,
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
    nodes_left: usize,
    bytes_left: usize,
    documents: Vec<Document>,
}

impl Reader<'_> {
    /// Reads the text as JSON values, one after the other; false if the very first is none, since YAML may begin with
    /// a brace too.
    fn read_json(&mut self, text: &str) -> bool {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<JsonNode>();
        let mut start = 0;
        for index in 1.. {
            let value = match values.next() {
                None => break,
                Some(Ok(JsonNode(root))) => root,
                Some(Err(_)) if index == 1 => return false,
                Some(Err(error)) => {
                    let position = Position {
                        line: error.line() as u64,
                        column: error.column() as u64,
                    };
                    let problem = format!("this is not well-formed JSON: {}", plain(&error));
                    self.refuse(index, Some(position), problem, "correct the text there");
                    break;
                }
            };
            let range = start..values.byte_offset();
            start = range.end;
            self.keep(Document {
                index,
                lines_before: 0,
                range,
                root: value,
            });
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
            match serde_saphyr::from_str_with_options::<YamlNode>(chunk, self.yaml_options()) {
                Ok(YamlNode(root)) => self.keep(Document {
                    index,
                    lines_before,
                    range,
                    root,
                }),
                Err(error) => self.refuse_yaml(index, lines_before, &error),
            }
        }
    }

    /// Kubernetes reads YAML 1.1: `0644` is octal, `yes` is true.
    fn yaml_options(&self) -> serde_saphyr::Options {
        serde_saphyr::options! {
            with_snippet: false,
            emit_comments: false,
            legacy_octal_numbers: true,
            budget: serde_saphyr::budget! {
                max_depth: MAX_DEPTH,
                max_nodes: self.nodes_left,
                max_events: 4 * MAX_NODES,
                max_total_scalar_bytes: self.bytes_left,
                max_recorded_anchor_bytes: MAX_EXPANDED_BYTES,
                max_aliases: MAX_ALIASES,
                max_anchors: MAX_ALIASES,
                max_merge_keys: MAX_ALIASES,
                enforce_alias_anchor_ratio: false,
            },
        }
    }

    /// Keeps a document unless it is empty, and counts it against the limits of the whole text.
    fn keep(&mut self, document: Document) {
        if document.root.is_null() {
            return;
        }
        let weight = document.root.weight();
        if weight.depth > MAX_DEPTH {
            let problem = format!("it nests {} levels deep", weight.depth);
            let remedy = format!("at most {MAX_DEPTH} levels are read");
            return self.refuse(document.index, None, problem, &remedy);
        }
        self.nodes_left = self.nodes_left.saturating_sub(weight.nodes);
        self.bytes_left = self.bytes_left.saturating_sub(weight.bytes);
        self.documents.push(document);
    }

    fn refuse_yaml(&self, index: usize, lines_before: u64, error: &YamlError) {
        let position = error.location().map(|location| Position {
            line: location.line() + lines_before,
            column: location.column(),
        });
        let (problem, remedy) = explain(original(error));
        self.refuse(index, position, problem, &remedy);
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

/// The error without the aliases through which it was reached.
fn original(mut error: &YamlError) -> &YamlError {
    while let YamlError::AliasError { error: inner, .. } | YamlError::WithSnippet { error: inner, .. } = error
    {
        error = inner;
    }
    error
}

/// The problem and the remedy of a YAML error.
fn explain(error: &YamlError) -> (String, String) {
    let limit = |what: &str, remedy: &str| (what.to_owned(), remedy.to_owned());
    match error {
        YamlError::Budget { breach, .. } => match breach {
            BudgetBreach::Depth { .. } => limit(
                "it nests too deep",
                &format!("at most {MAX_DEPTH} levels are read"),
            ),
            BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } | BudgetBreach::MergeKeys { .. } => {
                let remedy =
                    format!("at most {MAX_ALIASES} anchors and aliases are read: write the values out");
                limit("it has too many anchors or aliases", &remedy)
            }
            _ => limit(
                "with its aliases expanded, the text is too large",
                "divide it, or use fewer aliases",
            ),
        },
        YamlError::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or_default();
            (
                format!("the key {key:?} appears twice"),
                "keep one of them".to_owned(),
            )
        }
        _ => {
            let message = UserMessageFormatter
                .format_message(error)
                .escape_debug()
                .to_string();
            (
                format!("this is not well-formed YAML: {message}"),
                "correct the text there".to_owned(),
            )
        }
    }
}

/// The message of a JSON error without the place that it ends with: the place is reported beside it.
fn plain(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}
