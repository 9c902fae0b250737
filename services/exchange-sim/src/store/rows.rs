//! Rows as they are stored.

use std::str::FromStr;
use std::sync::Arc;

use db::DbError;
use domain::order::StreamEvent;
use domain::{OrderStatus, Side, TimeInForce, Timestamp};
use rust_decimal::Decimal;

use crate::core::{Shares, Ticks};

/// An order, with everything about it.
#[derive(Debug, Clone)]
pub struct OrderRow {
    /// Its number.
    pub no: i64,
    /// The caller's own name for it.
    pub client_order_id: Arc<str>,
    /// The ticker.
    pub symbol: Arc<str>,
    /// Buy or sell.
    pub side: Side,
    /// How long it works.
    pub time_in_force: TimeInForce,
    /// The worst price a share may trade at.
    pub limit: Ticks,
    /// Shares asked for.
    pub qty: Shares,
    /// Shares traded, busted ones left out.
    pub filled_qty: Shares,
    /// What the live executions cost together, in dollars.
    pub filled_amount: Decimal,
    /// Shares of executions that were taken back.
    pub busted_qty: Shares,
    /// Where it stands.
    pub status: OrderStatus,
    /// When it came in; unique and growing.
    pub submitted_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was filled, canceled, expired or rejected.
    pub ended_at: Option<Timestamp>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Shares that the orders before it in its chain traded; part of `qty`, not of `filled_qty`.
    pub carried_qty: Shares,
    /// The number of the order whose place it takes.
    pub replaces: Option<i64>,
    /// The number of the order that took its place.
    pub replaced_by: Option<i64>,
}

impl OrderRow {
    /// Shares that could still trade.
    pub fn leaves(&self) -> Shares {
        if self.status.is_open() {
            self.untraded()
        } else {
            Shares::ZERO
        }
    }

    /// Shares that never traded, whether the order is over or not.
    pub fn untraded(&self) -> Shares {
        self.qty - self.carried_qty - self.filled_qty - self.busted_qty
    }

    /// The order as it was after `event`.
    #[must_use]
    pub fn as_of(&self, event: &EventRow) -> Self {
        Self {
            status: event.status,
            filled_qty: event.filled_qty,
            filled_amount: event.filled_amount,
            updated_at: event.at,
            ended_at: self.ended_at.filter(|at| *at <= event.at),
            replaced_by: self.replaced_by.filter(|_| event.status == OrderStatus::Replaced),
            ..self.clone()
        }
    }
}

/// One execution of one order.
#[derive(Debug, Clone)]
pub struct ExecutionRow {
    /// Its number.
    pub no: i64,
    /// The order's number.
    pub order_no: i64,
    /// Dollars a share.
    pub price: Ticks,
    /// Shares.
    pub qty: Shares,
    /// Shares of the order traded with it.
    pub cum_qty: Shares,
    /// Shares of the order left after it.
    pub leaves_qty: Shares,
    /// When.
    pub at: Timestamp,
    /// When it was taken back, if it was.
    pub busted_at: Option<Timestamp>,
}

/// The execution an event tells of.
#[derive(Debug, Clone, Copy)]
pub struct EventExecution {
    /// Its number.
    pub no: i64,
    /// Dollars a share.
    pub price: Ticks,
    /// Shares.
    pub qty: Shares,
    /// When it happened, if the report came late.
    pub executed_at: Option<Timestamp>,
}

/// One entry of the report stream.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Its place in the stream: 1, 2, 3 and so on.
    pub no: i64,
    /// The order's number.
    pub order_no: i64,
    /// What happened.
    pub event: StreamEvent,
    /// The order's status after it.
    pub status: OrderStatus,
    /// Shares traded after it.
    pub filled_qty: Shares,
    /// Price times quantity after it.
    pub filled_amount: Decimal,
    /// The execution, on fills and busts.
    pub execution: Option<EventExecution>,
    /// Why, for a person.
    pub reason: Option<Arc<str>>,
    /// When.
    pub at: Timestamp,
}

/// An order as the database gives it.
#[derive(Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of sim_orders; OrderRow explains them")]
pub struct OrderRecord {
    pub order_no: i64,
    pub client_order_id: String,
    pub symbol: String,
    pub side: String,
    pub time_in_force: String,
    pub limit_ticks: i64,
    pub qty: i64,
    pub filled_qty: i64,
    pub filled_amount: Decimal,
    pub busted_qty: i64,
    pub status: String,
    pub submitted_at: Timestamp,
    pub updated_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub carried_qty: i64,
    pub replaces: Option<i64>,
    pub replaced_by: Option<i64>,
}

impl TryFrom<OrderRecord> for OrderRow {
    type Error = DbError;

    fn try_from(r: OrderRecord) -> Result<Self, DbError> {
        Ok(Self {
            side: word("sim_orders", &r.side)?,
            time_in_force: word("sim_orders", &r.time_in_force)?,
            status: word("sim_orders", &r.status)?,
            no: r.order_no,
            client_order_id: r.client_order_id.into(),
            symbol: r.symbol.into(),
            limit: Ticks(r.limit_ticks),
            qty: Shares(r.qty),
            filled_qty: Shares(r.filled_qty),
            filled_amount: r.filled_amount,
            busted_qty: Shares(r.busted_qty),
            submitted_at: r.submitted_at,
            updated_at: r.updated_at,
            ended_at: r.ended_at,
            expires_at: r.expires_at,
            carried_qty: Shares(r.carried_qty),
            replaces: r.replaces,
            replaced_by: r.replaced_by,
        })
    }
}

/// Reads a stored word of a vocabulary.
pub(super) fn word<T: FromStr>(table: &'static str, text: &str) -> Result<T, DbError> {
    text.parse().map_err(|_| DbError::Inconsistent {
        table,
        what: format!("unknown word {text:?}"),
    })
}
