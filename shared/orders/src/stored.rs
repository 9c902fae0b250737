//! An order as its row holds it.

use crate::write::deadline;
use chrono::NaiveDate;
use db::DbError;
use domain::order::{EndKind, OrderState, Shown, Wish};
use domain::{
    AccountId, AssetId, ClientOrderId, Money, OrderId, OrderStatus, OrderType, Price, Qty, RequestId, Side, Symbol,
    TimeInForce, Timestamp, VenueOrderId,
};
use rust_decimal::Decimal;
use std::str::FromStr;
use uuid::Uuid;

/// One order with everything its readers and movers need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOrder {
    /// Our id, also its key at the venue.
    pub order_id: OrderId,
    /// Whose.
    pub account_id: AccountId,
    /// The customer's own name for it.
    pub client_order_id: ClientOrderId,
    /// The instrument.
    pub asset_id: AssetId,
    /// Its ticker.
    pub symbol: Symbol,
    /// Bought or sold.
    pub side: Side,
    /// What was written about the price.
    pub order_type: OrderType,
    /// How long it works.
    pub time_in_force: TimeInForce,
    /// Dollars a share, the worst it may trade at; of a market order the collar (PX-7).
    pub limit_price: Price,
    /// Dollars asked for, of an order that was written in dollars (QTY-3).
    pub notional: Option<Money>,
    /// The session a day order belongs to.
    pub session_date: NaiveDate,
    /// When it goes to the exchange at the earliest; none: in its session.
    pub submit_at: Option<Timestamp>,
    /// When its life ends by itself.
    pub expires_at: Timestamp,
    /// Whether that was asked for (TIF-5).
    pub explicit_expiry: bool,
    /// The request that placed it.
    pub request_id: RequestId,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When it was accepted; unique and growing per account.
    pub submitted_at: Timestamp,
    /// Quantity, fills and status, wishes left aside.
    pub state: OrderState,
    /// Dollars booked for its fills so far.
    pub posted_cash: Money,
    /// Why it ended, in words a customer can read.
    pub end_reason: Option<String>,
    /// Its name at the venue.
    pub venue_order_id: Option<VenueOrderId>,
    /// When the venue took it.
    pub acknowledged_at: Option<Timestamp>,
    /// When the last share was filled.
    pub filled_at: Option<Timestamp>,
    /// When it ended `canceled`.
    pub canceled_at: Option<Timestamp>,
    /// When it ended `expired`.
    pub expired_at: Option<Timestamp>,
    /// When it ended `rejected`.
    pub failed_at: Option<Timestamp>,
    /// When the customer asked to cancel it.
    pub cancel_requested_at: Option<Timestamp>,
    /// When a job asked to end it because its time is over.
    pub expire_requested_at: Option<Timestamp>,
    /// Which order it replaces, and which one replaces it.
    pub chain: Chain,
    /// When anything about it last changed.
    pub updated_at: Timestamp,
}

/// Where an order stands among those that take each other's place (ORD-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chain {
    /// The first order of the chain; none for an order that replaces none.
    pub root: Option<OrderId>,
    /// The order whose place it takes or took.
    pub replaces: Option<OrderId>,
    /// The last order that was asked for in its place.
    pub replacement: Option<OrderId>,
    /// When that was asked, until the venue has answered.
    pub requested_at: Option<Timestamp>,
    /// The order that took its place.
    pub replaced_by: Option<OrderId>,
    /// When it did.
    pub replaced_at: Option<Timestamp>,
    /// Fills overtook its replace: the venue is asked to end the rest, and then it is filled, not canceled (ORD-9).
    pub overtaken: bool,
    /// Its last replace was refused, and the venue did not say how much was filled by then.
    pub refused: Option<RefusedReplace>,
}

/// A replace that was refused: fills of before then that make up its total overtook it, however late they are heard of
/// (ORD-9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedReplace {
    /// Shares it asked for, of its whole chain.
    pub total: Qty,
    /// When it was refused.
    pub at: Timestamp,
}

impl StoredOrder {
    /// What was asked and is not settled yet; the customer's wishes come before a job's.
    pub fn wish(&self) -> Option<Wish> {
        if self.cancel_requested_at.is_some() {
            Some(Wish::Cancel)
        } else if self.chain.requested_at.is_some() {
            Some(Wish::Replace)
        } else {
            self.expire_requested_at.map(|_| Wish::Expire)
        }
    }

    /// The first order of its chain: what the chain holds is held once (BP-4).
    pub fn root(&self) -> OrderId {
        self.chain.root.unwrap_or(self.order_id)
    }

    /// When it ends apart from its session: `gtc` by age, any order where that was asked for.
    pub fn deadline(&self) -> Option<Timestamp> {
        deadline(self.time_in_force, self.explicit_expiry, self.expires_at)
    }

    /// What it may still trade, at its limit.
    pub fn open_value(&self) -> Money {
        open_value(&self.state, self.limit_price)
    }

    /// The status readers see (ORD-3).
    pub fn shown_status(&self) -> OrderStatus {
        Shown::status(self.state.status, self.wish())
    }
}

/// What an order in this state may still trade, at its limit; nothing once it is over (RSK-3).
pub fn open_value(state: &OrderState, limit: Price) -> Money {
    // A product that leaves all exact numbers belongs to no order: its hold would have.
    limit.notional(state.leaves()).unwrap_or(Money::ZERO)
}

