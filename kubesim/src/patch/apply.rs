//! Server-side apply.

use serde_json::Value;

use super::fieldset::{self, FieldSet};
use super::managed::{self, Entry, Manager};
use super::schema::{self, ITEM, ListType};
use crate::object::{self, as_map};

/// A field that another manager holds with another value: the manager, and the path.
pub(crate) type Conflict = (String, String);

/// Applies `config` to `live` (null when the object does not exist yet) in the name of `manager`.
///
/// Fields that the manager applied before and applies no longer go, unless somebody else holds them too. Fields that
/// others hold with another value are conflicts, or change hands when `force` is set.
pub(crate) fn apply(
    live: &Value,
    config: &Value,
    manager: &Manager,
    force: bool,
    builtin: bool,
) -> Result<Value, Vec<Conflict>> {
    let wanted = managed::ownable(config);
    let fields = FieldSet::of(&wanted, builtin);
    let mut merged = live.clone();
    if merged.is_null() {
        merged = config.clone();
    } else {
        merge(&mut merged, &wanted, ("", ""), builtin);
    }
    let entries = managed::read(live);
    let is_own = |entry: &Entry| {
        entry.applied
            && entry.manager.name == manager.name
            && entry.manager.subresource == manager.subresource
    };
    let (own, mut others): (Vec<Entry>, Vec<Entry>) = entries.iter().cloned().partition(is_own);

    let difference = managed::compare(&managed::ownable(live), &managed::ownable(&merged), builtin);
    let touched = difference.changed.intersection(&fields);
    let mut conflicts = Vec::new();
    for other in &mut others {
        let contested = other.fields.intersection(&touched);
        if contested.is_empty() {
            continue;
        }
        if force {
            other.fields.subtract(&contested);
        } else {
            let who = describe(other);
            conflicts.extend(contested.paths().into_iter().map(|path| (who.clone(), path)));
        }
    }
    if !conflicts.is_empty() {
        return Err(conflicts);
    }

    let mut kept = fields.clone();
    for other in &others {
        kept.add(&other.fields);
    }
    for before in &own {
        prune(&mut merged, &before.fields, &kept);
    }
    let unchanged = own.iter().any(|before| before.fields == fields)
        && managed::ownable(live) == managed::ownable(&merged);
    let time = match own.first() {
        Some(before) if unchanged => before.time.clone(),
        Some(_) | None => object::now_text(),
    };
    let entry = Entry { manager: manager.clone(), applied: true, time, fields };
    // Appliers stand before writers, in the order in which they first came.
    let at = entries
        .iter()
        .position(is_own)
        .unwrap_or_else(|| others.iter().filter(|other| other.applied).count());
    others.insert(at.min(others.len()), entry);
    managed::write(&mut merged, &others);
    Ok(merged)
}

fn describe(entry: &Entry) -> String {
    let mut text = format!("{:?}", entry.manager.name);
    if !entry.manager.subresource.is_empty() {
        text += &format!(" with subresource {:?}", entry.manager.subresource);
    }
    if !entry.applied {
        text += &format!(" using {}", entry.manager.api_version);
    }
    text
}

fn merge(live: &mut Value, wanted: &Value, (parent, name): (&str, &str), builtin: bool) {
    match wanted {
        Value::Object(map) if !schema::is_atomic_map(parent, name, builtin) => {
            let live = as_map(live);
            for (field, value) in map {
                let slot = live.entry(field).or_insert(Value::Null);
                merge(slot, value, (name, field), builtin);
            }
        }
        Value::Array(list) if live.is_array() => match schema::list_type(parent, name, builtin) {
            ListType::Atomic => *live = wanted.clone(),
            ListType::Set => {
                if let Some(live) = live.as_array_mut() {
                    for item in list {
                        if !live.contains(item) {
                            live.push(item.clone());
                        }
                    }
                }
            }
            ListType::Map(keys) => {
                for item in list {
                    let step = fieldset::item_step(item, keys);
                    match fieldset::child_mut(live, &step) {
                        Some(found) => merge(found, item, (ITEM, ITEM), builtin),
                        None => {
                            if let Some(live) = live.as_array_mut() {
                                live.push(item.clone());
                            }
                        }
                    }
                }
            }
        },
        other => *live = other.clone(),
    }
}

