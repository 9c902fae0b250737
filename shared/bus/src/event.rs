//! What is appended, and what comes out.

use domain::{OrderId, RequestId, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;
use wire::events::v1;

use crate::{BusError, Topic};

/// An event to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Where to.
    pub topic: Topic,
    /// Symbol or account id: events of one key stay in order.
    pub key: String,
    /// Which order it is about; a message that cannot be handled parks this order only.
    pub order_id: OrderId,
    /// Name and version of the payload.
    pub kind: &'static str,
    /// JSON.
    pub payload: String,
    /// The request that caused it.
    pub request_id: RequestId,
}

impl NewEvent {
    /// For the executor: an order to file and send.
    pub fn order_accepted(event: &v1::OrderAccepted, request_id: RequestId) -> Self {
        About::new(Topic::Orders, &event.symbol, event.order_id).event(v1::OrderAccepted::KIND, event, request_id)
    }

    /// For the executor: an order that is to take another one's place.
    pub fn replace_requested(event: &v1::ReplaceRequested, request_id: RequestId) -> Self {
        About::new(Topic::Orders, &event.order.symbol, event.order.order_id).event(
            v1::ReplaceRequested::KIND,
            event,
            request_id,
        )
    }

    /// For the executor: somebody wants the order to end.
    pub fn cancel_requested(event: &v1::CancelRequested, request_id: RequestId) -> Self {
        About::new(Topic::Orders, &event.symbol, event.order_id).event(v1::CancelRequested::KIND, event, request_id)
    }

    /// For the executor: an order that still waits may not be sent.
    pub fn reject_requested(event: &v1::RejectRequested, request_id: RequestId) -> Self {
        About::new(Topic::Orders, &event.symbol, event.order_id).event(v1::RejectRequested::KIND, event, request_id)
    }

    /// For the executor: somebody doubts what is known of the order.
    pub fn look_up_requested(event: &v1::LookUpRequested, request_id: RequestId) -> Self {
        About::new(Topic::Orders, &event.symbol, event.order_id).event(v1::LookUpRequested::KIND, event, request_id)
    }

    /// For status-updater: what a venue said.
    pub fn venue_report(event: &v1::VenueReport, request_id: RequestId) -> Self {
        About::new(Topic::VenueReports, event.account_id, event.order_id).event(
            v1::VenueReport::KIND,
            event,
            request_id,
        )
    }

    /// For streams and notifications: there is a new row of `order_events`.
    pub fn order_updated(event: &v1::OrderUpdated, request_id: RequestId) -> Self {
        About::new(Topic::OrderUpdates, event.account_id, event.order_id).event(
            v1::OrderUpdated::KIND,
            event,
            request_id,
        )
    }
}

/// Where an event goes, and whose it is.
struct About {
    topic: Topic,
    key: String,
    order: Uuid,
}

impl About {
    fn new(topic: Topic, key: impl ToString, order: Uuid) -> Self {
        let key = key.to_string();
        Self { topic, key, order }
    }

    fn event(self, kind: &'static str, payload: &impl Serialize, request_id: RequestId) -> NewEvent {
        NewEvent {
            topic: self.topic,
            key: self.key,
            order_id: OrderId::new(self.order),
            kind,
            payload: serde_json::to_string(payload).expect("plain structs with text keys always encode"),
            request_id,
        }
    }
}

/// A place in a partition. Rows come in this order, which is one of commits as far as anyone can tell from outside:
/// what was committed before another transaction began has the lower `xid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// The transaction that appended.
    pub xid: i64,
    /// The place within it.
    pub id: i64,
}

/// An event to handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where from.
    pub topic: Topic,
    /// The partition of its key.
    pub partition: i16,
    /// Its place there.
    pub position: Position,
    /// Which order it is about.
    pub order_id: OrderId,
    /// Name and version of the payload.
    pub kind: String,
    /// JSON.
    pub payload: String,
    /// The request that caused it.
    pub request_id: RequestId,
    /// When it was appended, by the database's clock.
    pub created_at: Timestamp,
}

impl Event {
    /// The payload as its type. A failure is final for this message: it is parked without further tries.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, BusError> {
        serde_json::from_str(&self.payload).map_err(|source| BusError::Decode {
            topic: self.topic,
            kind: self.kind.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cancel() -> v1::CancelRequested {
        v1::CancelRequested {
            order_id: Uuid::from_u128(7),
            account_id: Uuid::from_u128(8),
            symbol: "AAPL".into(),
            asked_by: "customer".into(),
            requested_at: "2026-11-23T15:00:00Z".parse().expect("a literal of this file"),
        }
    }

    #[test]
    fn an_event_says_where_it_belongs_and_is_read_back() {
        let request = RequestId::new("r-1").expect("a short text");
        let new = NewEvent::cancel_requested(&cancel(), request.clone());
        assert_eq!(
            (new.topic, new.key.as_str(), new.kind),
            (Topic::Orders, "AAPL", "cancel_requested.v1")
        );
        let event = Event {
            topic: new.topic,
            partition: 0,
            position: Position::default(),
            order_id: new.order_id,
            kind: new.kind.into(),
            payload: new.payload,
            request_id: request,
            created_at: cancel().requested_at,
        };
        assert_eq!(
            event.decode::<v1::CancelRequested>().expect("as it was written"),
            cancel()
        );
        let wrong = event.decode::<v1::OrderUpdated>().expect_err("another kind");
        assert_eq!(wrong.to_string(), "cannot read cancel_requested.v1 on orders");
    }

    #[test]
    fn positions_sort_by_transaction_first() {
        assert!(Position { xid: 7, id: 9 } < Position { xid: 8, id: 1 });
        assert!(Position { xid: 8, id: 1 } < Position { xid: 8, id: 2 });
    }
}
