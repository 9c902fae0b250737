//! Applies batches of `venue-reports`: loads what they may read under the locks, has [`Desk`] decide, writes it all
//! set-based. The runner stores the position and commits in the same transaction.
//!
//! Lock order: orders by id, then accounts by id. What is read under an account's lock is read by a later statement: the
//! one that waited for a lock sees its unlocked neighbours as they were before.

use crate::apply::Desk;
use crate::aside;
use crate::books::{Books, SetAside, Written};
use crate::replace::Forwarded;
use crate::report::{Heard, Report, Unreadable, aside_id, aside_id_raw};
use bus::{Bus, BusError, Event, HandleError, Handler, NewEvent, Topic};
use chassis::clock::SharedClock;
use chrono::TimeDelta;
use db::{DbError, PgConnection};
use domain::{AccountId, Money, OrderId, OrderStatus, RequestId, Symbol, Timestamp, VenueOrderId};
use identity::FlagChange;
use ledger::rules::FeeRates;
use ledger::settlement::BatchError;
use ledger::{BookedTrade, Cause, Transfer, TransferId};
use orders::{KnownFill, Sequence, StoredOrder, VenueExec, WishKind};
use sessions::Sessions;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, info, warn};
use wire::events::v1::{End, Fact, OrderUpdated, VenueReport};

/// The consumer group.
pub const GROUP: &str = "status-updater";

/// How long fee rates are used before they are read again.
const RATES_FRESH: TimeDelta = TimeDelta::seconds(10);

/// The handler behind the runner.
pub struct Applier {
    bus: Bus,
    clock: SharedClock,
    sessions: Sessions,
    /// Fee rates, and when they were read.
    rates: Option<(Arc<FeeRates>, Timestamp)>,
    /// What the batch under way will be told about once it is committed.
    tidings: Tidings,
}

/// What is only said after the commit.
#[derive(Default)]
struct Tidings {
    facts: HashMap<&'static str, u64>,
    /// Statuses that orders left, and how long each had been in its.
    stays: Vec<(OrderStatus, TimeDelta)>,
    /// How long ago the first of them was heard.
    delay: Option<Duration>,
    updates: Vec<(OrderUpdated, RequestId)>,
    aside: Vec<SetAside>,
    indebted: BTreeSet<AccountId>,
    /// Whether the executor was asked for something.
    asked: bool,
}

impl Applier {
    /// A handler on this bus.
    pub fn new(bus: Bus, clock: SharedClock, sessions: Sessions) -> Self {
        Self {
            bus,
            clock,
            sessions,
            rates: None,
            tidings: Tidings::default(),
        }
    }

    async fn apply(&mut self, conn: &mut PgConnection, events: &[Event]) -> Result<(), HandleError> {
        let (reports, unreadable) = read(events)?;
        let rates = self.rates(conn).await?;
        let books = load(conn, &reports, rates).await?;
        // Under the locks, so that what waited for them is not told with a time from before.
        let now = self.clock.now();
        let calendar = self.sessions.calendar();
        let mut desk = Desk::new(books, &calendar, now);
        for report in &reports {
            desk.take(report);
        }
        let Desk { books, mut written, .. } = desk;
        written.aside.extend(unreadable);
        write(conn, &books, &mut written, now).await?;
        self.tidings = Tidings::of(&reports, written, now);
        Ok(())
    }
}

impl Applier {
    /// The fee rates, read again every now and then: one that is added for tomorrow is known by then.
    async fn rates(&mut self, conn: &mut PgConnection) -> Result<Arc<FeeRates>, DbError> {
        let now = self.clock.now();
        if let Some((rates, read_at)) = &self.rates
            && now - *read_at < RATES_FRESH
        {
            return Ok(Arc::clone(rates));
        }
        let rates = Arc::new(ledger::fees::rates(conn).await?);
        self.rates = Some((Arc::clone(&rates), now));
        Ok(rates)
    }
}

impl Handler for Applier {
    async fn handle(&mut self, conn: &mut PgConnection, events: &[Event]) -> Result<(), HandleError> {
        self.apply(conn, events).await
    }

