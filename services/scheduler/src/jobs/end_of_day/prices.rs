//! Closing prices: what each symbol was quoted at when its session was over.

use chrono::NaiveDate;
use db::{DbError, PgConnection};

/// Keeps each symbol's last quote as the closing price of the date: the midpoint of both sides, else the side there is.
/// Those that are kept already stand; gives how many were new.
pub(super) async fn keep_closing(conn: &mut PgConnection, date: NaiveDate) -> Result<u64, DbError> {
    let kept = sqlx::query!(
        // A midpoint has one more digit than the ticks of its sides at most: it is exact, so nothing is rounded.
        "insert into closing_prices (symbol, session_date, price, basis, quoted_at)
         select symbol, $1, coalesce((bid + ask) * 0.5, bid, ask),
                case when bid is not null and ask is not null then 'midpoint'
                     when bid is not null then 'bid'
                     else 'ask' end,
                quoted_at
           from last_quotes
          where bid is not null
             or ask is not null
             on conflict (symbol, session_date) do nothing",
        date,
    );
    Ok(kept.execute(conn).await?.rows_affected())
}
