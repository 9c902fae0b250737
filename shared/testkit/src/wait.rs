//! Waiting for something outside the test's own hands. For end-to-end tests only: everywhere else a test
//! drives the steps itself.

use std::future::Future;
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Asks `is_so` again and again until it says yes.
///
/// # Panics
/// When it still says no after `timeout`.
pub async fn wait_until<F>(what: &str, timeout: Duration, mut is_so: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < timeout, "waited {timeout:?} in vain for: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
