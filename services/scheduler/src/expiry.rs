//! Asks for the end of orders whose time is over: the wish and its event, in batches split by account. One bad order never
//! fails its neighbours: a batch that fails is split until the order stands alone, and that one is told.
//!
//! Nothing is ended here. The executor cancels at the venue, or does not send at all; the status-updater ends the order by
//! what the venue says.

use bus::{Bus, BusError, NamedLease, NewEvent, Topic};
use db::{DbError, PgConnection, PgPool};
use domain::{OrderId, Timestamp};
use futures::future::try_join_all;
use orders::Expiring;
use tracing::warn;
use uuid::Uuid;
use wire::events::v1;

use crate::engine::{JobError, Run};

/// Who asks, in events and logs.
pub(crate) const ASKED_BY: &str = "expiry";

/// Who does the work, and how each of its transactions makes sure that it still may.
#[derive(Clone, Copy)]
pub(crate) enum Owner<'a> {
    /// A run of a job.
    Run(&'a Run),
    /// The holder of a lease.
    Lease(&'a NamedLease),
}

impl Owner<'_> {
    pub(crate) async fn check(&self, conn: &mut PgConnection) -> Result<(), JobError> {
        match self {
            Owner::Run(run) => run.check(conn).await,
            Owner::Lease(lease) => match lease.check(conn).await {
                Err(BusError::Fenced) => Err(JobError::Lost),
                other => Ok(other?),
            },
        }
    }
}

/// What came of a round of wishes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Orders whose end was asked for now.
    pub(crate) asked: usize,
    /// Orders that could not be asked about, with the cause.
    pub(crate) refused: Vec<(OrderId, String)>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.asked += other.asked;
        self.refused.extend(other.refused);
    }
}

/// One order of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) account_id: Uuid,
    pub(crate) order_id: Uuid,
}

/// Asks for the end of one page of orders: so many workers at once, none of which shares an account with another.
pub(crate) async fn expire(
    pool: &PgPool,
    bus: &Bus,
    owner: Owner<'_>,
    page: &[Place],
    workers: usize,
) -> Result<Tally, JobError> {
    let shares = by_account(page, workers);
    let tallies = try_join_all(shares.into_iter().map(|share| halved(pool, owner, share))).await?;
    let mut all = Tally::default();
    tallies.into_iter().for_each(|tally| all.add(tally));
    if all.asked > 0 {
        metrics::counter!("daybook_scheduler_expiries_asked_total").increment(u64::try_from(all.asked).unwrap_or(0));
        bus.wake(Topic::Orders);
    }
    Ok(all)
}

/// A batch, and if it fails its halves, down to the order that is to blame.
async fn halved(pool: &PgPool, owner: Owner<'_>, orders: Vec<OrderId>) -> Result<Tally, JobError> {
    let mut todo = vec![orders];
    let mut tally = Tally::default();
    while let Some(mut batch) = todo.pop() {
        match one_batch(pool, owner, &batch).await {
            Ok(asked) => tally.asked += asked,
            Err(BatchError::All(error)) => return Err(error),
            Err(BatchError::Some(error)) if batch.len() == 1 => {
                warn!(order.id = %batch[0], "the end of order {} cannot be asked for: {error}", batch[0]);
                tally.refused.push((batch[0], error.to_string()));
            }
            Err(BatchError::Some(_)) => {
                todo.push(batch.split_off(batch.len() / 2));
                todo.push(batch);
            }
        }
    }
    Ok(tally)
}

/// Why a batch failed.
enum BatchError {
    /// Any other batch would fail, too.
    All(JobError),
    /// Something about one of its orders.
    Some(DbError),
}

impl From<DbError> for BatchError {
    fn from(error: DbError) -> Self {
        let nobody_is_there = error.is_connection_lost() || matches!(error, DbError::Sqlx(sqlx::Error::PoolTimedOut));
        if nobody_is_there {
            BatchError::All(error.into())
        } else {
            BatchError::Some(error)
        }
    }
}

