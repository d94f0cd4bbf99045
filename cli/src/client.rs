//! The connection to the hub, and the manners of talking to it: bounded waiting, whole lists, errors with a remedy.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use godwit_proto::v1::access_service_client::AccessServiceClient;
use godwit_proto::v1::authority_service_client::AuthorityServiceClient;
use godwit_proto::v1::cluster_service_client::ClusterServiceClient;
use godwit_proto::v1::event_service_client::EventServiceClient;
use godwit_proto::v1::federation_service_client::FederationServiceClient;
use godwit_proto::v1::migration_service_client::MigrationServiceClient;
use godwit_proto::v1::placement_service_client::PlacementServiceClient;
use godwit_proto::v1::plan_service_client::PlanServiceClient;
use godwit_proto::v1::pod_service_client::PodServiceClient;
use godwit_proto::v1::policy_service_client::PolicyServiceClient;
use godwit_proto::v1::quota_service_client::QuotaServiceClient;
use godwit_proto::v1::rollout_service_client::RolloutServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use godwit_rt::dial::{Connection, DialError, dial};
use godwit_rt::limits::{ADMIN_MESSAGE_BYTES_MAX, DialTimeouts};
use godwit_rt::tls::ClientTls;
use tonic::{Response, Status};

use crate::context::{Context, DEV_FOLDER, Places};
use crate::error::Error;
use crate::login;

/// How long one answer may take; streams last as long as they like.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// An open connection to the hub of a context.
#[derive(Clone)]
pub(crate) struct Client {
    context: Arc<Context>,
    tls: Arc<ClientTls>,
    connection: Connection,
}

macro_rules! services {
    ($($(#[$doc:meta])* $name:ident: $client:ident,)*) => {
        impl Client {
            $($(#[$doc])*
            pub(crate) fn $name(&self) -> $client<Connection> {
                $client::new(self.connection.clone())
                    .max_decoding_message_size(ADMIN_MESSAGE_BYTES_MAX)
                    .max_encoding_message_size(ADMIN_MESSAGE_BYTES_MAX)
            })*
        }
    };
}

services! {
    /// Who may come in.
    access: AccessServiceClient,
    /// The authority.
    authority: AuthorityServiceClient,
    /// The member clusters.
    clusters: ClusterServiceClient,
    /// The journal.
    events: EventServiceClient,
    /// The federation as a whole.
    federation: FederationServiceClient,
    /// The migrations.
    migrations: MigrationServiceClient,
    /// Where traffic may go.
    placements: PlacementServiceClient,
    /// The plans.
    plans: PlanServiceClient,
    /// The pods.
    pods: PodServiceClient,
    /// The policies.
    policies: PolicyServiceClient,
    /// The quotas.
    quotas: QuotaServiceClient,
    /// The rollouts.
    rollouts: RolloutServiceClient,
    /// The workloads.
    workloads: WorkloadServiceClient,
}

impl Client {
    /// Connects to the hub of the context that counts here.
    pub(crate) async fn connect(places: &Places) -> Result<Self, Error> {
        Self::open(Context::read(&places.find()?)?).await
    }

    /// Connects to the hub of this context.
    pub(crate) async fn open(context: Context) -> Result<Self, Error> {
        let tls = ClientTls::client(context.tls.clone()).map_err(|error| {
            let cause = std::error::Error::source(&error).map(|source| format!(": {source}"));
            let message = format!("{error}{}", cause.unwrap_or_default());
            Error::failed(message).with_hint(named_by(&context))
        })?;
        let connection = dial(&context.endpoint, &tls, DialTimeouts::default())
            .await
            .map_err(|error| unreachable(&error, &context))?;
        if context.is_login {
            login::renew_in_time(&context, connection.clone()).await;
        }
        Ok(Self { context: Arc::new(context), tls, connection })
    }

    /// The same over a fresh connection, after this one was lost.
    pub(crate) async fn reconnect(&self) -> Result<Self, DialError> {
        // Another command may have renewed the login meanwhile.
        self.tls.reload();
        let connection = dial(&self.context.endpoint, &self.tls, DialTimeouts::default()).await?;
        if self.context.is_login {
            login::renew_in_time(&self.context, connection.clone()).await;
        }
        Ok(Self { connection, ..self.clone() })
    }

    /// Where it leads, and why there.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }
}

/// Waits for one answer, but not for ever.
pub(crate) async fn answer<T>(call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Error> {
    let late = || Status::deadline_exceeded(format!("the hub did not answer within {ANSWER_WITHIN:?}"));
    let answer = tokio::time::timeout(ANSWER_WITHIN, call).await;
    let answer = answer.unwrap_or_else(|_| Err(late()));
    answer.map(Response::into_inner).map_err(Error::refused)
}

/// Follows all pages of a list. `page` takes the token of a page, and answers with its items and the next token.
pub(crate) async fn all_pages<T>(
    mut page: impl AsyncFnMut(String) -> Result<(Vec<T>, String), Error>,
) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let (mut items, next) = page(token.clone()).await?;
        all.append(&mut items);
        // A token that leads to itself would never end.
        if next.is_empty() || next == token {
            return Ok(all);
        }
        token = next;
    }
}

/// Takes what the message says is missing for granted: a field that proto3 cannot require.
pub(crate) fn present<T>(value: Option<T>, what: &str) -> Result<T, Error> {
    value.ok_or_else(|| {
        Error::failed(format!("the hub answered without the {what}: it is not this version's hub"))
    })
}

fn unreachable(error: &DialError, context: &Context) -> Error {
    let message = format!("the hub cannot be reached: {error}");
    let by_dev = Path::new(DEV_FOLDER);
    let of_dev = context.path.parent().is_some_and(|folder| folder.ends_with(by_dev));
    let hint = match error {
        DialError::Tcp { .. } if of_dev => {
            format!("{}, which `godwit dev` wrote; is it still running?", named_by(context))
        }
        DialError::Dns { .. }
        | DialError::Tcp { .. }
        | DialError::Tls { .. }
        | DialError::Http2 { .. }
        | DialError::Timeout { .. } => named_by(context),
    };
    Error::failed(message).with_hint(hint)
}

fn named_by(context: &Context) -> String {
    let path = context.path.display();
    match context.is_login {
        true => format!(
            "address and certificates are those of {path}; once a login has ended, log in again with a new token"
        ),
        false => format!("address and certificates are those of {path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_pages_are_followed_and_a_loop_ends() {
        let page = async |token: String| {
            Ok(match token.as_str() {
                "" => (vec![1, 2], "a".to_owned()),
                "a" => (vec![3], "b".to_owned()),
                _ => (vec![4], "b".to_owned()),
            })
        };
        assert_eq!(all_pages(page).await.expect("all pages"), [1, 2, 3, 4]);
    }
}
