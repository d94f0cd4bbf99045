//! The operators' door: the admin services of `godwit.v1`. Questions are answered from the driver's view, commands go
//! through its queue. Requests become checked values here, or a status that names the field, the value and the remedy.

mod authority;
mod backup;
mod clusters;
pub(crate) mod convert;
mod deploy;
mod drains;
mod events;
mod federation;
mod fields;
mod import;
mod labels;
mod marks;
mod migrations;
mod orphans;
mod page;
mod placements;
mod plans;
mod pods;
mod policies;
mod quotas;
mod refusal;
mod rendered;
mod roles;
mod rollouts;
mod tokens;
mod watch;
mod workloads;

pub(crate) use deploy::reader;

use std::sync::Arc;
use std::time::Duration;

use godwit_proto::v1::access_service_server::AccessServiceServer;
use godwit_proto::v1::authority_service_server::AuthorityServiceServer;
use godwit_proto::v1::cluster_service_server::ClusterServiceServer;
use godwit_proto::v1::event_service_server::EventServiceServer;
use godwit_proto::v1::federation_service_server::FederationServiceServer;
use godwit_proto::v1::migration_service_server::MigrationServiceServer;
use godwit_proto::v1::placement_service_server::PlacementServiceServer;
use godwit_proto::v1::plan_service_server::PlanServiceServer;
use godwit_proto::v1::pod_service_server::PodServiceServer;
use godwit_proto::v1::policy_service_server::PolicyServiceServer;
use godwit_proto::v1::quota_service_server::QuotaServiceServer;
use godwit_proto::v1::rollout_service_server::RolloutServiceServer;
use godwit_proto::v1::workload_service_server::WorkloadServiceServer;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::service::RoutesBuilder;

use crate::authority::Own;
use crate::driver::Handle;
use crate::inquiries::Inquiries;

/// Each reads the whole store.
const BACKUPS_MAX: usize = 1;
/// Each may hold some MiB of an answer that its operator does not read.
const ASKERS_MAX: usize = 32;

/// All admin services: they share everything.
#[derive(Clone)]
pub(crate) struct Admin {
    driver: Handle,
    watches: Arc<Semaphore>,
    backups: Arc<Semaphore>,
    inquiries: Inquiries,
    askers: Arc<Semaphore>,
    stop: CancellationToken,
    /// For policies that do not say.
    lost_after: Duration,
    /// The hub's own authority, if there is one.
    own: Option<Arc<Own>>,
}

impl Admin {
    /// At most `watches` at once; all of them end with `stop`.
    pub(crate) fn new(
        driver: Handle,
        inquiries: Inquiries,
        watches: usize,
        lost_after: Duration,
        own: Option<Arc<Own>>,
        stop: CancellationToken,
    ) -> Self {
        let [watches, backups, askers] =
            [watches, BACKUPS_MAX, ASKERS_MAX].map(|most| Arc::new(Semaphore::new(most)));
        Self { driver, watches, backups, inquiries, askers, stop, lost_after, own }
    }

    /// Adds the services, taking messages up to `message_bytes`. The guard stands before all of them.
    pub(crate) fn add_to(&self, routes: &mut RoutesBuilder, message_bytes: usize) {
        // Answers are bounded by their pages, so the codec's bound would only add a second, later error.
        macro_rules! add {
            ($($server:ident),*) => {
                $(
                    let server = $server::new(self.clone())
                        .max_decoding_message_size(message_bytes)
                        .max_encoding_message_size(usize::MAX);
                    routes.add_service(server);
                )*
            };
        }
        add!(
            AccessServiceServer,
            AuthorityServiceServer,
            ClusterServiceServer,
            EventServiceServer,
            FederationServiceServer,
            MigrationServiceServer,
            PlacementServiceServer,
            PlanServiceServer,
            PodServiceServer,
            PolicyServiceServer,
            QuotaServiceServer,
            RolloutServiceServer,
            WorkloadServiceServer
        );
    }
}
