//! The shapes in which objects are shown: whole, as rows of a table, or as their metadata alone.

use std::sync::Arc;

use serde_json::{Value, json};

use super::table;
use crate::error::ApiError;
use crate::kinds::Kind;
use crate::object;

/// The shape that a client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Whole,
    /// With the objects' metadata, the objects, or nothing in each row.
    Table(Include),
    Metadata,
}

/// What each row of a table carries besides its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Include {
    Nothing,
    Metadata,
    Object,
}

/// How objects of one kind are shown to one client.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) kind: Arc<Kind>,
    pub(super) version: String,
    pub(super) shape: Shape,
}

impl Shape {
    /// The first shape in `accept` that can be served.
    pub(super) fn negotiate(accept: &str, include: &str) -> Result<Self, ApiError> {
        let include = match include {
            "" | "Metadata" => Include::Metadata,
            "None" => Include::Nothing,
            "Object" => Include::Object,
            other => {
                let message =
                    format!("includeObject: Unsupported value: {other:?}: use None, Metadata or Object");
                return Err(ApiError::bad_request(message));
            }
        };
        if accept.trim().is_empty() {
            return Ok(Self::Whole);
        }
        for media in accept.split(',') {
            let mut parts = media.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            if !matches!(kind, "application/json" | "*/*" | "application/*") {
                continue;
            }
            let parameters: Vec<&str> = parts.collect();
            let target = parameters.iter().find_map(|parameter| parameter.strip_prefix("as="));
            match target {
                None => return Ok(Self::Whole),
                Some("Table") => return Ok(Self::Table(include)),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => return Ok(Self::Metadata),
                Some(_) => {}
            }
        }
        let message = "only the following media types are accepted: application/json";
        Err(ApiError::new(406, "NotAcceptable", message))
    }
}

impl View {
    /// One object.
    pub(super) fn one(&self, object: &Arc<Value>) -> Value {
        match self.shape {
            Shape::Whole => self.whole(object),
            Shape::Metadata => partial(object),
            Shape::Table(include) => table::table(
                &self.kind,
                json!({"resourceVersion": object["metadata"]["resourceVersion"]}),
                vec![self.row(object, include)],
            ),
        }
    }

    /// A list, under the metadata of the list.
    pub(super) fn list(&self, metadata: Value, objects: &[Arc<Value>]) -> Value {
        let listed = |kind: String, api_version: String, items: Vec<Value>| json!({"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items});
        match self.shape {
            Shape::Whole => listed(
                format!("{}List", self.kind.kind),
                self.kind.api_version_as(&self.version),
                objects.iter().map(|object| self.whole(object)).collect(),
            ),
            Shape::Metadata => listed(
                "PartialObjectMetadataList".into(),
                "meta.k8s.io/v1".into(),
                objects.iter().map(|object| partial(object)).collect(),
            ),
            Shape::Table(include) => {
                let rows = objects.iter().map(|object| self.row(object, include)).collect();
                table::table(&self.kind, metadata, rows)
            }
        }
    }

    /// The object that marks a position in a watch.
    pub(super) fn bookmark(&self, version: u64, end_of_initial: bool) -> Value {
        let (kind, api_version) = match self.shape {
            Shape::Whole => (self.kind.kind.clone(), self.kind.api_version_as(&self.version)),
            Shape::Metadata => ("PartialObjectMetadata".into(), "meta.k8s.io/v1".into()),
            Shape::Table(_) => ("Table".into(), "meta.k8s.io/v1".into()),
        };
        let mut mark = json!({
            "kind": kind,
            "apiVersion": api_version,
            "metadata": {"resourceVersion": version.to_string(), "creationTimestamp": null},
        });
        if end_of_initial {
            let note = json!({"k8s.io/initial-events-end": "true"});
            object::set(&mut mark, &["metadata", "annotations"], note);
        }
        if matches!(self.shape, Shape::Table(_)) {
            object::set(&mut mark, &["rows"], json!([]));
        }
        mark
    }

    fn whole(&self, object: &Arc<Value>) -> Value {
        let mut shown = Value::clone(object);
        if self.kind.custom {
            let api_version = self.kind.api_version_as(&self.version);
            object::set(&mut shown, &["apiVersion"], json!(api_version));
        }
        shown
    }

    fn row(&self, object: &Arc<Value>, include: Include) -> Value {
        let mut row = json!({"cells": table::cells(&self.kind, object)});
        match include {
            Include::Nothing => {}
            Include::Metadata => object::set(&mut row, &["object"], partial(object)),
            Include::Object => object::set(&mut row, &["object"], self.whole(object)),
        }
        row
    }
}

fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_shape_that_can_be_served_wins() {
        let shape = |accept: &str| Shape::negotiate(accept, "").ok();
        assert_eq!(shape(""), Some(Shape::Whole));
        assert_eq!(shape("*/*"), Some(Shape::Whole));
        assert_eq!(
            shape("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"),
            Some(Shape::Table(Include::Metadata))
        );
        assert_eq!(
            shape("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"),
            Some(Shape::Whole)
        );
        assert_eq!(
            shape("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"),
            Some(Shape::Metadata)
        );
        assert_eq!(shape("application/vnd.kubernetes.protobuf"), None);
    }
}