/// The row as the database gives it.
#[derive(sqlx::FromRow)]
pub(crate) struct OrderRow {
    pub(crate) order_id: Uuid,
    pub(crate) account_id: Uuid,
    pub(crate) client_order_id: String,
    pub(crate) asset_id: Uuid,
    pub(crate) symbol: String,
    pub(crate) side: String,
    pub(crate) order_type: String,
    pub(crate) time_in_force: String,
    pub(crate) qty: Decimal,
    pub(crate) limit_price: Decimal,
    pub(crate) session_date: NaiveDate,
    pub(crate) request_id: String,
    pub(crate) created_at: Timestamp,
    pub(crate) submitted_at: Timestamp,
    pub(crate) status: String,
    pub(crate) filled_qty: Decimal,
    pub(crate) busted_qty: Decimal,
    pub(crate) filled_notional: Decimal,
    pub(crate) posted_cash: Decimal,
    pub(crate) end_kind: Option<String>,
    pub(crate) end_filled_qty: Option<Decimal>,
    pub(crate) end_reason: Option<String>,
    pub(crate) acknowledged_at: Option<Timestamp>,
    pub(crate) venue_order_id: Option<String>,
    pub(crate) filled_at: Option<Timestamp>,
    pub(crate) canceled_at: Option<Timestamp>,
    pub(crate) expired_at: Option<Timestamp>,
    pub(crate) failed_at: Option<Timestamp>,
    pub(crate) cancel_requested_at: Option<Timestamp>,
    pub(crate) expire_requested_at: Option<Timestamp>,
    pub(crate) updated_at: Timestamp,
    pub(crate) submit_at: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
    pub(crate) explicit_expiry: bool,
    pub(crate) notional: Option<Decimal>,
    pub(crate) chain_id: Option<Uuid>,
    pub(crate) replaces: Option<Uuid>,
    pub(crate) replacement_id: Option<Uuid>,
    pub(crate) replace_requested_at: Option<Timestamp>,
    pub(crate) replaced_by: Option<Uuid>,
    pub(crate) replaced_at: Option<Timestamp>,
    pub(crate) overtaken: bool,
    pub(crate) refused_qty: Option<Decimal>,
    pub(crate) refused_at: Option<Timestamp>,
    pub(crate) carried_qty: Decimal,
    pub(crate) trace_context: Option<String>,
}

impl TryFrom<OrderRow> for StoredOrder {
    type Error = DbError;

    /// Fails only on a row this program cannot have written.
    fn try_from(row: OrderRow) -> Result<Self, DbError> {
        let id = row.order_id;
        let bad = move |what: &'static str| {
            move || DbError::Inconsistent {
                table: "orders",
                what: format!("order {id}: {what}"),
            }
        };
        let state = state_of(&row).ok_or_else(bad("state"))?;
        let chain = chain_of(&row).ok_or_else(bad("refused replace"))?;
        Ok(Self {
            order_id: OrderId::new(row.order_id),
            account_id: AccountId::new(row.account_id),
            client_order_id: ClientOrderId::new(&row.client_order_id)
                .ok()
                .ok_or_else(bad("client_order_id"))?,
            asset_id: AssetId::new(row.asset_id),
            symbol: Symbol::parse(&row.symbol).ok_or_else(bad("symbol"))?,
            side: Side::from_str(&row.side).ok().ok_or_else(bad("side"))?,
            order_type: OrderType::from_str(&row.order_type)
                .ok()
                .ok_or_else(bad("order_type"))?,
            time_in_force: TimeInForce::from_str(&row.time_in_force)
                .ok()
                .ok_or_else(bad("time_in_force"))?,
            limit_price: Price::new(row.limit_price).ok().ok_or_else(bad("limit_price"))?,
            notional: row.notional.map(Money::from_decimal),
            session_date: row.session_date,
            submit_at: row.submit_at,
            expires_at: row.expires_at,
            explicit_expiry: row.explicit_expiry,
            request_id: RequestId::new(&row.request_id)
                .ok()
                .ok_or_else(bad("request_id"))?
                .traced_as(row.trace_context.as_deref()),
            created_at: row.created_at,
            submitted_at: row.submitted_at,
            state,
            posted_cash: Money::from_decimal(row.posted_cash),
            end_reason: row.end_reason,
            venue_order_id: row.venue_order_id.and_then(|text| VenueOrderId::new(&text).ok()),
            acknowledged_at: row.acknowledged_at,
            filled_at: row.filled_at,
            canceled_at: row.canceled_at,
            expired_at: row.expired_at,
            failed_at: row.failed_at,
            cancel_requested_at: row.cancel_requested_at,
            expire_requested_at: row.expire_requested_at,
            chain,
            updated_at: row.updated_at,
        })
    }
}

fn chain_of(row: &OrderRow) -> Option<Chain> {
    let refused = match (row.refused_qty, row.refused_at) {
        (Some(total), Some(at)) => Some(RefusedReplace {
            total: Qty::new(total).ok()?,
            at,
        }),
        _ => None,
    };
    Some(Chain {
        root: row.chain_id.map(OrderId::new),
        replaces: row.replaces.map(OrderId::new),
        replacement: row.replacement_id.map(OrderId::new),
        requested_at: row.replace_requested_at,
        replaced_by: row.replaced_by.map(OrderId::new),
        replaced_at: row.replaced_at,
        overtaken: row.overtaken,
        refused,
    })
}

fn state_of(row: &OrderRow) -> Option<OrderState> {
    let end = match (&row.end_kind, row.end_filled_qty) {
        (Some(kind), Some(count)) => Some((EndKind::from_str(kind).ok()?, Qty::new(count).ok()?)),
        _ => None,
    };
    Some(OrderState {
        status: OrderStatus::from_str(&row.status).ok()?,
        ordered: Qty::new(row.qty).ok()?,
        carried: Qty::new(row.carried_qty).ok()?,
        filled: Qty::new(row.filled_qty).ok()?,
        busted: Qty::new(row.busted_qty).ok()?,
        notional: Money::from_decimal(row.filled_notional),
        end,
        acknowledged: row.acknowledged_at.is_some(),
    })
}
