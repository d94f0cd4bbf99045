//! What the tests deploy.

use std::collections::BTreeMap;

use godwit_proto::v1;

/// A Deployment's manifest, as an operator would write it.
#[derive(Debug, Clone)]
pub(crate) struct Deployment<'a> {
    pub(crate) name: &'a str,
    pub(crate) replicas: u32,
    /// The annotation `godwit.dev/policy`.
    pub(crate) policy: Option<&'a str>,
    /// The last part of its image.
    pub(crate) image: &'a str,
    /// How long a cluster waits for its pods, in seconds, before it says that there is no progress: as long as it takes, but
    /// for tests of that.
    pub(crate) deadline: u32,
}

impl<'a> Deployment<'a> {
    pub(crate) fn new(name: &'a str, replicas: u32) -> Self {
        Self { name, replicas, policy: None, image: "main:1", deadline: 600 }
    }

    pub(crate) fn policy(self, policy: &'a str) -> Self {
        Self { policy: Some(policy), ..self }
    }

    pub(crate) fn image(self, image: &'a str) -> Self {
        Self { image, ..self }
    }

    pub(crate) fn yaml(&self) -> String {
        let Self { name, replicas, policy, image, deadline } = self;
        let annotations = policy
            .map_or(String::new(), |policy| format!("  annotations:\n    godwit.dev/policy: {policy}\n"));
        format!(
            "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
{annotations}spec:
  replicas: {replicas}
  progressDeadlineSeconds: {deadline}
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: registry.example/{image}
          resources:
            requests:
              cpu: 50m
              memory: 16Mi
"
        )
    }

    /// The request that deploys it.
    pub(crate) fn request(&self) -> v1::DeployRequest {
        v1::DeployRequest { manifests: self.yaml(), ..v1::DeployRequest::default() }
    }
}

/// A policy that divides by `weights`, over the clusters named and no others.
pub(crate) fn policy(name: &str, weights: &[(&str, u32)]) -> v1::Policy {
    let rule = |(cluster, weight): &(&str, u32)| {
        let rule = v1::ClusterRule { weight: Some(*weight), ..v1::ClusterRule::default() };
        ((*cluster).to_owned(), rule)
    };
    let spec = v1::PolicySpec {
        clusters: weights.iter().map(rule).collect::<BTreeMap<_, _>>(),
        ..v1::PolicySpec::default()
    };
    v1::Policy { name: name.to_owned(), spec: Some(spec), workloads: 0 }
}
