//! Our open orders against those that the exchange lists: what is open on one side only is a break of the day. Both sides are
//! gone over page by page, so that many differences hide none, and take no more memory than the list itself.

use chrono::TimeDelta;
use db::{DbError, PgConnection};
use domain::{AccountId, OrderId, Timestamp};
use rust_decimal::Decimal;
use sqlx::FromRow;
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound::{Excluded, Unbounded};
use tracing::warn;
use uuid::Uuid;
use venue::{Venue, VenueOrderView};

use super::compare::Difference;

/// What changed within this is still on its way from one side to the other.
const SETTLING: TimeDelta = TimeDelta::seconds(60);
/// Orders of one look.
const LOOK: u16 = 2_000;

/// What the exchange lists as open, of orders with a name of ours.
pub(super) struct Listed(BTreeMap<Uuid, VenueOrderView>);

/// How far both sides have been gone over: ours by account and order, then theirs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Ours(Option<(AccountId, OrderId)>),
    Theirs(Uuid),
}

impl Place {
    pub(super) const START: Place = Place::Ours(None);
}

#[derive(FromRow)]
struct Row {
    order_id: Uuid,
    listed: bool,
    account_id: Option<Uuid>,
    symbol: Option<String>,
    side: Option<String>,
    qty: Option<Decimal>,
    price: Option<Decimal>,
    ours: String,
}

/// The exchange's list; nothing when it gave none.
pub(super) async fn list<V: Venue>(venue: &V) -> Option<Listed> {
    match venue.open_orders().await {
        Ok(views) => {
            let keyed = views.into_iter().filter_map(|view| Some((view.key?.get(), view)));
            Some(Listed(keyed.collect()))
        }
        Err(fault) => {
            warn!(%fault, "the venue's open orders could not be listed, they are not compared");
            None
        }
    }
}

/// The differences of one look from a place on, and where the next look begins, if there is more.
pub(super) async fn page(
    conn: &mut PgConnection,
    listed: &Listed,
    from: Place,
    now: Timestamp,
) -> Result<(Vec<Difference>, Option<Place>), DbError> {
    let (orders, next) = match from {
        Place::Ours(after) => {
            let page = orders::read::open_after(conn, after, LOOK.into()).await?;
            let next = page.last().map(|last| Place::Ours(Some(*last)));
            let unlisted = page.into_iter().map(|(_, order)| order.get());
            let unlisted = unlisted.filter(|order| !listed.0.contains_key(order)).collect();
            (unlisted, next.or(Some(Place::Theirs(Uuid::nil()))))
        }
        Place::Theirs(after) => {
            let rest = listed.0.range((Excluded(after), Unbounded)).take(LOOK.into());
            let page: Vec<Uuid> = rest.map(|(order, _)| *order).collect();
            let next = page.last().copied().map(Place::Theirs);
            (page, next)
        }
    };
    let rows = differing(conn, listed, &orders, Some(now - SETTLING)).await?;
    let differences = rows.into_iter().map(|row| difference(row, listed, now));
    Ok((differences.collect(), next))
}

/// Which of these orders are open on one side only, however short a time.
pub(super) async fn apart(conn: &mut PgConnection, listed: &Listed, orders: &[Uuid]) -> Result<HashSet<Uuid>, DbError> {
    let rows = differing(conn, listed, orders, None).await?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}

/// Those of these orders that are open on one side only; with a time, those for which that was so before, too.
async fn differing(
    conn: &mut PgConnection,
    listed: &Listed,
    orders: &[Uuid],
    settled: Option<Timestamp>,
) -> Result<Vec<Row>, DbError> {
    if orders.is_empty() {
        return Ok(vec![]);
    }
    let is_listed: Vec<bool> = orders.iter().map(|order| listed.0.contains_key(order)).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"select d.order_id as "order_id!", d.listed as "listed!", o.account_id as "account_id?", o.symbol as "symbol?",
                  o.side as "side?", o.qty - o.carried_qty - o.filled_qty as "qty?", o.limit_price as "price?",
                  coalesce(o.status, 'unknown') as "ours!"
             from unnest($1::uuid[], $2::bool[]) as d (order_id, listed)
             left join orders o on o.order_id = d.order_id
             left join open_orders w on w.account_id = o.account_id and w.order_id = o.order_id
            where case when d.listed
                       then w.order_id is null
                            and ($3::timestamptz is null or o.order_id is null or o.updated_at < $3)
                       else w.order_id is not null
                            and o.status <> 'done_for_day'
                            and ($3 is null or (o.acknowledged_at < $3 and o.updated_at < $3)) end
            order by d.order_id"#,
        orders,
        &is_listed,
        settled,
    );
    Ok(rows.fetch_all(conn).await?)
}

fn difference(row: Row, listed: &Listed, now: Timestamp) -> Difference {
    let view = listed.0.get(&row.order_id);
    let theirs = view.map_or_else(
        || "not in the list of open orders".to_owned(),
        |view| format!("open as {}", view.venue_order_id),
    );
    let terms = view.map(|view| &view.order);
    Difference {
        kind: if row.listed { "open_theirs" } else { "open_ours" }.to_owned(),
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
