//! A batch that fails as a whole must not fail its neighbours: it is halved until the bad item stands alone. The same goes
//! for an item that waits for a row somebody holds on to: its neighbours do not wait with it.

use std::future::Future;
use std::ops::Range;

use db::DbError;
use tracing::{error, warn};

/// Work that is done for many items in one transaction.
pub(crate) trait Settle: Sync {
    /// What is asked.
    type Item: Sync;
    /// What is answered.
    type Reply: Send;

    /// Does all items in one transaction, one reply each. An error means that nothing of it is stored.
    fn settle(&self, batch: &[Self::Item]) -> impl Future<Output = Result<Vec<Self::Reply>, DbError>> + Send;
    /// The answer while the database is away.
    fn away(&self, item: &Self::Item) -> Self::Reply;
    /// The answer for an item that cannot be done.
    fn broken(&self, item: &Self::Item) -> Self::Reply;
    /// For logs.
    fn describe(&self, item: &Self::Item) -> String;
}

/// Whether the same batch, as a whole, may well pass in a moment. One that met a locked row is rather halved.
pub(crate) fn passes_by_itself(error: &DbError, items: usize) -> bool {
    error.is_transient() && (items == 1 || !error.is_locked())
}

/// Settles the batch; on a fault that does not pass by itself, in halves. The n-th reply answers the n-th item.
pub(crate) async fn in_halves<S: Settle>(work: &S, batch: &[S::Item]) -> Vec<S::Reply> {
    let mut replies = Vec::with_capacity(batch.len());
    let mut todo: Vec<Range<usize>> = std::iter::once(0..batch.len()).collect();
    // Depth first, left before right: replies come in order, and so does the work.
    while let Some(range) = todo.pop() {
        let items = &batch[range.clone()];
        match work.settle(items).await {
            Ok(done) => replies.extend(done),
            Err(error) if passes_by_itself(&error, items.len()) => {
                warn!(%error, items = items.len(), "{} items were not done: {error}", items.len());
                replies.extend(items.iter().map(|item| work.away(item)));
            }
            Err(error) if items.len() == 1 => {
                error!(%error, "{} cannot be stored: {error}", work.describe(&items[0]));
                replies.push(work.broken(&items[0]));
            }
            Err(error) => {
                warn!(%error, items = items.len(), "a batch failed, halving it: {error}");
                metrics::counter!("daybook_order_manager_batches_halved_total").increment(1);
                todo.extend(halves(range));
            }
        }
    }
    replies
}

/// The later half first: the list is a stack.
fn halves(range: Range<usize>) -> [Range<usize>; 2] {
    let middle = range.start + range.len() / 2;
    [middle..range.end, range.start..middle]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Fails any batch with a negative number in it.
    struct Doubling(Mutex<Vec<usize>>);

    impl Settle for Doubling {
        type Item = i32;
        type Reply = Option<i32>;

        async fn settle(&self, batch: &[i32]) -> Result<Vec<Option<i32>>, DbError> {
            self.0.lock().expect("one task").push(batch.len());
            if batch.iter().any(|n| *n < 0) {
                return Err(DbError::Stale);
            }
            Ok(batch.iter().map(|n| Some(n * 2)).collect())
        }

        fn away(&self, _: &i32) -> Option<i32> {
            Some(0)
        }

        fn broken(&self, _: &i32) -> Option<i32> {
            None
        }

        fn describe(&self, item: &i32) -> String {
            item.to_string()
        }
    }

    #[tokio::test]
    async fn one_bad_item_fails_alone_and_everybody_gets_their_own_answer() {
        let work = Doubling(Mutex::default());
        let replies = in_halves(&work, &[1, 2, 3, -4, 5, 6]).await;
        assert_eq!(replies, [Some(2), Some(4), Some(6), None, Some(10), Some(12)]);
        assert_eq!(*work.0.lock().expect("one task"), [6, 3, 3, 1, 2]);
    }

    #[tokio::test]
    async fn a_good_batch_is_one_transaction() {
        let work = Doubling(Mutex::default());
        assert_eq!(in_halves(&work, &[1, 2]).await, [Some(2), Some(4)]);
        assert_eq!(*work.0.lock().expect("one task"), [2]);
    }
}
