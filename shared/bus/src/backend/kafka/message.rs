//! A row of the outbox as a message, and back. Key: the order's id; payload: the row's; the rest in headers, as text.

use domain::{OrderId, RequestId, Timestamp};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};
use uuid::Uuid;

use super::buffer::Carried;
use crate::{Event, Position, Topic};

const XID: &str = "xid";
const ID: &str = "id";
const PREV_XID: &str = "prev_xid";
const PREV_ID: &str = "prev_id";
const KIND: &str = "kind";
const REQUEST_ID: &str = "request_id";
/// A message's own time has no microseconds.
const CREATED_AT: &str = "created_at";
/// The W3C's own name, so that others' tools find it; only where the row has one.
const TRACEPARENT: &str = "traceparent";

/// What goes along with the payload; `prev` is the row before it in its partition.
pub(crate) fn headers(event: &Event, prev: Position) -> OwnedHeaders {
    let number = |headers: OwnedHeaders, key, value: i64| text(headers, key, &value.to_string());
    let mut headers = OwnedHeaders::new_with_capacity(8);
    headers = number(headers, XID, event.position.xid);
    headers = number(headers, ID, event.position.id);
    headers = number(headers, PREV_XID, prev.xid);
    headers = number(headers, PREV_ID, prev.id);
    headers = text(headers, KIND, &event.kind);
    headers = text(headers, REQUEST_ID, event.request_id.as_str());
    headers = text(headers, CREATED_AT, &event.created_at.to_rfc3339());
    match event.request_id.trace_text() {
        Some(trace) => text(headers, TRACEPARENT, &trace),
        None => headers,
    }
}

fn text(headers: OwnedHeaders, key: &str, value: &str) -> OwnedHeaders {
    headers.insert(Header {
        key,
        value: Some(value),
    })
}

/// A message of ours; anything else is said to be none, and why.
pub(super) fn read(topic: Topic, message: &BorrowedMessage<'_>) -> Result<Carried, String> {
    let headers = Texts::of(message)?;
    let event = Event {
        topic,
        partition: i16::try_from(message.partition()).map_err(|error| error.to_string())?,
        position: Position {
            xid: headers.number(XID)?,
            id: headers.number(ID)?,
        },
        order_id: order(message.key())?,
        kind: headers.text(KIND)?.to_owned(),
        payload: utf8(message.payload())?.to_owned(),
        request_id: headers.request_id()?,
        created_at: headers.time(CREATED_AT)?,
    };
    let prev = Position {
        xid: headers.number(PREV_XID)?,
        id: headers.number(PREV_ID)?,
    };
    Ok(Carried {
        event,
        prev,
        offset: message.offset(),
    })
}

/// The headers by name.
struct Texts<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Texts<'a> {
    fn of(message: &'a BorrowedMessage<'_>) -> Result<Self, String> {
        let headers = message.headers().ok_or("it has no headers")?;
        let read = |header: Header<'a, &'a [u8]>| Ok((header.key, utf8(header.value)?));
        headers.iter().map(read).collect::<Result<_, String>>().map(Texts)
    }

    fn text(&self, key: &str) -> Result<&'a str, String> {
        let found = self.0.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| *value).ok_or(format!("it has no header {key}"))
    }

    fn request_id(&self) -> Result<RequestId, String> {
        let request = RequestId::new(self.text(REQUEST_ID)?).map_err(|error| error.to_string())?;
        Ok(request.traced_as(self.text(TRACEPARENT).ok()))
    }

    fn number(&self, key: &str) -> Result<i64, String> {
        self.text(key)?.parse().map_err(|error| format!("{key}: {error}"))
    }

    fn time(&self, key: &str) -> Result<Timestamp, String> {
        self.text(key)?.parse().map_err(|error| format!("{key}: {error}"))
    }
}

fn utf8(bytes: Option<&[u8]>) -> Result<&str, String> {
    std::str::from_utf8(bytes.unwrap_or_default()).map_err(|error| error.to_string())
}

fn order(key: Option<&[u8]>) -> Result<OrderId, String> {
    let id = Uuid::parse_str(utf8(key)?).map_err(|error| format!("key: {error}"))?;
    Ok(OrderId::new(id))
}
