//! A brokerage with one fake exchange on a real database: accounts, orders as order-manager stores them, and the steps
//! of this service, which the test makes itself.

use bus::{Bus, BusSettings, NewEvent, Runner};
use chassis::clock::{ManualClock, SharedClock};
use chassis::ids::SharedIds;
use chassis::step::{Progress, Step};
use chrono::TimeDelta;
use domain::calendar::Calendar;
use domain::order::{OrderState, StreamEvent};
use domain::{
    AccountId, AssetId, ClientOrderId, Money, OrderId, OrderStatus, OrderType, Price, Qty, RequestId, Side, Symbol,
    TimeInForce,
};
use identity::{AccountKind, NewAccount};
use ledger::{Asset, Book, CashBalance, Cause, Entry, ShareBalance, Transfer, TransferKind, rules};
use orders::{NewOrder, NewOrderEvent, StoredOrder};
use rust_decimal::Decimal;
use sessions::Sessions;
use sqlx::PgConnection;
use status_updater::{Applier, Deps, Intake, IntakeSettings};
use std::sync::Arc;
use std::time::Duration;
use testkit::TestDb;
use uuid::Uuid;
use venue::VenueOrder;
use venue::fake::FakeVenue;
use wire::events::v1::{End, Fact, VenueReport};

/// The venue's name in reports; the fake's own.
pub const VENUE: &str = "fake";

pub struct World {
    pub db: TestDb,
    pub bus: Bus,
    pub clock: Arc<ManualClock>,
    pub ids: SharedIds,
    pub venue: FakeVenue,
    pub applier: Runner<Applier>,
}

impl World {
    pub async fn new() -> Self {
        let db = TestDb::new().await;
        let clock = testkit::clock();
        let ids = testkit::ids(7);
        let bus = Bus::new(db.pool.clone(), Arc::clone(&ids), BusSettings::default());
        let venue = FakeVenue::new(clock.clone(), &[symbol("XYZ"), symbol("ABC")]);
        let deps = deps(&db, &bus, &venue, &clock, &ids);
        let applier = deps.applier();
        Self {
            db,
            bus,
            clock,
            ids,
            venue,
            applier,
        }
    }

    pub fn deps(&self) -> Deps<FakeVenue> {
        deps(&self.db, &self.bus, &self.venue, &self.clock, &self.ids)
    }

    pub fn intake(&self) -> Intake<FakeVenue> {
        self.deps().intake(IntakeSettings::default(), None)
    }

