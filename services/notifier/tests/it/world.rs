//! Orders and their histories as status-updater leaves them, and the step of this service, which the test makes itself.

use std::collections::HashMap;
use std::sync::Arc;

use bus::{Bus, BusSettings, NewEvent, Runner};
use chassis::clock::ManualClock;
use chassis::ids::SharedIds;
use chassis::step::{Progress, Step};
use chrono::TimeDelta;
use domain::order::StreamEvent;
use domain::{
    AccountId, AssetId, ClientOrderId, ExecId, Money, OrderId, OrderStatus, OrderType, Price, Qty, RequestId, Side,
    Symbol, TimeInForce,
};
use notifier::store::StoredNotice;
use notifier::{Deps, Notifier};
use orders::{Execution, NewOrder, NewOrderEvent};
use rust_decimal::Decimal;
use testkit::TestDb;
use wire::events::v1::OrderUpdated;

pub struct World {
    pub db: TestDb,
    pub clock: Arc<ManualClock>,
    pub ids: SharedIds,
    pub notifier: Runner<Notifier>,
    pub account: AccountId,
    seq: i64,
    filled: HashMap<OrderId, (Decimal, Decimal)>,
}

impl World {
    pub async fn new() -> Self {
        let db = TestDb::new().await;
        let (clock, ids) = (testkit::clock(), testkit::ids(7));
        let notifier = deps(&db, &clock, &ids).notifier();
        let account = AccountId::new(ids.uuid());
        let mut conn = db.pool.acquire().await.unwrap();
        orders::open_sequence(&mut conn, account).await.unwrap();
        drop(conn);
        Self {
            db,
            clock,
            ids,
            notifier,
            account,
            seq: 0,
            filled: HashMap::new(),
        }
    }

    /// Another process of this service takes over; the leases of the first have run out.
    pub async fn restart(&mut self) {
        self.run("update db_clock set clock_offset = clock_offset + interval '1 minute'")
            .await;
        self.notifier = deps(&self.db, &self.clock, &self.ids).notifier();
    }

    /// An order to buy 10 XYZ.
    pub async fn order(&mut self) -> OrderId {
        let order_id = OrderId::new(self.ids.uuid());
        let submitted_at = testkit::start_of_time() + TimeDelta::milliseconds(self.seq);
        let new = NewOrder {
            order_id,
            account_id: self.account,
            client_order_id: ClientOrderId::new(&order_id.to_string()).unwrap(),
            asset_id: AssetId::new(self.ids.uuid()),
            symbol: Symbol::parse("XYZ").unwrap(),
            side: Side::Buy,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Day,
            qty: Qty::parse("10").unwrap(),
            limit_price: Price::parse("100").unwrap(),
            notional: None,
            session_date: submitted_at.date_naive(),
            submit_at: None,
            expires_at: submitted_at + TimeDelta::hours(6),
            explicit_expiry: false,
            request_id: RequestId::new("r-test").unwrap(),
            submitted_at,
            replaces: None,
        };
        let mut conn = self.db.pool.acquire().await.unwrap();
        orders::insert(&mut conn, &[new]).await.unwrap();
        drop(conn);
        self.happens(order_id, StreamEvent::Accepted).await;
        order_id
    }

    /// Four more are filled at 99.90, by the execution of this name.
    pub async fn fills(&mut self, order: OrderId, exec: &str, event: StreamEvent) {
        let filled = self.filled.entry(order).or_default();
        *filled = (filled.0 + Decimal::from(4), filled.1 + Decimal::new(3996, 1));
        let told = self.tell(order, event, Some(exec)).await;
        self.send(&[told]).await;
    }

    /// That execution is taken back, or corrected to what it was.
    pub async fn trade_changes(&mut self, order: OrderId, exec: &str, event: StreamEvent) {
        if event == StreamEvent::TradeBust {
            let filled = self.filled.entry(order).or_default();
            *filled = (filled.0 - Decimal::from(4), filled.1 - Decimal::new(3996, 1));
        }
        let told = self.tell(order, event, Some(exec)).await;
        self.send(&[told]).await;
    }

    /// It changes, and the message goes out.
    pub async fn happens(&mut self, order: OrderId, event: StreamEvent) -> OrderUpdated {
        let told = self.tell(order, event, None).await;
        self.send(std::slice::from_ref(&told)).await;
        told
    }

    /// It changes; the message is the caller's to send.
    pub async fn tell(&mut self, order: OrderId, event: StreamEvent, exec: Option<&str>) -> OrderUpdated {
        self.seq += 1;
        let (filled, notional) = self.filled.get(&order).copied().unwrap_or_default();
        let execution = exec.map(|id| Execution {
            exec_id: ExecId::new(id).unwrap(),
            qty: Qty::parse("4").unwrap(),
            price: Price::parse("99.9").unwrap(),
            position_qty: filled,
        });
        let row = NewOrderEvent {
            account_id: self.account,
            seq: self.seq,
            order_id: order,
            event,
            at: testkit::start_of_time(),
            status: OrderStatus::New,
            filled_qty: Qty::new(filled).unwrap_or(Qty::ZERO),
            filled_notional: Money::from_decimal(notional),
            execution,
            cause: "venue: nobody sells".into(),
            request_id: RequestId::new("r-test").unwrap(),
        };
        let mut conn = self.db.pool.acquire().await.unwrap();
        orders::append_events(&mut conn, &[row]).await.unwrap();
        OrderUpdated {
            order_id: order.get(),
            account_id: self.account.get(),
            seq: self.seq,
            event: event.to_string(),
        }
    }

    /// Puts messages onto the bus, in this order.
    pub async fn send(&self, messages: &[OrderUpdated]) {
        let mut conn = self.db.pool.acquire().await.unwrap();
        for message in messages {
            let event = NewEvent::order_updated(message, RequestId::new("r-test").unwrap());
            bus::append(&mut conn, &[event]).await.unwrap();
        }
    }

    pub async fn settle(&mut self) {
        settle(&mut self.notifier).await;
    }

    /// The stored notices as `kind: body`, in the order of the events they tell of.
    pub async fn told(&self) -> Vec<String> {
        self.column("select kind || ': ' || body from notices order by event_seq")
            .await
    }

    /// Their kinds.
    pub async fn kinds(&self) -> Vec<String> {
        self.column("select kind from notices order by event_seq").await
    }

    pub async fn column(&self, sql: &'static str) -> Vec<String> {
        sqlx::query_scalar(sql).fetch_all(&self.db.pool).await.unwrap()
    }

    pub async fn list(&self) -> Vec<StoredNotice> {
        let mut conn = self.db.pool.acquire().await.unwrap();
        notifier::store::of_account(&mut conn, self.account, 50).await.unwrap()
    }

    pub async fn run(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.db.pool).await.unwrap();
    }
}

fn deps(db: &TestDb, clock: &Arc<ManualClock>, ids: &SharedIds) -> Deps {
    Deps {
        bus: Bus::new(db.pool.clone(), ids.clone(), BusSettings::default()),
        clock: clock.clone(),
    }
}

/// Steps until nothing is left.
pub async fn settle(step: &mut impl Step) {
    let mut rests = 0;
    for _ in 0..10_000 {
        match step.step().await.unwrap() {
            Progress::Worked => rests = 0,
            Progress::Soon(pause) => tokio::time::sleep(pause).await,
            Progress::Idle if rests == 1 => return,
            Progress::Idle => rests = 1,
        }
    }
    panic!("{} never comes to rest", step.name());
}
