//! Finds where a trade file and our fills differ: one read-only statement, so that it holds nobody back, however long the
//! day. Executions meet by the venue's name for them; what is left over on both sides, by its terms (REC-1).

use chrono::TimeDelta;
use db::{DbError, PgConnection, PgPool};
use domain::Timestamp;
use rust_decimal::Decimal;
use sqlx::FromRow;
use uuid::Uuid;

use super::Day;

/// Differences of one pass: more than that is no day's work for anybody, the first ones are dealt with first.
const MOST: i64 = 20_000;
/// However long a full day takes to compare.
const PATIENCE: &str = "set local statement_timeout = '15min'";

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct Difference {
    pub(super) kind: String,
    pub(super) exec_id: String,
    pub(super) order_id: Option<Uuid>,
    pub(super) account_id: Option<Uuid>,
    pub(super) symbol: String,
    pub(super) side: String,
    pub(super) qty: Decimal,
    pub(super) price: Decimal,
    pub(super) at: Timestamp,
    pub(super) ours: String,
    pub(super) theirs: String,
}

/// What a comparison found.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) differences: Vec<Difference>,
    /// Whether there were more than can be dealt with at once.
    pub(super) cut: bool,
    /// Executions that agree under two names.
    pub(super) by_terms: i64,
    pub(super) totals: Totals,
}

/// Both sides added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub(super) struct Totals {
    pub(super) our_fills: i64,
    pub(super) our_shares: Decimal,
    pub(super) our_dollars: Decimal,
    pub(super) matched: i64,
}

/// Compares the file `version` of a day with our fills of it.
pub(super) async fn compare(pool: &PgPool, day: &Day, version: i32) -> Result<Compared, DbError> {
    let mut tx = db::begin(pool).await?;
    sqlx::query(PATIENCE).execute(&mut *tx).await?;
    let mut differences = differences(&mut tx, day, version).await?;
    let totals = totals(&mut tx, day, version).await?;
    tx.commit().await?;
    let cut = i64::try_from(differences.len()) == Ok(MOST);
    let before = differences.len();
    pair_by_terms(&mut differences);
    let by_terms = i64::try_from((before - differences.len()) / 2).unwrap_or(0);
    Ok(Compared {
        differences,
        cut,
        by_terms,
        totals,
    })
}