    pub async fn conn(&self) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
        self.db.pool.acquire().await.unwrap()
    }

    /// An account with money and with shares of XYZ and ABC.
    pub async fn account(&self, dollars: i64, shares: i64) -> AccountId {
        self.account_of(AccountKind::LimitedMargin, dollars, shares).await
    }

    pub async fn account_of(&self, kind: AccountKind, dollars: i64, shares: i64) -> AccountId {
        let now = testkit::start_of_time();
        let mut tx = self.db.pool.begin().await.unwrap();
        let new = NewAccount {
            name: "Ada".into(),
            kind,
        };
        let id = identity::accounts::create(&mut tx, &*self.ids, &new, now)
            .await
            .unwrap()
            .id;
        ledger::open_account(&mut tx, id, kind.is_strict()).await.unwrap();
        orders::open_sequence(&mut tx, id).await.unwrap();
        let money = Money::from_decimal(dollars.into());
        let movement = self.ids.uuid();
        let mut transfers = vec![
            rules::deposit_started(id, movement, money, now).unwrap(),
            rules::deposit_collected(id, movement, money, now).unwrap(),
        ];
        if shares > 0 {
            transfers.extend(["XYZ", "ABC"].map(|name| self.endow(id, &symbol(name), shares.into())));
        }
        ledger::post(&mut tx, &transfers).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    fn endow(&self, id: AccountId, symbol: &Symbol, shares: Decimal) -> Transfer {
        let asset = Asset::Security(symbol.clone());
        let line = |account, book, amount| Entry {
            account,
            book,
            asset: asset.clone(),
            amount,
        };
        let cause = Cause::Movement(TransferKind::DepositCollected, self.ids.uuid());
        let lines = vec![
            line(Some(id), Book::SecAvail, shares),
            line(None, Book::StreetSecPending, -shares),
        ];
        Transfer::new(cause, testkit::start_of_time(), lines).unwrap()
    }

    /// Stores an order with its hold, as order-manager does: `buy 10 XYZ @ 5.00`.
    pub async fn place(&self, account: AccountId, text: &str) -> OrderId {
        let mut tx = self.db.pool.begin().await.unwrap();
        let id = self.place_in(&mut tx, account, text).await;
        tx.commit().await.unwrap();
        id
    }

    pub async fn place_in(&self, conn: &mut PgConnection, account: AccountId, text: &str) -> OrderId {
        let id = OrderId::new(self.ids.uuid());
        let asked = asked(text);
        let strict = ledger::lock(conn, &[account]).await.unwrap()[&account].strict;
        let mut sequences = orders::sequences(conn, &[account]).await.unwrap();
        let sequence = sequences.get_mut(&account).unwrap();
        let submitted_at = sequence.next_submitted_at(testkit::start_of_time());
        sequence.opened(asked.limit_price.notional(asked.qty).unwrap());
        let (seq, at) = sequence.next_event_at(submitted_at);
        let new = NewOrder {
            order_id: id,
            account_id: account,
            client_order_id: ClientOrderId::new(&id.to_string()).unwrap(),
            asset_id: AssetId::new(Uuid::from_u128(1)),
            symbol: asked.symbol.clone(),
            side: asked.side,
            order_type: OrderType::Limit,
            time_in_force: asked.time_in_force,
            qty: asked.qty,
            limit_price: asked.limit_price,
            notional: None,
            session_date: submitted_at.date_naive(),
            submit_at: None,
            expires_at: submitted_at + TimeDelta::hours(6),
            explicit_expiry: false,
            request_id: RequestId::new(&format!("r-{id}")).unwrap(),
            submitted_at,
            replaces: None,
        };
        let accepted = NewOrderEvent {
            account_id: account,
            seq,
            order_id: id,
            event: StreamEvent::Accepted,
            at,
            status: OrderStatus::Accepted,
            filled_qty: Qty::ZERO,
            filled_notional: Money::ZERO,
            execution: None,
            cause: "customer".into(),
            request_id: new.request_id.clone(),
        };
        let terms = rules::Order {
            account,
            order: id,
            symbol: asked.symbol,
            side: asked.side,
            limit_price: asked.limit_price,
            strict,
        };
        orders::insert(conn, std::slice::from_ref(&new)).await.unwrap();
        let hold = rules::hold(&terms, &OrderState::accepted(asked.qty), submitted_at).unwrap();
        ledger::post(conn, &[hold]).await.unwrap();
        orders::append_events(conn, &[accepted]).await.unwrap();
        orders::store_sequences(conn, &sequences).await.unwrap();
        id
    }

    /// Puts reports onto the bus in one transaction.
    pub async fn report(&self, reports: &[(OrderId, AccountId, Fact)]) {
        let mut conn = self.conn().await;
        let events: Vec<NewEvent> = reports
            .iter()
            .map(|(order, account, fact)| self.event(*order, *account, fact))
            .collect();
        bus::append(&mut conn, &events).await.unwrap();
    }

    fn event(&self, order: OrderId, account: AccountId, fact: &Fact) -> NewEvent {
        let report = VenueReport {
            venue: VENUE.to_owned(),
            order_id: order.get(),
            account_id: account.get(),
            fact: fact.clone(),
            source: "stream".to_owned(),
            received_at: testkit::start_of_time(),
        };
        NewEvent::venue_report(&report, RequestId::new("r-test").unwrap())
    }

    /// Steps until nothing is left to apply.
    pub async fn settle(&mut self) {
        settle(&mut self.applier).await;
    }

    pub async fn order(&self, id: OrderId) -> StoredOrder {
        orders::read::by_ids(&mut *self.conn().await, &[id])
            .await
            .unwrap()
            .remove(0)
    }

    pub async fn cash(&self, account: AccountId) -> CashBalance {
        ledger::cash(&mut *self.conn().await, account).await.unwrap().unwrap()
    }

    pub async fn shares(&self, account: AccountId, name: &str) -> Option<ShareBalance> {
        let symbol = symbol(name);
        ledger::shares(&mut *self.conn().await, &[(account, symbol.clone())])
            .await
            .unwrap()
            .remove(&(account, symbol))
    }

    /// `canceled, filled 3, held 0.00, cash 9985.30`.
    pub async fn summary(&self, id: OrderId) -> String {
        let order = self.order(id).await;
        let cash = self.cash(order.account_id).await;
        let status = order.shown_status().as_str();
        format!(
            "{status}, filled {}, held {}, cash {}",
            order.state.filled,
            cash.held,
            cash.cash()
        )
    }

    /// The words of the account's sequence, in order.
    pub async fn told(&self, account: AccountId) -> String {
        let words: Vec<String> =
            sqlx::query_scalar("select event || ':' || status from order_events where account_id = $1 order by seq")
                .bind(account.get())
                .fetch_all(&self.db.pool)
                .await
                .unwrap();
        words.join(" ")
    }

    pub async fn count(&self, what: &str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {what}")))
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    /// The invariants that the database shows: V1, V2, V4, V6, V8, V9, LED-I2, LED-I5. Each gives no row.
    pub async fn prove(&self) {
        for (what, query) in INVARIANTS {
            let wrong: Vec<String> = sqlx::query_scalar(query).fetch_all(&self.db.pool).await.unwrap();
            assert!(wrong.is_empty(), "{what}: {wrong:?}");
        }
    }

    /// One check of the audit, by its title.
    pub async fn audit(&self, title: &str) {
        let check = audit::CHECKS.iter().find(|check| check.title == title);
        let check = check.unwrap_or_else(|| panic!("no check proves that {title}"));
        let mut conn = self.db.pool.acquire().await.unwrap();
        let finding = audit::look(&mut conn, check).await.unwrap();
        assert_eq!(finding.violations, 0, "{title}: {:?}", finding.first);
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

const INVARIANTS: [(&str, &str); 9] = [
    (
        "V1 the ledger sums to zero",
        "select asset from ledger_entries group by asset having sum(amount) <> 0",
    ),
    (
        "V2 balances equal their entries",
        "select c.account_id::text from ledger_cash c
          where (c.avail, c.held, c.unsettled) <>
                (select coalesce(sum(amount) filter (where book = 'cust.cash.avail'), 0),
                        coalesce(sum(amount) filter (where book = 'cust.cash.held'), 0),
                        coalesce(sum(amount) filter (where book = 'cust.cash.unsettled'), 0)
                   from ledger_entries e where e.account_id = c.account_id)",
    ),
    (
        "V2 share balances equal their entries",
        "select s.account_id::text from ledger_shares s
          where (s.avail, s.held) <>
                (select coalesce(sum(amount) filter (where book = 'cust.sec.avail'), 0),
                        coalesce(sum(amount) filter (where book = 'cust.sec.held'), 0)
                   from ledger_entries e where e.account_id = s.account_id and e.asset = s.symbol)",
    ),
    (
        "LED-I2 what is held is what open orders can cost (whole cents here)",
        "select c.account_id::text from ledger_cash c
          where c.held <> (select coalesce(sum((o.qty - o.filled_qty) * o.limit_price), 0)
                             from open_orders w join orders o using (order_id)
                            where w.account_id = c.account_id and o.side = 'buy')",
    ),
    (
        "V4 open orders are those that may still trade, and are counted",
        "select a.account_id::text from account_sequences a
          where a.open_orders <> (select count(*) from open_orders w where w.account_id = a.account_id)
             or a.open_orders <> (select count(*) from orders o where o.account_id = a.account_id
                                     and o.status not in ('filled', 'canceled', 'expired', 'rejected', 'replaced'))",
    ),
    (
        "V6 an order's quantity is the sum of its live fills",
        "select o.order_id::text from orders o
          where (o.filled_qty, o.filled_notional) <>
                (select coalesce(sum(f.qty), 0), coalesce(sum(f.qty * f.price), 0)
                   from fills f where f.order_id = o.order_id and f.busted_at is null)",
    ),
    (
        "V9 each account's sequence is 1..n",
        "select a.account_id::text from account_sequences a
          where a.event_seq <> (select count(*) from order_events e where e.account_id = a.account_id)
             or a.event_seq <> (select coalesce(max(seq), 0) from order_events e where e.account_id = a.account_id)",
    ),
    (
        "V9 an account's events are told in the order of their times, each with one of its own",
        "select account_id::text from (select account_id, at, lag(at) over (partition by account_id order by seq) as before
                                         from order_events) e
          where at <= before",
    ),
    (
        "V8 each event has its wake-up",
        "select e.account_id::text || ':' || e.seq from order_events e
          where e.event <> 'accepted'
            and (select count(*) from outbox b where b.topic = 'order-updates' and b.order_id = e.order_id
                    and (b.payload::json ->> 'seq')::bigint = e.seq) <> 1",
    ),
];

fn deps(db: &TestDb, bus: &Bus, venue: &FakeVenue, clock: &Arc<ManualClock>, ids: &SharedIds) -> Deps<FakeVenue> {
    Deps {
        pool: db.pool.clone(),
        bus: bus.clone(),
        venue: Arc::new(venue.clone()),
        clock: Arc::clone(clock) as SharedClock,
        ids: Arc::clone(ids),
        sessions: Sessions::fixed(Calendar::nyse()),
    }
}

/// Steps until there is nothing to do. What is above the horizon of the log is waited for; it may come below between the
/// two looks of one step, so only the second rest counts.
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

pub fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).unwrap()
}

