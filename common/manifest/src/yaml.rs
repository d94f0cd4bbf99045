//! From YAML's events to a tree.
//!
//! The tree is built on a stack of its own and not by recursion: a hostile document reaches a limit, and never the end
//! of the thread's stack.

use std::collections::BTreeMap;

use serde_saphyr::granit_parser::{self, Event, Marker, Parser, ScalarStyle, StrInput, Tag};

use crate::error::Position;
use crate::node::{Data, Node, Weight};
use crate::scalar;
use crate::source::{MAX_ALIASES, MAX_DEPTH};

/// What a text may still contain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    pub(crate) nodes: usize,
    pub(crate) bytes: usize,
}

impl Allowance {
    /// Takes away what a tree amounts to; false if it is more than there is left.
    pub(crate) fn charge(&mut self, weight: Weight) -> bool {
        let (nodes, bytes) = (self.nodes.checked_sub(weight.nodes), self.bytes.checked_sub(weight.bytes));
        let (Some(nodes), Some(bytes)) = (nodes, bytes) else {
            return false;
        };
        *self = Self { nodes, bytes };
        true
    }
}

/// Why a document cannot be read, and where.
#[derive(Debug)]
pub(crate) struct YamlError {
    pub(crate) position: Position,
    pub(crate) problem: String,
    pub(crate) remedy: String,
}

/// The value of one document; null if it is empty.
pub(crate) fn compose(document: &str, allowance: &mut Allowance) -> Result<Node, YamlError> {
    let options = granit_parser::options! { emit_comments: false };
    let mut composer = Composer {
        parser: Parser::new_from_str_with_options(document, options),
        allowance,
        open: Vec::new(),
        anchors: BTreeMap::new(),
        aliases: 0,
        root: None,
    };
    composer.run()?;
    Ok(composer.root.unwrap_or(Node { position: None, data: Data::Null }))
}

struct Composer<'a> {
    parser: Parser<'a, StrInput<'a>>,
    allowance: &'a mut Allowance,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    aliases: usize,
    root: Option<Node>,
}

/// A collection whose end has not been seen.
struct Open {
    position: Position,
    anchor: usize,
    contents: Contents,
}

enum Contents {
    List(Vec<Node>),
    Map {
        map: BTreeMap<String, Node>,
        /// The key whose value comes next.
        key: Option<Key>,
        /// The values of `<<`, whose fields fill in what the map itself does not say.
        merged: Vec<Node>,
    },
}

enum Key {
    Named(String),
    Merge,
}

impl Composer<'_> {
    fn run(&mut self) -> Result<(), YamlError> {
        while let Some(next) = self.parser.next_event() {
            let (event, span) = next.map_err(|error| YamlError {
                position: position(error.marker()),
                problem: format!("this is not well-formed YAML: {}", error.info().replace('\n', " ")),
                remedy: "correct the text there".to_owned(),
            })?;
            self.take(event, position(&span.start))?;
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'_>, position: Position) -> Result<(), YamlError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                if plain && tag.is_none() && text == "<<" && self.expects_key() {
                    return self.put_key(Key::Merge, position);
                }
                let data = meaning(&text, plain, tag.as_deref()).map_err(|problem| YamlError {
                    position,
                    problem,
                    remedy: "write it in quotes and without a tag if it is meant as a text".to_owned(),
                })?;
                let bytes = text.len();
                self.charge(Weight { nodes: 1, bytes, depth: 0 }, position)?;
                let node = Node { position: Some(position), data };
                self.put(node, anchor, position)
            }
            Event::SequenceStart(_, anchor, _) => self.open(Contents::List(Vec::new()), anchor, position),
            Event::MappingStart(_, anchor, _) => {
                let contents = Contents::Map { map: BTreeMap::new(), key: None, merged: Vec::new() };
                self.open(contents, anchor, position)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(position),
            Event::Alias(id) => self.put_alias(id, position),
            // The rest says nothing about values. An alias without an anchor is an error of the parser already.
            _ => Ok(()),
        }
    }

    fn open(&mut self, contents: Contents, anchor: usize, position: Position) -> Result<(), YamlError> {
        if self.expects_key() {
            return Err(not_a_key(position));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(position));
        }
        self.charge(Weight { nodes: 1, bytes: 0, depth: 0 }, position)?;
        self.open.push(Open { position, anchor, contents });
        Ok(())
    }

    fn close(&mut self, end: Position) -> Result<(), YamlError> {
        let Some(Open { position, anchor, contents }) = self.open.pop() else {
            return Ok(());
        };
        let data = match contents {
            Contents::List(items) => Data::List(items),
            Contents::Map { mut map, merged, .. } => {
                for node in merged {
                    merge(&mut map, node, end)?;
                }
                Data::Map(map)
            }
        };
        let node = Node { position: Some(position), data };
        self.put(node, anchor, position)
    }

    fn put_alias(&mut self, id: usize, position: Position) -> Result<(), YamlError> {
        self.aliases += 1;
        if self.aliases > MAX_ALIASES {
            return Err(YamlError {
                position,
                problem: format!("the document has more than {MAX_ALIASES} aliases"),
                remedy: "write the values out".to_owned(),
            });
        }
        let Some(node) = self.anchors.get(&id) else {
            return Err(YamlError {
                position,
                problem: "this alias stands inside of what it names".to_owned(),
                remedy: "write the value out".to_owned(),
            });
        };
        let weight = node.weight();
        if weight.depth + self.open.len() > MAX_DEPTH {
            return Err(too_deep(position));
        }
        // Charged before it is copied: aliases of aliases multiply.
        let enough = self.allowance.charge(weight);
        let node = if enough {
            node.clone()
        } else {
            return Err(too_large(position));
        };
        self.put(node, 0, position)
    }

    /// Puts a finished value where it belongs: into the innermost open collection, or at the root.
    fn put(&mut self, node: Node, anchor: usize, position: Position) -> Result<(), YamlError> {
        if anchor != 0 {
            self.charge(node.weight(), position)?;
            self.anchors.insert(anchor, node.clone());
        }
        if self.expects_key() {
            return match key_of(node.data) {
                Some(name) => self.put_key(Key::Named(name), position),
                None => Err(not_a_key(position)),
            };
        }
        match self.open.last_mut().map(|open| &mut open.contents) {
            None => self.root = Some(node),
            Some(Contents::List(items)) => items.push(node),
            Some(Contents::Map { map, key, merged }) => match key.take() {
                Some(Key::Named(name)) => {
                    map.insert(name, node);
                }
                Some(Key::Merge) | None => merged.push(node),
            },
        }
        Ok(())
    }

    fn put_key(&mut self, new: Key, position: Position) -> Result<(), YamlError> {
        if let Some(Contents::Map { map, key, .. }) = self.open.last_mut().map(|open| &mut open.contents) {
            if let Key::Named(name) = &new
                && map.contains_key(name)
            {
                return Err(YamlError {
                    position,
                    problem: format!("the key {name:?} appears twice"),
                    remedy: "keep one of them".to_owned(),
                });
            }
            *key = Some(new);
        }
        Ok(())
    }

    fn expects_key(&self) -> bool {
        let innermost = self.open.last().map(|open| &open.contents);
        matches!(innermost, Some(Contents::Map { key: None, .. }))
    }

    fn charge(&mut self, weight: Weight, position: Position) -> Result<(), YamlError> {
        if self.allowance.charge(weight) { Ok(()) } else { Err(too_large(position)) }
    }
}

