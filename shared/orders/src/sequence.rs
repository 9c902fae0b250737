//! Numbers that are given under the account's lock: event sequence, acceptance times, open orders and what they are worth.

use crate::write::uuids;
use db::{DbError, PgConnection};
use domain::{AccountId, Money, Timestamp};
use std::collections::HashMap;

/// Where an account's numbers stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sequence {
    /// The last event's number; the next one is one more, without gaps (V9).
    pub event_seq: i64,
    /// The last `submitted_at` given.
    pub last_submitted_at: Option<Timestamp>,
    /// The last event's time.
    pub last_event_at: Option<Timestamp>,
    /// Orders that may still trade.
    pub open_orders: i32,
    /// What they may still trade, at their limits, buys and sells together (RSK-3).
    pub open_value: Money,
}

impl Sequence {
    /// The number and the time of the next event: now, or a microsecond after the account's last one, so that a stream
    /// that resumes after a time misses none and repeats none.
    pub fn next_event_at(&mut self, now: Timestamp) -> (i64, Timestamp) {
        self.event_seq += 1;
        (self.event_seq, later(&mut self.last_event_at, now))
    }

    /// An order is open from now on.
    pub fn opened(&mut self, value: Money) {
        self.moved(1, Money::ZERO, value);
    }

    /// An order is worth something else than before; `opened` is 1 when it is open now and was not, -1 when it ended.
    /// Without open orders nothing is open, whatever an older program left behind.
    pub fn moved(&mut self, opened: i32, before: Money, after: Money) {
        self.open_orders += opened;
        let value = self.open_value.get() - before.get() + after.get();
        self.open_value = if self.open_orders > 0 {
            Money::from_decimal(value).or_zero()
        } else {
            Money::ZERO
        };
    }

    /// When an order is accepted: now, or a microsecond after the account's last one, so that paging by
    /// `submitted_at` never loses an order (ORD-16).
    pub fn next_submitted_at(&mut self, now: Timestamp) -> Timestamp {
        later(&mut self.last_submitted_at, now)
    }
}

/// Moves a time on to now, by at least the least that the database can tell apart.
fn later(last: &mut Option<Timestamp>, now: Timestamp) -> Timestamp {
    let next = last.map_or(now, |last| now.max(last + chrono::TimeDelta::microseconds(1)));
    *last = Some(next);
    next
}

/// Makes the account's row. A second call changes nothing.
///
/// # Errors
/// What the database says.
pub async fn open_sequence(conn: &mut PgConnection, account: AccountId) -> Result<(), DbError> {
    sqlx::query!(
        "insert into account_sequences (account_id)
         values ($1)
         on conflict (account_id) do nothing",
        account.get(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads the numbers of the accounts; call it under their lock.
///
/// # Errors
/// What the database says; an account without a row is not in the answer.
pub async fn sequences(
    conn: &mut PgConnection,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Sequence>, DbError> {
    let rows = sqlx::query!(
        r#"select account_id, event_seq, nullif(last_submitted_at, '-infinity') as last_submitted_at,
                  nullif(last_event_at, '-infinity') as last_event_at, open_orders, open_value
             from account_sequences
            where account_id = any($1)"#,
        &uuids(accounts, |a| a.get()),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let sequence = Sequence {
                event_seq: row.event_seq,
                last_submitted_at: row.last_submitted_at,
                last_event_at: row.last_event_at,
                open_orders: row.open_orders,
                open_value: Money::from_decimal(row.open_value),
            };
            (AccountId::new(row.account_id), sequence)
        })
        .collect())
}

/// Stores the numbers as they now are, under the accounts' lock.
///
/// # Errors
/// [`DbError::Stale`] when an account has no row; else what the database says.
pub async fn store_sequences(conn: &mut PgConnection, sequences: &HashMap<AccountId, Sequence>) -> Result<(), DbError> {
    let rows: Vec<(AccountId, Sequence)> = sequences.iter().map(|(a, s)| (*a, *s)).collect();
    let stored = sqlx::query!(
        "update account_sequences s
            set event_seq = n.event_seq,
                last_submitted_at = coalesce(n.last_submitted_at, s.last_submitted_at),
                last_event_at = coalesce(n.last_event_at, s.last_event_at),
                open_orders = n.open_orders,
                open_value = n.open_value
           from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::int[], $6::numeric[])
             as n (account_id, event_seq, last_submitted_at, last_event_at, open_orders, open_value)
          where s.account_id = n.account_id",
        &uuids(&rows, |(account, _)| account.get()),
        &rows.iter().map(|(_, s)| s.event_seq).collect::<Vec<_>>(),
        &rows.iter().map(|(_, s)| s.last_submitted_at).collect::<Vec<_>>() as &[Option<Timestamp>],
        &rows.iter().map(|(_, s)| s.last_event_at).collect::<Vec<_>>() as &[Option<Timestamp>],
        &rows.iter().map(|(_, s)| s.open_orders).collect::<Vec<_>>(),
        &rows.iter().map(|(_, s)| s.open_value.get()).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    if stored.rows_affected() == rows.len() as u64 {
        Ok(())
    } else {
        Err(DbError::Stale)
    }
}

/// What all open orders of all accounts may still trade. As many rows as there are accounts: not for every order.
///
/// # Errors
/// What the database says.
pub async fn open_value_of_all(conn: &mut PgConnection) -> Result<Money, DbError> {
    let sum = sqlx::query_scalar!(r#"select coalesce(sum(open_value), 0) as "sum!" from account_sequences"#);
    Ok(Money::from_decimal(sum.fetch_one(conn).await?))
}

#[cfg(test)]
mod tests {
    //! Times and values within one account.
    use super::*;

    #[test]
    fn rsk_3_open_value_follows_the_orders_and_is_nothing_without_any() {
        let dollars = |n: i64| Money::from_decimal(n.into());
        let mut account = Sequence::default();
        account.opened(dollars(100));
        account.opened(dollars(50));
        account.moved(0, dollars(100), dollars(40));
        assert_eq!((account.open_orders, account.open_value), (2, dollars(90)));
        account.moved(-1, dollars(40), Money::ZERO);
        assert_eq!((account.open_orders, account.open_value), (1, dollars(50)));
        // An older program did not count this one down.
        account.open_value = dollars(70);
        account.moved(-1, dollars(50), Money::ZERO);
        assert_eq!((account.open_orders, account.open_value), (0, Money::ZERO));
    }

    #[test]
    fn ord_16_acceptance_times_grow_even_when_the_clock_stands_or_falls_back() {
        let noon = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(12);
        let mut account = Sequence::default();
        let given: Vec<Timestamp> = [noon, noon, noon - chrono::TimeDelta::hours(1)]
            .map(|now| account.next_submitted_at(now))
            .into();
        let micro = chrono::TimeDelta::microseconds(1);
        assert_eq!(given, [noon, noon + micro, noon + micro + micro]);
    }

    #[test]
    fn v9_event_numbers_have_no_gap_and_their_times_grow_even_when_the_clock_falls_back() {
        let noon = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(12);
        let micro = chrono::TimeDelta::microseconds(1);
        let mut account = Sequence::default();
        let given =
            [noon, noon, noon - chrono::TimeDelta::hours(1), noon + micro * 9].map(|now| account.next_event_at(now));
        assert_eq!(
            given,
            [
                (1, noon),
                (2, noon + micro),
                (3, noon + micro * 2),
                (4, noon + micro * 9)
            ]
        );
    }
}
