//! Reconciliation against a real Postgres and a scripted exchange (REC-1 to REC-5, LED-20, LED-21, V15).
#![expect(clippy::unwrap_used, reason = "tests")]

mod desk;
mod files;
pub mod rig;

use domain::Side;
use rig::{Rig, dollars, shares, symbol};
use scheduler::engine::JobError;
use scheduler::jobs::reconcile;

#[tokio::test]
async fn rec_2_a_day_on_which_everything_met_has_no_break_and_another_pass_changes_nothing() {
    let rig = Rig::new().await;
    rig.booked(1..4).await;
    assert_eq!(rig.pass().await, "done: 3 of 3 executions match, 0 breaks wait");
    let written = rig.written().await;
    assert_eq!(rig.pass().await, "done: 3 of 3 executions match, 0 breaks wait");
    assert_eq!(rig.written().await, written);
    assert_eq!((rig.breaks().await.len(), rig.alerts().await.len()), (0, 0));
}

#[tokio::test]
async fn rec_4_a_fill_we_missed_is_reported_for_its_order_and_its_break_is_closed_once_it_is_booked() {
    let rig = Rig::new().await;
    rig.booked(1..3).await;
    let order = rig.order(9).await;
    let exec = rig.trade(order);
    let first = rig.pass().await;
    assert!(first.starts_with("wait: 1 of its breaks"), "{first}");
    assert_eq!(rig.told().await, ["filled exec-3"]);
    let key = rig
        .texts("select payload::json ->> 'account_id' from outbox where topic = 'venue-reports'")
        .await;
    assert_eq!(key, [rig::ACCOUNT.to_string()], "by the customer's partition");
    rig.pass().await;
    assert_eq!(rig.told().await.len(), 1, "it is on its way");
    rig.book(order, &exec).await;
    assert_eq!(rig.pass().await, "done: 3 of 3 executions match, 0 breaks wait");
    assert_eq!(rig.breaks().await, ["missing_ours exec-3: closed"]);
    assert_eq!(rig.alerts().await, Vec::<String>::new());
}

#[tokio::test]
async fn led_20_an_execution_of_nobodys_order_goes_to_suspense_and_wants_somebody() {
    let rig = Rig::new().await;
    rig.booked(1..2).await;
    rig.venue
        .trade_for_stranger("by hand", &symbol(), Side::Buy, shares("5"), dollars("50"));
    rig.pass().await;
    assert_eq!(rig.told().await, ["unmatched exec-2"]);
    let done = rig.pass().await;
    assert_eq!(done, "done: 1 of 2 executions match, 1 breaks wait");
    assert_eq!(rig.breaks().await, ["unknown_order exec-2: open"]);
    assert_eq!(
        rig.alerts().await,
        [
            format!("reconcile_breaks fake {}", Rig::date()),
            format!("reconcile_match_rate fake {}", Rig::date())
        ]
    );
    rig.pass().await;
    assert_eq!(rig.told().await.len(), 1, "said once");
}

#[tokio::test]
async fn led_21_what_the_venue_denies_twice_goes_to_suspense_and_comes_back_when_it_shows_up() {
    let rig = Rig::new().await;
    let order = rig.order(1).await;
    let exec = domain::ExecId::new("exec-late").unwrap();
    rig.book(order, &exec).await;
    assert!(rig.pass().await.starts_with("wait"));
    rig.pass().await;
    assert_eq!(rig.venue.asked_for(&exec), 1, "not asked again at once");
    assert_eq!(rig.suspense().await, Vec::<String>::new(), "one answer proves nothing");
    rig.later("11 s").await;
    rig.pass().await;
    assert_eq!(rig.breaks().await, ["missing_theirs exec-late: open, missing"]);
    assert_eq!(rig.suspense().await, ["AAPL -10", "USD 50"]);
    assert!(rig.told().await.is_empty(), "never an automatic bust of a customer");
    let written = rig.written().await;
    let done = rig.pass().await;
    assert_eq!(done, "done: 0 of 1 executions match, 1 breaks wait");
    assert_eq!(rig.written().await, written, "V15: a second pass changes nothing");
    rig.run_sql("update fills set exec_id = 'exec-1'").await;
    rig.run_sql("update recon_breaks set subject = 'exec-1'").await;
    rig.trade(order);
    assert_eq!(rig.pass().await, "done: 1 of 1 executions match, 0 breaks wait");
    assert_eq!(rig.suspense().await, Vec::<String>::new());
    assert_eq!(rig.breaks().await, ["missing_theirs exec-1: closed"]);
}

