//! Reading a tree field by field, with every mistake reported under its path.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use godwit_common::text::clip;

use crate::error::{Collector, ManifestError, Position};
use crate::hint;
use crate::node::{Data, Node};

/// Where mistakes of one object go, and what they have in common.
pub(crate) struct Report<'a> {
    pub(crate) errors: &'a RefCell<Collector>,
    /// The namespace of objects that name none.
    pub(crate) namespace: &'a str,
    /// Which document the object is in, counted from 1.
    pub(crate) document: usize,
    /// The line before the document's first.
    pub(crate) lines_before: u64,
    /// The object as messages name it.
    pub(crate) object: String,
}

impl Report<'_> {
    fn error(&self, node: &Node, field: &str, problem: String, remedy: String) -> ManifestError {
        let position = node
            .position
            .map(|Position { line, column }| Position { line: line + self.lines_before, column });
        ManifestError {
            document: Some(self.document),
            position,
            object: self.object.clone(),
            field: field.to_owned(),
            problem,
            remedy,
        }
    }
}

/// A value, its path, and where its mistakes go. Null counts as absent, as it does in Kubernetes.
#[derive(Clone)]
pub(crate) struct Field<'a> {
    pub(crate) node: &'a Node,
    path: String,
    report: &'a Report<'a>,
}

impl<'a> Field<'a> {
    pub(crate) fn root(node: &'a Node, path: String, report: &'a Report<'a>) -> Self {
        Self { node, path, report }
    }

    /// The namespace of an object that names none.
    pub(crate) fn default_namespace(&self) -> &'a str {
        self.report.namespace
    }

    /// Reports what is wrong with this field.
    pub(crate) fn refuse(&self, problem: impl Into<String>, remedy: impl Into<String>) {
        let error = self.error(problem, remedy);
        self.report.errors.borrow_mut().push(error);
    }

    /// What is wrong with this field, to be reported by whoever finds out about it later.
    pub(crate) fn error(&self, problem: impl Into<String>, remedy: impl Into<String>) -> ManifestError {
        self.report.error(self.node, &self.path, problem.into(), remedy.into())
    }

    /// Reports what the types of `godwit_common` say of a value: problem and remedy in one sentence.
    pub(crate) fn refuse_as_said(&self, sentence: &str) {
        let (problem, remedy) = sentence.split_once("; ").unwrap_or((sentence, "correct it"));
        self.refuse(problem, remedy);
    }

    /// How many mistakes were found so far in the whole text.
    pub(crate) fn mistakes(&self) -> usize {
        self.report.errors.borrow().count()
    }

    /// Whether a mistake in this field, or in something in it, was reported.
    pub(crate) fn has_mistakes(&self) -> bool {
        self.report.errors.borrow().is_any_in(self.report.document, &self.path)
    }

    /// Reports that this field is not what it must be.
    pub(crate) fn refuse_value(&self, must_be: &str) {
        let problem = format!("{} is not valid here", self.node.describe());
        self.refuse(problem, format!("write {must_be}"));
    }

    /// The mapping that this must be.
    pub(crate) fn object(&self) -> Option<Object<'a>> {
        match &self.node.data {
            Data::Map(map) => Some(Object { map, at: self.clone() }),
            Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) | Data::List(_) => {
                self.refuse_value("a mapping");
                None
            }
        }
    }

    /// The items of the list that this must be.
    pub(crate) fn items(&self) -> Vec<Field<'a>> {
        match &self.node.data {
            Data::List(items) => {
                items.iter().enumerate().map(|(index, node)| self.child_at(index, node)).collect()
            }
            Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) | Data::Map(_) => {
                self.refuse_value("a list");
                Vec::new()
            }
        }
    }

    /// The same of a list that has at most so many.
    pub(crate) fn items_up_to(&self, max: usize) -> Vec<Field<'a>> {
        if self.has_up_to(max) { self.items() } else { Vec::new() }
    }

    /// Whether it has at most so many items, if it is a list; it is reported if not.
    pub(crate) fn has_up_to(&self, max: usize) -> bool {
        match &self.node.data {
            Data::List(items) if items.len() > max => {
                self.refuse(format!("{} are too many", items.len()), format!("give at most {max}"));
                false
            }
            Data::List(_) | Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) | Data::Map(_) => {
                true
            }
        }
    }

    /// The entry of a mapping, if this is one and has it.
    pub(crate) fn entry(&self, key: &str) -> Option<Field<'a>> {
        match &self.node.data {
            Data::Map(map) => Object { map, at: self.clone() }.get(key),
            Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) | Data::List(_) => None,
        }
    }

    /// The first item of a list, if this is one, that is meant.
    pub(crate) fn item(&self, is_meant: impl Fn(usize, &Node) -> bool) -> Option<Field<'a>> {
        match &self.node.data {
            Data::List(items) => {
                let index = items.iter().enumerate().position(|(index, node)| is_meant(index, node))?;
                Some(self.child_at(index, &items[index]))
            }
            Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) | Data::Map(_) => None,
        }
    }

    /// The truth value that this must be.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match &self.node.data {
            Data::Bool(value) => Some(*value),
            Data::Null | Data::Number(_) | Data::Text(_) | Data::List(_) | Data::Map(_) => {
                self.refuse_value("true or false");
                None
            }
        }
    }

    /// The text that this must be. Numbers and booleans are refused, as an API server would.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match &self.node.data {
            Data::Text(text) => Some(text),
            Data::Bool(_) | Data::Number(_) => {
                let value = self.node.describe();
                let remedy = format!("put it in quotes: \"{value}\"");
                self.refuse(format!("{value} is not a text"), remedy);
                None
            }
            Data::Null | Data::List(_) | Data::Map(_) => {
                self.refuse_value("a text");
                None
            }
        }
    }

    /// The whole number from `min` to `max` that this must be.
    pub(crate) fn integer(&self, min: i64, max: i64) -> Option<i64> {
        let found = match &self.node.data {
            Data::Number(number) => number.as_i64(),
            Data::Null | Data::Bool(_) | Data::Text(_) | Data::List(_) | Data::Map(_) => None,
        };
        let valid = found.filter(|value| (min..=max).contains(value));
        if valid.is_none() {
            self.refuse_value(&format!("a whole number from {min} to {max}"));
        }
        valid
    }

    /// The whole number from 0 to `max` that this must be.
    pub(crate) fn count(&self, max: u32) -> Option<u32> {
        let value = self.integer(0, i64::from(max))?;
        u32::try_from(value).ok()
    }

    /// One of the named values.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = choices.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let problem = format!("{} is not known", self.node.describe());
            self.refuse(problem, hint::remedy(text, &names));
        }
        found.map(|(_, value)| *value)
    }

    fn child_at(&self, index: usize, node: &'a Node) -> Self {
        Self { node, path: format!("{}[{index}]", self.path), report: self.report }
    }
}

