//! A whole transaction again, after a fault that is likely to pass.

use std::future::Future;
use std::time::Duration;

use crate::DbError;

/// Errors that know whether another try makes sense. Services implement it for their own enums.
pub trait Transient {
    /// True when the same work may succeed in a moment.
    fn is_transient(&self) -> bool;
}

impl Transient for DbError {
    fn is_transient(&self) -> bool {
        DbError::is_transient(self)
    }
}

/// Runs `work` up to `attempts` times (at least once), waiting `backoff(1)`, `backoff(2)`, … between.
///
/// `work` is one whole transaction, from `begin` to `commit`. It has to be idempotent by its keys, or
/// to read back first: after a connection lost in a commit the earlier try may have happened.
pub async fn with_retry<T, E, W, F>(attempts: u32, backoff: impl Fn(u32) -> Duration, mut work: W) -> Result<T, E>
where
    E: Transient + std::fmt::Display,
    W: FnMut() -> F,
    F: Future<Output = Result<T, E>>,
{
    let mut tried = 0;
    loop {
        tried += 1;
        match work().await {
            Err(error) if tried < attempts && error.is_transient() => {
                tracing::warn!(%error, tried, "transaction failed, trying it again");
                tokio::time::sleep(backoff(tried)).await;
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    async fn tries_until(attempts: u32, error: fn() -> DbError) -> u32 {
        let calls = AtomicU32::new(0);
        let outcome: Result<(), DbError> = with_retry(
            attempts,
            |_| Duration::ZERO,
            || async {
                calls.fetch_add(1, Ordering::SeqCst);
                Err(error())
            },
        )
        .await;
        assert!(outcome.is_err());
        calls.into_inner()
    }

    #[tokio::test]
    async fn a_transient_fault_is_tried_as_often_as_allowed() {
        assert_eq!(tries_until(3, || DbError::Sqlx(sqlx::Error::PoolTimedOut)).await, 3);
    }

    #[tokio::test]
    async fn a_final_verdict_is_not_tried_again() {
        assert_eq!(tries_until(3, || DbError::Stale).await, 1);
    }

    #[tokio::test]
    async fn zero_attempts_still_means_one() {
        assert_eq!(tries_until(0, || DbError::Sqlx(sqlx::Error::PoolTimedOut)).await, 1);
    }
}
