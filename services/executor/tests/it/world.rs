//! A brokerage of one executor: database, log, venue and clock, and the words the tests are written in.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusSettings, NewEvent, Topic};
use chassis::clock::{Clock, ManualClock};
use chassis::ids::SharedIds;
use chassis::step::{Progress, Step};
use domain::calendar::Calendar;
use domain::order::EndKind;
use domain::{OrderId, RequestId, Symbol};
use executor::{Config, Deps, Executor};
use rust_decimal::{Decimal, dec};
use sessions::Sessions;
use testkit::TestDb;
use uuid::Uuid;
use venue::VenueStatus;
use venue::fake::{Act, CallKind, FakeVenue};
use wire::events::v1::{
    CancelRequested, End, Fact, LookUpRequested, OrderAccepted, RejectRequested, ReplaceRequested, VenueReport,
};

pub const SYMBOLS: [&str; 4] = ["AAPL", "MSFT", "TSLA", "F"];

pub struct World {
    pub db: TestDb,
    pub venue: FakeVenue,
    pub clock: Arc<ManualClock>,
    pub ids: SharedIds,
    pub config: Config,
    pub sessions: Sessions,
    pub bus: BusSettings,
}

impl World {
    pub async fn new() -> Self {
        let clock = testkit::clock();
        let symbols = SYMBOLS.map(|symbol| Symbol::parse(symbol).unwrap());
        let (venue, ids) = (FakeVenue::new(clock.clone(), &symbols), testkit::ids(1));
        let sessions = Sessions::fixed(Calendar::nyse());
        World {
            db: TestDb::new().await,
            venue,
            clock,
            ids,
            config: Config::default(),
            sessions,
            bus: BusSettings::default(),
        }
    }

    /// A world with an executor in it.
    pub async fn started() -> (Self, Executor<FakeVenue>) {
        let world = World::new().await;
        let executor = world.executor();
        (world, executor)
    }

    /// An order that the venue has.
    pub async fn working(&self, executor: &mut Executor<FakeVenue>, symbol: &str) -> OrderId {
        let order = self.place(symbol).await;
        settle(executor).await;
        assert_eq!(self.row(order).await, "working/1/none");
        order
    }

    /// An order that the venue has, and whose answer was lost.
    pub async fn in_doubt(&self, executor: &mut Executor<FakeVenue>, symbol: &str) -> OrderId {
        self.venue.script(CallKind::Submit, [Act::LoseAnswer]);
        let order = self.place(symbol).await;
        settle(executor).await;
        assert_eq!(self.row(order).await, "in_doubt/1/none");
        order
    }

    pub fn is_canceled(&self, order: OrderId) -> bool {
        let canceled = VenueStatus::Ended(EndKind::Canceled);
        self.venue.shown(order).is_some_and(|view| view.status == canceled)
    }

    /// A process that takes part: an executor with a bus of its own.
    pub fn executor(&self) -> Executor<FakeVenue> {
        let pool = self.db.pool.clone();
        let bus = Bus::new(pool.clone(), self.ids.clone(), self.bus);
        let (venue, clock, ids) = (Arc::new(self.venue.clone()), self.clock.clone(), self.ids.clone());
        Executor::new(
            self.config.clone(),
            Deps {
                pool,
                bus,
                venue,
                clock,
                ids,
                sessions: self.sessions.clone(),
            },
        )
    }

    pub fn order(&self, symbol: &str) -> OrderAccepted {
        OrderAccepted {
            order_id: self.ids.uuid(),
            account_id: self.ids.uuid(),
            symbol: symbol.to_owned(),
            side: "buy".to_owned(),
            qty: dec!(10),
            limit_price: dec!(50.25),
            time_in_force: "day".to_owned(),
            session_date: "2026-11-23".parse().unwrap(),
            submitted_at: self.clock.now(),
            submit_at: None,
            expires_at: None,
        }
    }

    /// One accepted order of this symbol, on the log.
    pub async fn place(&self, symbol: &str) -> OrderId {
        self.put(&[self.order(symbol)]).await[0]
    }