#[tokio::test]
async fn rec_6_what_the_venue_took_back_unheard_is_reported_as_busted() {
    let rig = Rig::new().await;
    rig.booked(1..3).await;
    let exec = rig.venue.executions().remove(0);
    rig.venue.bust(&exec);
    assert!(rig.pass().await.starts_with("wait"));
    assert_eq!(rig.told().await, ["busted exec-1"]);
    rig.run_sql("update fills set busted_at = daybook_now() where exec_id = 'exec-1'")
        .await;
    assert_eq!(rig.pass().await, "done: 1 of 1 executions match, 0 breaks wait");
}

#[tokio::test]
async fn rec_3_another_price_is_corrected_once_the_venues_record_confirms_it() {
    let rig = Rig::new().await;
    let order = rig.order(1).await;
    let exec = rig.trade(order);
    rig.book_at(order, &exec, "10", "4.90").await;
    assert!(rig.pass().await.starts_with("wait"));
    assert_eq!(rig.told().await, ["corrected exec-1"]);
    rig.later("11 s").await;
    rig.pass().await;
    assert_eq!(rig.told().await.len(), 1, "once");
    rig.run_sql("update fills set price = 5.00").await;
    assert_eq!(rig.pass().await, "done: 1 of 1 executions match, 0 breaks wait");
}

#[tokio::test]
async fn rec_3_an_execution_of_another_symbol_waits_for_a_person() {
    let rig = Rig::new().await;
    rig.booked(1..2).await;
    rig.run_sql("update fills set symbol = 'MSFT'").await;
    assert!(rig.pass().await.starts_with("done"));
    assert_eq!(rig.breaks().await, ["identity exec-1: open"]);
    assert!(rig.told().await.is_empty());
}

#[tokio::test]
async fn rec_1_an_execution_under_two_names_meets_by_its_terms() {
    let rig = Rig::new().await;
    rig.booked(1..2).await;
    rig.run_sql("update fills set exec_id = 'other'").await;
    assert_eq!(rig.pass().await, "done: 1 of 1 executions match, 0 breaks wait");
    assert!(rig.breaks().await.is_empty());
}

#[tokio::test]
async fn an_execution_of_the_venues_record_that_its_file_leaves_out_is_explained() {
    let rig = Rig::new().await;
    rig.booked(1..3).await;
    let whole = rig.venue.written_trade_file(Rig::date());
    let exec = rig.venue.executions().remove(0);
    rig.venue.forget_execution(&exec);
    let without = rig.venue.written_trade_file(Rig::date());
    rig.venue.remember_execution(&exec);
    rig.venue
        .script_trade_files([Ok(without.clone()), Ok(without), Ok(whole)]);
    rig.pass().await;
    assert_eq!(rig.breaks().await, ["missing_theirs exec-1: explained"]);
    let written = rig.written().await;
    rig.pass().await;
    assert_eq!(rig.written().await, written);
    assert_eq!(rig.pass().await, "done: 2 of 2 executions match, 0 breaks wait");
    assert_eq!(
        rig.breaks().await,
        ["missing_theirs exec-1: closed"],
        "a corrected file has it"
    );
}

#[tokio::test]
async fn rec_2_what_the_venue_took_back_after_its_file_was_written_is_explained_and_another_pass_changes_nothing() {
    let rig = Rig::new().await;
    rig.booked(1..3).await;
    let before = rig.venue.written_trade_file(Rig::date());
    let exec = rig.venue.executions().remove(0);
    rig.venue.bust(&exec);
    rig.venue
        .script_trade_files([Ok(before.clone()), Ok(before.clone()), Ok(before)]);
    rig.run_sql("update fills set busted_at = daybook_now() where exec_id = 'exec-1'")
        .await;
    let explained = "done: 1 of 2 executions match, 0 breaks wait, 1 are explained";
    assert_eq!(rig.pass().await, explained);
    let written = rig.written().await;
    for _ in 0..2 {
        rig.later("11 s").await;
        assert_eq!(rig.pass().await, explained);
        assert_eq!(rig.breaks().await, ["busted_ours exec-1: explained"]);
        assert_eq!(rig.written().await, written, "REC-2: the same file again");
    }
    assert_eq!(
        rig.pass().await,
        "done: 1 of 1 executions match, 0 breaks wait",
        "a later file says so, too"
    );
    assert_eq!(rig.breaks().await, ["busted_ours exec-1: closed"]);
}

