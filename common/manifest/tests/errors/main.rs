//! Every mistake is named with its place, its value and its remedy.

mod bounds;
mod identity;
mod texts;
mod workloads;

use godwit_manifest::parse_application;

/// A valid Deployment, for tests to spoil.
pub(crate) const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: nginx
          image: nginx
          resources:
            requests:
              cpu: 100m
";

/// The messages about the Deployment above after one replacement in it, without their common beginning.
fn spoiled(from: &str, to: &str) -> String {
    assert!(WEB.contains(from), "{from}");
    let message = errors(&WEB.replacen(from, to, 1));
    message.replace("document 1 (line ", "(").replace("column ", "")
}

pub(crate) fn errors(text: &str) -> String {
    parse_application(text).expect_err(text).to_string()
}

pub(crate) fn check(cases: &[(&str, &str, &str)]) {
    for (from, to, message) in cases {
        assert_eq!(&spoiled(from, to), message, "{from:?} -> {to:?}");
    }
}
