//! One event as clients get it, rendered once for all who do.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use db::DbError;
use domain::calendar::Calendar;
use domain::{AccountId, OrderId, Timestamp};
use orders::StoredOrder;
use orders::history::{self, ToldEvent};
use sqlx::PgConnection;
use wire::rest::{Text, TradeUpdate};

use crate::present;

/// The only stream there is.
pub(super) const TRADE_UPDATES: &str = "trade_updates";

/// The frame around the update on the WebSocket.
const BEFORE: &str = r#"{"stream":"trade_updates","data":"#;
const AFTER: &str = "}";

/// An update and its place.
#[derive(Debug)]
pub(super) struct Update {
    pub(super) account: AccountId,
    pub(super) seq: i64,
    pub(super) at: Timestamp,
    frame: Utf8Bytes,
}

impl Update {
    fn new(event: &ToldEvent, order: &StoredOrder, calendar: &Calendar) -> Self {
        let data = serde_json::to_string(&trade_update(event, order, calendar))
            .expect("plain structs with text keys always encode");
        Update {
            account: event.account_id,
            seq: event.seq,
            at: event.at,
            frame: format!("{BEFORE}{data}{AFTER}").into(),
        }
    }

    /// The WebSocket's frame. Connections share its memory.
    pub(super) fn frame(&self) -> Utf8Bytes {
        self.frame.clone()
    }

    /// The bare update: JSON on one line.
    pub(super) fn json(&self) -> &str {
        let frame = self.frame.as_str();
        &frame[BEFORE.len()..frame.len() - AFTER.len()]
    }

    /// An update without anything in it.
    #[cfg(test)]
    pub(super) fn bare(account: AccountId, seq: i64) -> Arc<Self> {
        Arc::new(Update {
            account,
            seq,
            at: chrono::DateTime::UNIX_EPOCH,
            frame: format!("{BEFORE}{seq}{AFTER}").into(),
        })
    }
}

/// The updates after these places, at most `most` an account, by account and number.
pub(super) async fn read(
    conn: &mut PgConnection,
    places: &[(AccountId, i64)],
    most: i64,
    calendar: &Calendar,
) -> Result<Vec<Arc<Update>>, DbError> {
    let events = history::events_after(conn, places, most).await?;
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids: Vec<OrderId> = events.iter().map(|event| event.order_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let orders = orders::read::by_ids(conn, &ids).await?;
    let orders: HashMap<OrderId, StoredOrder> = orders.into_iter().map(|order| (order.order_id, order)).collect();
    let update = |event: &ToldEvent| {
        let order = orders.get(&event.order_id).ok_or_else(|| DbError::Inconsistent {
            table: "order_events",
            what: format!("{} has no order", event.order_id),
        })?;
        Ok(Arc::new(Update::new(event, order, calendar)))
    };
    events.iter().map(update).collect()
}

fn trade_update(event: &ToldEvent, order: &StoredOrder, calendar: &Calendar) -> TradeUpdate {
    let execution = event.execution.as_ref();
    TradeUpdate {
        event: event.event.clone().into(),
        event_id: Some(event_id(event.seq)),
        at: Some(event.at),
        execution_id: execution.map(|execution| execution.exec_id.clone()),
        timestamp: event.at,
        price: execution.map(|execution| Text(execution.price.normalize())),
        qty: execution.map(|execution| Text(execution.qty.normalize())),
        position_qty: execution.map(|execution| Text(execution.position_qty.normalize())),
        reason: reason(&event.cause).map(str::to_owned),
        order: present::order_as_of(order, event, calendar),
    }
}

/// A cause is who spoke, and perhaps why: `venue: no such symbol`.
fn reason(cause: &str) -> Option<&str> {
    let (_, reason) = cause.split_once(": ")?;
    Some(reason.trim()).filter(|reason| !reason.is_empty())
}

/// The name of an event in its account: its number, with so many digits that names sort like numbers, and so by time.
pub(super) fn event_id(seq: i64) -> String {
    format!("{seq:020}")
}

/// The number that an event id means; without leading zeros, too.
pub(super) fn parse_event_id(text: &str) -> Option<i64> {
    let digits = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    //! Names of events, and what is told of a cause.
    use super::*;

    #[test]
    fn event_ids_sort_like_their_numbers_and_are_read_back() {
        let numbers = [0, 1, 9, 10, 99, 100, 1_000_000, i64::MAX];
        let ids: Vec<String> = numbers.iter().map(|seq| event_id(*seq)).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        for (number, id) in numbers.iter().zip(&ids) {
            assert_eq!(parse_event_id(id), Some(*number));
        }
        assert_eq!(parse_event_id("42"), Some(42));
        for bad in [
            "",
            "-1",
            "+1",
            "4 2",
            "0x10",
            "99999999999999999999",
            "000000000000000000042",
        ] {
            assert_eq!(parse_event_id(bad), None, "{bad}");
        }
    }

    #[test]
    fn who_spoke_is_not_told_but_why_is() {
        assert_eq!(reason("venue: symbol is halted"), Some("symbol is halted"));
        assert_eq!(reason("customer"), None);
        assert_eq!(reason("venue: "), None);
    }

    #[test]
    fn the_bare_update_is_what_the_frame_carries() {
        let update = Update::bare(AccountId::new(uuid::Uuid::nil()), 7);
        assert_eq!(update.frame().as_str(), r#"{"stream":"trade_updates","data":7}"#);
        assert_eq!(update.json(), "7");
    }
}
