//! A small language for the life of one order: `buy 10 @ 5.00; ack; cancel; fill 3 @ 4.90`.
//!
//! | word | what |
//! |---|---|
//! | `buy 10 @ 5.00`, `sell 10 @ 5.00 ioc` | the order; the account has $10,000.00 and 1,000 shares |
//! | `doubt` `ack` `dfd` | submission in doubt, at the venue, done for day |
//! | `fill 3 @ 4.90`, `fill#a 3 @ 4.90` | an execution, with a name if it comes again |
//! | `bust#a`, `bust#a 3 @ 4.90` | it is taken back; with numbers where it comes before its fill |
//! | `correct#a 3 @ 4.80` | it was for that much at that price |
//! | `cancel`, `expire 3`, `reject` | the end, with the venue's count if it is not what was heard so far |
//! | `wish cancel`, `wish expire` | what the customer or a job asks |
//! | `refuse` | the venue refuses the cancel |

use chrono::TimeDelta;
use domain::calendar::Calendar;
use domain::order::OrderState;
use domain::{
    AccountId, AssetId, ClientOrderId, Money, OrderId, OrderType, Price, Qty, RequestId, Side, Symbol, TimeInForce,
    Timestamp,
};
use ledger::{CashBalance, ShareBalance, rules};
use orders::{Sequence, StoredOrder};
use rust_decimal::Decimal;
use status_updater::apply::Desk;
use status_updater::books::Books;
use status_updater::report::Report;
use std::sync::LazyLock;
use uuid::Uuid;
use wire::events::v1::{End, Fact, VenueReport};

/// The venue of all scripts.
pub const VENUE: &str = "sim";
/// The order of all scripts.
pub const ORDER: OrderId = OrderId::new(Uuid::from_u128(0x0d));
/// Its account.
pub const ACCOUNT: AccountId = AccountId::new(Uuid::from_u128(0xac));

static CALENDAR: LazyLock<Calendar> = LazyLock::new(Calendar::nyse);

/// A desk with one order on it, and what its account had before the hold.
pub struct Scene {
    /// The desk.
    pub desk: Desk<'static>,
    before: (Decimal, Decimal),
    heard: Decimal,
    fills: Vec<(String, Decimal, Decimal)>,
    now: Timestamp,
}

/// Runs a script and compares what the order and its account came to.
#[track_caller]
pub fn check(script: &str, expected: &str) {
    assert_eq!(Scene::of(script).summary(), expected, "after {script:?}");
}

/// Runs a script and compares the words of the stream, each with the status that was shown.
#[track_caller]
pub fn check_told(script: &str, expected: &str) {
    assert_eq!(Scene::of(script).told(), expected, "after {script:?}");
}

impl Scene {
    /// Runs a script.
    pub fn of(script: &str) -> Self {
        let mut steps = script.split(';').map(str::trim);
        let mut scene = Self::order(steps.next().unwrap());
        steps.for_each(|step| scene.step(step));
        scene
    }

