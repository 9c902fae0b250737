//! The close of a day, from the bell to the closed date.

use domain::calendar::{Calendar, Exception, SessionDate};
use domain::order::EndKind;
use scheduler::engine::{Job, JobError};
use venue::fake::{Act, CallKind};

use crate::world::{World, dollars, no_file, shares};

const MONDAY: &str = "2026-11-23";

#[tokio::test]
async fn a_day_ends_for_every_kind_of_order_as_the_venue_says() {
    let mut world = World::new().await;
    let ada = world.account(100_000).await;
    let bought = world.place(ada, "buy 5 @ 100.00").await;
    world.settle().await;
    world.venue.fill(bought, shares(5), dollars("99.00"));
    world.settle().await;
    let resting = world.place(ada, "buy 10 @ 50.00").await;
    let partly = world.place(ada, "buy 10 @ 60.00").await;
    let sold = world.place(ada, "sell 5 @ 100.00").await;
    let gtc = world.place(ada, "buy 1 @ 40.00 gtc").await;
    let withdrawn = world.place(ada, "buy 2 @ 45.00").await;
    world.settle().await;
    world.venue.fill(partly, shares(4), dollars("60.00"));
    world.venue.fill(sold, shares(5), dollars("100.00"));
    world.venue.script_for(withdrawn, CallKind::Cancel, [Act::Unreachable]);
    world.cancel(withdrawn).await;
    world.settle().await;
    world.now_is("2026-11-23T21:00:00Z").await;
    let tomorrows = world.place(ada, "buy 7 @ 30.00").await;

    let summary = world.close(MONDAY).await;

    assert_eq!(summary, "2026-11-23 is closed");
    assert_eq!(world.stands(resting).await, "expired, filled 0");
    assert_eq!(world.stands(partly).await, "expired, filled 4");
    assert_eq!(world.stands(sold).await, "filled, filled 5");
    assert_eq!(
        world.stands(withdrawn).await,
        "canceled, filled 0",
        "SAGA 20: the customer had asked before"
    );
    assert_eq!(world.stands(gtc).await, "done_for_day, filled 0");
    assert_eq!(world.stands(tomorrows).await, "accepted, filled 0", "EOD-4");
    assert_eq!(
        world.cash(ada).await,
        "avail 99514.97, held 250.00",
        "1 x 40 and 7 x 30 are held, fees are paid"
    );
    let equity = "select cash::text || ' and ' || round(long_market_value, 2) from daily_equity where business_date = '2026-11-23'";
    assert_eq!(
        world.text(equity).await,
        "99764.97 and 400.00",
        "held cash counts, and 4 shares at the closing price"
    );
    assert_eq!(world.steps_done(MONDAY.parse().unwrap()).await, 12);
    world.prove().await;
}

#[tokio::test]
async fn eod_the_date_leaves_its_prices_its_proof_and_no_alert() {
    let mut world = World::new().await;
    world.now_is("2026-11-23T21:00:00Z").await;
    world.close(MONDAY).await;
    let prices = world
        .text("select symbol || ' ' || session_date || ' ' || price::text || ' ' || basis from closing_prices")
        .await;
    assert_eq!(prices, "XYZ 2026-11-23 100.000 midpoint");
    assert_eq!(
        world
            .text("select number || ' ' || clean || ' ' || former from eod_proofs")
            .await,
        "1 true "
    );
    assert_eq!(world.count("operator_alerts where cleared_at is null").await, 0);
    world.now_is("2026-11-24T21:00:00Z").await;
    world.close("2026-11-24").await;
    let chained = "eod_proofs b join eod_proofs a on a.number = 1 and b.number = 2 and b.former = a.digest";
    assert_eq!(world.count(chained).await, 1, "each proof is over the one before");
    world.prove().await;
}

/// Half an hour is what EOD-1 gives the orders; the date closes when the proof is there.
#[tokio::test]
async fn eod_1_a_quiet_day_is_in_time() {
    let mut world = World::new().await;
    let ada = world.account(1_000).await;
    world.place(ada, "buy 10 @ 50.00").await;
    world.settle().await;
    world.now_is("2026-11-23T21:00:00Z").await;
    world.close(MONDAY).await;
    let minutes = "select step || ':' || floor(extract(epoch from done_at - '2026-11-23T21:00:00Z') / 60) from eod_steps order by step";
    let minutes = world.text(minutes).await.replace('\n', " ");
    assert_eq!(
        minutes,
        "1:0 2:0 3:0 4:10 5:10 6:10 7:30 8:45 9:45 10:105 11:105 12:105"
    );
}

