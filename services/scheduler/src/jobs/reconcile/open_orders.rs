//! Our open orders against those that the exchange lists: what is open on one side only is a break of the day.

use chrono::TimeDelta;
use db::{DbError, PgPool};
use domain::Timestamp;
use rust_decimal::Decimal;
use sqlx::FromRow;
use tracing::warn;
use uuid::Uuid;
use venue::Venue;

use super::compare::Difference;

/// What changed within this is still on its way from one side to the other.
const SETTLING: TimeDelta = TimeDelta::seconds(60);
/// Breaks of one pass.
const MOST: i64 = 1_000;

#[derive(FromRow)]
struct Row {
    kind: String,
    order_id: Uuid,
    account_id: Option<Uuid>,
    symbol: Option<String>,
    side: Option<String>,
    qty: Option<Decimal>,
    price: Option<Decimal>,
    ours: String,
}

/// The differences; nothing when the venue gave no list.
pub(super) async fn compare<V: Venue>(
    pool: &PgPool,
    venue: &V,
    now: Timestamp,
) -> Result<Option<Vec<Difference>>, DbError> {
    let listed = match venue.open_orders().await {
        Ok(listed) => listed,
        Err(fault) => {
            warn!(%fault, "the venue's open orders could not be listed, they are not compared");
            return Ok(None);
        }
    };
    let keys: Vec<Uuid> = listed.iter().filter_map(|view| view.key).map(|key| key.get()).collect();
    let mut conn = pool.acquire().await?;
    let rows = sqlx::query_as!(
        Row,
        r#"with listed as (select order_id from unnest($1::uuid[]) as l (order_id))
           select d.kind as "kind!", d.order_id as "order_id!", o.account_id as "account_id?", o.symbol as "symbol?",
                  o.side as "side?", o.qty - o.filled_qty as "qty?", o.limit_price as "price?",
                  coalesce(o.status, 'unknown') as "ours!"
             from (select 'open_ours' as kind, w.order_id
                     from open_orders w
                    where not exists (select from listed l where l.order_id = w.order_id)
                    union all
                   select 'open_theirs', l.order_id
                     from listed l
                    where not exists (select from open_orders w where w.order_id = l.order_id)) d
             left join orders o on o.order_id = d.order_id
            where case d.kind when 'open_ours'
                              then o.acknowledged_at < $2 and o.updated_at < $2 and o.status <> 'done_for_day'
                              else o.order_id is null or o.updated_at < $2 end
            order by d.kind, d.order_id
            limit $3"#,
        &keys,
        now - SETTLING,
        MOST,
    )
    .fetch_all(&mut *conn)
    .await?;
    Ok(Some(
        rows.into_iter().map(|row| difference(row, &listed, now)).collect(),
    ))
}

fn difference(row: Row, listed: &[venue::VenueOrderView], now: Timestamp) -> Difference {
    let view = listed
        .iter()
        .find(|view| view.key.is_some_and(|key| key.get() == row.order_id));
    let theirs = view.map_or_else(
        || "not in the list of open orders".to_owned(),
        |view| format!("open as {}", view.venue_order_id),
    );
    let terms = view.map(|view| &view.order);
    Difference {
        kind: row.kind,
        exec_id: row.order_id.to_string(),
        order_id: row.symbol.is_some().then_some(row.order_id),
        account_id: row.account_id,
        symbol: row.symbol.or(terms.map(|o| o.symbol.to_string())).unwrap_or_default(),
        side: row.side.or(terms.map(|o| o.side.to_string())).unwrap_or_default(),
        qty: row.qty.or(terms.map(|o| o.qty.get())).unwrap_or_default(),
        price: row.price.or(terms.map(|o| o.limit_price.get())).unwrap_or_default(),
        at: now,
        ours: row.ours,
        theirs,
    }
}