async fn differences(conn: &mut PgConnection, day: &Day, version: i32) -> Result<Vec<Difference>, DbError> {
    let rows = sqlx::query_as!(
        Difference,
        r#"with lines as (
               select * from recon_trades where venue = $1 and session_date = $2 and version = $3
           ),
           aside as materialized (
               select payload::json ->> 'exec_id' as exec_id,
                      kind,
                      bool_or(resolved_at is null) as waits
                 from venue_reports_set_aside
                where payload::json ->> 'venue' = $1
                  and payload::json ->> 'fact' in ('filled', 'unmatched')
                group by 1, 2
           ),
           theirs as (
               select case when l.busted then
                                case when f.busted_at is null and (f.exec_id is not null or a.waits) then 'busted_theirs' end
                           when f.exec_id is null then
                                case when a.waits then case when o.order_id is null then 'unknown_order' else 'suspended' end
                                     when a.exec_id is not null then null
                                     when o.order_id is null then 'unknown_order'
                                     else 'missing_ours' end
                           when f.busted_at is not null then
                                case when a.waits or a.exec_id is null then 'busted_ours' end
                           when (f.symbol, f.side, f.order_id) is distinct from (l.symbol, l.side, l.order_id) then 'identity'
                           when (f.qty, f.price) <> (l.qty, l.price) then 'terms'
                           when (f.venue_at at time zone 'America/New_York')::date <> $2 then 'trade_date'
                      end as kind,
                      l.exec_id, l.order_id, coalesce(f.account_id, o.account_id) as account_id, l.symbol, l.side, l.qty,
                      l.price, l.at,
                      case when f.exec_id is not null
                           then concat_ws(' ', f.side, f.qty, f.symbol, '@', f.price, 'of order', f.order_id, 'at', f.venue_at,
                                          case when f.busted_at is not null then 'taken back' end)
                           when a.exec_id is not null then 'set aside: ' || a.kind
                           else 'nothing' end as ours,
                      concat_ws(' ', l.side, l.qty, l.symbol, '@', l.price, 'of order', l.client_order_id, 'at', l.at,
                                case when l.busted then 'taken back' end) as theirs
                 from lines l
                 left join fills f on f.venue = $1 and f.exec_id = l.exec_id
                 left join orders o on f.exec_id is null and o.order_id = l.order_id
                 left join aside a on a.exec_id = l.exec_id
           ),
           ours as (
               select case when exists (select
                                          from fills g
                                          join lines t on t.exec_id = g.exec_id and not t.busted
                                         where g.order_id = f.order_id
                                           and g.exec_id <> f.exec_id
                                           and g.busted_at is null
                                           and (g.qty, g.price) = (f.qty, f.price)
                                           and abs(extract(epoch from g.venue_at - f.venue_at)) <= 1)
                           then 'duplicate' else 'missing_theirs' end as kind,
                      f.exec_id, f.order_id, f.account_id, f.symbol, f.side, f.qty, f.price, f.venue_at as at,
                      concat_ws(' ', f.side, f.qty, f.symbol, '@', f.price, 'of order', f.order_id, 'at', f.venue_at) as ours,
                      'nothing' as theirs
                 from fills f
                where f.venue = $1
                  and f.venue_at >= ($2::date)::timestamp at time zone 'America/New_York'
                  and f.venue_at < ($2::date + 1)::timestamp at time zone 'America/New_York'
                  and f.busted_at is null
                  and not exists (select from recon_trades t where t.venue = $1 and t.exec_id = f.exec_id
                                     and (t.session_date <> $2 or t.version = $3))
           ),
           -- In suspense here, and not in the file at all.
           strays as (
               select case when o.order_id is null then 'unknown_order' else 'suspended' end as kind,
                      p.body ->> 'exec_id' as exec_id, o.order_id, o.account_id, coalesce(p.body ->> 'symbol', o.symbol, '') as symbol,
                      coalesce(p.body ->> 'side', o.side, '') as side, (p.body ->> 'qty')::numeric as qty,
                      (p.body ->> 'price')::numeric as price, (p.body ->> 'at')::timestamptz as at,
                      'set aside: ' || s.kind as ours, 'nothing' as theirs
                 from venue_reports_set_aside s
                cross join lateral (select s.payload::json as body) p
                 left join orders o on o.order_id = s.order_id
                where s.resolved_at is null
                  and p.body ->> 'venue' = $1
                  and p.body ->> 'fact' in ('filled', 'unmatched')
                  and ((p.body ->> 'at')::timestamptz at time zone 'America/New_York')::date = $2
                  and not exists (select from lines l where l.exec_id = p.body ->> 'exec_id')
           )
           select kind as "kind!", exec_id as "exec_id!", order_id, account_id, symbol as "symbol!", side as "side!",
                  qty as "qty!", price as "price!", at as "at!", ours as "ours!", theirs as "theirs!"
             from (select * from theirs union all select * from ours union all select * from strays) as d
            where kind is not null
            order by at, exec_id
            limit $4"#,
        day.venue,
        day.date,
        version,
        MOST,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

async fn totals(conn: &mut PgConnection, day: &Day, version: i32) -> Result<Totals, DbError> {
    let totals = sqlx::query_as!(
        Totals,
        r#"select count(*) as "our_fills!", coalesce(sum(f.qty), 0) as "our_shares!",
                  coalesce(sum(f.qty * f.price), 0) as "our_dollars!",
                  count(*) filter (where (f.symbol, f.side, f.order_id, f.qty, f.price)
                                         = (t.symbol, t.side, t.order_id, t.qty, t.price) and not t.busted) as "matched!"
             from fills f
             left join recon_trades t on t.venue = $1 and t.session_date = $2 and t.version = $3 and t.exec_id = f.exec_id
            where f.venue = $1
              and f.venue_at >= ($2::date)::timestamp at time zone 'America/New_York'
              and f.venue_at < ($2::date + 1)::timestamp at time zone 'America/New_York'
              and f.busted_at is null"#,
        day.venue,
        day.date,
        version,
    )
    .fetch_one(conn)
    .await?;
    Ok(totals)
}

/// REC-1's fallback: an execution that each side has under another name, of the same order and terms within a second.
fn pair_by_terms(differences: &mut Vec<Difference>) {
    let mut paired = vec![false; differences.len()];
    for (at, theirs) in differences.iter().enumerate().filter(|(_, d)| d.kind == "missing_ours") {
        let same = |ours: &Difference| {
            ours.kind == "missing_theirs"
                && (ours.order_id, &ours.symbol, &ours.side, ours.qty, ours.price)
                    == (theirs.order_id, &theirs.symbol, &theirs.side, theirs.qty, theirs.price)
                && (ours.at - theirs.at).abs() <= TimeDelta::seconds(1)
        };
        let found = differences
            .iter()
            .enumerate()
            .position(|(n, ours)| !paired[n] && same(ours));
        if let Some(found) = found {
            paired[at] = true;
            paired[found] = true;
        }
    }
    let mut keep = paired.into_iter().map(|paired| !paired);
    differences.retain(|_| keep.next().unwrap_or(true));
}
