//! What is different about objects in some of the clusters: another registry, a variable, a label, a patch.
//!
//! Here is what a policy says, and what of it holds for an object in a cluster; that is handed on as a text, which whoever
//! knows manifests carries out. The same rules in the same order give the same text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::ClusterSelector;
use crate::traits::Traits;
use crate::{ClusterName, stable_hash};

/// A rule: what changes, of which objects, in which clusters. Of several that hold, each changes what those before it left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Override {
    /// In which clusters; all if it is empty.
    pub selector: ClusterSelector,
    /// Of which objects.
    pub objects: ObjectSelector,
    /// What.
    pub change: Change,
}

/// Chooses objects. All parts that are given must match; the empty selector chooses all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectSelector {
    /// One of these kinds; any if empty.
    pub kinds: BTreeSet<Arc<str>>,
    /// One of these namespaces; any if empty.
    pub namespaces: BTreeSet<Arc<str>>,
    /// One of these names; any if empty.
    pub names: BTreeSet<Arc<str>>,
}

/// What is different. What an object has no place for changes nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// The containers whose image and variables are meant; all if empty.
    pub containers: BTreeSet<Arc<str>>,
    /// Another place to take images from, or other ones.
    pub image: Image,
    /// Variables of containers, by name.
    pub env: BTreeMap<Arc<str>, Arc<str>>,
    /// Labels of the object, and of its pods.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Annotations of the object, and of its pods.
    pub annotations: BTreeMap<Arc<str>, Arc<str>>,
    /// The storage class of volume claims.
    pub storage_class: Option<Arc<str>>,
    /// What else, as RFC 6902 has it.
    pub patch: Vec<Operation>,
}

/// What is different about the images of containers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// The registry, with its port.
    pub registry: Option<Arc<str>>,
    /// What stands before the repository's name.
    pub prefix: Option<Arc<str>>,
    /// The tag; it takes the place of a digest, too.
    pub tag: Option<Arc<str>>,
}

/// An operation of a JSON patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What it does.
    pub verb: Verb,
    /// Where, as a JSON pointer.
    pub path: Arc<str>,
    /// Of `move` and `copy`: from where.
    pub from: Option<Arc<str>>,
    /// Of `add`, `replace` and `test`: which value, as JSON.
    pub value: Option<Arc<str>>,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Puts a value there.
    Add,
    /// Takes what is there away.
    Remove,
    /// Puts a value in the place of another.
    Replace,
    /// Takes a value from one place to another.
    Move,
    /// Puts the value of one place into another, too.
    Copy,
    /// Fails unless the value is there.
    Test,
}

impl Verb {
    /// All there are.
    pub const ALL: [Self; 6] = [Self::Add, Self::Remove, Self::Replace, Self::Move, Self::Copy, Self::Test];

    /// Its name, as patches write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
            Self::Move => "move",
            Self::Copy => "copy",
            Self::Test => "test",
        }
    }

    /// Whether it needs a value.
    pub fn takes_value(self) -> bool {
        match self {
            Self::Add | Self::Replace | Self::Test => true,
            Self::Remove | Self::Move | Self::Copy => false,
        }
    }

    /// Whether it needs a place that it takes its value from.
    pub fn takes_from(self) -> bool {
        match self {
            Self::Move | Self::Copy => true,
            Self::Add | Self::Remove | Self::Replace | Self::Test => false,
        }
    }
}

impl ObjectSelector {
    /// Whether it chooses an object.
    pub fn matches(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let any = |wanted: &BTreeSet<Arc<str>>, value| wanted.is_empty() || wanted.contains(value);
        any(&self.kinds, kind) && any(&self.namespaces, namespace) && any(&self.names, name)
    }
}

/// Those of the rules that are about an object, whatever the cluster; which object they are about is then said.
pub fn about(overrides: &[Override], (kind, namespace, name): (&str, &str, &str)) -> Arc<[Override]> {
    let meant = |one: &&Override| one.objects.matches(kind, namespace, name);
    let about = overrides.iter().filter(meant);
    about.map(|one| Override { objects: ObjectSelector::default(), ..one.clone() }).collect()
}

/// What rules about one object change of it in a cluster, as JSON: a list of [`Change`]s, in their order. Empty if nothing.
pub fn changes_in(overrides: &[Override], cluster: &ClusterName, traits: &Traits) -> Arc<str> {
    let mut text = String::new();
    for one in overrides.iter().filter(|one| one.selector.matches(cluster, traits)) {
        text.push(if text.is_empty() { '[' } else { ',' });
        one.change.write(&mut text);
    }
    if !text.is_empty() {
        text.push(']');
    }
    text.into()
}

/// What stands for such a text in digests and on objects; zero for none.
pub fn mark(changes: &str) -> u64 {
    if changes.is_empty() { 0 } else { stable_hash([changes.as_bytes()]).max(1) }
}

