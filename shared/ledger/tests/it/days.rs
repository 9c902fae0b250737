//! Weeks of random trades, busts, corrections and jobs, the jobs killed and repeated at random: fees are always the day's exact sums
//! rounded up once (FEE-2), what is due settles once, and LED-I1 to LED-I5 hold. And the points where the jobs can die.

use crate::shop::{Filled, Shop, customer, day, evening};
use chrono::NaiveDate;
use domain::{AccountId, Side};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rust_decimal::Decimal;
use uuid::Uuid;

const CUSTOMERS: u128 = 4;
/// A week with a day without settlement (CAL-6), and rates of the autumn of 2026.
const DAYS: [&str; 5] = ["2026-09-29", "2026-09-30", "2026-10-09", "2026-10-12", "2026-10-13"];

#[derive(Debug, Clone)]
enum Step {
    /// A trade of today, or late by so many days.
    Trade {
        customer: u128,
        buys: bool,
        shares: u32,
        cents: u32,
        late: usize,
    },
    /// The venue takes one of the fills back.
    Bust(usize),
    /// It was for fewer shares, or for another price.
    Correct {
        fill: usize,
        less: u32,
        cents: u32,
    },
    /// The fee job, killed after a batch where that is said.
    Fees {
        killed: bool,
    },
    /// The settlement job.
    Settle {
        killed: bool,
    },
    NextDay,
}

fn step() -> impl Strategy<Value = Step> {
    let trade = (0..CUSTOMERS, any::<bool>(), 1_u32..300, 1_u32..20_000, 0_usize..2).prop_map(
        |(customer, buys, shares, cents, late)| Step::Trade {
            customer,
            buys,
            shares,
            cents,
            late,
        },
    );
    prop_oneof![
        8 => trade,
        2 => any::<usize>().prop_map(Step::Bust),
        2 => (any::<usize>(), 0_u32..3, 1_u32..20_000)
            .prop_map(|(fill, less, cents)| Step::Correct { fill, less, cents }),
        2 => any::<bool>().prop_map(|killed| Step::Fees { killed }),
        2 => any::<bool>().prop_map(|killed| Step::Settle { killed }),
        2 => Just(Step::NextDay),
    ]
}

#[test]
fn led_i1_to_i5_and_fee_2_hold_through_random_days() {
    random_days(12);
}

#[test]
#[ignore = "a minute or two"]
fn led_i1_to_i5_and_fee_2_hold_through_very_many_random_days() {
    random_days(300);
}

fn random_days(cases: u32) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let config = Config {
        cases,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let days = prop::collection::vec(step(), 10..60);
    TestRunner::new(config)
        .run(&days, |steps| {
            runtime.block_on(async { Weeks::open().await.live(&steps).await });
            Ok(())
        })
        .expect("every run of days keeps the books");
}

struct Weeks {
    shop: Shop,
    today: usize,
    fills: Vec<Filled>,
}

impl Weeks {
    async fn open() -> Self {
        let shop = Shop::open(CUSTOMERS, 5_000).await;
        Self {
            shop,
            today: 0,
            fills: Vec::new(),
        }
    }

    async fn live(mut self, steps: &[Step]) {
        for step in steps {
            self.step(step).await;
        }
        let end = day("2026-10-20");
        self.shop.post_fees(end).await;
        self.shop.settle(end).await;
        self.shop.prove().await;
        let left: i64 = sqlx::query_scalar(
            "select (select count(*) from ledger_trades where settled_at is null)
                  + (select count(*) from ledger_fee_accruals where posted_at is null)
                  + (select count(*) from ledger_cash where unsettled <> 0 or held <> 0 or accrued_fees <> 0)",
        )
        .fetch_one(&self.shop.db.pool)
        .await
        .expect("read");
        assert_eq!(left, 0, "everything is posted and settled in the end");
        self.replayed().await;
    }

    async fn step(&mut self, step: &Step) {
        let today = day(DAYS[self.today]);
        match *step {
            Step::Trade {
                customer: n,
                buys,
                shares,
                cents,
                late,
            } => {
                let side = if buys { Side::Buy } else { Side::Sell };
                let price = Decimal::new(cents.into(), 2).to_string();
                let date = day(DAYS[self.today.saturating_sub(late)]);
                let mut conn = self.shop.conn().await;
                let ticket = (side, shares.to_string(), price);
                let ticket = (ticket.0, ticket.1.as_str(), ticket.2.as_str());
                self.fills
                    .extend(self.shop.trade_in(&mut conn, customer(n), ticket, date).await);
            }
            Step::Bust(n) if !self.fills.is_empty() => {
                let fill = self.fills.remove(n % self.fills.len());
                let mut conn = self.shop.conn().await;
                self.shop.bust(&mut conn, fill).await;
            }
            Step::Correct { fill, less, cents } if !self.fills.is_empty() => {
                let n = fill % self.fills.len();
                let mut conn = self.shop.conn().await;
                self.shop
                    .correct(
                        &mut conn,
                        &mut self.fills[n],
                        less.into(),
                        Decimal::new(cents.into(), 2),
                    )
                    .await;
            }
            Step::Bust(_) | Step::Correct { .. } => {}
            Step::Fees { killed } => self.fees(today, killed).await,
            Step::Settle { killed } => self.settle(today, killed).await,
            Step::NextDay => self.today = (self.today + 1).min(DAYS.len() - 1),
        }
        if !matches!(step, Step::Trade { .. } | Step::NextDay) {
            self.shop.prove().await;
        }
    }

