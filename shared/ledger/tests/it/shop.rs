//! A brokerage that only books: customers trade on the days a test says, and the jobs of the end of the day run.

use crate::world::{Life, qty};
use chrono::NaiveDate;
use domain::calendar::Calendar;
use domain::order::OrderEvent;
use domain::{AccountId, Money, OrderId, Price, Qty, Side, Symbol, Timestamp};
use ledger::fees::FeeBatch;
use ledger::rules::{self, Executed, FeeRates, Standing, TradeDates};
use ledger::settlement::Settled;
use ledger::{Accrual, Asset, Book, CashBalance, Cause, Entry, Transfer, TransferId, TransferKind};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use sqlx::pool::PoolConnection;
use testkit::TestDb;
use uuid::Uuid;

/// What the audit can prove of a ledger alone; its other checks need orders.
const PROVEN: [&str; 13] = [
    "each transfer sums to zero per asset",
    "the whole ledger sums to zero per asset",
    "transfers and entries belong together",
    "running cash balances are the sums of their entries",
    "running share balances are the sums of their entries",
    "running sums of fees to come are the sums of their accruals",
    "no balance is below zero unless its account is flagged",
    "unsettled proceeds are those of sales that have not settled (BP-8)",
    "each trade accrues its fees by the rates of its date (FEE-3, FEE-4)",
    "each posted fee is what its day accrued, up to the cent (FEE-2)",
    "each trade settled once, on its day or later (LED-13, LED-14)",
    "cash due and settled at the street is that of the trades",
    "customers' shares and the firm's are the street's (LED-I5)",
];

pub struct Shop {
    pub db: TestDb,
    pub rates: FeeRates,
    orders: u128,
}

/// A fill, to be busted perhaps.
pub struct Filled {
    life: Life,
    qty: Qty,
    price: Price,
    booked: TransferId,
    corrections: i32,
}

pub fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// After the close of that day.
pub fn evening(date: NaiveDate) -> Timestamp {
    date.and_hms_opt(22, 0, 0).expect("a time of day").and_utc()
}

pub fn customer(n: u128) -> AccountId {
    AccountId::new(Uuid::from_u128(1_000 + n))
}

impl Shop {
    /// Customers with this many dollars and a thousand shares of XYZ each; every second one is `cash_strict`.
    pub async fn open(customers: u128, dollars: i64) -> Self {
        let db = TestDb::new().await;
        let mut conn = db.pool.acquire().await.expect("a connection");
        let mut transfers = Vec::new();
        for n in 0..customers {
            let account = customer(n);
            ledger::open_account(&mut conn, account, n % 2 == 1)
                .await
                .expect("an account");
            if dollars > 0 {
                let (id, amount) = (Uuid::from_u128(n), Money::from_decimal(dollars.into()));
                transfers.push(rules::deposit_started(account, id, amount, opening()).expect("started"));
                transfers.push(rules::deposit_collected(account, id, amount, opening()).expect("collected"));
            }
            transfers.push(endowment(account, n));
        }
        ledger::post(&mut conn, &transfers).await.expect("posted");
        let rates = ledger::fees::rates(&mut conn).await.expect("rates");
        drop(conn);
        Self { db, rates, orders: 0 }
    }

    pub async fn conn(&self) -> PoolConnection<sqlx::Postgres> {
        self.db.pool.acquire().await.expect("a connection")
    }

    /// An order that fills at once.
    pub async fn trade(&mut self, account: AccountId, side: Side, shares: &str, at: &str, date: NaiveDate) -> Filled {
        let mut conn = self.conn().await;
        let filled = self.trade_in(&mut conn, account, (side, shares, at), date).await;
        filled.expect("enough money and shares")
    }