#[tokio::test]
async fn led_20_what_stands_at_the_venue_and_was_taken_back_here_is_reported_once_and_then_waits_for_people() {
    let rig = Rig::new().await;
    rig.booked(1..2).await;
    rig.run_sql("update fills set busted_at = daybook_now()").await;
    assert!(rig.pass().await.starts_with("wait"), "one answer proves nothing");
    rig.later("11 s").await;
    rig.pass().await;
    assert_eq!(rig.told().await, ["unmatched exec-1"]);
    rig.run_sql(
        "insert into venue_reports_set_aside (report_id, kind, payload, cause, at)
         select gen_random_uuid(), 'unknown_order', payload, 'no such order', daybook_now() from outbox
          where topic = 'venue-reports'",
    )
    .await;
    rig.pass().await;
    let written = rig.written().await;
    for _ in 0..2 {
        rig.later("3 min").await;
        assert_eq!(rig.pass().await, "done: 0 of 1 executions match, 1 breaks wait");
        assert_eq!(rig.written().await, written, "REC-2: the same file again");
    }
}

#[tokio::test]
async fn an_order_open_on_one_side_only_is_asked_about_and_closed_when_both_agree() {
    let rig = Rig::new().await;
    let (ended, working) = (rig.order(1).await, rig.order(2).await);
    for order in [ended, working] {
        rig.run_sql(&format!(
            "insert into open_orders (account_id, order_id, symbol, side) values ('{}', '{order}', 'AAPL', 'buy')",
            rig::ACCOUNT
        ))
        .await;
    }
    rig.run_sql(
        "update orders set status = 'new', acknowledged_at = daybook_now() - interval '1 h',
                updated_at = daybook_now() - interval '1 h'",
    )
    .await;
    rig.venue.end(ended, domain::order::EndKind::Canceled);
    assert!(rig.pass().await.starts_with("wait"));
    assert_eq!(rig.breaks().await, [format!("open_ours {ended}: open")]);
    let asked = rig
        .texts("select order_id::text from outbox where kind = 'look_up_requested.v1'")
        .await;
    assert_eq!(asked, [ended.to_string()]);
    rig.run_sql(&format!("delete from open_orders where order_id = '{ended}'"))
        .await;
    rig.pass().await;
    assert_eq!(rig.breaks().await, [format!("open_ours {ended}: closed")]);
}

/// As many orders of ours as one look takes and more, that the exchange does not list, and one that only it lists.
#[tokio::test]
async fn rec_3_however_many_open_orders_differ_none_hides_another() {
    let rig = Rig::new().await;
    let theirs = rig.order(9_999).await;
    rig.run_sql(
        "insert into orders (order_id, account_id, client_order_id, asset_id, symbol, side, order_type, time_in_force, qty,
                             limit_price, session_date, request_id, created_at, submitted_at, status, updated_at)
         select lpad(to_hex(n), 32, '0')::uuid, account_id, 'c-' || n, asset_id, symbol, side, order_type, time_in_force, qty,
                limit_price, session_date, 'r-' || n, created_at, submitted_at + n * interval '1 ms', 'new', updated_at
           from orders, generate_series(1, 1200) as n",
    )
    .await;
    rig.run_sql(
        "update orders set acknowledged_at = daybook_now() - interval '1 h', updated_at = daybook_now() - interval '1 h'",
    )
    .await;
    rig.run_sql(
        "insert into open_orders (account_id, order_id, symbol, side)
         select account_id, order_id, symbol, side from orders where status = 'new'",
    )
    .await;
    rig.pass().await;
    let kinds = "select kind || ' ' || state || ' ' || count(*) from recon_breaks group by kind, state order by 1";
    assert_eq!(rig.texts(kinds).await, ["open_ours open 1200", "open_theirs open 1"]);
    rig.run_sql("delete from open_orders").await;
    rig.venue.end(theirs, domain::order::EndKind::Canceled);
    rig.pass().await;
    assert_eq!(
        rig.texts(kinds).await,
        ["open_ours closed 1200", "open_theirs closed 1"]
    );
}

