//! Labels and taints of clusters, as requests give them and as Kubernetes has them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::selector::Labels;
use godwit_common::text::quote;
use godwit_common::{Taint, TaintEffect, label};
use godwit_proto::v1;
use tonic::Status;

use super::fields::invalid;

/// A taint by its key; by its effect, too, if only that one is meant.
pub(super) type TaintName = (Arc<str>, Option<TaintEffect>);

/// A qualified name: with or without a DNS name and a slash before it.
pub(super) fn key(field: &str, text: &str) -> Result<Arc<str>, Status> {
    label::check_key(text).map_err(|error| invalid(field, error))?;
    Ok(text.into())
}

/// Labels that are to be set.
pub(super) fn labels(field: &str, labels: &BTreeMap<String, String>) -> Result<Labels, Status> {
    let label = |(name, text): (&String, &String)| {
        let name = key(field, name)?;
        let value = value(&format!("{field}[{name}]"), text)?;
        Ok((name, value))
    };
    labels.iter().map(label).collect()
}

/// Labels that are to be removed.
pub(super) fn keys(field: &str, keys: &[String]) -> Result<BTreeSet<Arc<str>>, Status> {
    keys.iter().map(|text| key(field, text)).collect()
}

/// Taints that are to be added: no two with one key and effect, because only one of them could be.
pub(super) fn taints(field: &str, taints: &[v1::ClusterTaint]) -> Result<Vec<Taint>, Status> {
    let mut seen = BTreeSet::new();
    let mut read = Vec::with_capacity(taints.len());
    for (index, taint) in taints.iter().enumerate() {
        let at = |part: &str| format!("{field}[{index}].{part}");
        let v1::ClusterTaint {
            key: name,
            value: text,
            effect: word,
            added: _, // The hub's own clock says when.
        } = taint;
        let taint = Taint {
            key: key(&at("key"), name)?,
            value: value(&at("value"), text)?,
            effect: effect(&at("effect"), word)?,
        };
        if !seen.insert((taint.key.clone(), taint.effect)) {
            let problem = format!("{}:{word} is there twice: leave out one of the two", taint.key);
            return Err(invalid(field, problem));
        }
        read.push(taint);
    }
    Ok(read)
}

/// Taints that are to be removed: `key`, for all effects, or `key:effect`.
pub(super) fn taint_names(field: &str, names: &[String]) -> Result<Vec<TaintName>, Status> {
    let read = |text: &String| match text.split_once(':') {
        None => Ok((key(field, text)?, None)),
        Some((name, word)) => Ok((key(field, name)?, Some(effect(field, word)?))),
    };
    names.iter().map(read).collect()
}

fn value(field: &str, text: &str) -> Result<Arc<str>, Status> {
    label::check_value(text).map_err(|error| invalid(field, error))?;
    Ok(text.into())
}

fn effect(field: &str, word: &str) -> Result<TaintEffect, Status> {
    TaintEffect::of_name(word).ok_or_else(|| {
        let known = TaintEffect::ALL.map(TaintEffect::name).join(" or ");
        invalid(field, format!("{} is not an effect: write {known}", quote(word)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taints_are_read_in_kubernetes_words() {
        let taint = |key: &str, value: &str, effect: &str| v1::ClusterTaint {
            key: key.to_owned(),
            value: value.to_owned(),
            effect: effect.to_owned(),
            added: None,
        };
        let both = [taint("a", "", "NoSchedule"), taint("a", "v", "NoExecute")];
        let read = taints("add", &both).unwrap();
        assert_eq!((&*read[1].value, read[1].effect), ("v", TaintEffect::NoExecute));
        for (taints, says) in [
            (vec![taint("a", "", "")], "add[0].effect: \"\" is not an effect: write NoSchedule or"),
            (vec![taint("", "", "NoExecute")], "add[0].key: \"\" is not a key"),
            (vec![taint("a", "b c", "NoExecute")], "add[0].value: \"b c\" is not a value"),
            (
                vec![taint("a", "b", "NoExecute"), taint("a", "", "NoExecute")],
                "add: a:NoExecute is there twice",
            ),
        ] {
            let status = super::taints("add", &taints).unwrap_err();
            assert!(status.message().starts_with(says), "{says:?} does not begin {:?}", status.message());
        }
        let names = |text: &str| taint_names("remove", &[text.to_owned()]);
        assert_eq!(names("a").unwrap(), [("a".into(), None)]);
        assert_eq!(names("a:NoExecute").unwrap(), [("a".into(), Some(TaintEffect::NoExecute))]);
        assert!(names("a:").unwrap_err().message().starts_with("remove: \"\" is not an effect"));
    }
}
