//! A brokerage without its door: orders are stored as order-manager stores them, everything after that is the real thing.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusSettings, NewEvent, Runner};
use chassis::clock::{Clock, ManualClock, SharedClock};
use chassis::ids::SharedIds;
use chassis::step::{Progress, Step};
use chrono::NaiveDate;
use daybook::admin::Desk;
use domain::calendar::{Calendar, SessionDate};
use domain::order::{OrderState, StreamEvent};
use domain::{
    AccountId, AssetId, ClientOrderId, Money, OrderId, OrderStatus, OrderType, Price, Qty, RequestId, Side, Symbol,
    TimeInForce, Timestamp,
};
use executor::Executor;
use identity::{AccountKind, NewAccount};
use ledger::{Transfer, rules};
use orders::{NewOrder, NewOrderEvent, StoredOrder};
use scheduler::engine::{Done, Job, JobError, Run};
use scheduler::jobs::end_of_day::{self, EndOfDay};
use serde_json::json;
use sessions::Sessions;
use sqlx::{AssertSqlSafe, PgPool};
use status_updater::{Applier, Intake, IntakeSettings};
use testkit::TestDb;
use uuid::Uuid;
use venue::Fault;
use venue::fake::FakeVenue;
use wire::events::v1::OrderAccepted;

/// The one symbol.
pub const SYMBOL: &str = "XYZ";
/// Steps of a test in which nothing comes to rest; far more than any of them needs.
const TOO_MANY: usize = 5_000;
/// Waits of a job that never ends; more than any of them needs.
const TOO_OFTEN: usize = 2_000;

pub struct World {
    pub db: TestDb,
    pub clock: Arc<ManualClock>,
    pub ids: SharedIds,
    pub bus: Bus,
    pub venue: FakeVenue,
    pub sessions: Sessions,
    pub executor: Executor<FakeVenue>,
    pub applier: Runner<Applier>,
    pub intake: Intake<FakeVenue>,
    /// What the jobs of the close do at a time, and when.
    pub settings: end_of_day::Settings,
}

impl World {
    /// Monday, 23 November 2026, 10:00 in New York, at the NYSE.
    pub async fn new() -> Self {
        Self::on(Calendar::nyse(), "2026-11-23T15:00:00Z").await
    }

    pub async fn on(calendar: Calendar, now: &str) -> Self {
        let db = TestDb::new().await;
        let clock = testkit::clock();
        let ids = testkit::ids(7);
        let bus = Bus::new(db.pool.clone(), Arc::clone(&ids), BusSettings::default());
        let venue = FakeVenue::new(clock.clone(), &[symbol()]);
        let sessions = Sessions::fixed(calendar);
        let reports = status_updater::Deps {
            pool: db.pool.clone(),
            bus: bus.clone(),
            venue: Arc::new(venue.clone()),
            clock: Arc::clone(&clock) as SharedClock,
            ids: Arc::clone(&ids),
            sessions: sessions.clone(),
        };
        let (applier, intake) = (reports.applier(), reports.intake(IntakeSettings::default(), None));
        let orders = executor::Deps {
            pool: db.pool.clone(),
            bus: bus.clone(),
            venue: Arc::new(venue.clone()),
            clock: Arc::clone(&clock) as SharedClock,
            ids: Arc::clone(&ids),
            sessions: sessions.clone(),
        };
        let executor = Executor::new(executor::Config::default(), orders);
        let world = World {
            db,
            clock,
            ids,
            bus,
            venue,
            sessions,
            executor,
            applier,
            intake,
            settings: end_of_day::Settings {
                // Each look moves every part of the brokerage: fewer of them.
                poll: Duration::from_secs(15),
                ..end_of_day::Settings::default()
            },
        };
        world.now_is(now).await;
        world.quote("99.98", "100.02").await;
        world
    }

    pub fn deps(&self) -> Arc<scheduler::Deps<FakeVenue>> {
        Arc::new(scheduler::Deps {
            pool: self.db.pool.clone(),
            bus: self.bus.clone(),
            venue: Some(Arc::new(self.venue.clone())),
            sessions: self.sessions.clone(),
            clock: Arc::clone(&self.clock) as SharedClock,
            ids: Arc::clone(&self.ids),
        })
    }

