//! The agent that leads, as another agent of the cluster finds and asks it. Where it is stands in the Lease of the election;
//! once it is known, asking it takes no API server.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::Uid;
use godwit_proto::agent::lease::{Admitted, admitted_from_wire, ask_to_wire};
use godwit_proto::agents::v1::lease_service_client::LeaseServiceClient;
use godwit_rt::dial::{Connection, Endpoint, dial};
use godwit_rt::limits::DialTimeouts;
use godwit_rt::tls::ClientTls;
use tokio::time::timeout;

use crate::cluster::{Cluster, chain};

/// How long an answer may take. It counts from the question, so a late one is worth less, and never too much.
const ANSWER_MAX: Duration = Duration::from_secs(3);

pub(super) struct Leader {
    tls: Arc<ClientTls>,
    cluster: Cluster,
    /// The one that answered last, or stands in the Lease.
    found: Option<Connection>,
}

impl Leader {
    pub(super) fn new(tls: Arc<ClientTls>, cluster: Cluster) -> Self {
        Self { tls, cluster, found: None }
    }

    /// Asks; an error says why there is no answer.
    pub(super) async fn ask(&mut self, lives: &[Uid]) -> Result<Admitted, String> {
        let connection = match self.found.take() {
            Some(connection) => connection,
            None => self.find().await?,
        };
        let to = connection.endpoint().to_string();
        let mut client = LeaseServiceClient::new(connection.clone());
        let asked = timeout(ANSWER_MAX, client.ask(ask_to_wire(lives))).await;
        let answer = asked.map_err(|_| format!("{to} has not answered within {ANSWER_MAX:?}"))?;
        let answer = answer.map_err(|status| format!("{to} does not answer: {}", status.message()))?;
        let admitted = admitted_from_wire(answer.into_inner()).map_err(|error| format!("{to}: {error}"))?;
        if admitted.lasts.is_none() {
            return Err(format!("{to} does not lead, or has no lease itself"));
        }
        // It is kept as long as it has something to say.
        self.found = Some(connection);
        Ok(admitted)
    }

    async fn find(&self) -> Result<Connection, String> {
        let address = self.cluster.leaders_address().await?;
        let address = address.ok_or("no agent leads that can be asked for leases")?;
        let endpoint: Endpoint =
            format!("https://{address}").parse().map_err(|error| format!("the Lease: {error}"))?;
        let timeouts = DialTimeouts { connect: ANSWER_MAX, total: ANSWER_MAX };
        dial(&endpoint, &self.tls, timeouts).await.map_err(|error| chain(&error))
    }
}
