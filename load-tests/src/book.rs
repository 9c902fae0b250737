//! A book of open orders, written by the crates that own the tables as accepting would have written it, many at once.
//!
//! Orders of the next session, far from being sent. *Withdrawn* ones carry the tombstone that the executor sets before it
//! reports their end, so that a report is all they wait for. *Queued* ones are told to the executor, which files them.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, ensure};
use bus::NewEvent;
use chassis::clock::{SharedClock, SystemClock};
use chassis::ids::{Ids, SystemIds};
use chrono::{Days, TimeDelta};
use db::{PgConnection, PgPool};
use domain::calendar::to_new_york;
use domain::order::{OrderState, StreamEvent};
use domain::{
    AccountId, AssetId, ClientOrderId, Money, OrderId, OrderStatus, OrderType, Price, Qty, RequestId, Side, Symbol,
    TimeInForce, Timestamp,
};
use ledger::rules;
use orders::{NewOrder, NewOrderEvent, Sequence};
use wire::events::v1::{End, Fact, OrderAccepted, VenueReport};

/// Orders a transaction.
const CHUNK: usize = 2_000;
/// Accounts a transaction.
const ACCOUNTS: usize = 100;
/// Where the reports come from.
const VENUE: &str = "exchange-sim";

/// What becomes of the orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The executor took them out of its line.
    Withdrawn,
    /// The executor is to file them.
    Queued,
}

/// One open order, as far as its end needs it.
#[derive(Debug, Clone)]
pub struct Open {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub order: OrderId,
}

/// Writes books.
pub struct Writer {
    clock: SharedClock,
    ids: SystemIds,
    accounts: Vec<AccountId>,
    symbols: Vec<(AssetId, Symbol)>,
    written: u64,
}

impl Writer {
    /// For all accounts and symbols there are.
    ///
    /// # Errors
    /// What the database says.
    pub async fn new(pool: &PgPool) -> anyhow::Result<Self> {
        let clock: SharedClock = Arc::new(SystemClock);
        let accounts: Vec<uuid::Uuid> = sqlx::query_scalar("select account_id from ledger_cash order by account_id")
            .fetch_all(pool)
            .await?;
        let symbols: Vec<(uuid::Uuid, String)> =
            sqlx::query_as("select asset_id, symbol from assets where tradable order by symbol")
                .fetch_all(pool)
                .await?;
        let symbols = symbols
            .into_iter()
            .map(|(id, symbol)| Some((AssetId::new(id), Symbol::parse(&symbol)?)))
            .collect::<Option<Vec<_>>>()
            .context("a symbol that is none")?;
        ensure!(
            !accounts.is_empty() && !symbols.is_empty(),
            "nobody to trade, or nothing"
        );
        Ok(Self {
            ids: SystemIds::new(clock.clone()),
            clock,
            accounts: accounts.into_iter().map(AccountId::new).collect(),
            symbols,
            written: 0,
        })
    }

    /// Writes so many open orders; their accounts take turns in groups.
    ///
    /// # Errors
    /// What the database says.
    pub async fn write(&mut self, pool: &PgPool, kind: Kind, count: usize) -> anyhow::Result<Vec<Open>> {
        let mut open = Vec::with_capacity(count);
        let groups: Vec<Vec<AccountId>> = self.accounts.chunks(ACCOUNTS).map(<[_]>::to_vec).collect();
        for group in groups.iter().cycle() {
            let left = count - open.len();
            if left == 0 {
                break;
            }
            let mut tx = db::begin(pool).await?;
            sqlx::query("set local synchronous_commit = off")
                .execute(&mut *tx)
                .await?;
            open.extend(self.chunk(&mut tx, kind, group, left.min(CHUNK)).await?);
            tx.commit().await?;
        }
        Ok(open)
    }

    async fn chunk(
        &mut self,
        conn: &mut PgConnection,
        kind: Kind,
        group: &[AccountId],
        count: usize,
    ) -> anyhow::Result<Vec<Open>> {
        ledger::lock(conn, group).await?;
        let mut sequences = orders::sequences(conn, group).await?;
        let orders = (0..count)
            .map(|n| self.order(kind, group[n % group.len()], &mut sequences))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let holds = orders.iter().map(hold).collect::<Result<Vec<_>, _>>()?;
        ledger::post(conn, &holds).await?;
        orders::insert(conn, &orders).await?;
        let events: Vec<NewOrderEvent> = orders.iter().map(|order| accepted(order, &mut sequences)).collect();
        orders::append_events(conn, &events).await?;
        orders::store_sequences(conn, &sequences).await?;
        match kind {
            Kind::Queued => bus::append(conn, &orders.iter().map(to_file).collect::<Vec<_>>()).await?,
            Kind::Withdrawn => withdrawn(conn, &orders).await?,
        }
        let open = |order: &NewOrder| Open {
            account: order.account_id,
            order: order.order_id,
        };
        Ok(orders.iter().map(open).collect())
    }