/// What a scalar means, by its tag if it has one.
fn meaning(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Data, String> {
    let resolve = || scalar::resolve(text).map_err(|_| format!("{text} is not a finite number"));
    let Some(tag) = tag else {
        return if plain { resolve() } else { Ok(Data::Text(text.to_owned())) };
    };
    let resolved = match tag.core_suffix() {
        Some("str") => return Ok(Data::Text(text.to_owned())),
        Some("null" | "bool" | "int" | "float") => resolve()?,
        _ if tag.handle() == "!" && tag.suffix().is_empty() => return Ok(Data::Text(text.to_owned())),
        _ => return Err(format!("the tag {tag} means nothing to Kubernetes")),
    };
    let fits = match (&resolved, tag.core_suffix()) {
        (Data::Null, Some("null")) | (Data::Bool(_), Some("bool")) | (Data::Number(_), Some("float")) => true,
        (Data::Number(number), Some("int")) => !number.is_f64(),
        _ => false,
    };
    if fits { Ok(resolved) } else { Err(format!("{text:?} is not what its tag {tag} says")) }
}

/// A key as JSON has it: a text.
fn key_of(data: Data) -> Option<String> {
    match data {
        Data::Text(text) => Some(text),
        Data::Bool(value) => Some(value.to_string()),
        Data::Number(number) => Some(number.to_string()),
        Data::Null | Data::List(_) | Data::Map(_) => None,
    }
}

/// Fills in what a map does not say itself from a map, or a list of maps of which the first counts most.
fn merge(map: &mut BTreeMap<String, Node>, from: Node, end: Position) -> Result<(), YamlError> {
    let at = from.position.unwrap_or(end);
    let sources = match from.data {
        Data::List(items) => items,
        Data::Map(_) | Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => vec![from],
    };
    for source in sources {
        let Data::Map(fields) = source.data else {
            return Err(YamlError {
                position: at,
                problem: "only mappings can be merged".to_owned(),
                remedy: "write an alias of a mapping after <<".to_owned(),
            });
        };
        for (key, node) in fields {
            map.entry(key).or_insert(node);
        }
    }
    Ok(())
}

fn position(marker: &Marker) -> Position {
    Position { line: marker.line() as u64, column: marker.col() as u64 + 1 }
}

fn not_a_key(position: Position) -> YamlError {
    YamlError {
        position,
        problem: "a key must be a text".to_owned(),
        remedy: "correct the key, or put it in quotes".to_owned(),
    }
}

fn too_deep(position: Position) -> YamlError {
    YamlError {
        position,
        problem: "it nests too deep".to_owned(),
        remedy: format!("at most {MAX_DEPTH} levels are read"),
    }
}

fn too_large(position: Position) -> YamlError {
    YamlError {
        position,
        problem: "the text has too many values, or its aliases expand to too many".to_owned(),
        remedy: "divide it, or use fewer aliases".to_owned(),
    }
}