    /// The same in a transaction of the caller's; `None` where the account cannot pay or deliver.
    pub async fn trade_in(
        &mut self,
        conn: &mut PgConnection,
        account: AccountId,
        (side, shares, at): (Side, &str, &str),
        date: NaiveDate,
    ) -> Option<Filled> {
        let (qty, price) = (qty(shares), Price::parse(at).expect("a price"));
        self.orders += 1;
        let mut life = Life::of(side, shares, at);
        life.order.account = account;
        life.order.order = OrderId::new(Uuid::from_u128(self.orders));
        let (cash, standing) = standing(conn, account).await;
        life.order.strict = cash.strict;
        life.standing = standing;
        let cost = price.notional(qty).expect("in range").ceil_to_cent();
        let possible = match side {
            Side::Buy => cost <= cash.buying_power(),
            Side::Sell => qty <= standing.shares_avail,
        };
        if !possible {
            return None;
        }
        life.dates = dates(date);
        let executed = Executed { side, qty, price };
        let fees = self.rates.accrue(date, &executed).expect("in range");
        life.accrual = Some(Accrual {
            price: price.get(),
            fees,
        });
        let hold = life.hold();
        let fill = life.take(OrderEvent::Filled { qty, price }).expect("a fill");
        let booked = fill.id();
        ledger::post(conn, &[hold, fill]).await.expect("posted");
        Some(Filled {
            life,
            qty,
            price,
            booked,
            corrections: 0,
        })
    }

    /// The venue takes it back.
    pub async fn bust(&self, conn: &mut PgConnection, filled: Filled) {
        let Filled {
            mut life,
            qty,
            price,
            booked,
            ..
        } = filled;
        life.standing = standing(conn, life.order.account).await.1;
        let booked = ledger::booked_trades(conn, &[booked]).await.expect("read")[&booked];
        life.accrual = booked.reversed().accrual;
        life.takes_back = Some(booked.taken_back());
        let bust = life.take(OrderEvent::Busted { qty, price });
        // The order works again and ends unfilled: what the bust put back into its hold comes free.
        let end = life.cancel();
        let transfers: Vec<Transfer> = [bust, end].into_iter().flatten().collect();
        ledger::post(conn, &transfers).await.expect("posted");
        let accounts = [life.order.account];
        ledger::fees::give_back(conn, &accounts, evening(booked.dates.trade))
            .await
            .expect("given back");
    }

    /// It was for `less` shares fewer, at another price within the limit; all that was not filled is let go.
    pub async fn correct(&self, conn: &mut PgConnection, filled: &mut Filled, less: Decimal, price: Decimal) {
        let limit = filled.life.order.limit_price.get();
        let price = match filled.life.order.side {
            Side::Buy => price.min(limit),
            Side::Sell => price.max(limit),
        };
        let price = Price::new(price).expect("a price");
        let Some(qty) = Qty::new(filled.qty.get() - less).ok().filter(|qty| !qty.is_zero()) else {
            return;
        };
        let life = &mut filled.life;
        life.standing = standing(conn, life.order.account).await.1;
        let booked = ledger::booked_trades(conn, &[filled.booked]).await.expect("read")[&filled.booked];
        let executed = Executed {
            side: life.order.side,
            qty,
            price,
        };
        let fees = self.rates.accrue(booked.dates.trade, &executed).expect("in range");
        let accrual = Accrual {
            price: price.get(),
            fees,
        };
        filled.corrections += 1;
        let was = (filled.qty, filled.price);
        let mut transfers = life.correct(was, (qty, price), filled.corrections, &booked, accrual);
        let anew = transfers.last().expect("booked anew").id();
        transfers.extend(life.cancel());
        ledger::post(conn, &transfers).await.expect("posted");
        let accounts = [life.order.account];
        let now = evening(booked.dates.trade);
        ledger::fees::give_back(conn, &accounts, now).await.expect("given back");
        (filled.qty, filled.price, filled.booked) = (qty, price, anew);
    }

    /// The fee job: batches of two accounts until nothing is left.
    pub async fn post_fees(&self, date: NaiveDate) -> usize {
        let (mut after, mut accounts) = (None, 0);
        while let Some(batch) = self.post_fees_once(date, after).await {
            after = Some(batch.last);
            accounts += batch.accounts;
        }
        accounts
    }

    async fn post_fees_once(&self, date: NaiveDate, after: Option<AccountId>) -> Option<FeeBatch> {
        let mut tx = self.db.pool.begin().await.expect("a transaction");
        let batch = ledger::fees::post_due(&mut tx, &self.rates, date, after, 2, evening(date)).await;
        tx.commit().await.expect("committed");
        batch.expect("posted")
    }

