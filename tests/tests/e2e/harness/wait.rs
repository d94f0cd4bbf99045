//! Waiting for conditions, never for a fixed time.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// Nothing here takes nearly as long: it only ends tests whose condition never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at a condition.
const POLL: Duration = Duration::from_millis(50);

/// Looks at `condition` until it holds and gives its value. An `Err` says what the state is instead; the last one is
/// shown when patience ends.
pub(crate) async fn wait_for<T>(what: &str, mut condition: impl AsyncFnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        let state = match timeout(PATIENCE, condition()).await {
            Ok(Ok(value)) => return value,
            Ok(Err(state)) => state,
            Err(_) => "looking at it did not end".to_owned(),
        };
        assert!(Instant::now() < end, "waited {PATIENCE:?} for {what}; last seen: {state}");
        sleep(POLL).await;
    }
}

/// The result of something that must end.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
}
