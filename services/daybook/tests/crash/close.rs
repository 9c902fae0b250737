//! EOD-2 as processes: the brokerage is killed in the middle of the steps of an end of day, twice each, and the day ends the
//! same, with one notice an order and end. Clocks are moved; the exchange is a process of its own with its own clock.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use domain::calendar::{Calendar, SessionDate, to_new_york};
use sqlx::{AssertSqlSafe, PgPool};
use testkit::TestDb;

use crate::harness::clocks::{in_the_morning, set_clocks};
use crate::harness::{Customer, Market};
use crate::process::{Process, Program};
use crate::rounds::{brokerage_program, customers, exchange_program};

/// Longer than the longest pause after an attempt that failed (300 s), of which each death is one, and than the first ones between
/// two questions about an order (30, 60, 120 s).
const PATIENCE: Duration = Duration::from_secs(400);
/// How a process ends that panicked.
const SIGABRT: i32 = 6;

/// The exchange closes so much later than we do, so that our cancels come before its own expiry.
const LATE: TimeDelta = TimeDelta::minutes(5);

/// A point in the middle of a step, and how long after the close its step is due.
type Point = (&'static str, i64);

const EVERY: [Point; 13] = [
    ("eod::routing_closed", 1),
    ("expiry::mid_batch", 10),
    ("eod::canceled", 10),
    ("eod::prints_taken", 601),
    ("eod::looked_up", 605),
    ("eod::ended", 610),
    ("eod::released", 615),
    ("eod::fees_posted", 1_801),
    ("eod::reconciled", 2_701),
    ("eod::settled", 2_705),
    ("eod::proven", 6_301),
    ("eod::notified", 6_305),
    ("eod::date_closed", 6_310),
];

/// A brokerage and an exchange over the close of an always-open day.
struct Town {
    db: TestDb,
    brokerage: Program,
    market: Market,
    customer: Customer,
    date: SessionDate,
    close: DateTime<Utc>,
    _exchange: (TestDb, Program, Process),
}

impl Town {
    async fn open() -> Self {
        let (db, exchange_db) = tokio::join!(
            TestDb::new(),
            TestDb::with_migrator(&exchange_sim::MIGRATOR, "exchange")
        );
        let exchange = exchange_program(&db.url, &exchange_db.url);
        let trading = exchange.up().await;
        let brokerage = brokerage_program(&db.url, &exchange.url());
        let market = Market::at(&exchange.url());
        set_clocks(&db.pool, in_the_morning(), &market, in_the_morning()).await;
        market.pin("AAPL", "99.00", "100.00", 20).await;
        let customer = customers(&db.url, &brokerage.url(), 1).await.remove(0);
        let date = SessionDate::new(to_new_york(in_the_morning()).date_naive());
        let close = Calendar::always_open().ends_at(date).unwrap();
        Town {
            db,
            brokerage,
            market,
            customer,
            date,
            close,
            _exchange: (exchange_db, exchange, trading),
        }
    }

    fn pool(&self) -> &PgPool {
        &self.db.pool
    }

    async fn text(&self, query: &str) -> String {
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .fetch_all(self.pool())
            .await
            .unwrap();
        rows.join("\n")
    }

    /// Waits until the query gives this.
    async fn reaches(&self, what: &str, query: &str, expected: &str) {
        let begun = Instant::now();
        while self.text(query).await != expected {
            if begun.elapsed() > PATIENCE {
                panic!("{what} in vain\n{}", self.state().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Where the end of the day and its orders are, for whoever has to find out why it is not further.
    async fn state(&self) -> String {
        let mut parts = Vec::new();
        for query in [
            "select daybook_now()::text",
            "select concat_ws(' ', step, begun_at, done_at, figures, summary) from eod_steps order by step",
            "select concat_ws(' ', at, line) from job_run_lines order by line_id",
            "select concat_ws(' ', order_id, side, status, expires_at) from orders order by submitted_at",
            "select concat_ws(' ', order_id, seq, at, event, cause) from order_events order by seq",
        ] {
            parts.push(self.text(query).await);
        }
        parts.push(self.brokerage.last_words());
        parts.join("\n")
    }

    /// So many seconds after the close, and for the exchange a little earlier until the prints are in; never back.
    async fn after_close(&self, seconds: i64) {
        let now = db::database_time(&mut self.pool().acquire().await.unwrap())
            .await
            .unwrap();
        let ours = now.max(self.close + TimeDelta::seconds(seconds));
        let late = if seconds < 600 { LATE } else { TimeDelta::zero() };
        set_clocks(self.pool(), ours, &self.market, ours - late).await;
    }

    /// One of each: an order that will have ended unfilled, one that has traded in part, one that is filled, one that stays.
    async fn trade(&self) {
        self.customer.buy(10, "AAPL", "50.00").await;
        let filled = self.customer.buy(5, "AAPL", "100.00").await;
        self.customer.wait_for(filled, "filled").await;
        self.customer.order("buy", 1, "AAPL", "40.00", "gtc").await;
        let resting = self.customer.sell(2, "AAPL", "150.00").await;
        self.customer.wait_for(resting, "new").await;
    }

    /// The process dies there, is started again, and dies there again.
    async fn dies_twice_at(&self, (point, after): Point) {
        self.after_close(after).await;
        for _ in 0..2 {
            let mut process = self.brokerage.start(Some(&format!("{point}=panic")));
            let Some(ended) = process.ended_within(PATIENCE).await else {
                panic!("{point} was not reached\n{}", self.state().await);
            };
            let words = self.brokerage.last_words();
            assert_eq!(ended.signal(), Some(SIGABRT), "{point}: {ended}\n{words}");
            assert!(words.contains(&format!("failpoint {point} panic")), "{point}: {words}");
        }
        eprintln!("survived {point}");
    }

    /// The day comes to its end; gives how, in one text without times and ids.
    async fn ends(&self) -> String {
        let process = self.brokerage.up().await;
        for seconds in [10, 605, 610, 1_801, 2_701, 6_301] {
            self.after_close(seconds).await;
        }
        let date = self.date.get();
        let done =
            format!("select count(*)::text from eod_steps where business_date = '{date}' and done_at is not null");
        self.reaches("all steps are done", &done, "12").await;
        let notices = "select count(*)::text from notices where kind = 'expired'";
        self.reaches("the ends are told", notices, "2").await;
        process.kill().await;
        let mut parts = Vec::new();
        for query in [
            "select side || ' ' || time_in_force || ' ' || status || ' ' || filled_qty from orders order by submitted_at",
            // Whether a submission was in doubt for a moment is the machine's affair.
            "select string_agg(event, ' ' order by seq) from order_events where event not in ('partial_fill', 'pending_new')
              group by order_id order by min(seq)",
            "select avail || ' ' || held from ledger_cash order by account_id",
            "select step::text from eod_steps where done_at is not null order by step",
            "select kind || ' ' || count(*) from notices where kind <> 'partial_fill' group by kind order by kind",
            "select count(*)::text from eod_proofs where clean",
        ] {
            parts.push(self.text(query).await);
        }
        let mut conn = self.pool().acquire().await.unwrap();
        let report = audit::audit(&mut conn, false).await.unwrap();
        assert!(report.is_clean(), "{report}");
        parts.join("\n")
    }
}

async fn survives(points: &[Point]) {
    let (mut outcomes, mut states) = (Vec::new(), Vec::new());
    for points in [&[][..], points] {
        let town = Town::open().await;
        let process = town.brokerage.up().await;
        town.trade().await;
        town.after_close(-2).await;
        process.kill().await;
        for point in points {
            town.dies_twice_at(*point).await;
        }
        outcomes.push(town.ends().await);
        states.push(town.state().await);
    }
    assert!(
        outcomes[0].contains("buy day expired 0") && outcomes[0].contains("sell day expired 0"),
        "{}",
        outcomes[0]
    );
    assert_eq!(outcomes[1], outcomes[0], "{}", states.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn eod_2_killed_twice_in_the_middle_of_three_steps_the_day_ends_the_same() {
    survives(&[EVERY[1], EVERY[5], EVERY[10]]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: every step"]
async fn eod_2_killed_twice_in_the_middle_of_all_steps_the_day_ends_the_same() {
    survives(&EVERY).await;
}
