//! What an account was worth over time.
//!
//! | module   | what                                                                  |
//! |----------|-----------------------------------------------------------------------|
//! | `window` | from the query to a stretch of time and the size of its steps, pure   |
//! | `series` | from what is known to points and profits, pure                        |
//!
//! Known are the equity at the end of each business date, which the end of day keeps, what was paid in and out, and the
//! equity of now. Daily windows are exact. Within a day nothing is valued, so an intraday window shows the last close with
//! what was paid in or out since, and the window of now the equity of now.

mod series;
mod window;

use chassis::http::ApiError;
use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::calendar::{Calendar, to_new_york};
use domain::{AccountId, Money, Timestamp};
use wire::rest::{self, Number};

use super::account::equity_now;
use crate::app::Deps;
use crate::http::database_error;
use series::{Known, Point, Series};
pub(crate) use window::HistoryQuery;
use window::Window;

/// `GET /v2/account/portfolio/history`.
pub(crate) async fn history(
    deps: &Deps,
    account: AccountId,
    query: &HistoryQuery,
) -> Result<rest::PortfolioHistory, ApiError> {
    let (now, calendar) = (deps.clock.now(), deps.sessions.calendar());
    let window = query.window(now, &calendar)?;
    let known = known(deps, account, &window, now).await.map_err(database_error)?;
    Ok(shown(&series::series(&window, &known, &calendar), &window))
}

/// The equity at the last close of an earlier day than today.
pub(super) async fn last_equity(
    conn: &mut PgConnection,
    account: AccountId,
    today: NaiveDate,
) -> Result<Option<Money>, DbError> {
    let equity = sqlx::query_scalar!(
        r#"select cash + long_market_value as "equity!"
             from daily_equity
            where account_id = $1
              and business_date < $2
            order by business_date desc
            limit 1"#,
        account.get(),
        today,
    );
    Ok(equity.fetch_optional(conn).await?.map(Money::from_decimal))
}

async fn known(deps: &Deps, account: AccountId, window: &Window, now: Timestamp) -> Result<Known, DbError> {
    let equity = equity_now(deps, account).await?;
    let mut conn = deps.pool.acquire().await?;
    Ok(Known {
        closes: closes(&mut conn, account, window.first_date(), window.last_date()).await?,
        paid_in: paid_in(&mut conn, account).await?,
        now: Point { at: now, equity },
        today: to_new_york(now).date_naive(),
    })
}

/// The closes from a date to another, and the last one before them, which profits are measured from.
async fn closes(
    conn: &mut PgConnection,
    account: AccountId,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<(NaiveDate, Point)>, DbError> {
    let rows = sqlx::query!(
        r#"select business_date, cash + long_market_value as "equity!", kept_at
             from daily_equity
            where account_id = $1
              and business_date <= $3
              and business_date >= coalesce((select business_date
                                               from daily_equity
                                              where account_id = $1
                                                and business_date < $2
                                              order by business_date desc
                                              limit 1), $2)
            order by business_date"#,
        account.get(),
        from,
        to,
    )
    .fetch_all(conn)
    .await?;
    let close = |equity, at| Point {
        at,
        equity: Money::from_decimal(equity),
    };
    Ok(rows
        .into_iter()
        .map(|row| (row.business_date, close(row.equity, row.kept_at)))
        .collect())
}

/// What was paid in (above zero) and out, by time: deposits as they arrive, withdrawals as they are asked for, since that is
/// when they change the cash.
async fn paid_in(conn: &mut PgConnection, account: AccountId) -> Result<Vec<(Timestamp, Money)>, DbError> {
    let rows = sqlx::query!(
        r#"select t.posted_at, sum(e.amount) as "amount!"
             from ledger_transfers t
             join ledger_entries e using (transfer_id)
            where t.account_id = $1
              and t.kind in ('deposit_collected', 'withdrawal_asked', 'withdrawal_failed')
              and e.book = 'cust.cash.avail'
            group by t.posted_at, t.transfer_id
            order by t.posted_at"#,
        account.get(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.posted_at, Money::from_decimal(row.amount)))
        .collect())
}

fn shown(series: &Series, window: &Window) -> rest::PortfolioHistory {
    let dollars = |amount: Money| Number(amount.round_to_cent().get());
    rest::PortfolioHistory {
        timestamp: series.points.iter().map(|point| point.at.timestamp()).collect(),
        equity: series.points.iter().map(|point| dollars(point.equity)).collect(),
        profit_loss: series.profits.iter().map(|profit| dollars(*profit)).collect(),
        profit_loss_pct: series
            .profits
            .iter()
            .map(|profit| Number(series.part(*profit)))
            .collect(),
        base_value: dollars(series.base),
        timeframe: window.step.as_str().into(),
    }
}

/// When the session of a date opens, by the calendar in force, or would have.
fn opens(date: NaiveDate, calendar: &Calendar) -> Option<Timestamp> {
    let date = domain::calendar::SessionDate::new(date);
    let bounds = calendar.session_bounds(date);
    bounds
        .or_else(|| calendar.usual().session_bounds(date))
        .map(|(open, _)| open)
}
