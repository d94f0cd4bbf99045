//! How fast the hub reads what one cluster's agents say. What comes faster waits in their connections, so that a cluster
//! whose agents say too much is late with its own news and with nobody else's.

use godwit_common::ClusterName;
use godwit_rt::rates::Rates;

use crate::config::Limits;

/// What the clusters' agents have said of late.
#[derive(Debug, Clone)]
pub(super) struct ReadPace {
    messages: Option<Rates<ClusterName>>,
    bytes: Option<Rates<ClusterName>>,
}

impl ReadPace {
    pub(super) fn of(limits: &Limits) -> Self {
        let [messages, bytes] = [limits.messages_per_second, limits.message_bytes_per_second].map(Rates::of);
        Self { messages, bytes }
    }

    /// Waits until one more message may be read, after one of so many bytes.
    pub(super) async fn keep(&self, cluster: &ClusterName, bytes: usize) {
        if let Some(rates) = &self.messages {
            rates.wait(cluster, 1).await;
        }
        if let Some(rates) = &self.bytes {
            rates.wait(cluster, u32::try_from(bytes).unwrap_or(u32::MAX)).await;
        }
    }
}
