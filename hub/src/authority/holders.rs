//! Which agents are there, and how old their certificates are: with a new one each learns whom to trust from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use godwit_certs::seconds;
use godwit_common::ClusterName;
use godwit_rt::serve::Peer;
use tokio::sync::watch;

/// Renewals are spread over so long at least, and over so much longer for each agent.
const SPREAD_MIN: Duration = Duration::from_secs(2);
const SPREAD_EACH: Duration = Duration::from_millis(10);
const SPREAD_MAX: Duration = Duration::from_secs(600);

/// All agents with a session. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Holders(Arc<Shared>);

#[derive(Default)]
struct Shared {
    present: Mutex<Present>,
    /// Certificates from up to this second are to be renewed at once; 0: none are.
    outdated: watch::Sender<u64>,
}

#[derive(Default)]
struct Present {
    next: u64,
    peers: BTreeMap<u64, (ClusterName, Peer)>,
}

/// One of them, as long as its session lasts.
pub(crate) struct Attached {
    holders: Holders,
    number: u64,
    peer: Peer,
    outdated: watch::Receiver<u64>,
    asked: u64,
}

/// Clusters that do not have what was made after a moment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Behind {
    /// No agent of theirs is here.
    pub(super) away: Vec<ClusterName>,
    /// An agent of theirs is here, with a certificate from before.
    pub(super) outdated: Vec<ClusterName>,
}

impl Holders {
    /// An agent's session begins.
    pub(crate) fn enter(&self, cluster: ClusterName, peer: Peer) -> Attached {
        let mut present = self.present();
        let number = present.next;
        present.next += 1;
        present.peers.insert(number, (cluster, peer.clone()));
        let outdated = self.0.outdated.subscribe();
        Attached { holders: self.clone(), number, peer, outdated, asked: 0 }
    }

    /// Asks those whose certificates are not from after this second to renew them, and those who come later.
    pub(super) fn renew_up_to(&self, second: u64) {
        self.0.outdated.send_replace(second);
    }

    /// See [`Self::renew_up_to`].
    #[cfg(test)]
    pub(super) fn renewed_up_to(&self) -> u64 {
        *self.0.outdated.borrow()
    }

    /// Which of these clusters are behind.
    pub(super) fn behind(&self, clusters: &[ClusterName], second: u64) -> Behind {
        let present = self.present();
        let mut here = BTreeSet::new();
        let mut outdated = BTreeSet::new();
        for (cluster, peer) in present.peers.values() {
            here.insert(cluster);
            if seconds(peer.issued()) <= second {
                outdated.insert(cluster);
            }
        }
        let of = |which: &dyn Fn(&ClusterName) -> bool| {
            clusters.iter().filter(|cluster| which(cluster)).cloned().collect()
        };
        Behind { away: of(&|one| !here.contains(one)), outdated: of(&|one| outdated.contains(one)) }
    }

    /// Over how long renewals of all of them are spread.
    fn spread(&self) -> Duration {
        let agents = u32::try_from(self.present().peers.len()).unwrap_or(u32::MAX);
        SPREAD_EACH.saturating_mul(agents).clamp(SPREAD_MIN, SPREAD_MAX)
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.0.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attached {
    /// Waits until the agent is to renew its certificate, within what is returned; asks once for each reason. What is dropped
    /// before it returns has asked nothing.
    pub(crate) async fn outdated(&mut self) -> Duration {
        loop {
            let second = *self.outdated.borrow_and_update();
            if self.asked < second && seconds(self.peer.issued()) <= second {
                // Certificates know no parts of a second: one that is made before this one is over would be outdated, too.
                tokio::time::sleep(left_of(second)).await;
                self.asked = second;
                return self.holders.spread();
            }
            if self.outdated.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Until a second is over, by the clock.
fn left_of(second: u64) -> Duration {
    let next = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(second.saturating_add(1)));
    let left = next.and_then(|next| next.duration_since(SystemTime::now()).ok());
    // A clock that was set back by more is not waited for.
    left.unwrap_or_default().min(Duration::from_secs(1))
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.holders.present().peers.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_waited_out_and_nothing_longer() {
        let now = seconds(SystemTime::now());
        assert_eq!(left_of(now - 2), Duration::ZERO);
        assert!(
            left_of(now + 1_000) == Duration::from_secs(1) && left_of(u64::MAX) <= Duration::from_secs(1)
        );
    }
}