/// A mapping whose fields are read by name.
#[derive(Clone)]
pub(crate) struct Object<'a> {
    map: &'a BTreeMap<String, Node>,
    pub(crate) at: Field<'a>,
}

impl<'a> Object<'a> {
    /// The field, where it is present and not null.
    pub(crate) fn get(&self, key: &str) -> Option<Field<'a>> {
        let node = self.map.get(key).filter(|node| !node.is_null())?;
        Some(self.child(key, node))
    }

    /// What stands in the field, null included.
    pub(crate) fn any(&self, key: &str) -> Option<&'a Node> {
        self.map.get(key)
    }

    /// The field; its absence is reported, with the remedy.
    pub(crate) fn require(&self, key: &str, remedy: &str) -> Option<Field<'a>> {
        let found = self.get(key);
        if found.is_none() {
            let at = self.child(key, self.at.node);
            let near = hint::nearest(key, &self.keys());
            let remedy = match near.filter(|near| *near != key) {
                Some(near) => format!("{remedy} (there is {near:?}: is that it?)"),
                None => remedy.to_owned(),
            };
            at.refuse("it is missing", remedy);
        }
        found
    }

    /// Every field that is not null.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> + '_ {
        let present = self.map.iter().filter(|(_, node)| !node.is_null());
        present.map(|(key, node)| (key.as_str(), self.child(key, node)))
    }

    /// The same of a mapping that has at most so many.
    pub(crate) fn fields_up_to(&self, max: usize) -> Vec<(&'a str, Field<'a>)> {
        if self.map.len() > max {
            self.at.refuse(format!("{} are too many", self.map.len()), format!("give at most {max}"));
            return Vec::new();
        }
        self.fields().collect()
    }

    /// The fields as texts, as labels are; what is no text is reported.
    pub(crate) fn texts(&self) -> BTreeMap<&'a str, &'a str> {
        let mut texts = BTreeMap::new();
        for (key, node) in self.map.iter().filter(|(_, node)| !node.is_null()) {
            match node.as_text() {
                Some(text) => {
                    texts.insert(key.as_str(), text);
                }
                None => {
                    self.child(key, node).text();
                }
            }
        }
        texts
    }

    /// Reports what is no text among the fields, and quotes nothing of it.
    pub(crate) fn unquoted_texts(&self) {
        let others = self.map.iter().filter(|(_, node)| !node.is_null() && node.as_text().is_none());
        for (key, node) in others {
            self.child(key, node).refuse("it is not a text", "put the value in quotes");
        }
    }

    /// Reports each field that is not one of `known`.
    pub(crate) fn only(&self, known: &[&str]) {
        self.only_or(known, &[]);
    }

    /// The same, but for fields of which somebody else has something to say.
    pub(crate) fn only_or(&self, known: &[&str], spoken_for: &[&str]) {
        let accepted: BTreeSet<&str> = known.iter().chain(spoken_for).copied().collect();
        let unknown = self.map.iter().filter(|(key, _)| !accepted.contains(key.as_str()));
        // Suggestions for errors that nobody will see are not worth their time.
        for (key, node) in unknown.take(crate::error::MAX_ERRORS + 1) {
            let field = self.child(key, node);
            field.refuse("this field is unknown", hint::remedy(key, known));
        }
    }

    /// The mapping that a field must be, where it is present.
    pub(crate) fn mapping(&self, key: &str) -> Option<Object<'a>> {
        self.get(key)?.object()
    }

    /// The truth value of a field; false if it is absent.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.get(key).and_then(|field| field.boolean()).unwrap_or(false)
    }

    fn keys(&self) -> Vec<&'a str> {
        const ENOUGH: usize = 100;
        self.map.keys().take(ENOUGH).map(String::as_str).collect()
    }

    fn child(&self, key: &str, node: &'a Node) -> Field<'a> {
        let plain =
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let parent = &self.at.path;
        let path = match (plain, parent.is_empty()) {
            (true, true) => key.to_owned(),
            (true, false) => format!("{parent}.{key}"),
            (false, _) => format!("{parent}[{}]", clip(key)),
        };
        Field { node, path, report: self.at.report }
    }
}