/// One transaction: the wishes and their events, or nothing.
async fn one_batch(pool: &PgPool, owner: Owner<'_>, orders: &[OrderId]) -> Result<usize, BatchError> {
    let mut tx = db::begin(pool).await?;
    owner.check(&mut tx).await.map_err(BatchError::All)?;
    let now = db::database_time(&mut tx).await?;
    let expiring = orders::wish_to_expire(&mut tx, orders, now).await?;
    let events: Vec<NewEvent> = expiring.iter().map(|order| cancel(order, now)).collect();
    let appended = bus::append(&mut tx, &events).await;
    appended.map_err(|error| BatchError::All(error.into()))?;
    fail::fail_point!("expiry::mid_batch");
    tx.commit().await.map_err(DbError::from)?;
    Ok(expiring.len())
}

fn cancel(order: &Expiring, now: Timestamp) -> NewEvent {
    let event = v1::CancelRequested {
        order_id: order.order_id.get(),
        account_id: order.account_id.get(),
        symbol: order.symbol.as_str().to_owned(),
        asked_by: ASKED_BY.to_owned(),
        requested_at: now,
    };
    NewEvent::cancel_requested(&event, order.request_id.clone())
}

/// The page in at most so many parts of about one size; an account is never in two of them.
fn by_account(page: &[Place], parts: usize) -> Vec<Vec<OrderId>> {
    let size = page.len().div_ceil(parts.max(1)).max(1);
    let mut shares: Vec<Vec<OrderId>> = Vec::new();
    let mut last = None;
    for place in page {
        let full = shares.last().is_none_or(|share| share.len() >= size);
        if full && last != Some(place.account_id) {
            shares.push(Vec::with_capacity(size));
        }
        let id = OrderId::new(place.order_id);
        shares.last_mut().expect("the first order opens one").push(id);
        last = Some(place.account_id);
    }
    shares
}

/// A page of the open orders that end with their session of this date, in the order of their accounts.
pub(crate) async fn of_date(
    conn: &mut PgConnection,
    date: chrono::NaiveDate,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Place>, DbError> {
    let (account, order) = after.map_or_else(Default::default, |place| (place.account_id, place.order_id));
    let rows = sqlx::query_as!(
        Place,
        "select account_id, order_id
           from open_orders
          where session_date = $1
            and time_in_force <> 'gtc'
            and (account_id, order_id) > ($2, $3)
          order by account_id, order_id
          limit $4",
        date,
        account,
        order,
        limit,
    );
    Ok(rows.fetch_all(conn).await?)
}

/// An open order whose own time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DuePlace {
    pub(crate) expires_at: Timestamp,
    pub(crate) place: Place,
}

/// A page of the open orders whose own time (`expires_at`, or the age of a good-till-canceled one) has come.
pub(crate) async fn due(
    conn: &mut PgConnection,
    now: Timestamp,
    after: Option<DuePlace>,
    limit: i64,
) -> Result<Vec<DuePlace>, DbError> {
    let (since, account, order) = after.map_or((Timestamp::UNIX_EPOCH, Uuid::nil(), Uuid::nil()), |due| {
        (due.expires_at, due.place.account_id, due.place.order_id)
    });
    let rows = sqlx::query!(
        r#"select expires_at as "expires_at!", account_id, order_id
             from open_orders
            where expires_at <= $1
              and (expires_at, account_id, order_id) > ($2, $3, $4)
            order by expires_at, account_id, order_id
            limit $5"#,
        now,
        since,
        account,
        order,
        limit,
    )
    .fetch_all(conn)
    .await?;
    let due = rows.into_iter().map(|row| DuePlace {
        expires_at: row.expires_at,
        place: Place {
            account_id: row.account_id,
            order_id: row.order_id,
        },
    });
    Ok(due.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_split_between_accounts_never_within_one() {
        let page: Vec<Place> = [(1, 1), (1, 2), (1, 3), (2, 4), (3, 5), (3, 6)]
            .map(|(account, order)| Place {
                account_id: Uuid::from_u128(account),
                order_id: Uuid::from_u128(order),
            })
            .to_vec();
        let sizes = |parts| -> Vec<usize> { by_account(&page, parts).iter().map(Vec::len).collect() };
        assert_eq!(sizes(1), [6]);
        assert_eq!(sizes(2), [3, 3]);
        assert_eq!(sizes(3), [3, 3], "two of account 1 would be enough, but it has three");
        assert_eq!(sizes(6), [3, 1, 2]);
        assert!(by_account(&[], 2).is_empty());
    }
}
