//! Custom resource definitions, read into kinds.

use serde_json::Value;

use super::{Column, Kind, ScalePaths};
use crate::object::{int, items, text};

/// The kind that `definition` defines. `None` when it serves no version.
pub(crate) fn read(definition: &Value) -> Option<Kind> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let served: Vec<&Value> =
        items(&spec["versions"]).iter().filter(|version| version["served"] == Value::Bool(true)).collect();
    let stored = served.iter().find(|version| version["storage"] == Value::Bool(true)).or(served.first())?;
    let mut versions = vec![text(&stored["name"]).to_owned()];
    for version in &served {
        let name = text(&version["name"]);
        if !versions.iter().any(|known| known == name) {
            versions.push(name.to_owned());
        }
    }
    let (group, plural) = (text(&spec["group"]), text(&names["plural"]));
    let kind = text(&names["kind"]);
    let subresources = &stored["subresources"];
    let singular = text(&names["singular"]);
    Some(Kind {
        group: group.into(),
        versions,
        kind: kind.into(),
        plural: plural.into(),
        singular: if singular.is_empty() { kind.to_lowercase() } else { singular.into() },
        short_names: texts(&names["shortNames"]),
        categories: texts(&names["categories"]),
        namespaced: spec["scope"] != "Cluster",
        status: subresources["status"].is_object(),
        scale: subresources["scale"].is_object().then(|| scale(&subresources["scale"])),
        generation: true,
        columns: items(&stored["additionalPrinterColumns"]).iter().map(column).collect(),
        custom: true,
        resource: Kind::resource_name(group, plural).into(),
    })
}

fn scale(scale: &Value) -> ScalePaths {
    ScalePaths {
        spec: path(text(&scale["specReplicasPath"])),
        status: path(text(&scale["statusReplicasPath"])),
        selector: path(text(&scale["labelSelectorPath"])),
    }
}

fn column(column: &Value) -> Column {
    Column {
        name: text(&column["name"]).to_owned(),
        kind: text(&column["type"]).to_owned(),
        path: path(text(&column["jsonPath"])),
        priority: int(&column["priority"], 0),
    }
}

/// A path such as `.spec.replicas` as its steps. Expressions beyond plain fields find nothing, and show nothing.
fn path(text: &str) -> Vec<String> {
    text.split('.').filter(|step| !step.is_empty()).map(str::to_owned).collect()
}

fn texts(list: &Value) -> Vec<String> {
    items(list).iter().map(|item| text(item).to_owned()).collect()
}
