//! Service accounts of agents: tokens that the simulated API server signs, in files as a kubelet keeps them.

use std::path::Path;

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Client;
use kube::api::{Api, PostParams};

/// Where agents run, and as whom.
const NAMESPACE: &str = "godwit-system";
const AGENT: &str = "godwit-agent";
/// What the manifests say, and the hub expects.
pub(crate) const AUDIENCE: &str = "godwit.dev/hub";

/// What a token is to be for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) account: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) pod: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// As an agent has it.
    pub(crate) fn of_pod(pod: &'a str) -> Self {
        Self { account: AGENT, audience: AUDIENCE, pod: Some(pod) }
    }
}

/// A token of the agents' namespace; what it is for is made if it is not there.
pub(crate) async fn token(client: &Client, wanted: Wanted<'_>) -> String {
    let Wanted { account, audience, pod } = wanted;
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(NAMESPACE.to_owned());
    let namespaces: Api<Namespace> = Api::all(client.clone());
    made(namespaces.create(&PostParams::default(), &namespace).await);
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), NAMESPACE);
    let mut wanted = ServiceAccount::default();
    wanted.metadata.name = Some(account.to_owned());
    made(accounts.create(&PostParams::default(), &wanted).await);
    let bound = pod.map(|pod| BoundObjectReference {
        kind: Some("Pod".to_owned()),
        name: Some(pod.to_owned()),
        ..BoundObjectReference::default()
    });
    let spec = TokenRequestSpec {
        audiences: Some(vec![audience.to_owned()]),
        bound_object_ref: bound,
        expiration_seconds: Some(3600),
        ..TokenRequestSpec::default()
    };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let answer = accounts.create_token_request(account, &PostParams::default(), &request).await.unwrap();
    answer.status.unwrap().token.unwrap()
}

/// Writes the token of an agent as a kubelet does.
pub(crate) async fn mount(client: &Client, pod: &str, path: &Path) {
    std::fs::write(path, token(client, Wanted::of_pod(pod)).await).unwrap();
}

fn made<K>(answer: kube::Result<K>) {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        other => drop(other.unwrap()),
    }
}