    pub fn pool(&self) -> &PgPool {
        &self.db.pool
    }

    /// All clocks show this time, the database's too.
    pub async fn now_is(&self, time: &str) {
        self.move_to(time.parse().unwrap()).await;
    }

    pub async fn move_to(&self, time: Timestamp) {
        if let Ok(ahead) = (time - self.clock.now()).to_std() {
            self.clock.advance(ahead);
        }
        let moved = "update db_clock set clock_offset = clock_offset + ($1 - daybook_now())";
        sqlx::query(moved).bind(time).execute(self.pool()).await.unwrap();
    }

    /// The exchange's last quote of the symbol.
    pub async fn quote(&self, bid: &str, ask: &str) {
        let statement = format!(
            "insert into last_quotes (symbol, bid, ask, quoted_at, updated_at)
             values ('{SYMBOL}', {bid}, {ask}, daybook_now(), daybook_now())
                 on conflict (symbol) do update set bid = excluded.bid, ask = excluded.ask"
        );
        self.sql(&statement).await;
    }

    pub async fn sql(&self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(self.pool())
            .await
            .unwrap();
    }

    pub async fn count(&self, what: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {what}")))
            .fetch_one(self.pool())
            .await
            .unwrap()
    }

    pub async fn text(&self, query: &str) -> String {
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .fetch_all(self.pool())
            .await
            .unwrap();
        rows.join("\n")
    }

