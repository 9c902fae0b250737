//! The jobs that post fees and settle trades, as runs of their own.
#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::NaiveDate;
use domain::calendar::Calendar;
use domain::order::{OrderEvent, OrderState};
use domain::{AccountId, ExecId, Money, OrderId, Price, Qty, Side, Symbol};
use ledger::rules::{self, Executed, Occasion, Standing, TradeDates};
use ledger::{Accrual, Asset, Book, CashBalance, Cause, Entry, Transfer};
use scheduler::Deps;
use scheduler::engine::{JobError, Run, alerts};
use scheduler::jobs::StepOutcome;
use scheduler::jobs::fees::{FIRM_ROUNDING, NO_RATE, post_fees};
use scheduler::jobs::settlement::settle;
use serde_json::json;
use testkit::TestDb;
use uuid::Uuid;
use venue::fake::FakeVenue;

struct House {
    db: TestDb,
    deps: Deps<FakeVenue>,
    run: Run,
}

fn customer(n: u128) -> AccountId {
    AccountId::new(Uuid::from_u128(n))
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

impl House {
    /// At 17:00 in New York on a Monday, a run under way.
    async fn on_monday() -> Self {
        let (db, deps) = crate::deps().await;
        set_clock(&db, "2026-11-23T22:00:00Z").await;
        let run = Run::begin(&db.pool, Uuid::from_u128(1), "end-of-day", json!({}))
            .await
            .unwrap();
        Self { db, deps, run }
    }

    async fn cash(&self, account: AccountId) -> CashBalance {
        let mut conn = self.db.pool.acquire().await.unwrap();
        ledger::cash(&mut conn, account).await.unwrap().unwrap()
    }

    async fn fees(&self, date: &str) -> Result<StepOutcome, JobError> {
        post_fees(&self.deps, &self.run, day(date)).await
    }

    async fn settle(&self, date: &str) -> Result<StepOutcome, JobError> {
        settle(&self.deps, &self.run, day(date)).await
    }

    async fn alerts(&self) -> Vec<String> {
        let mut conn = self.db.pool.acquire().await.unwrap();
        let alerts = alerts::list(&mut conn, false, 10).await.unwrap();
        alerts
            .into_iter()
            .map(|alert| format!("{} {}", alert.kind, alert.subject))
            .collect()
    }

    /// An account that sold 100 shares on a day, as the status-updater books it.
    async fn sold(&self, account: AccountId, price: &str, date: &str) {
        let mut conn = self.db.pool.acquire().await.unwrap();
        let at = testkit::start_of_time();
        let (qty, price) = (Qty::parse("100").unwrap(), Price::parse(price).unwrap());
        let order = rules::Order {
            account,
            order: OrderId::new(Uuid::from_u128(account.get().as_u128() << 8)),
            symbol: Symbol::parse("XYZ").unwrap(),
            side: Side::Sell,
            limit_price: price,
            strict: false,
        };
        let before = OrderState::accepted(qty);
        let (after, _) = before.after(OrderEvent::Filled { qty, price }).unwrap();
        let side = Side::Sell;
        let rates = ledger::fees::rates(&mut conn).await.unwrap();
        let trade = day(date);
        let fees = rates.accrue(trade, &Executed { side, qty, price }).unwrap();
        let settle = Calendar::nyse().settle_date(trade).unwrap();
        let exec_id = ExecId::new(&account.to_string()).unwrap();
        let occasion = Occasion {
            cause: Cause::Fill {
                venue: "sim".into(),
                exec_id,
            },
            at,
            dates: TradeDates { trade, settle },
            accrual: Some(Accrual {
                price: price.get(),
                fees,
            }),
            takes_back: None,
            standing: Standing::default(),
            beside: (None, None),
        };
        ledger::open_account(&mut conn, account, false).await.unwrap();
        let fill = rules::change(&order, &before, &after, Money::ZERO, occasion).unwrap();
        let transfers = [held_shares(&order, qty), fill.transfer.unwrap()];
        ledger::post(&mut conn, &transfers).await.unwrap();
    }
}

/// Shares that the order has set aside, from nowhere in particular.
fn held_shares(order: &rules::Order, qty: Qty) -> Transfer {
    let line = |account, book, amount| Entry {
        account,
        book,
        asset: Asset::Security(order.symbol.clone()),
        amount,
    };
    let lines = vec![
        line(Some(order.account), Book::SecHeld, qty.get()),
        line(None, Book::StreetSecSettled, -qty.get()),
    ];
    Transfer::new(Cause::Hold(order.order), testkit::start_of_time(), lines).unwrap()
}

async fn set_clock(db: &TestDb, at: &str) {
    sqlx::query("update db_clock set clock_offset = clock_offset + ($1::timestamptz - daybook_now())")
        .bind(at.parse::<domain::Timestamp>().unwrap())
        .execute(&db.pool)
        .await
        .unwrap();
}

fn done(outcome: Result<StepOutcome, JobError>) -> String {
    match outcome.unwrap() {
        StepOutcome::Done(summary) => summary,
        StepOutcome::Wait { why, .. } => panic!("waits: {why}"),
    }
}

#[tokio::test]
async fn fees_are_posted_and_trades_settle_on_their_day_and_a_second_run_finds_nothing() {
    let house = House::on_monday().await;
    for n in 1..=3 {
        house.sold(customer(n), "150.00", "2026-11-23").await;
    }
    let first = done(house.fees("2026-11-23").await);
    assert_eq!(
        first,
        "fees of 3 accounts to 2026-11-23: 0.96 posted (SEC 0.93, TAF 0, CAT 0.03), 0.00 of it borne by the firm"
    );
    assert_eq!(house.cash(customer(1)).await.avail.to_string(), "14999.68");
    assert!(done(house.fees("2026-11-23").await).contains("of 0 accounts"));
    assert_eq!(
        done(house.settle("2026-11-23").await),
        "0 trades due to 2026-11-23 settled"
    );
    set_clock(&house.db, "2026-11-24T22:00:00Z").await;
    assert_eq!(
        done(house.settle("2026-11-24").await),
        "3 trades due to 2026-11-24 settled"
    );
    assert_eq!(
        done(house.settle("2026-11-24").await),
        "0 trades due to 2026-11-24 settled"
    );
    assert!(house.alerts().await.is_empty());
}

#[tokio::test]
async fn fee_4_a_date_without_a_rate_stops_the_job_with_an_alert_until_the_rate_is_there() {
    let house = House::on_monday().await;
    let removed = "update fee_rates set valid_to = '2026-11-20' where kind = 'cat' and valid_to = '2026-12-31'";
    sqlx::query(removed).execute(&house.db.pool).await.unwrap();
    house.sold(customer(1), "150.00", "2026-11-23").await;
    for _ in 0..2 {
        let StepOutcome::Wait { why, .. } = house.fees("2026-11-23").await.unwrap() else {
            panic!("nothing is free")
        };
        assert_eq!(why, "no fee rate for 2026-11-23: cat");
        assert_eq!(house.alerts().await, [format!("{NO_RATE} 2026-11-23")]);
        assert_eq!(house.cash(customer(1)).await.avail.to_string(), "15000.00");
    }
    let added = "update fee_rates set valid_to = '2026-12-31' where kind = 'cat' and valid_to = '2026-11-20'";
    sqlx::query(added).execute(&house.db.pool).await.unwrap();
    assert!(done(house.fees("2026-11-23").await).contains("SEC 0.31, TAF 0, CAT 0.01"));
    assert!(house.alerts().await.is_empty(), "its cause is gone");
}

#[tokio::test]
async fn fee_5_what_the_firm_bears_is_watched() {
    let house = House::on_monday().await;
    house.sold(customer(1), "150.00", "2026-11-23").await;
    let poor = "update ledger_cash set avail = 0, accrued_fees = 3000.0003 where account_id = $1";
    sqlx::query(poor)
        .bind(customer(1).get())
        .execute(&house.db.pool)
        .await
        .unwrap();
    sqlx::query("update ledger_fee_accruals set sec = 3000")
        .execute(&house.db.pool)
        .await
        .unwrap();
    assert!(done(house.fees("2026-11-23").await).contains("3000.01 of it borne by the firm"));
    assert_eq!(house.alerts().await, [format!("{FIRM_ROUNDING} 2026-11-23")]);
}

#[tokio::test]
async fn fee_5_what_the_firm_bears_is_watched_over_all_runs_of_a_date() {
    let house = House::on_monday().await;
    for (n, alerts) in [(1, vec![]), (2, vec![format!("{FIRM_ROUNDING} 2026-11-23")])] {
        house.sold(customer(n), "150.00", "2026-11-23").await;
        let poor = "update ledger_cash set avail = 0, accrued_fees = 0.7003 where account_id = $1";
        sqlx::query(poor)
            .bind(customer(n).get())
            .execute(&house.db.pool)
            .await
            .unwrap();
        sqlx::query("update ledger_fee_accruals set sec = 0.70 where posted_at is null")
            .execute(&house.db.pool)
            .await
            .unwrap();
        assert!(done(house.fees("2026-11-23").await).contains("0.71 of it borne by the firm"));
        assert_eq!(house.alerts().await, alerts);
    }
}

#[tokio::test]
async fn a_day_that_has_not_begun_is_refused() {
    let house = House::on_monday().await;
    for outcome in [house.fees("2026-11-24").await, house.settle("2026-11-24").await] {
        assert!(matches!(outcome, Err(JobError::Fatal(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn v10_a_worker_that_lost_its_run_posts_and_settles_nothing() {
    let house = House::on_monday().await;
    house.sold(customer(1), "150.00", "2026-11-20").await;
    sqlx::query("update job_runs set epoch = epoch + 1")
        .execute(&house.db.pool)
        .await
        .unwrap();
    for outcome in [house.fees("2026-11-23").await, house.settle("2026-11-23").await] {
        assert!(matches!(outcome, Err(JobError::Lost)), "{outcome:?}");
    }
    let cash = house.cash(customer(1)).await;
    assert_eq!(
        (cash.avail.to_string(), cash.accrued_fees.to_string()),
        ("15000.00".into(), "0.3093".into())
    );
}