    /// Accepted orders of these symbols, in this order; the log has all of them at the same moment.
    pub async fn place_many(&self, symbols: &[&str]) -> Vec<OrderId> {
        let orders: Vec<OrderAccepted> = symbols.iter().map(|symbol| self.order(symbol)).collect();
        self.put(&orders).await
    }

    pub fn accepted(&self, order: &OrderAccepted) -> NewEvent {
        NewEvent::order_accepted(order, request())
    }

    pub fn replacement(&self, requested: &ReplaceRequested) -> NewEvent {
        NewEvent::replace_requested(requested, request())
    }

    /// One accepted order for AAPL with changed terms.
    pub async fn place_with(&self, change: impl FnOnce(OrderAccepted) -> OrderAccepted) -> OrderId {
        self.put(&[change(self.order("AAPL"))]).await[0]
    }

    pub async fn put(&self, orders: &[OrderAccepted]) -> Vec<OrderId> {
        let events: Vec<NewEvent> = orders.iter().map(|order| self.accepted(order)).collect();
        self.append(&events).await;
        orders.iter().map(|order| OrderId::new(order.order_id)).collect()
    }

    /// A customer's wish to end an order.
    pub async fn cancel(&self, order: OrderId, symbol: &str) {
        self.append(&[self.cancel_of(order, symbol)]).await;
    }

    pub fn cancel_of(&self, order: OrderId, symbol: &str) -> NewEvent {
        let event = CancelRequested {
            order_id: order.get(),
            account_id: Uuid::from_u128(1),
            symbol: symbol.to_owned(),
            asked_by: "customer".to_owned(),
            requested_at: self.clock.now(),
        };
        NewEvent::cancel_requested(&event, request())
    }

    /// A job's word that an order may not be sent.
    pub async fn reject(&self, order: OrderId, symbol: &str, reason: &str) {
        let event = RejectRequested {
            order_id: order.get(),
            account_id: Uuid::from_u128(1),
            symbol: symbol.to_owned(),
            asked_by: "release".to_owned(),
            reason: reason.to_owned(),
            requested_at: self.clock.now(),
        };
        self.append(&[NewEvent::reject_requested(&event, request())]).await;
    }

    /// A job's doubt about an order.
    pub async fn ask(&self, order: OrderId, symbol: &str) {
        let look_up = LookUpRequested {
            order_id: order.get(),
            account_id: Uuid::from_u128(1),
            symbol: symbol.to_owned(),
            asked_by: "sweep".to_owned(),
            why: "a test".to_owned(),
            requested_at: self.clock.now(),
        };
        let event = NewEvent::look_up_requested(&look_up, request());
        self.append(&[event]).await;
    }

