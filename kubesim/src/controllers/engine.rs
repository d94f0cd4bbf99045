//! The loop that every controller runs in: changes in, keys queued, one reconciliation after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Cluster;
use crate::error::ApiError;
use crate::store::Change;

/// A control loop. It reacts to what is, not to what happened: [`Controller::observe`] only says whom a change concerns.
pub(crate) trait Controller: Send + 'static {
    /// What it works on, one at a time.
    type Item: Ord + Clone + Debug + Send;

    /// The resources that it watches; all of them when it names none.
    fn resources(&self) -> &'static [&'static str];

    /// Queues whatever `change` concerns.
    fn observe(&mut self, cluster: &Cluster, change: &Change, queue: &mut Queue<Self::Item>);

    /// Brings `item` closer to what is wanted. It runs again after the returned time, if any.
    fn reconcile(&mut self, cluster: &Cluster, item: &Self::Item) -> Result<Option<Duration>, ApiError>;
}

/// What is to be worked on, now or later. Nothing is queued twice.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    ready: BTreeSet<T>,
    timers: BTreeSet<(Instant, T)>,
    due: BTreeMap<T, Instant>,
    failures: BTreeMap<T, u32>,
}

/// How long an item that failed waits the first time, and at most.
const FIRST_RETRY: Duration = Duration::from_millis(20);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// How many items run before other tasks get their turn.
const BATCH: usize = 32;

impl<T: Ord + Clone> Queue<T> {
    fn new() -> Self {
        Self {
            ready: BTreeSet::new(),
            timers: BTreeSet::new(),
            due: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Queues `item` for now.
    pub(crate) fn add(&mut self, item: T) {
        self.ready.insert(item);
    }

    /// Queues `item` for later; an earlier time that it already has stays.
    pub(crate) fn add_after(&mut self, item: T, delay: Duration) {
        let at = Instant::now() + delay;
        if let Some(planned) = self.due.get(&item) {
            if *planned <= at {
                return;
            }
            self.timers.remove(&(*planned, item.clone()));
        }
        self.due.insert(item.clone(), at);
        self.timers.insert((at, item));
    }

    fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    fn wake(&mut self, now: Instant) {
        while let Some((at, _)) = self.timers.first()
            && *at <= now
        {
            if let Some((_, item)) = self.timers.pop_first() {
                self.due.remove(&item);
                self.ready.insert(item);
            }
        }
    }

    fn retry(&mut self, item: T) -> Duration {
        let failures = self.failures.entry(item.clone()).or_insert(0);
        let delay = FIRST_RETRY.saturating_mul(1 << (*failures).min(16)).min(LAST_RETRY);
        *failures += 1;
        self.add_after(item, delay);
        delay
    }
}

/// Runs `controller` until the task is dropped.
pub(crate) async fn run<C: Controller>(cluster: Arc<Cluster>, mut controller: C) {
    let store = &cluster.store;
    let resources = controller.resources();
    let notify = match resources.split_first() {
        None => store.subscribe(None),
        Some((first, rest)) => {
            let notify = store.subscribe(Some(first));
            for resource in rest {
                store.subscribe_also(resource, &notify);
            }
            notify
        }
    };
    let wanted = |resource: &str| resources.is_empty() || resources.contains(&resource);
    let mut queue = Queue::new();
    let mut cursor = resync(&cluster, &mut controller, &mut queue);
    loop {
        match store.changes_after(cursor, wanted) {
            Ok((changes, version)) => {
                cursor = version;
                for change in &changes {
                    controller.observe(&cluster, change, &mut queue);
                }
            }
            Err(_) => cursor = resync(&cluster, &mut controller, &mut queue),
        }
        queue.wake(Instant::now());
        for _ in 0..BATCH {
            let Some(item) = queue.ready.pop_first() else {
                break;
            };
            work(&cluster, &mut controller, &mut queue, item);
        }
        if !queue.ready.is_empty() {
            tokio::task::yield_now().await;
            continue;
        }
        match queue.next_due() {
            None => notify.notified().await,
            Some(due) => {
                tokio::select! {
                    () = notify.notified() => {}
                    () = tokio::time::sleep_until(due) => {}
                }
            }
        }
    }
}

fn work<C: Controller>(cluster: &Cluster, controller: &mut C, queue: &mut Queue<C::Item>, item: C::Item) {
    match controller.reconcile(cluster, &item) {
        Ok(again) => {
            queue.failures.remove(&item);
            if let Some(delay) = again {
                queue.add_after(item, delay);
            }
        }
        Err(error) => {
            let delay = queue.retry(item.clone());
            tracing::debug!(?item, %error, ?delay, "reconciliation failed");
        }
    }
}

/// Shows the controller everything that is there as if it had just been made.
fn resync<C: Controller>(cluster: &Cluster, controller: &mut C, queue: &mut Queue<C::Item>) -> u64 {
    let version = cluster.store.version();
    let all: Vec<Arc<str>> = match controller.resources() {
        [] => cluster.registry.all().iter().map(|kind| kind.resource.clone()).collect(),
        some => some.iter().map(|resource| Arc::from(*resource)).collect(),
    };
    for resource in all {
        for object in cluster.store.all(&resource, None) {
            let change = Change {
                version,
                resource: resource.clone(),
                key: crate::object::Key::of(&object),
                before: None,
                after: object,
                removed: false,
            };
            controller.observe(cluster, &change, queue);
        }
    }
    version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_has_one_timer_and_it_is_the_earliest() {
        let mut queue = Queue::new();
        queue.add_after("a", Duration::from_secs(10));
        queue.add_after("a", Duration::from_secs(5));
        queue.add_after("a", Duration::from_secs(20));
        assert_eq!(queue.timers.len(), 1);
        queue.wake(Instant::now() + Duration::from_secs(6));
        assert_eq!(queue.ready.len(), 1);
        assert!(queue.due.is_empty());
    }

    #[test]
    fn failures_wait_longer_each_time_up_to_a_bound() {
        let mut queue = Queue::new();
        let delays: Vec<Duration> = (0..12).map(|_| queue.retry("a")).collect();
        assert_eq!(delays[0], FIRST_RETRY);
        assert!(delays.is_sorted());
        assert_eq!(delays[11], LAST_RETRY);
    }
}