/// `buy 10 XYZ @ 5.00 ioc`
pub fn asked(text: &str) -> VenueOrder {
    let words: Vec<&str> = text.split_whitespace().collect();
    VenueOrder {
        side: words[0].parse::<Side>().unwrap(),
        qty: Qty::parse(words[1]).unwrap(),
        symbol: symbol(words[2]),
        limit_price: Price::parse(words[4]).unwrap(),
        time_in_force: words.get(5).map_or(TimeInForce::Day, |tif| tif.parse().unwrap()),
    }
}

pub fn acknowledged() -> Fact {
    Fact::Acknowledged {
        venue_order_id: "v-1".into(),
        at: testkit::start_of_time(),
    }
}

pub fn filled(exec_id: &str, qty: &str, price: &str) -> Fact {
    Fact::Filled {
        exec_id: exec_id.into(),
        venue_order_id: "v-1".into(),
        qty: qty.parse().unwrap(),
        price: price.parse().unwrap(),
        at: testkit::start_of_time() + TimeDelta::seconds(1),
    }
}

pub fn busted(exec_id: &str, qty: &str, price: &str) -> Fact {
    let at = testkit::start_of_time() + TimeDelta::seconds(2);
    Fact::Busted {
        exec_id: exec_id.into(),
        qty: qty.parse().unwrap(),
        price: price.parse().unwrap(),
        at,
    }
}

pub fn corrected(exec_id: &str, qty: &str, price: &str, second: i64) -> Fact {
    Fact::Corrected {
        exec_id: exec_id.into(),
        qty: qty.parse().unwrap(),
        price: price.parse().unwrap(),
        at: testkit::start_of_time() + TimeDelta::seconds(second),
    }
}

pub fn ended(end: End, filled: &str) -> Fact {
    let at = testkit::start_of_time() + TimeDelta::seconds(3);
    Fact::Ended {
        end,
        filled_qty: filled.parse().unwrap(),
        reason: Some("as asked".into()),
        at,
        replaced_by: None,
    }
}