    /// Orders whose time is over: of these ends there may be very many at once.
    fn can_wait(&self, events: &[Event]) -> bool {
        events.iter().all(is_expiry)
    }

    fn word(&self, event: &Event) -> Option<String> {
        let wire: VenueReport = event.decode().ok()?;
        let report = Report::read(&wire, &event.payload).ok()?;
        Some(report.heard.word().to_owned())
    }

    fn committed(&mut self) {
        fail::fail_point!("updater::commit_unknown");
        std::mem::take(&mut self.tidings).tell(&self.bus);
    }

    fn rolled_back(&mut self) {
        self.tidings = Tidings::default();
    }
}

/// The reports in order, and those whose numbers cannot be. A payload of another version is no bad report: it parks.
fn read(events: &[Event]) -> Result<(Vec<Report>, Vec<SetAside>), BusError> {
    let (mut reports, mut unreadable) = (Vec::with_capacity(events.len()), Vec::new());
    for event in events {
        let wire: VenueReport = event.decode()?;
        match Report::read(&wire, &event.payload) {
            Ok(report) => reports.push(report),
            Err(why) => unreadable.push(not_readable(event, wire.account_id, &why)),
        }
    }
    Ok((reports, unreadable))
}

fn is_expiry(event: &Event) -> bool {
    let report = event.decode::<VenueReport>();
    report.is_ok_and(|report| matches!(report.fact, Fact::Ended { end: End::Expired, .. }))
}

fn not_readable(event: &Event, account: uuid::Uuid, why: &Unreadable) -> SetAside {
    SetAside {
        id: aside_id_raw(&event.payload),
        kind: "unreadable",
        order: Some(event.order_id),
        account: (!account.is_nil()).then(|| AccountId::new(account)),
        raw: event.payload.clone(),
        cause: why.to_string(),
    }
}

/// Locks and reads what the reports may touch.
async fn load(conn: &mut PgConnection, reports: &[Report], rates: Arc<FeeRates>) -> Result<Books, DbError> {
    let ids: BTreeSet<OrderId> = reports.iter().map(|report| report.order).collect();
    let named: Vec<(OrderId, VenueOrderId)> = reports.iter().filter_map(Report::successor).collect();
    let orders = orders::lock_chains(conn, &Vec::from_iter(ids), &named).await?;
    let accounts: Vec<AccountId> = BTreeSet::from_iter(orders.values().map(|order| order.account_id))
        .into_iter()
        .collect();
    let cash = ledger::lock(conn, &accounts).await?;
    let sequences = orders::sequences(conn, &accounts).await?;
    let shares = ledger::shares(conn, &pairs(&orders)).await?;
    let mut books = Books {
        orders,
        cash,
        shares,
        sequences,
        rates,
        ..Books::default()
    };
    let executions: Vec<VenueExec> = reports
        .iter()
        .filter_map(|r| r.execution().map(|x| (r.venue.clone(), x.id.clone())))
        .collect();
    if !executions.is_empty() {
        books.fills = orders::known_fills(conn, &executions).await?;
        let ids = executions
            .iter()
            .flat_map(|(venue, id)| ["fill", "bust"].map(|kind| aside_id(kind, venue, id)));
        books.aside = aside::known(conn, &Vec::from_iter(ids)).await?;
        books.decided = aside::decided(conn, &Vec::from_iter(books.aside.keys().copied())).await?;
        books.trades = standing_trades(conn, reports, &books.fills).await?;
        books.too_much = aside::too_much(conn, &busted_orders(reports)).await?;
    }
    Ok(books)
}

fn pairs(orders: &HashMap<OrderId, StoredOrder>) -> Vec<(AccountId, Symbol)> {
    BTreeSet::from_iter(orders.values().map(|order| (order.account_id, order.symbol.clone())))
        .into_iter()
        .collect()
}

