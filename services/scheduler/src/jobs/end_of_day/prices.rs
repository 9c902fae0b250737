//! Closing prices: what each symbol was quoted at when its session was over.

use chrono::{NaiveDate, TimeDelta};
use db::{DbError, PgConnection};
use domain::Timestamp;

/// How long after the close a quote may still be the session's last.
const QUOTED_LATE: TimeDelta = TimeDelta::seconds(5);
/// How old a quote may be at the close.
const QUOTED_EARLY: TimeDelta = TimeDelta::hours(24);

/// Keeps each symbol's last quote as the closing price of the date: the midpoint of both sides, else the side there is.
/// A quote of a later session is no closing price of this one, so an end of day that comes late keeps what it still finds
/// of its own. Those that are kept already stand; gives how many were new.
pub(super) async fn keep_closing(conn: &mut PgConnection, date: NaiveDate, close: Timestamp) -> Result<u64, DbError> {
    let kept = sqlx::query!(
        // A midpoint has one more digit than the ticks of its sides at most: it is exact, so nothing is rounded.
        "insert into closing_prices (symbol, session_date, price, basis, quoted_at)
         select symbol, $1, coalesce((bid + ask) * 0.5, bid, ask),
                case when bid is not null and ask is not null then 'midpoint'
                     when bid is not null then 'bid'
                     else 'ask' end,
                quoted_at
           from last_quotes
          where (bid is not null or ask is not null)
            and quoted_at > $2
            and quoted_at <= $3
             on conflict (symbol, session_date) do nothing",
        date,
        close - QUOTED_EARLY,
        close + QUOTED_LATE,
    );
    Ok(kept.execute(conn).await?.rows_affected())
}