    async fn fees(&self, today: NaiveDate, killed: bool) {
        if killed {
            let mut tx = self.shop.db.pool.begin().await.expect("a transaction");
            let batch = ledger::fees::post_due(&mut tx, &self.shop.rates, today, None, 3, evening(today)).await;
            batch.expect("posted");
            return tx.rollback().await.expect("rolled back");
        }
        self.shop.post_fees(today).await;
        assert_eq!(self.shop.post_fees(today).await, 0, "twice is once");
    }

    async fn settle(&self, today: NaiveDate, killed: bool) {
        if killed {
            let mut tx = self.shop.db.pool.begin().await.expect("a transaction");
            let nobody = AccountId::new(Uuid::nil());
            let batch = ledger::settlement::settle_due(&mut tx, today, nobody, 5, evening(today)).await;
            batch.expect("settled");
            return tx.rollback().await.expect("rolled back");
        }
        self.shop.settle(today).await;
        assert_eq!(self.shop.settle(today).await, 0, "twice is once");
    }

    /// LED-I4: the transfers alone, replayed into an empty ledger, come to the same balances.
    async fn replayed(&self) {
        let pool = &self.shop.db.pool;
        type Row = (Uuid, String, String, Decimal);
        let entries: Vec<Row> = sqlx::query_as(
            "select e.account_id, e.book, e.asset, e.amount
               from ledger_transfers
               join ledger_entries e using (transfer_id)
              where e.account_id is not null",
        )
        .fetch_all(pool)
        .await
        .expect("read");
        let mut balances: std::collections::BTreeMap<(Uuid, String, String), Decimal> = Default::default();
        for (account, book, asset, amount) in entries {
            *balances.entry((account, book, asset)).or_default() += amount;
        }
        let kept: Vec<Row> = sqlx::query_as(
            "select account_id, b.book, 'USD', b.amount from ledger_cash
              cross join lateral (values ('cust.cash.avail', avail), ('cust.cash.held', held),
                                         ('cust.cash.unsettled', unsettled)) b (book, amount)
              union all
             select account_id, b.book, symbol, b.amount from ledger_shares
              cross join lateral (values ('cust.sec.avail', avail), ('cust.sec.held', held)) b (book, amount)",
        )
        .fetch_all(pool)
        .await
        .expect("read");
        for (account, book, asset, amount) in kept {
            let replayed = balances.remove(&(account, book.clone(), asset)).unwrap_or_default();
            assert_eq!(replayed, amount, "{book} of {account}");
        }
        assert!(balances.values().all(Decimal::is_zero), "{balances:?}");
    }
}

const URL: &str = "LEDGER_VICTIM_URL";

#[tokio::test]
async fn killed_while_it_posts_fees_or_settles_a_job_leaves_nothing_half() {
    let mut shop = Shop::open(2, 1_000).await;
    let (date, settles) = (day("2026-09-15"), day("2026-09-16"));
    for n in 0..2 {
        shop.trade(customer(n), Side::Sell, "100", "150.00", date).await;
    }
    for point in ["fees::posted", "settle::posted_not_marked"] {
        kill(&shop, point);
        assert_eq!(
            (shop.house("fees.%").await, shop.house("street.cash.settled").await),
            (String::new(), String::new())
        );
        shop.prove().await;
    }
    assert_eq!((shop.post_fees(date).await, shop.settle(settles).await), (2, 2));
    assert_eq!(
        shop.house("fees.%").await,
        "fees.cat 0.02, fees.sec 0.62, fees.taf 0.04"
    );
    shop.prove().await;
}

/// A failpoint counts for its whole process, so the one that dies is this test binary again.
fn kill(shop: &Shop, point: &str) {
    testkit::victim::dies_at("days::child_dies", point, &[(URL, &shop.db.url)]);
}

#[tokio::test]
#[ignore = "the victim of the test above, in a process of its own"]
async fn child_dies() {
    let Ok(url) = std::env::var(URL) else { return };
    testkit::victim::abort_on_panic();
    let _armed = fail::FailScenario::setup();
    let pool = sqlx::PgPool::connect(&url).await.expect("connected");
    let mut tx = pool.begin().await.expect("a transaction");
    let (date, settles) = (day("2026-09-15"), day("2026-09-16"));
    let rates = ledger::fees::rates(&mut tx).await.expect("read");
    let nobody = AccountId::new(Uuid::nil());
    if std::env::var("FAILPOINTS").is_ok_and(|points| points.starts_with("settle")) {
        let settled = ledger::settlement::settle_due(&mut tx, settles, nobody, 9, evening(settles)).await;
        settled.expect("not reached");
    }
    let posted = ledger::fees::post_due(&mut tx, &rates, date, None, 9, evening(date)).await;
    posted.expect("not reached");
}