    fn order(
        &mut self,
        kind: Kind,
        account: AccountId,
        sequences: &mut HashMap<AccountId, Sequence>,
    ) -> anyhow::Result<NewOrder> {
        let sequence = sequences.get_mut(&account).context("an account without numbers")?;
        sequence.opened(Money::from_decimal(50.into()));
        let submitted_at = sequence.next_submitted_at(self.clock.now());
        let number = self.written;
        self.written += 1;
        let (asset_id, symbol) = &self.symbols[usize::try_from(number)? % self.symbols.len()];
        let id = self.ids.uuid();
        Ok(NewOrder {
            order_id: OrderId::new(id),
            account_id: account,
            client_order_id: ClientOrderId::new(&format!("book-{number}"))?,
            asset_id: *asset_id,
            symbol: symbol.clone(),
            side: Side::Buy,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Day,
            qty: Qty::parse("1")?,
            limit_price: Price::parse("50.00")?,
            notional: None,
            // Of the calendar that never rests: tomorrow's.
            session_date: to_new_york(submitted_at).date_naive() + Days::new(1),
            submit_at: None,
            expires_at: submitted_at + TimeDelta::days(1),
            explicit_expiry: kind == Kind::Queued,
            request_id: RequestId::new(&format!("book-{number}"))?,
            submitted_at,
            replaces: None,
        })
    }

    /// One report of the end for each of them, in the order given: of one commit, so that they are there at one moment.
    ///
    /// # Errors
    /// What the database says.
    pub async fn report_ends(&self, pool: &PgPool, open: &[Open]) -> anyhow::Result<()> {
        let mut tx = db::begin(pool).await?;
        for chunk in open.chunks(CHUNK) {
            let events = chunk
                .iter()
                .map(|order| self.end_of(order))
                .collect::<anyhow::Result<Vec<_>>>()?;
            bus::append(&mut tx, &events).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    fn end_of(&self, open: &Open) -> anyhow::Result<NewEvent> {
        let now = self.clock.now();
        let report = VenueReport {
            venue: VENUE.to_owned(),
            order_id: open.order.get(),
            account_id: open.account.get(),
            fact: Fact::Ended {
                end: End::Expired,
                filled_qty: Qty::ZERO.get(),
                reason: None,
                at: now,
                replaced_by: None,
            },
            source: "never_sent".to_owned(),
            received_at: now,
        };
        Ok(NewEvent::venue_report(&report, RequestId::new("book")?))
    }
}

fn hold(order: &NewOrder) -> Result<ledger::Transfer, ledger::LedgerError> {
    let terms = rules::Order {
        account: order.account_id,
        order: order.order_id,
        symbol: order.symbol.clone(),
        side: order.side,
        limit_price: order.limit_price,
        strict: false,
    };
    rules::hold(&terms, &OrderState::accepted(order.qty), order.submitted_at)
}

fn accepted(order: &NewOrder, sequences: &mut HashMap<AccountId, Sequence>) -> NewOrderEvent {
    let (seq, at) = sequences
        .entry(order.account_id)
        .or_default()
        .next_event_at(order.submitted_at);
    NewOrderEvent {
        account_id: order.account_id,
        seq,
        order_id: order.order_id,
        event: StreamEvent::Accepted,
        at,
        status: OrderStatus::Accepted,
        filled_qty: Qty::ZERO,
        filled_notional: Money::ZERO,
        execution: None,
        cause: "customer".to_owned(),
        request_id: order.request_id.clone(),
    }
}

fn to_file(order: &NewOrder) -> NewEvent {
    let accepted = OrderAccepted {
        order_id: order.order_id.get(),
        account_id: order.account_id.get(),
        symbol: order.symbol.to_string(),
        side: order.side.to_string(),
        qty: order.qty.get(),
        limit_price: order.limit_price.get(),
        time_in_force: order.time_in_force.to_string(),
        session_date: order.session_date,
        submitted_at: order.submitted_at,
        submit_at: None,
        expires_at: order.deadline(),
    };
    NewEvent::order_accepted(&accepted, order.request_id.clone())
}

/// The executor's own rows, which it would have written before its reports.
async fn withdrawn(conn: &mut PgConnection, orders: &[NewOrder]) -> anyhow::Result<()> {
    let ids: Vec<uuid::Uuid> = orders.iter().map(|order| order.order_id.get()).collect();
    sqlx::query(
        "insert into venue_submissions (order_id, account_id, partition, symbol, request_id, filed_xid, filed_id, state,
                                        updated_at)
         select order_id, account_id, 0, symbol, request_id, 0, 0, 'withdrawn', submitted_at
           from orders
          where order_id = any($1)",
    )
    .bind(&ids)
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes the queued orders due, as the passing of time would.
///
/// # Errors
/// What the database says.
pub async fn let_time_pass(superuser: &PgPool, open: &[Open], now: Timestamp) -> anyhow::Result<()> {
    let ids: Vec<uuid::Uuid> = open.iter().map(|open| open.order.get()).collect();
    for statement in [
        "update orders set expires_at = $2 where order_id = any($1)",
        "update open_orders set expires_at = $2 where order_id = any($1)",
    ] {
        sqlx::query(statement).bind(&ids).bind(now).execute(superuser).await?;
    }
    Ok(())
}
