//! Kill switches that end what is open (RSK-6, `block_new_and_cancel_all`): the wish to cancel every open order of what they
//! stop, with its event, batch by batch.
//!
//! What was asked is in the orders themselves, so a process that dies goes on by looking again. Orders that were accepted in
//! the moment the switch was set, or whose cancel the exchange refused, are found by the next round, as long as the switch is
//! in force. Nothing is ended here: the executor cancels at the venue, or does not send at all.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bus::{BusError, NamedLease, NewEvent, Topic};
use chassis::step::{Progress, Step, StepError};
use chrono::TimeDelta;
use db::{DbError, PgConnection};
use domain::order::{StreamEvent, Wish};
use domain::{AccountId, OrderId, OrderStatus, Timestamp};
use orders::{NewOrderEvent, StoredOrder, WishKind};
use risk::{Mode, Switch, Target};
use tracing::info;
use uuid::Uuid;
use wire::events::v1;

use crate::Deps;
use crate::expiry::Place;

/// Who asks, in messages.
const ASKED_BY: &str = "kill-switch";
/// From the beginning of one round to the next.
const ROUND: TimeDelta = TimeDelta::seconds(5);

/// How kill switches are followed.
#[derive(Debug, Clone)]
pub struct Settings {
    /// From one look at the switches to the next.
    pub every: Duration,
    /// Open orders of one look, wanted or not.
    pub page: i64,
    /// Orders of one transaction.
    pub batch: usize,
    /// The exchange that orders go to, by its name.
    pub venue: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            every: Duration::from_millis(500),
            page: 5_000,
            batch: 250,
            venue: "exchange".to_owned(),
        }
    }
}

/// The loop, one page of one switch a step. One process at a time.
pub struct KillCancels<V> {
    settings: Settings,
    deps: Arc<Deps<V>>,
    lease: NamedLease,
    rounds: HashMap<Uuid, Round>,
}

/// One switch's round over the open orders.
#[derive(Debug, Clone, Copy)]
struct Round {
    begun_at: Timestamp,
    /// The last one looked at; none: from the beginning.
    after: Option<Place>,
    over: bool,
}

impl<V> KillCancels<V> {
    /// A loop that has looked at nothing yet.
    pub fn new(settings: Settings, deps: Arc<Deps<V>>) -> Self {
        let lease = deps.bus.lease("scheduler-kill-switches");
        KillCancels {
            settings,
            deps,
            lease,
            rounds: HashMap::new(),
        }
    }

    /// The switches that end what is open, here.
    async fn switches(&self, conn: &mut PgConnection) -> Result<Vec<Switch>, DbError> {
        let ends = |switch: &Switch| match &switch.target {
            _ if switch.mode != Mode::BlockNewAndCancelAll => false,
            Target::Venue(name) => *name == self.settings.venue,
            Target::Symbol(_) | Target::Account(_) | Target::Firm => true,
        };
        Ok(risk::desk::switches(conn, false)
            .await?
            .into_iter()
            .filter(ends)
            .collect())
    }

    /// The round of a switch that has something left to look at now.
    fn round(&mut self, switch: &Switch, now: Timestamp) -> Option<Round> {
        let fresh = Round {
            begun_at: now,
            after: None,
            over: false,
        };
        let round = self.rounds.entry(switch.switch_id).or_insert(fresh);
        if round.over && (now - round.begun_at >= ROUND || now < round.begun_at) {
            *round = fresh;
        }
        (!round.over).then_some(*round)
    }

    /// One page of a switch's round.
    async fn page(&mut self, switch: &Switch, round: Round) -> Result<(), StepError> {
        let mut conn = self.deps.pool.acquire().await?;
        let seen = open(&mut conn, &switch.target, round.after, self.settings.page).await?;
        drop(conn);
        let wanted: Vec<OrderId> = seen
            .iter()
            .filter(|seen| seen.wanted)
            .map(|seen| OrderId::new(seen.place.order_id))
            .collect();
        let mut asked = 0;
        for batch in wanted.chunks(self.settings.batch) {
            asked += self.ask(switch, batch).await?;
        }
        if asked > 0 {
            self.deps.bus.wake(Topic::Orders);
            self.deps.bus.wake(Topic::OrderUpdates);
            metrics::counter!("daybook_scheduler_kill_cancels_asked_total")
                .increment(u64::try_from(asked).unwrap_or(u64::MAX));
            info!(switch = %switch.target, orders = asked, "asked for the end of {asked} orders: kill switch, {}", switch.target);
        }
        let next = Round {
            after: seen.last().map(|seen| seen.place).or(round.after),
            over: seen.is_empty(),
            ..round
        };
        self.rounds.insert(switch.switch_id, next);
        Ok(())
    }

    /// One transaction: orders by id, then accounts by id; the wishes, their events and messages, or nothing.
    async fn ask(&self, switch: &Switch, batch: &[OrderId]) -> Result<usize, StepError> {
        let mut tx = db::begin(&self.deps.pool).await?;
        self.lease.check(&mut tx).await?;
        let now = db::database_time(&mut tx).await?;
        let stored = orders::lock(&mut tx, batch).await?;
        let open = |order: &&StoredOrder| order.state.status.is_open() && order.wish() != Some(Wish::Cancel);
        let orders: Vec<&StoredOrder> = batch.iter().filter_map(|id| stored.get(id)).filter(open).collect();
        if orders.is_empty() {
            tx.rollback().await?;
            return Ok(0);
        }
        wish(&mut tx, &orders, &format!("kill switch: {}", switch.target), now).await?;
        tx.commit().await?;
        Ok(orders.len())
    }
}

