//! Whether the brokerage and the exchange agree, once everything has come to rest.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use rust_decimal::Decimal;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::market::{Market, TrueOrder};

/// Execution, order, shares, dollars a share, taken back.
type Execution = (String, String, Decimal, Decimal, bool);

/// Waits until everything is told and booked, then demands that both sides agree to the share and cent, and that the
/// audit finds nothing.
///
/// # Panics
/// When they do not within `patience`; tells the first difference.
pub async fn at_rest(url: &str, market: &Market, patience: Duration) {
    let begun = Instant::now();
    loop {
        let Some(difference) = difference(url, market).await else {
            return;
        };
        assert!(
            begun.elapsed() < patience,
            "not at rest after {patience:?}: {difference}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The first thing that is not as it should be at rest.
async fn difference(url: &str, market: &Market) -> Option<String> {
    let Ok(mut conn) = PgConnection::connect(url).await else {
        return Some("the database is away".to_owned());
    };
    // Read first: what the exchange knows by then has to be here.
    let (orders, executions) = (market.orders().await, market.executions().await);
    let theirs: BTreeSet<Execution> = executions
        .iter()
        .map(|x| {
            (
                x.execution_id.to_string(),
                x.client_order_id.clone(),
                x.qty.get(),
                x.dollars(),
                x.busted,
            )
        })
        .collect();
    let ours = our_executions(&mut conn).await;
    if let Some(missing) = theirs.difference(&ours).next() {
        return Some(format!(
            "the exchange has {missing:?}, we have not ({} and {} in all)",
            theirs.len(),
            ours.len()
        ));
    }
    if let Some(extra) = ours.difference(&theirs).next() {
        return Some(format!("we have {extra:?}, the exchange has not"));
    }
    if let Some(difference) = orders_differ(&mut conn, &orders).await {
        return Some(difference);
    }
    let report = audit::audit(&mut conn, true).await.expect("the audit can be made");
    let _ = conn.close().await;
    (!report.is_clean()).then(|| format!("the audit says\n{report}"))
}

async fn our_executions(conn: &mut PgConnection) -> BTreeSet<Execution> {
    let rows: Vec<(String, Uuid, Decimal, Decimal, bool)> =
        sqlx::query_as("select exec_id, order_id, qty, price, busted_at is not null from fills")
            .fetch_all(conn)
            .await
            .expect("fills can be read");
    rows.into_iter()
        .map(|(exec, order, qty, price, busted)| (exec, order.to_string(), qty, price, busted))
        .collect()
}

/// Each order of ours is at the exchange at most once, and both say the same about it (V5, V6).
async fn orders_differ(conn: &mut PgConnection, theirs: &[TrueOrder]) -> Option<String> {
    let mut by_key: BTreeMap<&str, Vec<&TrueOrder>> = BTreeMap::new();
    for order in theirs {
        by_key.entry(&order.client_order_id).or_default().push(order);
    }
    let ours = our_orders(conn).await;
    for (key, found) in &by_key {
        if found.len() > 1 {
            return Some(format!("the exchange has key {key} {} times", found.len()));
        }
        let Some((status, filled, _)) = ours.get(*key) else {
            return Some(format!("the exchange has {key}, we have not"));
        };
        let order = found[0];
        let open = !["filled", "canceled", "expired", "rejected", "replaced"].contains(&status.as_str());
        if open != order.is_open() || *filled != order.filled_qty.get() {
            return Some(format!(
                "{key} is {status} with {filled} here, {} with {} there",
                order.status,
                order.filled_qty.get()
            ));
        }
    }
    let unfinished = ours.iter().find(|(_, (_, _, unfinished))| *unfinished);
    if let Some((key, (status, ..))) = unfinished {
        return Some(format!("{key} is {status} and the executor is not done with it"));
    }
    // Canceled, expired or rejected without ever being sent is right; so is waiting for the bell.
    let at_venue = ["new", "partially_filled", "filled", "done_for_day"];
    let unsent = ours
        .iter()
        .find(|(key, (status, _, _))| at_venue.contains(&status.as_str()) && !by_key.contains_key(key.as_str()));
    unsent.map(|(key, (status, ..))| format!("{key} is {status} and the exchange has never heard of it"))
}

/// Status, filled shares, and whether the executor has something to do, by key.
async fn our_orders(conn: &mut PgConnection) -> HashMap<String, (String, Decimal, bool)> {
    let rows: Vec<(Uuid, String, Decimal, bool)> = sqlx::query_as(
        "select o.order_id, o.status, o.filled_qty, w.order_id is not null
           from orders o
           left join venue_open_submissions w using (order_id)",
    )
    .fetch_all(conn)
    .await
    .expect("orders can be read");
    rows.into_iter()
        .map(|(id, status, filled, open)| (id.to_string(), (status, filled, open)))
        .collect()
}
