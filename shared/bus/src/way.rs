//! Who goes first in one process: what somebody waits for, before what nobody does.
//!
//! Work at somebody's request says so while it lasts ([`crate::Bus::hurry`]). A consumer asks before a turn of events that
//! can wait ([`crate::Handler::can_wait`]): while there was such work a moment ago, the turns of all consumers together come
//! one at a time, are short, and begin when nobody is being served – or soon, so that they are never put off for good.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

/// How long after the last request others may follow.
const MORE_MAY_FOLLOW: Duration = Duration::from_secs(1);
/// The longest that a turn is put off.
const PUT_OFF: Duration = Duration::from_millis(20);

pub(crate) struct Way {
    served: AtomicUsize,
    nobody: Notify,
    last: Mutex<Option<Instant>>,
    turn: Semaphore,
    put_off: Duration,
}

/// Lasts as long as somebody is being served.
pub struct Hurry<'a>(&'a Way);

/// Lasts as long as a turn of work that can wait.
pub(crate) struct Turn<'a> {
    _alone: Option<SemaphorePermit<'a>>,
}

impl Default for Way {
    fn default() -> Self {
        Way {
            served: AtomicUsize::new(0),
            nobody: Notify::new(),
            last: Mutex::new(None),
            turn: Semaphore::new(1),
            put_off: PUT_OFF,
        }
    }
}

impl Way {
    pub(crate) fn hurry(&self) -> Hurry<'_> {
        self.served.fetch_add(1, Ordering::SeqCst);
        self.note();
        Hurry(self)
    }

    /// Whether somebody is, or was a moment ago, being served.
    pub(crate) fn is_in_use(&self) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let a_moment_ago = |last: Instant| last.elapsed() < MORE_MAY_FOLLOW;
        self.served.load(Ordering::SeqCst) > 0 || last.is_some_and(a_moment_ago)
    }

    /// Waits for a turn; at once where nobody was served for a while.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        if !self.is_in_use() {
            return Turn { _alone: None };
        }
        let alone = self.turn.acquire().await.ok();
        let _ = timeout(self.put_off, self.nobody_is_served()).await;
        Turn { _alone: alone }
    }

    async fn nobody_is_served(&self) {
        loop {
            let left = self.nobody.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.served.load(Ordering::SeqCst) == 0 {
                return;
            }
            left.await;
        }
    }

    fn note(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl Drop for Hurry<'_> {
    fn drop(&mut self) {
        self.0.note();
        if self.0.served.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.nobody.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{Future, poll_fn};
    use std::pin::{Pin, pin};
    use std::task::Poll;

    fn patient() -> Way {
        Way {
            put_off: Duration::from_secs(3_600),
            ..Way::default()
        }
    }

    /// What the future comes to, if it is there now.
    async fn now<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    #[tokio::test]
    async fn where_nobody_is_served_turns_begin_at_once_and_side_by_side() {
        let way = patient();
        let first = now(pin!(way.turn())).await;
        let second = now(pin!(way.turn())).await;
        assert!(first.is_some() && second.is_some());
    }

    #[tokio::test]
    async fn a_turn_begins_when_the_last_one_is_served() {
        let way = patient();
        let (first, second) = (way.hurry(), way.hurry());
        let mut turn = pin!(way.turn());
        assert!(now(turn.as_mut()).await.is_none());
        drop(first);
        assert!(now(turn.as_mut()).await.is_none());
        drop(second);
        assert!(now(turn.as_mut()).await.is_some());
    }

    #[tokio::test]
    async fn after_somebody_was_served_turns_come_one_at_a_time() {
        let way = patient();
        drop(way.hurry());
        let first = now(pin!(way.turn())).await.expect("nobody is served");
        let mut second = pin!(way.turn());
        assert!(now(second.as_mut()).await.is_none());
        drop(first);
        assert!(now(second.as_mut()).await.is_some());
    }

    #[tokio::test]
    async fn no_turn_is_put_off_for_good() {
        let way = Way::default();
        let _served = way.hurry();
        timeout(Duration::from_secs(60), way.turn())
            .await
            .expect("it begins nevertheless");
    }
}
