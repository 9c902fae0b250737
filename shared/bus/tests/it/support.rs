//! What the tests share: a bus on a database of its own, events, a handler that records.
//!
//! The horizon is one for the whole cluster, and other tests write on it too: what a test has committed may be held
//! back by a stranger for a moment. [`World::settled`] waits for that; transactions held open here are kept short.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{Bus, BusSettings, Consumer, Event, HandleError, Handler, NewEvent, Runner, Topic};
use domain::{OrderId, RequestId};
use sqlx::{PgConnection, PgPool};
use testkit::{TestDb, wait_until};
use uuid::Uuid;

pub struct World {
    pub db: TestDb,
    pub bus: Bus,
}

/// Seconds; longer than usual, as a busy machine must not let a lease run out by the real clock.
pub const LEASE: i32 = 120;

pub fn settings() -> BusSettings {
    BusSettings {
        lease: Duration::from_secs(120),
        ..BusSettings::default()
    }
}

pub const GROUP: &str = "testers";

impl World {
    pub async fn new() -> Self {
        let db = TestDb::new().await;
        let today = sqlx::query_scalar("select (daybook_now() at time zone 'UTC')::date").fetch_one(&db.pool);
        let today = today.await.unwrap();
        let mut conn = db.pool.acquire().await.unwrap();
        bus::ensure_outbox_partitions(&mut conn, today).await.unwrap();
        sqlx::query("create table effects (n bigint generated always as identity, order_id uuid, kind text)")
            .execute(&db.pool)
            .await
            .unwrap();
        let bus = Bus::new(db.pool.clone(), testkit::ids(7), settings());
        World { db, bus }
    }

    pub fn pool(&self) -> &PgPool {
        &self.db.pool
    }

    pub fn consumer(&self) -> Consumer {
        self.bus.consumer(GROUP, Topic::Orders)
    }

    /// A consumer that has taken its share.
    pub async fn owner(&self) -> Consumer {
        let mut consumer = self.consumer();
        consumer.keep_leases().await.unwrap();
        consumer
    }

    pub fn runner(&self, recorder: &Recorder) -> Runner<Recorder> {
        Runner::new("test-runner", self.consumer(), recorder.clone())
    }

    pub async fn publish(&self, events: &[NewEvent]) {
        let mut tx = db::begin(self.pool()).await.unwrap();
        bus::append(&mut tx, events).await.unwrap();
        tx.commit().await.unwrap();
        self.settled().await;
    }

    /// Until everything committed so far lies below the horizon, where it stays.
    pub async fn settled(&self) {
        wait_until(
            "the horizon passes what was committed",
            Duration::from_secs(120),
            || async {
                sqlx::query_scalar(
                    "select not exists (select from outbox where xid >= pg_snapshot_xmin(pg_current_snapshot()))",
                )
                .fetch_one(self.pool())
                .await
                .unwrap()
            },
        )
        .await;
    }

    /// Moves the database's clock on, for this database alone.
    pub async fn later(&self, seconds: i32) {
        sqlx::query("update db_clock set clock_offset = clock_offset + make_interval(secs => $1)")
            .bind(f64::from(seconds))
            .execute(self.pool())
            .await
            .unwrap();
    }

    /// The recorded effects, in order.
    pub async fn effects(&self) -> Vec<(OrderId, String)> {
        let rows: Vec<(Uuid, String)> = sqlx::query_as("select order_id, kind from effects order by n")
            .fetch_all(self.pool())
            .await
            .unwrap();
        rows.into_iter()
            .map(|(order, kind)| (OrderId::new(order), kind))
            .collect()
    }

    /// Effects of one order.
    pub async fn effects_of(&self, of: OrderId) -> Vec<String> {
        self.effects()
            .await
            .into_iter()
            .filter(|(order, _)| *order == of)
            .map(|(_, kind)| kind)
            .collect()
    }
}

pub fn order(n: u128) -> OrderId {
    OrderId::new(Uuid::from_u128(n))
}

/// An event of order `n`; its symbol decides the partition.
pub fn event(symbol: &str, n: u128, kind: &'static str) -> NewEvent {
    NewEvent {
        topic: Topic::Orders,
        key: symbol.to_owned(),
        order_id: order(n),
        kind,
        payload: "{}".to_owned(),
        request_id: RequestId::new("r-1").unwrap(),
    }
}

/// A context, as a traced request leaves it.
pub const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// As [`event`], of a traced request.
pub fn traced(symbol: &str, n: u128, kind: &'static str) -> NewEvent {
    let event = event(symbol, n, kind);
    NewEvent {
        request_id: event.request_id.clone().traced_as(Some(TRACE)),
        ..event
    }
}

/// The recognizable parts of events.
pub fn seen(events: &[Event]) -> Vec<(OrderId, &str)> {
    events
        .iter()
        .map(|event| (event.order_id, event.kind.as_str()))
        .collect()
}

pub async fn record(conn: &mut PgConnection, event: &Event) -> Result<(), sqlx::Error> {
    sqlx::query("insert into effects (order_id, kind) values ($1, $2)")
        .bind(event.order_id.get())
        .bind(&event.kind)
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes each event down, and fails as it is told.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Plan>>);

#[derive(Default)]
struct Plan {
    bad: HashSet<(OrderId, &'static str)>,
    failure: Option<fn() -> HandleError>,
    calls: Vec<usize>,
    committed: usize,
    rolled_back: usize,
}

impl Recorder {
    pub fn fails_on(&self, order: OrderId, kind: &'static str, failure: fn() -> HandleError) {
        let mut plan = self.0.lock().unwrap();
        plan.bad.insert((order, kind));
        plan.failure = Some(failure);
    }

    pub fn heals(&self) {
        self.0.lock().unwrap().bad.clear();
    }

    /// Sizes of the batches it was called with.
    pub fn calls(&self) -> Vec<usize> {
        self.0.lock().unwrap().calls.clone()
    }

    /// How often it was told of a commit, and of the opposite.
    pub fn told(&self) -> (usize, usize) {
        let plan = self.0.lock().unwrap();
        (plan.committed, plan.rolled_back)
    }

    fn verdict(&self, event: &Event) -> Result<(), HandleError> {
        let plan = self.0.lock().unwrap();
        let bad = plan
            .bad
            .iter()
            .any(|(order, kind)| (*order, *kind) == (event.order_id, event.kind.as_str()));
        match plan.failure {
            Some(failure) if bad => Err(failure()),
            _ => Ok(()),
        }
    }
}

impl Handler for Recorder {
    async fn handle(&mut self, conn: &mut PgConnection, events: &[Event]) -> Result<(), HandleError> {
        self.0.lock().unwrap().calls.push(events.len());
        for event in events {
            // The effect comes first, so that a failure after it has something to undo.
            record(conn, event).await?;
            self.verdict(event)?;
        }
        Ok(())
    }

    fn committed(&mut self) {
        self.0.lock().unwrap().committed += 1;
    }

    fn rolled_back(&mut self) {
        self.0.lock().unwrap().rolled_back += 1;
    }
}