/// Removes from `value` what is in `before` and not in `kept`. Returns whether anything was removed.
fn prune(value: &mut Value, before: &FieldSet, kept: &FieldSet) -> bool {
    let nothing = FieldSet::default();
    let mut pruned = false;
    for (step, below) in &before.children {
        let keep = kept.children.get(step).unwrap_or(&nothing);
        if keep.is_empty() && below.member {
            fieldset::remove_child(value, step);
            pruned = true;
            continue;
        }
        let Some(child) = fieldset::child_mut(value, step) else {
            continue;
        };
        if prune(child, below, keep) {
            pruned = true;
            let empty = child.as_object().is_some_and(serde_json::Map::is_empty)
                || child.as_array().is_some_and(Vec::is_empty);
            if empty && keep.is_empty() {
                fieldset::remove_child(value, step);
            }
        }
    }
    pruned
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manager(name: &str) -> Manager {
        Manager { name: name.into(), subresource: String::new(), api_version: "apps/v1".into() }
    }

    fn applied(live: &Value, config: Value, name: &str, force: bool) -> Result<Value, Vec<Conflict>> {
        apply(live, &config, &manager(name), force, true)
    }

    fn deployment(replicas: i64, image: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
            "replicas": replicas,
            "template": {"spec": {"containers": [{"name": "web", "image": image}]}},
        }})
    }

    #[test]
    fn what_is_no_longer_applied_goes() {
        let config = json!({"metadata": {"name": "a", "labels": {"x": "1", "y": "1"}}, "data": {"k": "v"}});
        let live = applied(&Value::Null, config, "one", false).expect("no conflict");
        let live = applied(&live, json!({"metadata": {"name": "a", "labels": {"x": "1"}}}), "one", false)
            .expect("no conflict");
        assert_eq!(live["metadata"]["labels"], json!({"x": "1"}));
        assert_eq!(live.get("data"), None);
    }

    #[test]
    fn what_others_hold_stays_and_conflicts() {
        let live = applied(&Value::Null, deployment(3, "a"), "one", false).expect("no conflict");
        let shared =
            applied(&live, json!({"metadata": {"name": "web"}, "spec": {"replicas": 3}}), "two", false)
                .expect("the same value");
        let conflicts =
            applied(&shared, json!({"spec": {"replicas": 4}}), "two", false).expect_err("one holds it");
        assert_eq!(conflicts, [("\"one\"".to_owned(), ".spec.replicas".to_owned())]);
        let forced = applied(&shared, json!({"spec": {"replicas": 4}}), "two", true).expect("forced");
        assert_eq!(forced["spec"]["replicas"], 4);
        // "one" lost the field, so leaving it out changes nothing.
        let mut less = deployment(0, "b");
        object::unset(&mut less, &["spec", "replicas"]);
        let left = applied(&forced, less, "one", false).expect("no conflict");
        assert_eq!(left["spec"]["replicas"], 4);
        assert_eq!(left["spec"]["template"]["spec"]["containers"][0]["image"], "b");
    }

    #[test]
    fn the_same_again_changes_nothing() {
        let live = applied(&Value::Null, deployment(3, "a"), "one", false).expect("no conflict");
        assert_eq!(applied(&live, deployment(3, "a"), "one", false).expect("no conflict"), live);
    }

    #[test]
    fn items_of_keyed_lists_have_their_own_holders() {
        let live = applied(&Value::Null, deployment(1, "a"), "one", false).expect("no conflict");
        let sidecar =
            json!({"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s"}]}}}});
        let both = applied(&live, sidecar, "two", false).expect("another item");
        let containers =
            |object: &Value| object["spec"]["template"]["spec"]["containers"].as_array().map(Vec::len);
        assert_eq!(containers(&both), Some(2));
        let less = applied(&both, json!({"spec": {}}), "two", false).expect("no conflict");
        assert_eq!(containers(&less), Some(1));
    }

    #[test]
    fn a_scale_is_followed_once_somebody_has_said_the_count() {
        let mut config = deployment(3, "a");
        config["spec"].as_object_mut().expect("a map").remove("replicas");
        let untold = applied(&Value::Null, config, "one", false).expect("no conflict");
        let told = applied(&Value::Null, deployment(3, "a"), "one", false).expect("no conflict");
        let by_scale = Manager { subresource: "scale".to_owned(), ..manager("godwit") };
        let scaled_by = |live: &Value| {
            let mut scaled = live.clone();
            scaled["spec"]["replicas"] = json!(5);
            managed::record_update(live, &mut scaled, &by_scale, true);
            managed::read(&scaled).into_iter().any(|entry| entry.manager.name == "godwit")
        };
        assert_eq!((scaled_by(&untold), scaled_by(&told)), (false, true));
    }

    #[test]
    fn a_writer_that_scaled_is_in_the_way() {
        let live = applied(&Value::Null, deployment(3, "a"), "one", false).expect("no conflict");
        let mut scaled = live.clone();
        scaled["spec"]["replicas"] = json!(5);
        managed::record_update(&live, &mut scaled, &manager("kubectl"), true);
        let conflicts = applied(&scaled, deployment(3, "a"), "one", false).expect_err("kubectl holds it");
        assert_eq!(conflicts[0].0, "\"kubectl\" using apps/v1");
    }
}