    pub async fn append(&self, events: &[NewEvent]) {
        let mut tx = db::begin(&self.db.pool).await.unwrap();
        bus::append(&mut tx, events).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// All facts reported about an order, in order, each with its source.
    pub async fn reports(&self, order: OrderId) -> Vec<(Fact, String)> {
        let payloads: Vec<String> =
            sqlx::query_scalar("select payload from outbox where topic = $1 and order_id = $2 order by xid, id")
                .bind(Topic::VenueReports.as_str())
                .bind(order.get())
                .fetch_all(&self.db.pool)
                .await
                .unwrap();
        let read = |payload: &String| serde_json::from_str::<VenueReport>(payload).unwrap();
        payloads
            .iter()
            .map(read)
            .map(|report| (report.fact, report.source))
            .collect()
    }

    /// The reports in short: `in_doubt, acknowledged@lookup, canceled 0@saga`.
    pub async fn told(&self, order: OrderId) -> String {
        let reports = self.reports(order).await;
        reports
            .iter()
            .map(|(fact, source)| format!("{}@{source}", word(fact)))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The reason in the last report about an order.
    pub async fn reason(&self, order: OrderId) -> Option<String> {
        match self.reports(order).await.pop()?.0 {
            Fact::Ended { reason, .. } => reason,
            Fact::CancelRefused { reason } => Some(reason),
            _ => None,
        }
    }

    /// `state/attempts/cancel_state` of the stored row.
    pub async fn row(&self, order: OrderId) -> String {
        sqlx::query_scalar(
            "select state || '/' || attempts || '/' || cancel_state from venue_submissions where order_id = $1",
        )
        .bind(order.get())
        .fetch_one(&self.db.pool)
        .await
        .unwrap()
    }

    pub async fn open_rows(&self) -> i64 {
        sqlx::query_scalar("select count(*) from venue_open_submissions")
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    /// Moves the executor's clock.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Moves the database's clock, by which leases run out.
    pub async fn leases_run_out(&self) {
        let moved = "update db_clock set clock_offset = clock_offset + interval '1 minute'";
        sqlx::query(moved).execute(&self.db.pool).await.unwrap();
    }
}

fn request() -> RequestId {
    RequestId::new("test-request").unwrap()
}

fn word(fact: &Fact) -> String {
    match fact {
        Fact::InDoubt => "in_doubt".to_owned(),
        Fact::Acknowledged { .. } => "acknowledged".to_owned(),
        Fact::Ended { end, filled_qty, .. } => {
            let end = match end {
                End::Canceled => "canceled",
                End::Expired => "expired",
                End::Rejected => "rejected",
                End::Replaced => "replaced",
            };
            format!("{end} {}", filled_qty.normalize())
        }
        Fact::Completed { filled_qty, .. } => format!("completed {}", filled_qty.normalize()),
        Fact::CancelRefused { .. } => "cancel_refused".to_owned(),
        Fact::ReplaceRefused { .. } => "replace_refused".to_owned(),
        Fact::Filled { .. }
        | Fact::Unmatched { .. }
        | Fact::Busted { .. }
        | Fact::Corrected { .. }
        | Fact::DoneForDay
        | Fact::Resumed => "not the executor's word".to_owned(),
    }
}

/// What a step says that finds only events above the log's horizon.
const HELD_BACK: Duration = Duration::from_millis(1);
/// Steps of a test in which nothing comes to rest; far more than any of them needs.
const TOO_MANY: usize = 20_000;

/// Steps and waits for the venue's answers until nothing is left to do at this time.
pub async fn settle(executor: &mut Executor<FakeVenue>) {
    let mut quiet = 0;
    for _ in 0..TOO_MANY {
        let progress = executor.step().await.unwrap();
        executor.calls_settled().await;
        quiet = if rests(progress).await { quiet + 1 } else { 0 };
        if quiet == 2 {
            return;
        }
    }
    panic!("it does not come to rest");
}

/// Steps without waiting for answers: for a venue that is paused.
pub async fn steps(executor: &mut Executor<FakeVenue>) {
    let mut quiet = 0;
    for _ in 0..TOO_MANY {
        let progress = executor.step().await.unwrap();
        tokio::task::yield_now().await;
        quiet = if rests(progress).await { quiet + 1 } else { 0 };
        if quiet == 2 {
            return;
        }
    }
    panic!("it does not come to rest");
}

/// Steps until calls are out, and lets the venue answer them; the answers are not recorded yet.
pub async fn calls_answered(executor: &mut Executor<FakeVenue>, calls: usize) {
    for _ in 0..TOO_MANY {
        let out = executor.in_flight();
        if out.calls + out.cancels >= calls {
            return executor.calls_settled().await;
        }
        // Other tests of the cluster may hold the event horizon back for a while.
        let progress = executor.step().await.unwrap();
        rests(progress).await;
    }
    panic!("no {calls} calls are made");
}

/// Time passes and the executor does what is due, several times over.
pub async fn settle_for(world: &World, executor: &mut Executor<FakeVenue>, seconds: u64) {
    for _ in 0..seconds * 4 {
        settle(executor).await;
        world.pass(Duration::from_millis(250));
    }
    settle(executor).await;
}

/// Other tests' transactions share the cluster and may hold the log's horizon back for a moment.
async fn rests(progress: Progress) -> bool {
    match progress {
        Progress::Worked => false,
        // Exactly so long: what is due a moment from now stays so, since the test owns the clock.
        Progress::Soon(HELD_BACK) => {
            tokio::time::sleep(HELD_BACK).await;
            false
        }
        Progress::Idle | Progress::Soon(_) => true,
    }
}

pub fn shares(n: u32) -> domain::Qty {
    domain::Qty::new(Decimal::from(n)).unwrap()
}

pub fn dollars(value: Decimal) -> domain::Price {
    domain::Price::new(value).unwrap()
}
