//! An order at the venue: what is asked of it and what it shows.

use domain::order::EndKind;
use domain::{OrderId, Price, Qty, Side, Symbol, TimeInForce, Timestamp, VenueOrderId};
use uuid::Uuid;

/// What a limit order asks of the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueOrder {
    /// Ticker.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Shares.
    pub qty: Qty,
    /// The worst price a share may trade at.
    pub limit_price: Price,
    /// How long it works.
    pub time_in_force: TimeInForce,
}

/// Where an order stands at the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VenueStatus {
    /// It may trade, now or at the next open.
    Working,
    /// A replacement was asked for and is not decided yet. The order that is to be replaced trades on as it was; the
    /// replacement (the one with `replaces`) trades nothing so far.
    PendingReplace,
    /// Its day is over, it trades again next session.
    DoneForDay,
    /// All of it traded.
    Filled,
    /// Over.
    Ended(EndKind),
}

/// An order as the venue shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueOrderView {
    /// The venue's name for it.
    pub venue_order_id: VenueOrderId,
    /// Our order; `None` when the name it carries is not one of ours.
    pub key: Option<OrderId>,
    /// What it asks for.
    pub order: VenueOrder,
    /// Where it stands.
    pub status: VenueStatus,
    /// Shares traded by then, by the venue's count. A fill belongs to the order it was made for: a replacement's count
    /// begins at zero, and it is filled when this and what the orders before it had traded make up its `qty` (ORD-8).
    pub filled_qty: Qty,
    /// The order whose place it takes.
    pub replaces: Option<VenueOrderId>,
    /// The order that took its place.
    pub replaced_by: Option<VenueOrderId>,
    /// When the venue took it.
    pub submitted_at: Timestamp,
    /// When it last changed; for an ended order, its end.
    pub updated_at: Timestamp,
}

impl VenueOrderView {
    /// Whether another order took its place.
    pub fn is_replaced(&self) -> bool {
        self.status == VenueStatus::Ended(EndKind::Replaced)
    }

    /// What differs from what was asked, in words; `None` where all of it agrees. An answer that differs is about
    /// something else, whatever key it carries.
    pub fn differs_from(&self, key: OrderId, asked: &VenueOrder) -> Option<String> {
        let shown = &self.order;
        let checks = [
            ("client_order_id", self.key == Some(key)),
            ("symbol", shown.symbol == asked.symbol),
            ("side", shown.side == asked.side),
            ("qty", shown.qty == asked.qty),
            ("limit_price", shown.limit_price == asked.limit_price),
            ("time_in_force", shown.time_in_force == asked.time_in_force),
        ];
        let wrong: Vec<&str> = checks.iter().filter(|(_, same)| !same).map(|(name, _)| *name).collect();
        if wrong.is_empty() { None } else { Some(wrong.join(", ")) }
    }
}

/// Our own keys are UUIDs in their usual form; any other name belongs to somebody else.
pub(crate) fn key_of(client_order_id: &str) -> Option<OrderId> {
    let id = OrderId::new(Uuid::parse_str(client_order_id).ok()?);
    (id.to_string() == client_order_id).then_some(id)
}
