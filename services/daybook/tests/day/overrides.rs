//! What an operator's override lets pass, and what not: only what had failed when it was given.

use crate::world::{World, no_file};

const MONDAY: &str = "2026-11-23";
const BREAK: &str = "update ledger_cash set avail = avail + 1";
const MEND: &str = "update ledger_cash set avail = avail - 1";

/// EOD-3: the operator knew of an order without an end, not of wrong books.
#[tokio::test]
async fn an_override_does_not_swallow_a_proof_that_fails_after_it() {
    let mut world = World::new().await;
    world.account(1_000).await;
    let (desk, monday) = (world.desk(), MONDAY.parse().unwrap());
    world.now_is("2026-11-23T21:00:00Z").await;
    let run = world.run(MONDAY).await;
    world
        .until(&run, Some("step 10, prove the books: its time"))
        .await
        .unwrap();
    assert!(desk.override_eod(monday, "an order has no end").await.unwrap());
    world.sql(BREAK).await;

    let waits = world.until(&run, Some("the audit found")).await.unwrap();
    assert!(waits.starts_with("step 10"), "{waits}");
    assert_eq!(world.count("eod_proofs").await, 0);
    assert_eq!(world.alerts().await, "eod_proof 2026-11-23");
    let noted = "select figures ->> 'failed_at' from eod_steps where step = 10";
    let failed_at = world.text(noted).await;
    world.until(&run, Some("the audit found")).await.unwrap();
    assert_eq!(world.text(noted).await, failed_at, "the first time counts");

    assert!(desk.override_eod(monday, "the books, too").await.unwrap());
    assert_eq!(world.count("admin_acts where act = 'override_eod'").await, 2, "V16");
    let why = world
        .text("select overridden_by || ': ' || override_reason from eod_dates")
        .await;
    assert_eq!(why, "ops: the books, too");
    assert_eq!(world.until(&run, None).await.unwrap(), "2026-11-23 is closed");
    world.run_is_over(&run).await;
    assert_eq!(world.count("eod_proofs where not clean").await, 1);
    assert_eq!(
        world.alerts().await,
        "eod_proof 2026-11-23",
        "the books are still wrong"
    );

    world.sql(MEND).await;
    world.now_is("2026-11-24T21:00:00Z").await;
    world.close("2026-11-24").await;
    assert_eq!(world.alerts().await, "", "a clean proof is over all books");
}

/// The exchange never writes the file: the date goes on by a word that was given about that.
#[tokio::test]
async fn an_override_ends_the_wait_for_a_file_that_never_comes() {
    let mut world = World::new().await;
    let (desk, monday) = (world.desk(), MONDAY.parse().unwrap());
    world.venue.script_trade_files(no_file(50));
    world.now_is("2026-11-23T21:00:00Z").await;
    let run = world.run(MONDAY).await;
    world.until(&run, Some("step 8, reconcile: its time")).await.unwrap();
    assert!(desk.override_eod(monday, "an order has no end").await.unwrap());
    let waits = world.until(&run, Some("not yet")).await.unwrap();
    assert!(waits.starts_with("step 8"), "{waits}");
    for _ in 0..5 {
        let waits = world.until(&run, Some("not yet")).await.unwrap();
        assert!(waits.starts_with("step 8"), "given before it failed: {waits}");
    }
    assert_eq!(world.alerts().await, "reconcile_file fake 2026-11-23");

    assert!(desk.override_eod(monday, "no file today").await.unwrap());
    assert_eq!(world.until(&run, None).await.unwrap(), "2026-11-23 is closed");
    let compared = world.text("select summary from eod_steps where step = 8").await;
    assert_eq!(compared, "not compared, overridden by ops");
    assert_eq!(
        world.alerts().await,
        "reconcile_file fake 2026-11-23",
        "nothing was compared"
    );
}