#[tokio::test]
async fn a_break_of_open_orders_is_over_when_the_lists_agree_on_a_later_day() {
    let rig = Rig::new().await;
    let (ended, apart) = (rig.order(1).await, rig.order(2).await);
    rig.run_sql(
        "insert into open_orders (account_id, order_id, symbol, side) select account_id, order_id, symbol, side from orders",
    )
    .await;
    rig.run_sql(
        "update orders set status = 'new', acknowledged_at = daybook_now() - interval '1 h',
                updated_at = daybook_now() - interval '1 h'",
    )
    .await;
    for order in [ended, apart] {
        rig.venue.end(order, domain::order::EndKind::Canceled);
    }
    rig.pass().await;
    rig.later("16 min").await;
    rig.pass().await;
    assert_eq!(rig.alerts().await, [format!("reconcile_breaks fake {}", Rig::date())]);
    let next = Rig::date().succ_opt().unwrap();
    rig.later("1 day").await;
    for (close, left, alerts) in [(ended, 1, 1), (apart, 0, 0)] {
        rig.run_sql(&format!("delete from open_orders where order_id = '{close}'"))
            .await;
        rig.pass_over(next).await;
        let open = format!(
            "select subject from recon_breaks where closed_at is null and session_date = '{}'",
            Rig::date()
        );
        assert_eq!(rig.texts(&open).await.len(), left);
        let first = format!("reconcile_breaks fake {}", Rig::date());
        let told = rig.alerts().await.iter().filter(|alert| **alert == first).count();
        assert_eq!(told, alerts, "the day has nothing more that waits");
    }
}

#[tokio::test]
async fn v10_a_run_that_was_taken_over_writes_nothing() {
    let rig = Rig::new().await;
    let order = rig.order(1).await;
    rig.trade(order);
    let run = rig.run().await;
    rig.run_sql("update job_runs set epoch = epoch + 1").await;
    let lost = reconcile::reconcile(&rig.deps, &run, Rig::date()).await;
    assert!(matches!(lost, Err(JobError::Lost)));
    assert!(rig.written().await.is_empty());
}

#[tokio::test]
async fn rec_3_an_execution_unheard_of_another_symbol_or_side_than_its_order_is_for_people_and_never_booked() {
    for differs in ["symbol = 'MSFT'", "side = 'sell'"] {
        let rig = Rig::new().await;
        let order = rig.order(1).await;
        rig.trade(order);
        rig.run_sql(&format!("update orders set {differs}")).await;
        assert_eq!(rig.pass().await, "done: 0 of 1 executions match, 1 breaks wait");
        assert_eq!(rig.breaks().await, ["identity exec-1: open"]);
        assert!(rig.told().await.is_empty(), "it would be booked as the order's");
    }
}

/// What the status-updater sets aside of an execution, of today.
async fn aside(rig: &Rig, kind: &str, exec: &str) {
    rig.run_sql(&format!(
        "insert into venue_reports_set_aside (report_id, kind, payload, cause, at)
         select gen_random_uuid(), '{kind}',
                json_build_object('venue', 'fake', 'fact', 'filled', 'exec_id', '{exec}', 'symbol', 'AAPL', 'side', 'buy',
                                  'qty', '5', 'price', '50', 'at', '{}'::timestamptz),
                'a test', daybook_now()",
        testkit::start_of_time(),
    ))
    .await;
}

#[tokio::test]
async fn led_20_what_was_set_aside_without_a_posting_is_not_in_suspense() {
    let rig = Rig::new().await;
    rig.booked(1..2).await;
    for (kind, exec) in [
        ("contradiction", "exec-1"),
        ("contradiction", "x"),
        ("busted_before", "x"),
    ] {
        aside(&rig, kind, exec).await;
    }
    assert_eq!(rig.pass().await, "done: 1 of 1 executions match, 0 breaks wait");
    let mut conn = rig.db.pool.acquire().await.unwrap();
    assert_eq!(reconcile::report::suspense(&mut conn).await.unwrap(), []);
}

#[tokio::test]
async fn rec_2_an_execution_that_was_set_aside_twice_is_one_break() {
    let rig = Rig::new().await;
    rig.booked(1..2).await;
    let told = rig
        .venue
        .trade_for_stranger("by hand", &symbol(), Side::Buy, shares("5"), dollars("50"));
    for exec in [told.as_str(), "stray"] {
        for kind in ["unknown_order", "too_much"] {
            aside(&rig, kind, exec).await;
        }
    }
    assert_eq!(rig.pass().await, "done: 1 of 3 executions match, 2 breaks wait");
    let mut breaks = rig.breaks().await;
    breaks.sort();
    assert_eq!(breaks, ["unknown_order exec-2: open", "unknown_order stray: open"]);
}