impl Change {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        let Self { containers: _, image, env, labels, annotations, storage_class, patch } = self;
        *image == Image::default()
            && env.is_empty()
            && labels.is_empty()
            && annotations.is_empty()
            && storage_class.is_none()
            && patch.is_empty()
    }

    /// It as JSON, the fields in a fixed order.
    pub fn to_json(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) {
        let Self { containers, image, env, labels, annotations, storage_class, patch } = self;
        let mut fields = Vec::new();
        if !containers.is_empty() {
            let names: Vec<String> = containers.iter().map(|name| quote(name)).collect();
            fields.push(format!("\"containers\":[{}]", names.join(",")));
        }
        if *image != Image::default() {
            fields.push(format!("\"image\":{}", image.to_json()));
        }
        for (name, texts) in [("env", env), ("labels", labels), ("annotations", annotations)] {
            if !texts.is_empty() {
                let entries = texts.iter().map(|(key, value)| format!("{}:{}", quote(key), quote(value)));
                fields.push(format!("\"{name}\":{{{}}}", entries.collect::<Vec<_>>().join(",")));
            }
        }
        if let Some(class) = storage_class {
            fields.push(format!("\"storageClass\":{}", quote(class)));
        }
        if !patch.is_empty() {
            let operations: Vec<String> = patch.iter().map(Operation::to_json).collect();
            fields.push(format!("\"jsonPatch\":[{}]", operations.join(",")));
        }
        out.push_str(&format!("{{{}}}", fields.join(",")));
    }
}

impl Image {
    fn to_json(&self) -> String {
        let Self { registry, prefix, tag } = self;
        let fields = [("registry", registry), ("prefix", prefix), ("tag", tag)];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let fields = fields.map(|(name, value)| format!("\"{name}\":{}", quote(value)));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }
}

impl Operation {
    fn to_json(&self) -> String {
        let Self { verb, path, from, value } = self;
        let mut text = format!("{{\"op\":\"{}\",\"path\":{}", verb.name(), quote(path));
        if let Some(from) = from {
            text.push_str(&format!(",\"from\":{}", quote(from)));
        }
        if let Some(value) = value {
            text.push_str(&format!(",\"value\":{value}"));
        }
        text.push('}');
        text
    }
}

/// A text as JSON has it.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if u32::from(letter) < 0x20 => {
                // Writing into a text cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(region: &str, tag: &str) -> Override {
        Override {
            selector: ClusterSelector { regions: [region.into()].into(), ..ClusterSelector::default() },
            objects: ObjectSelector { kinds: ["Deployment".into()].into(), ..ObjectSelector::default() },
            change: Change {
                image: Image { tag: Some(tag.into()), ..Image::default() },
                ..Change::default()
            },
        }
    }

    #[test]
    fn rules_hold_by_object_then_by_cluster_in_their_order() {
        let rules = [rule("eu", "a"), rule("us", "b"), rule("eu", "c")];
        let about_web = about(&rules, ("Deployment", "shop", "web"));
        assert_eq!((about_web.len(), about(&rules, ("Job", "shop", "web")).len()), (3, 0));
        assert_eq!(about_web[0].objects, ObjectSelector::default(), "it is said which");
        let east: ClusterName = "east".parse().unwrap();
        let traits = |region: &str| Traits { region: region.into(), ..Traits::default() };
        assert_eq!(
            &*changes_in(&about_web, &east, &traits("eu")),
            r#"[{"image":{"tag":"a"}},{"image":{"tag":"c"}}]"#
        );
        assert_eq!(&*changes_in(&about_web, &east, &traits("ap")), "");
        assert_eq!((mark(""), mark("[]") == mark("[{}]")), (0, false));
    }

    #[test]
    fn a_change_is_one_text_of_json() {
        let change = Change {
            containers: ["web".into()].into(),
            image: Image { registry: Some("eu.example.com".into()), ..Image::default() },
            env: [("MODE".into(), "say \"a\\b\"\n".into())].into(),
            labels: [("tier".into(), "eu".into())].into(),
            annotations: [("note".into(), "ü".into())].into(),
            storage_class: Some("fast".into()),
            patch: vec![
                Operation { verb: Verb::Add, path: "/spec/a".into(), from: None, value: Some("[1]".into()) },
                Operation { verb: Verb::Move, path: "/a".into(), from: Some("/b".into()), value: None },
            ],
        };
        assert_eq!(
            change.to_json(),
            "{\"containers\":[\"web\"],\"image\":{\"registry\":\"eu.example.com\"},\
             \"env\":{\"MODE\":\"say \\\"a\\\\b\\\"\\u000a\"},\"labels\":{\"tier\":\"eu\"},\
             \"annotations\":{\"note\":\"ü\"},\"storageClass\":\"fast\",\
             \"jsonPatch\":[{\"op\":\"add\",\"path\":\"/spec/a\",\"value\":[1]},\
             {\"op\":\"move\",\"path\":\"/a\",\"from\":\"/b\"}]}"
        );
        assert!(!change.is_empty() && Change::default().is_empty());
        let only_names = Change { containers: ["web".into()].into(), ..Change::default() };
        assert!(only_names.is_empty(), "it says where, and not what");
    }
}