#[tokio::test]
async fn eod_5_expiry_short_day_a_half_day_ends_three_hours_early_and_the_next_session_is_mondays() {
    let mut world = World::on(Calendar::nyse(), "2026-11-27T15:00:00Z").await;
    let ada = world.account(1_000).await;
    let day = world.place(ada, "buy 10 @ 50.00").await;
    world.settle().await;
    world.now_is("2026-11-27T17:59:59Z").await;
    let run = world.run("2026-11-27").await;
    let waits = world.until(&run, Some("the close of 2026-11-27")).await.unwrap();
    assert_eq!(
        (waits.as_str(), world.count("eod_dates").await),
        ("the close of 2026-11-27", 0)
    );
    assert_eq!(world.stands(day).await, "new, filled 0");
    world.now_is("2026-11-27T18:00:00Z").await;
    let mondays = world.place(ada, "buy 1 @ 50.00").await;
    world.until(&run, None).await.unwrap();
    assert_eq!(world.stands(day).await, "expired, filled 0");
    assert_eq!(world.stands(mondays).await, "accepted, filled 0");
    let last = world.text("select summary from eod_steps where step = 12").await;
    assert_eq!(last, "closed, next is 2026-11-30");
}

/// CAL-4: the session was taken away after its orders were accepted; they end when it would have.
#[tokio::test]
async fn cal_4_a_session_that_was_taken_away_has_its_end_of_day() {
    let mut world = World::new().await;
    let ada = world.account(1_000).await;
    let day = world.place(ada, "buy 10 @ 50.00").await;
    world.settle().await;
    world.sessions =
        sessions::Sessions::fixed(Calendar::nyse().with_exceptions([(MONDAY.parse().unwrap(), Exception::Closed)]));
    world.venue.script_trade_files(no_file(1));
    world.now_is("2026-11-23T21:00:00Z").await;
    world.close(MONDAY).await;
    assert_eq!(world.stands(day).await, "expired, filled 0");
    let compared = world.text("select summary from eod_steps where step = 8").await;
    assert_eq!(compared, "no session and no executions: nothing to compare");
    assert_eq!(world.alerts().await, "");
    world.prove().await;
}

/// CAL-4: what was traded before the session was taken away has to be in a file.
#[tokio::test]
async fn cal_4_executions_of_a_session_that_was_taken_away_are_compared() {
    let mut world = World::new().await;
    let ada = world.account(1_000).await;
    let day = world.place(ada, "buy 10 @ 50.00").await;
    world.settle().await;
    world.venue.fill(day, shares(4), dollars("50.00"));
    world.settle().await;
    world.sessions =
        sessions::Sessions::fixed(Calendar::nyse().with_exceptions([(MONDAY.parse().unwrap(), Exception::Closed)]));
    world.venue.script_trade_files(no_file(1));
    world.now_is("2026-11-23T21:00:00Z").await;
    let run = world.run(MONDAY).await;
    let waits = world.until(&run, Some("not yet")).await.unwrap();
    assert_eq!(waits, "step 8, reconcile: not yet: no such session");
    assert_eq!(world.alerts().await, "reconcile_file fake 2026-11-23");
    world.until(&run, None).await.unwrap();
    let compared = world.text("select summary from eod_steps where step = 8").await;
    assert_eq!(compared, "1 of 1 executions match, 0 breaks wait");
    assert_eq!(world.alerts().await, "");
}

/// A date begun by mistake would hold back every later one.
#[tokio::test]
async fn cal_4_a_date_that_never_had_a_session_has_no_end_of_day() {
    let mut world = World::new().await;
    world.now_is("2026-11-23T21:00:00Z").await;
    let sunday = world.run("2026-11-22").await;
    let refused = world.until(&sunday, None).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "2026-11-22 has no session, no open orders and no executions: there is no day to end"
    );
    assert!(matches!(refused, JobError::Fatal(_)), "not tried again");
    assert_eq!(world.count("eod_dates").await, 0);
    let ada = world.account(1_000).await;
    let sundays = SessionDate::new("2026-11-22".parse().unwrap());
    world.place_for(ada, "buy 10 @ 50.00", sundays, None).await;
    world.end_of_day().run(&sunday).await.unwrap();
    assert_eq!(world.count("eod_dates").await, 1, "its orders have to end");
}

