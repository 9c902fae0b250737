//! The check of queued orders as they are stored: reads what it looks at and asks the executor to reject what may not go.
//!
//! Nothing is rejected here: the wish goes to the executor, which knows whether the order was sent meanwhile.

use std::collections::BTreeMap;

use bus::{Bus, BusError, NewEvent, Topic};
use db::{DbError, PgConnection};
use domain::{AccountId, Price, RequestId, Symbol, Timestamp};
use risk::{InForce, Risk};
use rust_decimal::Decimal;
use sqlx::FromRow;
use uuid::Uuid;
use wire::events::v1;

use super::rule::{Allowed, Collar, Queued, Verdict, check};

/// Checks orders by what is in force.
pub(super) struct Checker {
    collar: Collar,
    risk: Risk,
    asked_by: &'static str,
}

/// Wishes to reject that are in the transaction.
#[must_use = "somebody has to be woken once they are committed"]
pub(super) struct Refused(usize);

impl Refused {
    /// Wakes who reads them, once they are committed.
    pub(super) fn wake(&self, bus: &Bus) {
        if self.0 > 0 {
            bus.wake(Topic::Orders);
        }
    }
}

impl Checker {
    /// With this collar, in the name of this job or loop.
    pub(super) fn new(collar: Collar, asked_by: &'static str) -> Self {
        Checker {
            collar,
            risk: Risk::new(),
            asked_by,
        }
    }

    /// Checks these orders, as far as they wait and nobody wants their end, and asks to reject those that may not go.
    pub(super) async fn refuse(
        &self,
        conn: &mut PgConnection,
        orders: &[Uuid],
        tally: &mut Tally,
    ) -> Result<Refused, BusError> {
        let now = db::database_time(&mut *conn).await?;
        let in_force = self.risk.current(&mut *conn).await?;
        let mut events = Vec::new();
        for row in waiting(&mut *conn, orders).await? {
            events.extend(self.judge(&row, &in_force, now, tally)?);
        }
        bus::append(conn, &events).await?;
        Ok(Refused(events.len()))
    }

    /// The wish to reject it, if it may not be sent.
    fn judge(
        &self,
        row: &Row,
        in_force: &InForce,
        now: Timestamp,
        tally: &mut Tally,
    ) -> Result<Option<NewEvent>, DbError> {
        tally.checked += 1;
        let reason = match check(&queued(row, in_force)?, &self.collar) {
            Verdict::Fine => return Ok(None),
            Verdict::NoReference => {
                *tally.without_reference.entry(row.symbol.clone()).or_default() += 1;
                return Ok(None);
            }
            Verdict::Refused(reason) => reason,
        };
        metrics::counter!("daybook_scheduler_release_rejected_total").increment(1);
        *tally.refused.entry(reason.clone()).or_default() += 1;
        let event = v1::RejectRequested {
            order_id: row.order_id,
            account_id: row.account_id,
            symbol: row.symbol.clone(),
            asked_by: self.asked_by.to_owned(),
            reason,
            requested_at: now,
        };
        let request = RequestId::new(&row.request_id).map_err(|_| inconsistent(row, "its request id"))?;
        let request = request.traced_as(row.trace_context.as_deref());
        Ok(Some(NewEvent::reject_requested(&event, request)))
    }
}

/// What came of a check of queued orders.
#[derive(Debug, Default)]
pub(super) struct Tally {
    checked: usize,
    without_reference: BTreeMap<String, usize>,
    refused: BTreeMap<String, usize>,
}

impl Tally {
    /// What an operator should read of it.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let unmeasured = self
            .without_reference
            .iter()
            .map(|(symbol, orders)| format!("{symbol} was never quoted: {orders} orders go without the collar"));
        let refused = self.refused.iter();
        unmeasured.chain(refused.map(|(why, orders)| format!("{orders} orders are rejected: {why}")))
    }

    /// The same in a line.
    pub(super) fn summary(&self) -> String {
        let refused: usize = self.refused.values().sum();
        format!("{} queued orders checked, {refused} rejected", self.checked)
    }
}

/// A queued order with all that its check looks at, in one row.
#[derive(Debug, FromRow)]
struct Row {
    account_id: Uuid,
    order_id: Uuid,
    symbol: String,
    side: String,
    order_type: String,
    limit_price: Decimal,
    request_id: String,
    trace_context: Option<String>,
    tradable: bool,
    has_account: bool,
    active: bool,
    account_blocked: bool,
    trading_blocked: bool,
    trade_suspended_by_user: bool,
    closing_only: bool,
    reference: Option<Decimal>,
}

fn inconsistent(row: &Row, what: &str) -> DbError {
    DbError::Inconsistent {
        table: "orders",
        what: format!("order {}: {what}", row.order_id),
    }
}

fn queued(row: &Row, in_force: &InForce) -> Result<Queued, DbError> {
    let symbol = Symbol::parse(&row.symbol).ok_or_else(|| inconsistent(row, "its symbol"))?;
    Ok(Queued {
        restricted: in_force.is_restricted(&symbol, AccountId::new(row.account_id)),
        symbol: row.symbol.clone(),
        side: row.side.parse().map_err(|_| inconsistent(row, "its side"))?,
        order_type: row.order_type.parse().map_err(|_| inconsistent(row, "its type"))?,
        limit_price: Price::new(row.limit_price).map_err(|_| inconsistent(row, "its limit"))?,
        account: row.has_account.then_some(Allowed {
            active: row.active,
            blocked: row.account_blocked,
            trading_blocked: row.trading_blocked,
            suspended_by_user: row.trade_suspended_by_user,
            closing_only: row.closing_only,
        }),
        tradable: row.tradable,
        reference: row.reference,
    })
}

/// Those of these orders that wait and nobody wants to end, with what their check looks at. A debit restricts an account like
/// its flag (LED-15); the reference is the midpoint of the last quote, or the side there is.
async fn waiting(conn: &mut PgConnection, orders: &[Uuid]) -> Result<Vec<Row>, DbError> {
    let rows = sqlx::query_as!(
        Row,
        r#"select o.account_id, o.order_id, o.symbol, o.side, o.order_type, o.limit_price, o.request_id,
                  o.trace_context,
                  coalesce(a.tradable and a.status = 'active', false) as "tradable!",
                  c.account_id is not null as "has_account!",
                  coalesce(c.status = 'ACTIVE', false) as "active!",
                  coalesce(c.account_blocked, false) as "account_blocked!",
                  coalesce(c.trading_blocked, false) as "trading_blocked!",
                  coalesce(c.trade_suspended_by_user, false) as "trade_suspended_by_user!",
                  coalesce(c.closing_only, false) or coalesce(m.avail < 0, false) as "closing_only!",
                  coalesce((q.bid + q.ask) * 0.5, q.bid, q.ask) as reference
             from orders o
             left join assets a on a.symbol = o.symbol
             left join last_quotes q on q.symbol = o.symbol
             left join accounts c on c.account_id = o.account_id
             left join ledger_cash m on m.account_id = o.account_id
            where o.order_id = any($1)
              and o.status = 'accepted'
              and o.cancel_requested_at is null
              and o.expire_requested_at is null
            order by o.account_id, o.order_id"#,
        orders,
    );
    Ok(rows.fetch_all(conn).await?)
}
