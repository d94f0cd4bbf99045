//! In whose name applications' objects are written. Without a word of the operator's it is the agent's own; else that of a
//! ServiceAccount in the object's own namespace, so that the member's own rights have the last word on what applications may
//! create. What the agent needs for itself (its Lease, the fence, what it looks at) it does as itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_agent_core::CallError;
use godwit_common::ObjectKey;
use http::{HeaderValue, Request};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::client::Body;
use kube::{Api, Client};

use super::error;

/// How the API server is told in whose name a request is made. The groups of a ServiceAccount follow from its name, so that
/// the right to impersonate groups is not needed.
const HEADER: &str = "impersonate-user";

/// In whose name what is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Impersonation {
    /// The name of the account, in each namespace.
    pub(crate) account: String,
    /// The namespaces that are written to in the agent's own name.
    pub(crate) except: BTreeSet<String>,
    /// The account for what is in no namespace; none: it is refused.
    pub(crate) cluster_account: Option<Impersonated>,
}

/// A ServiceAccount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Impersonated {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Impersonation {
    /// In whose name an object is written; none: in the agent's own.
    fn account_for(&self, key: &ObjectKey) -> Result<Option<Impersonated>, CallError> {
        if key.namespace.is_empty() {
            let account = self.cluster_account.clone().map(Some);
            return account.ok_or_else(|| {
                CallError::Refused(
                    format!(
                        "{key} is in no namespace, and this cluster's agents write in the name of a ServiceAccount of the \
                         namespace: set impersonate.cluster_account, or make it beside Godwit"
                    )
                    .into(),
                )
            });
        }
        let exempt = self.except.contains(&*key.namespace);
        Ok((!exempt)
            .then(|| Impersonated { namespace: key.namespace.to_string(), name: self.account.clone() }))
    }

    /// Whether a namespace is written to in the name of an account of its own, which somebody has to make first.
    pub(crate) fn applies_to(&self, namespace: &str) -> bool {
        !self.except.contains(namespace)
    }
}

/// Who writes an object.
pub(crate) struct Writer {
    pub(crate) client: Client,
    account: Option<Impersonated>,
    /// To look at the account with.
    own: Client,
}

impl Writer {
    pub(crate) fn of(
        own: &Client,
        impersonation: Option<&Impersonation>,
        key: &ObjectKey,
    ) -> Result<Self, CallError> {
        let account = impersonation.map(|how| how.account_for(key)).transpose()?.flatten();
        let client = match &account {
            Some(account) => in_the_name_of(own, account)?,
            None => own.clone(),
        };
        Ok(Self { client, account, own: own.clone() })
    }

    /// A failure, with what it takes where the account may not do it.
    pub(crate) async fn explained(&self, error: kube::Error) -> CallError {
        let denied = matches!(&error, kube::Error::Api(status) if status.code == 403);
        let error = error::sort(error);
        match (&self.account, error) {
            (Some(account), CallError::Refused(words)) if denied => {
                CallError::Refused(self.what_it_takes(account, &words).await)
            }
            (_, error) => error,
        }
    }

    async fn what_it_takes(&self, account: &Impersonated, words: &str) -> Arc<str> {
        let Impersonated { namespace, name } = account;
        if words.contains("cannot impersonate") {
            let remedy = "let the agent impersonate it: docs/install.md says how";
            return format!("{words}; {remedy}").into();
        }
        // Admission refuses with the same code, in words of its own.
        if !words.contains("cannot ") {
            return words.into();
        }
        let accounts: Api<ServiceAccount> = Api::namespaced(self.own.clone(), namespace);
        match accounts.get_metadata_opt(name).await {
            Ok(None) => format!(
                "namespace {namespace} has no ServiceAccount {name}, in whose name objects are written there: make it, with a \
                 Role that allows what applications may create (the API server says: {words})"
            )
            .into(),
            Ok(Some(_)) => {
                format!("{words}; a Role that is bound to this ServiceAccount allows it, if it may").into()
            }
            // Whether it is there cannot be told.
            Err(_) => words.into(),
        }
    }
}

/// The same client, with another name on each request.
fn in_the_name_of(own: &Client, account: &Impersonated) -> Result<Client, CallError> {
    let Impersonated { namespace, name } = account;
    let user = HeaderValue::from_str(&format!("system:serviceaccount:{namespace}:{name}"))
        .map_err(|_| CallError::Refused(format!("{namespace}/{name} cannot be impersonated").into()))?;
    let inner = own.clone();
    let service = tower::service_fn(move |mut request: Request<Body>| {
        let (inner, user) = (inner.clone(), user.clone());
        async move {
            request.headers_mut().insert(HEADER, user);
            inner.send(request).await
        }
    });
    Ok(Client::new(service, own.default_namespace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(namespace: &str) -> ObjectKey {
        ObjectKey::new("v1", "ConfigMap", namespace, "web").unwrap()
    }

    #[test]
    fn each_namespace_has_an_account_of_its_own() {
        let account =
            |namespace: &str, name: &str| Impersonated { namespace: namespace.into(), name: name.into() };
        let how = Impersonation {
            account: "deployer".to_owned(),
            except: ["platform".to_owned()].into(),
            cluster_account: None,
        };
        assert_eq!(how.account_for(&key("shop")), Ok(Some(account("shop", "deployer"))));
        assert_eq!(how.account_for(&key("platform")), Ok(None));
        let Err(CallError::Refused(words)) = how.account_for(&key("")) else { panic!("it has no namespace") };
        assert!(words.contains("set impersonate.cluster_account"), "{words}");
        let cluster = account("platform", "cluster-deployer");
        let how = Impersonation { cluster_account: Some(cluster.clone()), ..how };
        assert_eq!(how.account_for(&key("")), Ok(Some(cluster)));
    }
}