    /// A customer with dollars.
    pub async fn account(&self, dollars: i64) -> AccountId {
        let now = self.clock.now();
        let mut tx = self.pool().begin().await.unwrap();
        let new = NewAccount {
            name: "Ada".into(),
            kind: AccountKind::LimitedMargin,
        };
        let id = identity::accounts::create(&mut tx, &*self.ids, &new, now)
            .await
            .unwrap()
            .id;
        ledger::open_account(&mut tx, id, false).await.unwrap();
        orders::open_sequence(&mut tx, id).await.unwrap();
        let (money, movement) = (Money::from_decimal(dollars.into()), self.ids.uuid());
        let transfers = [
            rules::deposit_started(id, movement, money, now).unwrap(),
            rules::deposit_collected(id, movement, money, now).unwrap(),
        ];
        ledger::post(&mut tx, &transfers).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Accepts an order as order-manager does, event and all: `buy 10 @ 5.00 gtc`. It belongs to the session the calendar
    /// says.
    pub async fn place(&self, account: AccountId, text: &str) -> OrderId {
        let session = self.sessions.calendar().session_for(self.clock.now()).unwrap();
        self.place_for(account, text, session, None).await
    }

    /// The same for a session of one's own choice, with an end of its own.
    pub async fn place_for(
        &self,
        account: AccountId,
        text: &str,
        session: SessionDate,
        expires_at: Option<Timestamp>,
    ) -> OrderId {
        let (id, now) = (OrderId::new(self.ids.uuid()), self.clock.now());
        let asked = Asked::read(text);
        let calendar = self.sessions.calendar();
        let ends_at = match asked.time_in_force {
            TimeInForce::Gtc => calendar.gtc_ends_at(now).unwrap(),
            _ => calendar.ends_at(session).unwrap(),
        };
        let mut tx = self.pool().begin().await.unwrap();
        ledger::lock(&mut tx, &[account]).await.unwrap();
        let mut sequences = orders::sequences(&mut tx, &[account]).await.unwrap();
        let sequence = sequences.get_mut(&account).unwrap();
        let submitted_at = sequence.next_submitted_at(now);
        sequence.opened(asked.limit_price.notional(asked.qty).unwrap());
        let (seq, at) = sequence.next_event_at(submitted_at);
        let new = NewOrder {
            order_id: id,
            account_id: account,
            client_order_id: ClientOrderId::new(&id.to_string()).unwrap(),
            asset_id: AssetId::new(Uuid::from_u128(1)),
            symbol: symbol(),
            side: asked.side,
            order_type: OrderType::Limit,
            time_in_force: asked.time_in_force,
            qty: asked.qty,
            limit_price: asked.limit_price,
            notional: None,
            session_date: session.get(),
            request_id: RequestId::new(&format!("r-{id}")).unwrap(),
            submitted_at,
            replaces: None,
            submit_at: None,
            expires_at: expires_at.unwrap_or(ends_at),
            explicit_expiry: expires_at.is_some(),
        };
        let hold = asked.hold(account, id, submitted_at);
        let told = accepted_event(&new, seq, at);
        let event = accepted(
            &new,
            expires_at.or((asked.time_in_force == TimeInForce::Gtc).then_some(ends_at)),
        );
        orders::insert(&mut tx, std::slice::from_ref(&new)).await.unwrap();
        ledger::post(&mut tx, &[hold]).await.unwrap();
        orders::append_events(&mut tx, &[told]).await.unwrap();
        orders::store_sequences(&mut tx, &sequences).await.unwrap();
        bus::append(&mut tx, &[NewEvent::order_accepted(&event, new.request_id)])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// The customer wishes it to end.
    pub async fn cancel(&self, order: OrderId) {
        let stored = self.order(order).await;
        let now = self.clock.now();
        let mut tx = self.pool().begin().await.unwrap();
        orders::wish_to_end(&mut tx, &[order], orders::WishKind::Cancel, now)
            .await
            .unwrap();
        let event = wire::events::v1::CancelRequested {
            order_id: order.get(),
            account_id: stored.account_id.get(),
            symbol: SYMBOL.to_owned(),
            asked_by: "customer".to_owned(),
            requested_at: now,
        };
        bus::append(&mut tx, &[NewEvent::cancel_requested(&event, stored.request_id)])
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// Everything takes its turn until nothing is left to do at this time.
    pub async fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..TOO_MANY {
            let mut worked = works(self.executor.step().await.unwrap()).await;
            self.executor.calls_settled().await;
            worked |= self.intake.step().await.unwrap() == Progress::Worked;
            worked |= works(self.applier.step().await.unwrap()).await;
            quiet = if worked { 0 } else { quiet + 1 };
            if quiet == 3 {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    pub fn end_of_day(&self) -> EndOfDay<FakeVenue> {
        EndOfDay::new(self.settings, self.deps())
    }

    /// A run of the engine's for this date.
    pub async fn run(&self, date: &str) -> Run {
        let id = self.ids.uuid();
        Run::begin(self.pool(), id, end_of_day::NAME, json!({"date": date}))
            .await
            .unwrap()
    }

    /// What an operator does.
    pub fn desk(&self) -> Desk {
        Desk::new(self.pool().clone(), self.ids.clone(), self.clock.clone(), "ops")
    }

    /// One watchdog; a second one does nothing as long as the first has the lease.
    pub fn watchdog(&self) -> end_of_day::Watch<FakeVenue> {
        end_of_day::Watch::new(self.settings, self.deps())
    }

    /// What operators are told and is not over, in order.
    pub async fn alerts(&self) -> String {
        self.text("select kind || ' ' || subject from operator_alerts where cleared_at is null order by 1")
            .await
    }

    /// A worker that died holds its run no more.
    pub async fn run_is_over(&self, run: &Run) {
        let over =
            "update job_runs set state = 'dead', finished_at = daybook_now(), epoch = epoch + 1 where run_id = $1";
        sqlx::query(over).bind(run.id()).execute(self.pool()).await.unwrap();
    }

    /// Goes on with a date until it is closed, or until it says that it waits for this; time passes as it asks.
    pub async fn until(&mut self, run: &Run, waits_for: Option<&str>) -> Result<String, JobError> {
        let job = self.end_of_day();
        for _ in 0..TOO_OFTEN {
            self.settle().await;
            match job.run(run).await? {
                Done::Finished(summary) => return Ok(summary),
                Done::Again { why, .. } if waits_for.is_some_and(|wanted| why.contains(wanted)) => return Ok(why),
                Done::Again { at, .. } => self.move_to(at.max(self.clock.now())).await,
            }
        }
        panic!("the end of the day never comes");
    }

    /// A whole end of day.
    pub async fn close(&mut self, date: &str) -> String {
        let run = self.run(date).await;
        let summary = self.until(&run, None).await.unwrap();
        self.run_is_over(&run).await;
        summary
    }

    pub async fn order(&self, id: OrderId) -> StoredOrder {
        let mut conn = self.pool().acquire().await.unwrap();
        orders::read::by_ids(&mut conn, &[id]).await.unwrap().remove(0)
    }

    /// `expired, filled 3`.
    pub async fn stands(&self, id: OrderId) -> String {
        let order = self.order(id).await;
        format!("{}, filled {}", order.shown_status().as_str(), order.state.filled)
    }

    /// `avail 900.00, held 0.00`.
    pub async fn cash(&self, account: AccountId) -> String {
        let mut conn = self.pool().acquire().await.unwrap();
        let cash = ledger::cash(&mut conn, account).await.unwrap().unwrap();
        format!("avail {}, held {}", cash.avail, cash.held)
    }

    /// The words of the account's sequence about an order.
    pub async fn told(&self, id: OrderId) -> String {
        self.text(&format!(
            "select event from order_events where order_id = '{id}' order by seq"
        ))
        .await
        .replace('\n', " ")
    }

    /// All the steps of a date that are done.
    pub async fn steps_done(&self, date: NaiveDate) -> i64 {
        self.count(&format!(
            "eod_steps where business_date = '{date}' and done_at is not null"
        ))
        .await
    }

    /// What a database can show of the invariants.
    pub async fn prove(&self) {
        let mut conn = self.pool().acquire().await.unwrap();
        let report = audit::audit(&mut conn, false).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }
}

/// Whether there may be more at once. Other tests of the cluster may hold the event horizon back for a while.
async fn works(progress: Progress) -> bool {
    let held_back = Duration::from_millis(1);
    if let Progress::Soon(pause) = progress
        && pause <= held_back
    {
        tokio::time::sleep(held_back).await;
        return true;
    }
    progress == Progress::Worked
}

/// `buy 10 @ 5.00 ioc`
struct Asked {
    side: Side,
    qty: Qty,
    limit_price: Price,
    time_in_force: TimeInForce,
}

impl Asked {
    fn read(text: &str) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        Asked {
            side: words[0].parse().unwrap(),
            qty: Qty::parse(words[1]).unwrap(),
            limit_price: Price::parse(words[3]).unwrap(),
            time_in_force: words.get(4).map_or(TimeInForce::Day, |tif| tif.parse().unwrap()),
        }
    }

    fn hold(&self, account: AccountId, order: OrderId, at: Timestamp) -> Transfer {
        let terms = rules::Order {
            account,
            order,
            symbol: symbol(),
            side: self.side,
            limit_price: self.limit_price,
            strict: false,
        };
        rules::hold(&terms, &OrderState::accepted(self.qty), at).unwrap()
    }
}

fn accepted_event(order: &NewOrder, seq: i64, at: Timestamp) -> NewOrderEvent {
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
        cause: "customer".into(),
        request_id: order.request_id.clone(),
    }
}

fn accepted(order: &NewOrder, expires_at: Option<Timestamp>) -> OrderAccepted {
    OrderAccepted {
        order_id: order.order_id.get(),
        account_id: order.account_id.get(),
        symbol: SYMBOL.to_owned(),
        side: order.side.as_str().to_owned(),
        qty: order.qty.get(),
        limit_price: order.limit_price.get(),
        time_in_force: order.time_in_force.as_str().to_owned(),
        session_date: order.session_date,
        submitted_at: order.submitted_at,
        submit_at: None,
        expires_at,
    }
}

pub fn symbol() -> Symbol {
    Symbol::parse(SYMBOL).unwrap()
}

pub fn shares(n: u32) -> Qty {
    Qty::new(n.into()).unwrap()
}

pub fn dollars(text: &str) -> Price {
    Price::parse(text).unwrap()
}

/// So many answers of an exchange that has no file of the session, and says so.
pub fn no_file(times: usize) -> Vec<Result<Vec<u8>, Fault>> {
    vec![Err(Fault::NotYet("no such session".to_owned())); times]
}