    /// An accepted order with its hold.
    pub fn order(text: &str) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        let side: Side = words[0].parse().unwrap();
        let (qty, limit) = (Qty::parse(words[1]).unwrap(), Price::parse(words[3]).unwrap());
        let mut order = stored(side, qty, limit);
        order.time_in_force = words.get(4).map_or(TimeInForce::Day, |tif| tif.parse().unwrap());
        let mut books = Books::default();
        books.cash.insert(ACCOUNT, cash(10_000));
        books.shares.insert((ACCOUNT, order.symbol.clone()), shares(1_000));
        books.sequences.insert(
            ACCOUNT,
            Sequence {
                event_seq: 1,
                last_submitted_at: None,
                last_event_at: None,
                open_orders: 1,
                open_value: order.open_value(),
            },
        );
        let terms = rules::Order {
            account: ACCOUNT,
            order: ORDER,
            symbol: order.symbol.clone(),
            side,
            limit_price: limit,
            strict: false,
        };
        books.post(&rules::hold(&terms, &order.state, order.submitted_at).unwrap());
        let now = order.submitted_at;
        books.orders.insert(ORDER, order);
        let before = (Decimal::from(10_000), Decimal::from(1_000));
        Self {
            desk: Desk::new(books, &CALENDAR, now),
            before,
            heard: Decimal::ZERO,
            fills: Vec::new(),
            now,
        }
    }

    /// Everything of value, for comparing two ways to the same end.
    pub fn totals(&self) -> (OrderState, Money, CashBalance, ShareBalance, i32) {
        let order = &self.desk.books.orders[&ORDER];
        let shares = self.desk.books.shares[&(ACCOUNT, order.symbol.clone())].clone();
        let open = self.desk.books.sequences[&ACCOUNT].open_orders;
        (
            order.state,
            order.posted_cash,
            self.desk.books.cash[&ACCOUNT],
            shares,
            open,
        )
    }

    /// `canceled, filled 3, held 0.00, cash -14.70`, and what else is out of the ordinary.
    pub fn summary(&self) -> String {
        let order = &self.desk.books.orders[&ORDER];
        let (_, _, cash, shares, _) = self.totals();
        let held = match order.side {
            Side::Buy => cash.held.to_string(),
            Side::Sell => shares.held.to_string(),
        };
        let moved = Money::from_decimal(cash.cash().get() - self.before.0);
        let mut text = format!(
            "{}, filled {}, held {held}, cash {moved}",
            order.shown_status().as_str(),
            order.state.filled
        );
        let owned = shares.total() - self.before.1;
        if owned
            != if order.side == Side::Buy {
                order.state.filled.get()
            } else {
                -order.state.filled.get()
            }
        {
            text.push_str(&format!(", shares {owned}"));
        }
        let waiting = self.desk.written.aside.len() - self.desk.written.resolved.len();
        if waiting > 0 {
            text.push_str(&format!(", set aside {waiting}"));
        }
        text
    }

    /// `new:new partial_fill:pending_cancel`, each word with the status shown then.
    pub fn told(&self) -> String {
        let events = self.desk.written.events.iter();
        events
            .map(|e| format!("{}:{}", e.event, e.status.as_str()))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Does one step.
    pub fn step(&mut self, step: &str) {
        self.now += TimeDelta::seconds(1);
        let words: Vec<&str> = step.split_whitespace().collect();
        let (verb, name) = words[0].split_once('#').unwrap_or((words[0], ""));
        let number = |at: usize| words.get(at).map(|word| word.parse::<Decimal>().unwrap());
        match verb {
            "doubt" => self.hear(Fact::InDoubt),
            "ack" => self.hear(Fact::Acknowledged {
                venue_order_id: "v-1".into(),
                at: self.now,
            }),
            "dfd" => self.hear(Fact::DoneForDay),
            "resume" => self.hear(Fact::Resumed),
            "refuse" => self.hear(Fact::CancelRefused {
                reason: "too late".into(),
            }),
            "fill" => self.fill(name, number(1).unwrap(), number(3).unwrap()),
            "bust" => self.bust(name, number(1).zip(number(3))),
            "correct" => self.hear(Fact::Corrected {
                exec_id: name.to_owned(),
                qty: number(1).unwrap(),
                price: number(3).unwrap(),
                at: self.now,
            }),
            "cancel" => self.end(End::Canceled, number(1)),
            "expire" => self.end(End::Expired, number(1)),
            "reject" => self.end(End::Rejected, number(1)),
            "wish" => self.wish(words[1]),
            other => panic!("no such word: {other}"),
        }
    }

    fn wish(&mut self, kind: &str) {
        let order = self.desk.books.orders.get_mut(&ORDER).unwrap();
        match kind {
            "cancel" => order.cancel_requested_at = Some(self.now),
            "expire" => order.expire_requested_at = Some(self.now),
            other => panic!("no such wish: {other}"),
        }
    }

    fn fill(&mut self, name: &str, qty: Decimal, price: Decimal) {
        let exec_id = if name.is_empty() {
            format!("e{}", self.fills.len())
        } else {
            name.to_owned()
        };
        if !self.fills.iter().any(|(id, ..)| *id == exec_id) {
            self.heard += qty;
            self.fills.push((exec_id.clone(), qty, price));
        }
        self.hear(Fact::Filled {
            exec_id,
            venue_order_id: "v-1".into(),
            qty,
            price,
            at: self.now,
        });
    }

    fn bust(&mut self, name: &str, told: Option<(Decimal, Decimal)>) {
        let known = self
            .fills
            .iter()
            .find(|(id, ..)| id == name)
            .map(|(_, qty, price)| (*qty, *price));
        let (qty, price) = known.or(told).unwrap();
        self.hear(Fact::Busted {
            exec_id: name.to_owned(),
            qty,
            price,
            at: self.now,
        });
    }

    fn end(&mut self, end: End, count: Option<Decimal>) {
        let filled_qty = count.unwrap_or(self.heard);
        self.hear(Fact::Ended {
            end,
            filled_qty,
            reason: None,
            at: self.now,
            replaced_by: None,
        });
    }

    /// One report, as it would come off the bus.
    pub fn hear(&mut self, fact: Fact) {
        let report = report(fact, self.now);
        self.desk.take(&report);
    }
}

/// A report about the order of all scripts.
pub fn report(fact: Fact, now: Timestamp) -> Report {
    let wire = VenueReport {
        venue: VENUE.to_owned(),
        order_id: ORDER.get(),
        account_id: ACCOUNT.get(),
        fact,
        source: "stream".to_owned(),
        received_at: now,
    };
    Report::parse(&serde_json::to_string(&wire).unwrap()).unwrap()
}

fn cash(dollars: i64) -> CashBalance {
    CashBalance {
        account: ACCOUNT,
        strict: false,
        avail: Money::from_decimal(dollars.into()),
        held: Money::ZERO,
        unsettled: Money::ZERO,
        dep_pending: Money::ZERO,
        wd_pending: Money::ZERO,
        debit_allowed: false,
        accrued_fees: Money::ZERO,
    }
}

fn shares(count: i64) -> ShareBalance {
    let symbol = Symbol::parse("XYZ").unwrap();
    let avail = Qty::new(count.into()).unwrap();
    ShareBalance {
        account: ACCOUNT,
        symbol,
        avail,
        held: Qty::ZERO,
        cost_basis: Money::ZERO,
    }
}

fn stored(side: Side, qty: Qty, limit_price: Price) -> StoredOrder {
    let now = testkit::start_of_time();
    StoredOrder {
        order_id: ORDER,
        account_id: ACCOUNT,
        client_order_id: ClientOrderId::new("mine").unwrap(),
        asset_id: AssetId::new(Uuid::from_u128(0xa5)),
        symbol: Symbol::parse("XYZ").unwrap(),
        side,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Day,
        limit_price,
        notional: None,
        session_date: now.date_naive(),
        submit_at: None,
        expires_at: now + TimeDelta::hours(6),
        explicit_expiry: false,
        request_id: RequestId::new("r-1").unwrap(),
        created_at: now,
        submitted_at: now,
        state: OrderState::accepted(qty),
        posted_cash: Money::ZERO,
        end_reason: None,
        venue_order_id: None,
        acknowledged_at: None,
        filled_at: None,
        canceled_at: None,
        expired_at: None,
        failed_at: None,
        cancel_requested_at: None,
        expire_requested_at: None,
        chain: orders::Chain::default(),
        updated_at: now,
    }
}
