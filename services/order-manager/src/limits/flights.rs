//! Cancels of one order that come while one of it is under way: they share its outcome (RSK-8).

use std::future::Future;
use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use domain::{AccountId, OrderId};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use crate::error::CancelError;

type Outcome = Result<(), CancelError>;
type Work = BoxFuture<'static, Outcome>;
type Key = (AccountId, OrderId);

/// Who cancels what right now. Those who wait own a flight; the list only knows of it, so that one that everybody left
/// is gone.
#[derive(Clone, Default)]
pub(crate) struct Flights(Arc<DashMap<Key, WeakShared<Work>>>);

/// Takes the flight off the list however it ends.
struct Landing(Flights, Key);

impl Flights {
    /// The outcome of the cancel that is under way, or of this one. Whoever asked first and went away stops nobody:
    /// those who wait carry it on.
    pub(crate) async fn join<F>(&self, account: AccountId, order: OrderId, cancel: impl FnOnce() -> F) -> Outcome
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let flight = self.board((account, order), cancel);
        flight.await
    }

    /// The list is locked in here, and no longer.
    fn board<F>(&self, key: Key, cancel: impl FnOnce() -> F) -> Shared<Work>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut entry = match self.0.entry(key) {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(place) => {
                let flight = self.depart(key, cancel());
                if let Some(weak) = flight.downgrade() {
                    place.insert(weak);
                }
                return flight;
            }
        };
        entry.get().upgrade().unwrap_or_else(|| {
            let flight = self.depart(key, cancel());
            if let Some(weak) = flight.downgrade() {
                entry.insert(weak);
            }
            flight
        })
    }

    fn depart(&self, key: Key, cancel: impl Future<Output = Outcome> + Send + 'static) -> Shared<Work> {
        let landing = Landing(self.clone(), key);
        let flight = async move {
            let _landing = landing;
            cancel.await
        };
        flight.boxed().shared()
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.0.0.remove(&self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::{Semaphore, oneshot};
    use uuid::Uuid;

    fn order(n: u128) -> OrderId {
        OrderId::new(Uuid::from_u128(n))
    }

    fn account(n: u128) -> AccountId {
        AccountId::new(Uuid::from_u128(n))
    }

    #[tokio::test]
    async fn rsk_8_cancels_of_one_order_at_the_same_time_are_one() {
        let (flights, done) = (Flights::default(), Arc::new(AtomicU32::new(0)));
        let gate = Arc::new(Semaphore::new(0));
        let cancel = |of: u128| {
            let (done, gate) = (done.clone(), gate.clone());
            flights.join(account(of), order(1), move || async move {
                let _open = gate.acquire().await;
                done.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })
        };
        // The last one opens the gate, when all are on their way.
        let open = async { gate.add_permits(9) };
        let (a, b, c, other, ()) = tokio::join!(cancel(1), cancel(1), cancel(1), cancel(2), open);
        assert_eq!((a, b, c, other), (Ok(()), Ok(()), Ok(()), Ok(())));
        assert_eq!(done.load(Ordering::Relaxed), 2, "one for each account");
        assert_eq!(cancel(1).await, Ok(()));
        assert_eq!(done.load(Ordering::Relaxed), 3, "a later one is one of its own");
        assert!(flights.0.is_empty());
    }

    #[tokio::test]
    async fn one_who_goes_away_takes_nobody_with_them_and_leaves_nothing_behind() {
        let flights = Flights::default();
        let (answer, waiting) = oneshot::channel::<Outcome>();
        let first = tokio::spawn({
            let flights = flights.clone();
            async move {
                let cancel = || async move { waiting.await.unwrap_or(Err(CancelError::Internal)) };
                flights.join(account(1), order(1), cancel).await
            }
        });
        let second = tokio::spawn({
            let flights = flights.clone();
            async move {
                let never = || async { Err(CancelError::Busy) };
                flights.join(account(1), order(1), never).await
            }
        });
        // One thread: both wait after this.
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.is_err(), "it went away");
        answer.send(Ok(())).expect("the cancel goes on");
        assert_eq!(second.await.expect("no panic"), Ok(()));

        let left = tokio::spawn({
            let flights = flights.clone();
            async move { flights.join(account(1), order(2), std::future::pending).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(flights.0.len(), 1);
        left.abort();
        assert!(left.await.is_err());
        assert!(flights.0.is_empty(), "nobody waits, nothing is kept");
    }
}
