//! What operators do: explain, close, and two of them together decide (REC-3, LED-20, LED-21).

use super::rig::{Rig, dollars, shares, symbol};
use domain::calendar::Calendar;
use domain::{AccountId, Side};
use scheduler::jobs::reconcile::desk::{self, Decision, DeskError};
use scheduler::jobs::reconcile::report;
use uuid::Uuid;

const ADA: AccountId = AccountId::new(Uuid::from_u128(7));

/// A day with an execution nobody knows, set aside and in suspense as the status-updater leaves it.
async fn stranger() -> Rig {
    let rig = strangers(Side::Buy).await;
    assert_eq!(rig.suspense().await, ["AAPL 5", "USD -250"]);
    rig
}

async fn strangers(side: Side) -> Rig {
    let rig = Rig::new().await;
    let exec = rig
        .venue
        .trade_for_stranger("by hand", &symbol(), side, shares("5"), dollars("50"));
    rig.pass().await;
    rig.run_sql(
        "insert into venue_reports_set_aside (report_id, kind, payload, cause, at)
         select gen_random_uuid(), 'unknown_order', payload, 'no such order', daybook_now() from outbox
          where topic = 'venue-reports'",
    )
    .await;
    let venue = "fake".to_owned();
    let cause = ledger::Cause::Unknown { venue, exec_id: exec };
    let now = testkit::start_of_time();
    let transfer = ledger::rules::unknown_execution(cause, &symbol(), side, shares("5"), dollars("50"), now).unwrap();
    let mut conn = rig.db.pool.acquire().await.unwrap();
    ledger::post(&mut conn, &[transfer]).await.unwrap();
    ledger::open_account(&mut conn, ADA, false).await.unwrap();
    rig.pass().await;
    rig
}

async fn propose(rig: &Rig, decision: Decision, by: &str) -> Result<(), DeskError> {
    let mut conn = rig.db.pool.acquire().await.unwrap();
    let account = (decision == Decision::Assign).then_some(ADA);
    desk::propose(&mut conn, 1, decision, account, ("because", by))
        .await
        .map(drop)
}

async fn approve(rig: &Rig, by: &str) -> Result<desk::Approved, DeskError> {
    let mut tx = db::begin(&rig.db.pool).await.unwrap();
    let approved = desk::approve(&mut tx, &rig.deps.bus, &Calendar::always_open(), 1, by).await?;
    tx.commit().await.unwrap();
    Ok(approved)
}

#[tokio::test]
async fn rec_3_an_adjustment_needs_two_persons() {
    let rig = stranger().await;
    let nothing = approve(&rig, "bob").await;
    assert!(matches!(nothing, Err(DeskError::NothingProposed(1))));
    propose(&rig, Decision::FirmError, "ada").await.unwrap();
    let alone = approve(&rig, "ada").await;
    assert!(matches!(alone, Err(DeskError::SamePerson(_))));
    assert_eq!(rig.suspense().await.len(), 2, "nothing moved");
    let approved = approve(&rig, "bob").await.unwrap();
    assert!(approved.settles.is_some());
    assert_eq!(rig.suspense().await, Vec::<String>::new());
    let own = rig
        .texts("select asset || ' ' || trim_scale(sum(amount)) from ledger_entries where book = 'firm.error' group by asset order by asset")
        .await;
    assert_eq!(
        own,
        ["AAPL 5", "USD -250"],
        "the firm has the shares and what they cost"
    );
    assert_eq!(rig.breaks().await, ["unknown_order exec-1: closed"]);
    rig.pass().await;
    assert_eq!(
        rig.breaks().await,
        ["unknown_order exec-1: closed"],
        "what people decided stays decided"
    );
}

#[tokio::test]
async fn led_20_an_execution_is_assigned_to_a_customer_who_can_pay_for_it() {
    let rig = stranger().await;
    propose(&rig, Decision::Assign, "ada").await.unwrap();
    assert!(approve(&rig, "bob").await.is_err(), "no money");
    rig.run_sql("update ledger_cash set avail = 300").await;
    approve(&rig, "bob").await.unwrap();
    assert_eq!(
        rig.texts("select trim_scale(avail)::text from ledger_cash").await,
        ["50"]
    );
    assert_eq!(
        rig.texts("select symbol || ' ' || avail from ledger_shares").await,
        ["AAPL 5"]
    );
    assert_eq!(rig.suspense().await, Vec::<String>::new());
    let trade = rig
        .texts("select trade_date::text || ' ' || qty from ledger_trades")
        .await;
    assert_eq!(trade, [format!("{} 5", Rig::date())], "it settles as any trade");
}

