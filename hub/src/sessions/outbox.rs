//! What the machine says to one agent, until it has left. However slow the agent, this stays small: newer targets are
//! put over those that still wait (S25), and there is little else to say in one session.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use godwit_common::link::{Down, Targets};
use tokio::sync::Notify;

/// Messages that wait, targets counted once. A session sees a welcome and a farewell; an agent that lets more than
/// this pile up does not read.
const WAITING_MAX: usize = 16;

/// Shared by the driver, which fills it and never waits, and the session, which empties it.
#[derive(Clone, Default)]
pub(crate) struct Outbox(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Down>,
    closed: bool,
}

impl Outbox {
    /// Leaves a message. Nothing is left in a closed outbox.
    pub(crate) fn push(&self, message: Down) {
        let mut state = self.state();
        if state.closed {
            return;
        }
        let rest = match message {
            Down::Targets(newer) => put_over(&mut state.waiting, newer),
            Down::Grant { .. } => {
                // The newest says all that the older ones do.
                state.waiting.retain(|waiting| !matches!(waiting, Down::Grant { .. }));
                Some(message)
            }
            message @ (Down::Welcome(_)
            | Down::Standby { .. }
            | Down::Recall(_)
            | Down::Summons(_)
            | Down::Redirect { .. }
            | Down::Refusal(_)
            | Down::Goodbye { .. }) => Some(message),
        };
        state.waiting.extend(rest);
        if state.waiting.len() > WAITING_MAX {
            // The agent learns everything again in its next session.
            state.waiting.clear();
            state.closed = true;
        }
        drop(state);
        self.0.changed.notify_one();
    }

    /// Nothing more will be left; what is there still leaves.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.0.changed.notify_one();
    }

    /// The next message; none when the outbox is closed and empty. One reader only.
    pub(crate) async fn next(&self) -> Option<Down> {
        loop {
            {
                let mut state = self.state();
                match state.waiting.pop_front() {
                    Some(message) => return Some(message),
                    None if state.closed => return None,
                    None => {}
                }
            }
            // A notification between the look and the wait is kept for this one reader.
            self.0.changed.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Merges targets into those that wait, or gives them back if none do. Targets that do not follow each other are not
/// both needed: the agent finds that it lacks their base, and asks for all of them.
fn put_over(waiting: &mut VecDeque<Down>, newer: Arc<Targets>) -> Option<Down> {
    for message in waiting.iter_mut() {
        if let Down::Targets(older) = message {
            let unmerged = newer.clone();
            if !Arc::make_mut(older).merge(Arc::unwrap_or_clone(newer)) {
                *older = unmerged;
            }
            return None;
        }
    }
    Some(Down::Targets(newer))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use godwit_common::link::WorkloadTarget;
    use godwit_common::{Epoch, Fence, Generation, Uid, WorkloadId};

    use super::*;

    #[tokio::test]
    async fn targets_that_wait_are_one_message() {
        let outbox = Outbox::default();
        outbox.push(targets(0, 1, 5));
        outbox.push(goodbye());
        for generation in 1..10_000 {
            outbox.push(targets(generation, generation + 1, generation as u32));
        }
        outbox.close();
        let Some(Down::Targets(merged)) = outbox.next().await else {
            panic!("the targets keep their place");
        };
        assert_eq!((merged.base, merged.fence.generation), (Generation(0), Generation(10_000)));
        assert_eq!(merged.workloads.iter().map(|row| row.replicas).collect::<Vec<_>>(), [9_999]);
        assert_eq!((outbox.next().await, outbox.next().await), (Some(goodbye()), None));
    }

    #[tokio::test]
    async fn of_targets_that_do_not_meet_the_newer_ones_stay() {
        let outbox = Outbox::default();
        outbox.push(targets(3, 4, 1));
        outbox.push(targets(7, 8, 2));
        assert_eq!(outbox.next().await, Some(targets(7, 8, 2)));
    }

    #[tokio::test]
    async fn an_agent_that_never_reads_is_given_up() {
        let outbox = Outbox::default();
        for _ in 0..=WAITING_MAX {
            outbox.push(goodbye());
        }
        assert_eq!(outbox.next().await, None);
        outbox.push(goodbye());
        assert_eq!(outbox.next().await, None);
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken() {
        let outbox = Outbox::default();
        let reader = outbox.clone();
        let read = tokio::spawn(async move { (reader.next().await, reader.next().await) });
        outbox.push(goodbye());
        tokio::task::yield_now().await;
        outbox.close();
        assert_eq!(read.await.unwrap(), (Some(goodbye()), None));
    }

    fn goodbye() -> Down {
        Down::Goodbye { retry_after: Duration::from_secs(1) }
    }

    fn targets(base: u64, generation: u64, replicas: u32) -> Down {
        let row = WorkloadTarget {
            uid: Uid(1),
            workload: WorkloadId::new("default", "Deployment", "web").unwrap(),
            api_version: "apps/v1".into(),
            revision: 1,
            replicas,
            ordinals: 0,
            overrides: Default::default(),
            manifest: None,
            needs: Vec::new(),
            supervised: false,
            scale_only: false,
            charter: None,
            tolerates_drift: false,
            shown: false,
            adopts: None,
        };
        Down::Targets(Arc::new(Targets {
            fence: Fence { federation: Uid(9), epoch: Epoch(1), generation: Generation(generation) },
            base: Generation(base),
            workloads: vec![row],
            ..Targets::default()
        }))
    }
}