/// The trades that the batch's busts and corrections take back: of each execution the one booked last.
async fn standing_trades(
    conn: &mut PgConnection,
    reports: &[Report],
    fills: &HashMap<VenueExec, KnownFill>,
) -> Result<HashMap<VenueExec, BookedTrade>, DbError> {
    let mut bookings: Vec<(TransferId, VenueExec)> = Vec::new();
    for report in reports {
        let (Heard::Busted(execution) | Heard::Corrected(execution)) = &report.heard else {
            continue;
        };
        let key = (report.venue.clone(), execution.id.clone());
        let corrections = fills.get(&key).map_or(0, |fill| fill.corrections);
        bookings.extend((0..=corrections).map(|nth| (booking(&key, nth), key.clone())));
    }
    let ids: Vec<TransferId> = bookings.iter().map(|(id, _)| *id).collect();
    let booked = ledger::booked_trades(conn, &ids).await?;
    // In the order of the corrections: the last one stands.
    let standing = bookings
        .into_iter()
        .filter_map(|(id, key)| Some((key, *booked.get(&id)?)));
    Ok(standing.collect())
}

/// The transfer that booked an execution first, or anew by its nth correction.
fn booking((venue, exec_id): &VenueExec, nth: i32) -> TransferId {
    let (venue, exec_id) = (venue.clone(), exec_id.clone());
    TransferId::of(&match nth {
        0 => Cause::Fill { venue, exec_id },
        _ => Cause::Corrected {
            venue,
            exec_id,
            nth,
            anew: true,
        },
    })
}

fn busted_orders(reports: &[Report]) -> Vec<OrderId> {
    let busts = reports.iter().filter(|report| matches!(report.heard, Heard::Busted(_)));
    BTreeSet::from_iter(busts.map(|report| report.order))
        .into_iter()
        .collect()
}

/// Of trades that were taken back.
async fn give_fees_back(conn: &mut PgConnection, transfers: &[Transfer], now: Timestamp) -> Result<(), HandleError> {
    let reversals = transfers
        .iter()
        .filter(|transfer| transfer.trade.as_ref().is_some_and(|trade| trade.reversal));
    let accounts = BTreeSet::from_iter(reversals.filter_map(|transfer| transfer.account));
    let given = ledger::fees::give_back(conn, &Vec::from_iter(accounts), now).await;
    given.map_err(|error| match error {
        BatchError::Db(error) => HandleError::Db(error),
        BatchError::Ledger(error) => HandleError::Failed(Box::new(error)),
    })
}

/// Writes everything, each table by few statements.
async fn write(
    conn: &mut PgConnection,
    books: &Books,
    written: &mut Written,
    now: Timestamp,
) -> Result<(), HandleError> {
    aside::insert(conn, &written.aside, now).await?;
    aside::resolve(conn, &written.resolved, now).await?;
    // One that another applier booked for another order at this moment: decided anew, it contradicts what is there.
    if orders::insert_fills(conn, &written.fills).await?.len() != written.fills.len() {
        return Err(DbError::Stale.into());
    }
    orders::mark_busted(conn, &written.busted).await?;
    orders::correct_fills(conn, &written.corrected).await?;
    fail::fail_point!("updater::tx_fill_made");
    ledger::post(conn, &written.transfers).await?;
    fail::fail_point!("updater::tx_ledger_made");
    give_fees_back(conn, &written.transfers, now).await?;
    if !written.indebted.is_empty() {
        // What a later report of the batch made good, or a fee that came back, was never owed.
        let cash = ledger::lock(conn, &Vec::from_iter(written.indebted.iter().copied())).await?;
        let owes = |account: &AccountId| cash.get(account).is_some_and(|cash| cash.avail < Money::ZERO);
        written.indebted.retain(owes);
    }
    for account in &written.indebted {
        let closing_only = FlagChange {
            closing_only: Some(true),
            ..FlagChange::default()
        };
        identity::accounts::set_flags(conn, *account, closing_only).await?;
    }
    fail::fail_point!("updater::tx_position_made");
    orders::advance(conn, &moved(books, written)).await?;
    orders::clear_cancel_wishes(conn, &Vec::from_iter(written.wishes_refused.iter().copied()), now).await?;
    if !written.wishes_forwarded.is_empty() {
        let forwarded = Vec::from_iter(written.wishes_forwarded.iter().copied());
        orders::wish_to_end(conn, &forwarded, WishKind::Withdraw, now).await?;
    }
    orders::append_events(conn, &written.events).await?;
    let numbers = written
        .sequenced
        .iter()
        .filter_map(|account| Some((*account, *books.sequences.get(account)?)));
    let numbers: HashMap<AccountId, Sequence> = numbers.collect();
    if !numbers.is_empty() {
        orders::store_sequences(conn, &numbers).await?;
    }
    let updates = written
        .updates
        .iter()
        .map(|(update, request)| NewEvent::order_updated(update, request.clone()));
    let events: Vec<NewEvent> = updates.chain(written.forwarded.iter().map(Forwarded::event)).collect();
    Ok(bus::append(conn, &events).await?)
}