/// EOD-5: the exchange cannot be reached over the close and comes back a quarter of an hour later.
#[tokio::test]
async fn eod_5_an_outage_over_the_close_ends_nothing_until_the_exchange_is_back() {
    let mut world = World::new().await;
    let ada = world.account(1_000).await;
    let day = world.place(ada, "buy 10 @ 50.00").await;
    world.settle().await;
    for kind in [CallKind::Cancel, CallKind::Lookup] {
        world.venue.script(kind, vec![Act::Unreachable; 5_000]);
    }
    world.now_is("2026-11-23T21:00:00Z").await;
    let run = world.run(MONDAY).await;
    let waits = world.until(&run, Some("answers of the exchange")).await.unwrap();
    assert!(waits.starts_with("step 4"), "{waits}");
    assert_eq!(world.stands(day).await, "new, filled 0");
    assert_eq!(world.cash(ada).await, "avail 500.00, held 500.00");
    world.venue.behave();
    world.until(&run, None).await.unwrap();
    assert_eq!(world.stands(day).await, "expired, filled 0");
    assert_eq!(world.cash(ada).await, "avail 1000.00, held 0.00");
    assert_eq!(world.count("eod_unresolved").await, 0, "it came in time");
}

/// EOD-5: an unscheduled halt to the close: nothing trades, orders are taken, and they end with the session all the same.
#[tokio::test]
async fn eod_5_orders_of_a_halted_afternoon_end_with_their_session() {
    let mut world = World::new().await;
    let ada = world.account(1_000).await;
    world.now_is("2026-11-23T20:00:00Z").await;
    let halted = world.place(ada, "buy 1 @ 100.02").await;
    world.settle().await;
    assert_eq!(world.stands(halted).await, "new, filled 0");
    world.now_is("2026-11-23T21:00:00Z").await;
    world.close(MONDAY).await;
    assert_eq!(world.stands(halted).await, "expired, filled 0");
    world.prove().await;
}

/// `expiry::canceled_not_recorded`: the exchange ended it by itself at the bell, before we asked.
#[tokio::test]
async fn the_exchanges_own_expiry_is_taken_as_it_is() {
    let mut world = World::new().await;
    let ada = world.account(1_000).await;
    let day = world.place(ada, "buy 10 @ 50.00").await;
    let gtc = world.place(ada, "buy 1 @ 40.00 gtc").await;
    world.settle().await;
    world.now_is("2026-11-23T21:00:00Z").await;
    world.venue.end(day, EndKind::Expired);
    world.close(MONDAY).await;
    assert_eq!(world.stands(day).await, "expired, filled 0");
    assert_eq!(world.told(day).await, "accepted new expired", "told once");
    assert_eq!(world.told(gtc).await, "accepted new done_for_day");
}

/// Nothing ran over two closes: orders of both days are looked after at once, money and proofs go by the dates.
#[tokio::test]
async fn missed_days_are_caught_up_in_their_order() {
    let mut world = World::new().await;
    let ada = world.account(10_000).await;
    let mondays = world.place(ada, "buy 10 @ 50.00").await;
    world.settle().await;
    world.now_is("2026-11-24T15:00:00Z").await;
    let tuesdays = world.place(ada, "buy 10 @ 50.00").await;
    world.settle().await;
    world.now_is("2026-11-24T23:30:00Z").await;
    let begun = "insert into eod_dates (business_date, calendar, close_at, begun_at)
                 values ('2026-11-23', 'nyse', '2026-11-23T21:00:00Z', daybook_now())";
    world.sql(begun).await;
    let tuesday = world.run("2026-11-24").await;
    let waits = world.until(&tuesday, Some("which comes first")).await.unwrap();
    assert_eq!(waits, "step 7, post fees: 2026-11-23, which comes first");
    assert_eq!(
        world.stands(tuesdays).await,
        "expired, filled 0",
        "orders do not wait for another date"
    );
    assert_eq!(world.stands(mondays).await, "new, filled 0", "EOD-4");
    world.run_is_over(&tuesday).await;
    world.close(MONDAY).await;
    assert_eq!(world.stands(mondays).await, "expired, filled 0");
    world.close("2026-11-24").await;
    let proofs = world
        .text("select number || ' ' || business_date from eod_proofs order by number")
        .await;
    assert_eq!(proofs, "1 2026-11-23\n2 2026-11-24");
    world.prove().await;
}
