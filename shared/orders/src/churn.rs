//! Place and cancel churn, counted by account and symbol (RSK-8).
//!
//! Cancels are counted where they are taken, by [`crate::wish_to_end`], in slots of ten seconds: the windows of a minute
//! and of ten minutes slide with them. Orders, replacements and fills are counted from their own rows, and only when
//! somebody asks. A cancel is never refused for it.

use db::{DbError, PgConnection};
use domain::{AccountId, Symbol, Timestamp};

/// An account that went on placing where it had canceled too much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub symbol: Symbol,
    /// The how many-eth in a row.
    pub strikes: i32,
    /// When.
    pub struck_at: Timestamp,
    /// Until when it places nothing there; the strike's own time where it is only a warning.
    pub cool_off_until: Timestamp,
}

/// What an account does in a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Where.
    pub symbol: String,
    /// Orders of the last minute, and of the last ten.
    pub orders: [i64; 2],
    /// Replacements among them.
    pub replaces: [i64; 2],
    /// Cancels asked for.
    pub cancels: [i64; 2],
    /// Executions.
    pub fills: [i64; 2],
    /// Strikes, if there are any.
    pub strikes: i32,
    /// The end of the cool-off, in the past too.
    pub cool_off_until: Option<Timestamp>,
}

/// Stores what became of accounts that went on.
///
/// # Errors
/// What the database says.
pub async fn strike(conn: &mut PgConnection, strikes: &[Strike]) -> Result<(), DbError> {
    if strikes.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into churn_strikes (account_id, symbol, strikes, struck_at, cool_off_until)
         select *
           from unnest($1::uuid[], $2::text[], $3::int4[], $4::timestamptz[], $5::timestamptz[])
         on conflict on constraint churn_strikes_key
             do update set strikes = excluded.strikes,
                           struck_at = excluded.struck_at,
                           cool_off_until = excluded.cool_off_until",
        &crate::write::uuids(strikes, |s| s.account.get()),
        &crate::write::texts(strikes, |s| s.symbol.as_str()),
        &strikes.iter().map(|s| s.strikes).collect::<Vec<_>>(),
        &strikes.iter().map(|s| s.struck_at).collect::<Vec<_>>(),
        &strikes.iter().map(|s| s.cool_off_until).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes every strike of an account back, in one symbol or in all; how many there were.
///
/// # Errors
/// What the database says.
pub async fn forgive(conn: &mut PgConnection, account: AccountId, symbol: Option<&Symbol>) -> Result<u64, DbError> {
    let done = sqlx::query!(
        "delete from churn_strikes
          where account_id = $1
            and ($2::text is null or symbol = $2)",
        account.get(),
        symbol.map(Symbol::as_str),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets counts and strikes that no window reaches any more, at most so many of each; how many there were.
///
/// # Errors
/// What the database says.
pub async fn prune(conn: &mut PgConnection, now: Timestamp, most: i64) -> Result<u64, DbError> {
    let cancels = sqlx::query!(
        "delete from order_cancels
          where ctid = any(array(select ctid
                                   from order_cancels
                                  where slot < $1::timestamptz - interval '15 minutes'
                                  limit $2))",
        now,
        most,
    )
    .execute(conn)
    .await?;
    Ok(cancels.rows_affected())
}

/// What an account does where it does anything, busiest cancels first.
///
/// # Errors
/// What the database says.
pub async fn activity(conn: &mut PgConnection, account: AccountId, now: Timestamp) -> Result<Vec<Activity>, DbError> {
    let rows = sqlx::query!(
        r#"with seen as (
               select o.symbol, o.submitted_at as at, 1 as orders, (o.replaces is not null)::int as replaces, 0 as cancels,
                      0 as fills
                 from orders o
                where o.account_id = $1
                  and o.submitted_at > $2::timestamptz - interval '10 minutes'
               union all
               select c.symbol, c.slot, 0, 0, c.cancels, 0
                 from order_cancels c
                where c.account_id = $1
                  and c.slot > $2::timestamptz - interval '10 minutes'
               union all
               select f.symbol, f.venue_at, 0, 0, 0, 1
                 from fills f
                where f.account_id = $1
                  and f.venue_at > $2::timestamptz - interval '10 minutes'
                  and f.busted_at is null
               union all
               select s.symbol, s.struck_at, 0, 0, 0, 0
                 from churn_strikes s
                where s.account_id = $1
           ), summed as (
               select symbol, at > $2::timestamptz - interval '1 minute' as recent,
                      sum(orders) as orders, sum(replaces) as replaces, sum(cancels) as cancels, sum(fills) as fills
                 from seen
                group by 1, 2
           )
           select t.symbol as "symbol!",
                  coalesce(sum(t.orders) filter (where t.recent), 0)::bigint as "orders_1!", sum(t.orders)::bigint as "orders_10!",
                  coalesce(sum(t.replaces) filter (where t.recent), 0)::bigint as "replaces_1!", sum(t.replaces)::bigint as "replaces_10!",
                  coalesce(sum(t.cancels) filter (where t.recent), 0)::bigint as "cancels_1!", sum(t.cancels)::bigint as "cancels_10!",
                  coalesce(sum(t.fills) filter (where t.recent), 0)::bigint as "fills_1!", sum(t.fills)::bigint as "fills_10!",
                  coalesce(max(s.strikes), 0) as "strikes!", max(s.cool_off_until) as cool_off_until
             from summed t
             left join churn_strikes s on s.account_id = $1 and s.symbol = t.symbol
            group by t.symbol
            order by sum(t.cancels) desc, t.symbol"#,
        account.get(),
        now,
    )
    .fetch_all(conn)
    .await?;
    let activity = rows.into_iter().map(|row| Activity {
        symbol: row.symbol,
        orders: [row.orders_1, row.orders_10],
        replaces: [row.replaces_1, row.replaces_10],
        cancels: [row.cancels_1, row.cancels_10],
        fills: [row.fills_1, row.fills_10],
        strikes: row.strikes,
        cool_off_until: row.cool_off_until,
    });
    Ok(activity.collect())
}