impl<V: venue::Venue> Step for KillCancels<V> {
    fn name(&self) -> &'static str {
        "scheduler-kill-switches"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        if !self.lease.keep().await? {
            self.rounds.clear();
            return Ok(Progress::Idle);
        }
        let mut conn = self.deps.pool.acquire().await?;
        let switches = self.switches(&mut conn).await?;
        let now = db::database_time(&mut conn).await?;
        drop(conn);
        self.rounds
            .retain(|id, _| switches.iter().any(|switch| switch.switch_id == *id));
        let mut progress = Progress::Idle;
        for switch in switches {
            if let Some(round) = self.round(&switch, now) {
                self.page(&switch, round).await?;
                progress = Progress::Worked;
            }
        }
        Ok(progress)
    }
}

/// Records the wishes under the orders' locks, as if each customer had asked.
async fn wish(conn: &mut PgConnection, orders: &[&StoredOrder], cause: &str, now: Timestamp) -> Result<(), StepError> {
    let accounts: BTreeSet<AccountId> = orders.iter().map(|order| order.account_id).collect();
    let accounts: Vec<AccountId> = accounts.into_iter().collect();
    ledger::lock(conn, &accounts).await?;
    let mut sequences = orders::sequences(conn, &accounts).await?;
    let ids: Vec<OrderId> = orders.iter().map(|order| order.order_id).collect();
    orders::wish_to_end(conn, &ids, WishKind::Withdraw, now).await?;
    let mut events = Vec::with_capacity(orders.len());
    let mut messages = Vec::with_capacity(orders.len() * 2);
    for order in orders {
        let sequence = sequences.get_mut(&order.account_id);
        let numbers = sequence.ok_or(DbError::Stale)?.next_event_at(now);
        let event = pending_cancel(order, cause, numbers);
        messages.extend(told(order, &event));
        events.push(event);
    }
    orders::append_events(conn, &events).await?;
    orders::store_sequences(conn, &sequences).await?;
    let appended: Result<(), BusError> = bus::append(conn, &messages).await;
    Ok(appended?)
}

fn pending_cancel(order: &StoredOrder, cause: &str, (seq, at): (i64, Timestamp)) -> NewOrderEvent {
    NewOrderEvent {
        account_id: order.account_id,
        seq,
        order_id: order.order_id,
        event: StreamEvent::PendingCancel,
        at,
        status: OrderStatus::PendingCancel,
        filled_qty: order.state.filled,
        filled_notional: order.state.notional,
        execution: None,
        cause: cause.to_owned(),
        request_id: order.request_id.clone(),
    }
}

fn told(order: &StoredOrder, event: &NewOrderEvent) -> [NewEvent; 2] {
    let request = v1::CancelRequested {
        order_id: order.order_id.get(),
        account_id: order.account_id.get(),
        symbol: order.symbol.to_string(),
        asked_by: ASKED_BY.to_owned(),
        requested_at: event.at,
    };
    let updated = v1::OrderUpdated {
        order_id: order.order_id.get(),
        account_id: order.account_id.get(),
        seq: event.seq,
        event: event.event.to_string(),
    };
    [
        NewEvent::cancel_requested(&request, order.request_id.clone()),
        NewEvent::order_updated(&updated, order.request_id.clone()),
    ]
}

/// An open order of a page.
struct Seen {
    place: Place,
    /// It is of what the switch stops, and nobody asked for its end yet.
    wanted: bool,
}

/// A page of open orders in the order of their key, which bounds each statement however few of them are wanted.
async fn open(
    conn: &mut PgConnection,
    target: &Target,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Seen>, DbError> {
    let symbol = match target {
        Target::Symbol(symbol) => Some(symbol.to_string()),
        _ => None,
    };
    let (first, last) = match target {
        Target::Account(account) => (account.get(), account.get()),
        _ => (Uuid::nil(), Uuid::max()),
    };
    let (account, order) = after.map_or((first, Uuid::nil()), |place| (place.account_id, place.order_id));
    let rows = sqlx::query!(
        r#"select p.account_id, p.order_id, o.order_id is not null and o.cancel_requested_at is null as "wanted!"
             from (select account_id, order_id, symbol
                     from open_orders
                    where (account_id, order_id) > ($1, $2)
                      and account_id <= $3
                    order by account_id, order_id
                    limit $4) p
             left join orders o on o.order_id = p.order_id
                               and ($5::text is null or p.symbol = $5)
            order by p.account_id, p.order_id"#,
        account,
        order,
        last,
        limit,
        symbol,
    )
    .fetch_all(conn)
    .await?;
    let seen = rows.into_iter().map(|row| Seen {
        place: Place {
            account_id: row.account_id,
            order_id: row.order_id,
        },
        wanted: row.wanted,
    });
    Ok(seen.collect())
}