#[tokio::test]
async fn led_11_the_proceeds_of_an_assigned_sale_wait_for_settlement_in_a_strict_account() {
    for (strict, purse) in [(true, "0 250"), (false, "250 0")] {
        let rig = strangers(Side::Sell).await;
        rig.run_sql(&format!("update ledger_cash set strict = {strict}")).await;
        rig.run_sql(&format!(
            "insert into ledger_shares (account_id, symbol, avail) values ('{ADA}', 'AAPL', 5)"
        ))
        .await;
        propose(&rig, Decision::Assign, "ada").await.unwrap();
        approve(&rig, "bob").await.unwrap();
        let cash = "select trim_scale(avail) || ' ' || trim_scale(unsettled) from ledger_cash";
        assert_eq!(rig.texts(cash).await, [purse], "BP-8");
        assert_eq!(rig.suspense().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn v15_a_break_with_something_in_suspense_is_not_closed_by_hand() {
    let rig = stranger().await;
    let mut conn = rig.db.pool.acquire().await.unwrap();
    desk::own(&mut conn, 1, "ada").await.unwrap();
    desk::explain(&mut conn, 1, "manual order at the venue").await.unwrap();
    let refused = desk::close(&mut conn, 1, "done").await;
    assert!(matches!(refused, Err(DeskError::InSuspense(1))));
    let days = report::of_day(&mut conn, Rig::date()).await.unwrap();
    let it = &days[0].breaks[0];
    assert_eq!((it.state.as_str(), it.owner.as_deref()), ("explained", Some("ada")));
    let bust = propose(&rig, Decision::Bust, "ada").await;
    assert!(
        matches!(bust, Err(DeskError::Unfit { .. })),
        "the venue's execution stands"
    );
}

#[tokio::test]
async fn rec_3_what_somebody_explained_stays_explained_until_its_facts_change() {
    let rig = Rig::new().await;
    rig.booked(1..2).await;
    rig.run_sql("update fills set symbol = 'MSFT'").await;
    rig.pass().await;
    let mut conn = rig.db.pool.acquire().await.unwrap();
    desk::explain(&mut conn, 1, "they renamed it").await.unwrap();
    rig.pass().await;
    let written = rig.written().await;
    assert_eq!(
        rig.pass().await,
        "done: 0 of 1 executions match, 0 breaks wait, 1 are explained"
    );
    assert_eq!(rig.breaks().await, ["identity exec-1: explained"]);
    assert_eq!(rig.written().await, written, "REC-2: the same file again");
    rig.run_sql("update fills set symbol = 'IBM'").await;
    assert_eq!(rig.pass().await, "done: 0 of 1 executions match, 1 breaks wait");
    assert_eq!(rig.breaks().await, ["identity exec-1: open"], "that was not explained");
    let ours = rig.texts("select ours from recon_breaks").await;
    assert!(ours[0].contains("IBM"), "{ours:?}");
}

/// That an execution nobody knew was set aside is what became of the report of its break, and no news about it.
#[tokio::test]
async fn rec_3_what_the_program_does_about_an_explained_break_does_not_open_it_again() {
    let rig = Rig::new().await;
    rig.venue
        .trade_for_stranger("by hand", &symbol(), Side::Buy, shares("5"), dollars("50"));
    rig.pass().await;
    let mut conn = rig.db.pool.acquire().await.unwrap();
    desk::explain(&mut conn, 1, "a manual order").await.unwrap();
    rig.run_sql(
        "insert into venue_reports_set_aside (report_id, kind, payload, cause, at)
         select gen_random_uuid(), 'unknown_order', payload, 'no such order', daybook_now() from outbox
          where topic = 'venue-reports'",
    )
    .await;
    rig.pass().await;
    assert_eq!(rig.breaks().await, ["unknown_order exec-1: explained"]);
    let ours = rig.texts("select ours from recon_breaks").await;
    assert_eq!(ours, ["set aside: unknown_order"]);
}

#[tokio::test]
async fn rec_5_suspense_older_than_a_business_day_pages() {
    let rig = stranger().await;
    let mut conn = rig.db.pool.acquire().await.unwrap();
    let items = report::suspense(&mut conn).await.unwrap();
    assert_eq!((items.len(), items[0].break_no), (1, Some(1)));
    assert_eq!(items[0].amounts, "5 AAPL, -250 USD");
    let aged = |kinds: Vec<String>| kinds.iter().any(|kind| kind.starts_with("suspense_age"));
    assert!(!aged(rig.alerts().await));
    rig.later("2 days").await;
    rig.pass().await;
    assert!(aged(rig.alerts().await));
    propose(&rig, Decision::FirmError, "ada").await.unwrap();
    let approved = approve(&rig, "bob").await.unwrap();
    rig.run_sql(&format!(
        "update venue_reports_set_aside set resolved_at = daybook_now() where report_id = '{}'",
        approved.settles.unwrap()
    ))
    .await;
    rig.pass().await;
    assert!(!aged(rig.alerts().await));
}

#[tokio::test]
async fn led_21_what_people_decide_while_a_pass_is_under_way_is_not_booked_again_by_it() {
    let rig = Rig::new().await;
    let order = rig.order(1).await;
    rig.book(order, &domain::ExecId::new("exec-1").unwrap()).await;
    rig.pass().await;
    rig.later("11 s").await;
    rig.pass().await;
    assert_eq!(rig.breaks().await, ["missing_theirs exec-1: open, missing"]);
    propose(&rig, Decision::FirmError, "ada").await.unwrap();
    // It shows up after all, so that the pass wants to give back what is in suspense.
    rig.trade(order);
    let mut tx = db::begin(&rig.db.pool).await.unwrap();
    desk::approve(&mut tx, &rig.deps.bus, &Calendar::always_open(), 1, "bob")
        .await
        .unwrap();
    let decided = async {
        while rig.texts(BLOCKED).await.is_empty() {}
        tx.commit().await.unwrap();
    };
    let (pass, ()) = tokio::join!(rig.pass(), decided);
    assert!(pass.starts_with("wait: 1 of its breaks"), "{pass}");
    assert_eq!(rig.suspense().await, Vec::<String>::new(), "taken out once");
    assert_eq!(rig.pass().await, "done: 1 of 1 executions match, 0 breaks wait");
}

/// Who waits for a row that somebody else has locked.
const BLOCKED: &str = "select pid::text from pg_stat_activity
                        where datname = current_database() and wait_event_type = 'Lock'";