    /// The settlement job: batches of three trades until nothing is left.
    pub async fn settle(&self, date: NaiveDate) -> usize {
        let (mut from, mut trades) = (AccountId::new(Uuid::nil()), 0);
        while let Some(batch) = self.settle_once(date, from).await {
            from = batch.last;
            trades += batch.trades;
        }
        trades
    }

    async fn settle_once(&self, date: NaiveDate, from: AccountId) -> Option<Settled> {
        let mut tx = self.db.pool.begin().await.expect("a transaction");
        let batch = ledger::settlement::settle_due(&mut tx, date, from, 3, evening(date)).await;
        tx.commit().await.expect("committed");
        batch.expect("settled")
    }

    pub async fn cash(&self, account: AccountId) -> CashBalance {
        ledger::cash(&mut *self.conn().await, account)
            .await
            .expect("read")
            .expect("there")
    }

    /// Dollars that the customer's shares cost.
    pub async fn basis(&self, account: AccountId) -> String {
        let positions = ledger::positions(&mut *self.conn().await, account).await.expect("read");
        let cost = positions.first().map(|shares| shares.cost_basis.get().normalize());
        cost.unwrap_or_default().to_string()
    }

    pub async fn withdrawable(&self, account: AccountId) -> String {
        let amount = ledger::withdrawable(&mut *self.conn().await, account).await;
        amount.expect("read").to_string()
    }

    /// `fees.sec 0.31, fees.taf 0.02`: what the books of the house say, in dollars.
    pub async fn house(&self, like: &str) -> String {
        let rows: Vec<String> = sqlx::query_scalar(
            "select book || ' ' || trim_scale(sum(amount))
               from ledger_entries
              where asset = 'USD' and account_id is null and book like $1
              group by book having sum(amount) <> 0 order by book",
        )
        .bind(like)
        .fetch_all(&self.db.pool)
        .await
        .expect("read");
        rows.join(", ")
    }

    /// Everything that the database shows of the ledger's invariants (LED-I1 to LED-I5).
    pub async fn prove(&self) {
        let mut conn = self.conn().await;
        for title in PROVEN {
            let check = audit::CHECKS.iter().find(|check| check.title == title);
            let check = check.unwrap_or_else(|| panic!("no check proves that {title}"));
            let finding = audit::look(&mut conn, check).await.expect("audited");
            assert_eq!(finding.violations, 0, "{title}: {:?}", finding.first);
        }
    }
}

fn opening() -> Timestamp {
    "2026-01-02T14:30:00Z".parse().expect("a time")
}

pub fn dates(trade: NaiveDate) -> TradeDates {
    let settle = Calendar::nyse().settle_date(trade).expect("a known day");
    TradeDates { trade, settle }
}

async fn standing(conn: &mut PgConnection, account: AccountId) -> (CashBalance, Standing) {
    let cash = ledger::lock(conn, &[account]).await.expect("locked")[&account];
    let pair = (account, Symbol::parse("XYZ").expect("a symbol"));
    let shares = ledger::shares(conn, std::slice::from_ref(&pair)).await.expect("read");
    let standing = Standing {
        shares_avail: shares.get(&pair).map(|s| s.avail).unwrap_or_default(),
        avail: cash.avail,
        unsettled: cash.unsettled,
        ..Standing::default()
    };
    (cash, standing)
}

/// A thousand shares that settled long ago.
fn endowment(account: AccountId, n: u128) -> Transfer {
    let shares = Decimal::from(1_000);
    let asset = Asset::Security(Symbol::parse("XYZ").expect("a symbol"));
    let line = |account, book, amount| Entry {
        account,
        book,
        asset: asset.clone(),
        amount,
    };
    let cause = Cause::Movement(TransferKind::DepositCollected, Uuid::from_u128(77_000 + n));
    let lines = vec![
        line(Some(account), Book::SecAvail, shares),
        line(None, Book::StreetSecSettled, -shares),
    ];
    Transfer::new(cause, opening(), lines).expect("balanced")
}