fn moved(books: &Books, written: &Written) -> Vec<StoredOrder> {
    written
        .moved
        .iter()
        .filter_map(|id| books.orders.get(id).cloned())
        .collect()
}

impl Tidings {
    fn of(reports: &[Report], written: Written, now: Timestamp) -> Self {
        let mut facts = HashMap::new();
        for report in reports {
            *facts.entry(report.heard.word()).or_default() += 1;
        }
        let delay = reports.iter().map(|report| now - report.received_at).max();
        Self {
            facts,
            stays: written.stays,
            delay: delay.and_then(|delay| delay.to_std().ok()),
            updates: written.updates,
            aside: written.aside,
            indebted: written.indebted,
            asked: !written.forwarded.is_empty(),
        }
    }

    fn tell(self, bus: &Bus) {
        if !self.updates.is_empty() {
            bus.wake(Topic::OrderUpdates);
        }
        if self.asked {
            bus.wake(Topic::Orders);
        }
        for (update, request) in &self.updates {
            let (order, event) = (update.order_id, update.event.as_str());
            info!(order.id = %order, account.id = %update.account_id, request.id = %request, event, "order {order}: {event}");
        }
        if let Some(delay) = self.delay {
            metrics::histogram!("daybook_status_updater_delay_seconds").record(delay);
        }
        for (status, stay) in self.stays {
            // A clock that was set back makes it less than nothing.
            let stay = stay.to_std().unwrap_or_default();
            metrics::histogram!("daybook_status_updater_state_age_seconds", "status" => status.as_str()).record(stay);
        }
        for (fact, count) in self.facts {
            metrics::counter!("daybook_status_updater_reports_total", "fact" => fact).increment(count);
        }
        for report in self.aside {
            metrics::counter!("daybook_status_updater_set_aside_total", "kind" => report.kind).increment(1);
            let order = report.order.map(|order| order.to_string()).unwrap_or_default();
            error!(order.id = order, report.id = %report.id, kind = report.kind, "a report was set aside: {}", report.cause);
        }
        for account in self.indebted {
            metrics::counter!("daybook_status_updater_indebted_total").increment(1);
            warn!(account.id = %account, "a late execution or bust left account {account} below zero: it may only close");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bus::Position;
    use uuid::Uuid;

    fn event(fact: Fact) -> Event {
        let at = Timestamp::UNIX_EPOCH;
        let report = VenueReport {
            venue: "venue".to_owned(),
            order_id: Uuid::from_u128(1),
            account_id: Uuid::from_u128(2),
            fact,
            source: "stream".to_owned(),
            received_at: at,
        };
        let new = NewEvent::venue_report(&report, RequestId::new("r-1").expect("a short text"));
        Event {
            topic: new.topic,
            partition: 0,
            position: Position::default(),
            order_id: new.order_id,
            kind: new.kind.to_owned(),
            payload: new.payload,
            request_id: new.request_id,
            created_at: at,
        }
    }

    fn ended(end: End) -> Event {
        event(Fact::Ended {
            end,
            filled_qty: rust_decimal::Decimal::ZERO,
            reason: None,
            at: Timestamp::UNIX_EPOCH,
            replaced_by: None,
        })
    }

    #[test]
    fn of_reports_only_the_end_of_an_order_whose_time_is_over_can_wait() {
        assert!(is_expiry(&ended(End::Expired)));
        for pressing in [ended(End::Canceled), ended(End::Rejected), event(Fact::DoneForDay)] {
            assert!(!is_expiry(&pressing), "{}", pressing.payload);
        }
    }
}
