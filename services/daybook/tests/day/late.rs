//! What comes late at the close, or never.

use chassis::step::Step;
use venue::fake::{Act, CallKind};

use crate::world::{World, dollars, shares};

const MONDAY: &str = "2026-11-23";

/// `expiry::fill_after_close`: a print of the close arrives while the cancels are on their way.
#[tokio::test]
async fn a_print_after_the_bell_is_booked_and_the_rest_expires() {
    let mut world = World::new().await;
    let ada = world.account(1_000).await;
    let day = world.place(ada, "buy 10 @ 50.00").await;
    world.settle().await;
    world.venue.script_for(day, CallKind::Cancel, vec![Act::Unreachable; 3]);
    world.now_is("2026-11-23T21:00:00Z").await;
    let run = world.run(MONDAY).await;
    world.until(&run, Some("late prints")).await.unwrap();
    world.venue.fill(day, shares(4), dollars("50.00"));
    world.until(&run, None).await.unwrap();
    assert_eq!(world.stands(day).await, "expired, filled 4");
    assert_eq!(world.cash(ada).await, "avail 799.99, held 0.00", "a cent of fees");
    world.prove().await;
}

/// ORD-11, LED-15, SAGA 22: a fill is told after the order has expired and its hold is gone.
#[tokio::test]
async fn ord_11_a_print_after_the_expiry_still_counts() {
    let mut world = World::new().await;
    let ada = world.account(1_000).await;
    let day = world.place(ada, "buy 10 @ 50.00").await;
    world.settle().await;
    world.now_is("2026-11-23T21:00:00Z").await;
    world.close(MONDAY).await;
    assert_eq!(world.stands(day).await, "expired, filled 0");
    world.venue.fill(day, shares(3), dollars("50.00"));
    world.settle().await;
    assert_eq!(world.stands(day).await, "expired, filled 3");
    assert_eq!(world.cash(ada).await, "avail 850.00, held 0.00");
    assert_eq!(world.told(day).await, "accepted new expired partial_fill");
    world.prove().await;
}

/// `expiry::never_confirmed`, EOD-3, SAGA 21: the exchange says nothing about one order. It keeps its hold, it is listed, its
/// neighbours are not kept, and the date closes by an operator's word only. It can still resolve later.
#[tokio::test]
async fn eod_3_an_order_without_a_word_blocks_nothing_but_the_last_step() {
    let mut world = World::new().await;
    let ada = world.account(1_000).await;
    let silent = world.place(ada, "buy 10 @ 50.00").await;
    let other = world.place(ada, "buy 1 @ 50.00").await;
    world.settle().await;
    for kind in [CallKind::Cancel, CallKind::Lookup] {
        world.venue.script_for(silent, kind, vec![Act::LoseRequest; 2_000]);
    }
    world.now_is("2026-11-23T21:00:00Z").await;
    let run = world.run(MONDAY).await;
    let waits = world.until(&run, Some("1 unresolved orders")).await.unwrap();
    assert!(waits.starts_with("step 12"), "{waits}");
    assert_eq!(world.stands(silent).await, "new, filled 0");
    assert_eq!(world.stands(other).await, "expired, filled 0");
    assert_eq!(world.cash(ada).await, "avail 500.00, held 500.00", "never on a guess");
    assert_eq!(world.count("eod_unresolved where resolved_at is null").await, 1);
    assert_eq!(world.count("eod_proofs where clean").await, 1);
    assert_eq!(
        world.text("select kind || ' ' || subject from operator_alerts").await,
        "eod_unresolved 2026-11-23"
    );

    let desk = world.desk();
    let monday = MONDAY.parse().unwrap();
    assert!(desk.override_eod(monday, "asked by phone").await.unwrap());
    assert_eq!(
        world
            .count("admin_acts where act = 'override_eod' and actor = 'ops'")
            .await,
        1,
        "V16"
    );
    assert_eq!(world.until(&run, None).await.unwrap(), "2026-11-23 is closed");
    assert!(!desk.override_eod(monday, "once more").await.unwrap(), "it is closed");
    assert_eq!(
        world.cash(ada).await,
        "avail 500.00, held 500.00",
        "an override closes a date, not an order"
    );
    world.prove().await;

    let mut watchdog = world.watchdog();
    watchdog.step().await.unwrap();
    assert_eq!(world.alerts().await, "eod_unresolved 2026-11-23", "nothing is told yet");
    world.venue.end(silent, domain::order::EndKind::Expired);
    world.settle().await;
    assert_eq!(world.stands(silent).await, "expired, filled 0");
    watchdog.step().await.unwrap();
    assert_eq!(world.count("eod_unresolved where resolved_at is null").await, 0);
    assert_eq!(world.alerts().await, "", "the watchdog looks after closed dates, too");
}

/// The same, and the exchange speaks at last: the date closes by itself.
#[tokio::test]
async fn eod_3_an_order_that_resolves_late_lets_the_date_close() {
    let mut world = World::new().await;
    let ada = world.account(1_000).await;
    let silent = world.place(ada, "buy 10 @ 50.00").await;
    world.settle().await;
    for kind in [CallKind::Cancel, CallKind::Lookup] {
        world.venue.script_for(silent, kind, vec![Act::LoseRequest; 2_000]);
    }
    world.now_is("2026-11-23T21:00:00Z").await;
    let run = world.run(MONDAY).await;
    world.until(&run, Some("1 unresolved orders")).await.unwrap();
    world.venue.end(silent, domain::order::EndKind::Expired);
    world.settle().await;
    assert_eq!(world.until(&run, None).await.unwrap(), "2026-11-23 is closed");
    assert_eq!(world.stands(silent).await, "expired, filled 0");
    assert_eq!(world.count("eod_unresolved where resolved_at is not null").await, 1);
    assert_eq!(world.count("operator_alerts where cleared_at is null").await, 0);
}

/// SAGA 29: the time of an order comes while nobody knows whether the exchange has it.
#[tokio::test]
async fn an_order_in_doubt_at_the_close_is_resolved_first() {
    let mut world = World::new().await;
    let ada = world.account(1_000).await;
    world.now_is("2026-11-23T20:59:59Z").await;
    let doubtful = world.place(ada, "buy 10 @ 50.00").await;
    world.venue.script_for(doubtful, CallKind::Submit, [Act::LoseAnswer]);
    world
        .venue
        .script_for(doubtful, CallKind::Lookup, vec![Act::LoseRequest; 20]);
    world.settle().await;
    world.now_is("2026-11-23T21:00:00Z").await;
    world.close(MONDAY).await;
    assert_eq!(world.stands(doubtful).await, "expired, filled 0");
    assert_eq!(world.venue.taken(doubtful), 1, "V5");
    world.prove().await;
}

/// One bad row among many: its neighbours end, it is listed.
#[tokio::test]
async fn one_order_that_cannot_be_asked_about_never_fails_its_neighbours() {
    let mut world = World::new().await;
    let mut orders = Vec::new();
    for _ in 0..5 {
        let account = world.account(1_000).await;
        orders.push(world.place(account, "buy 1 @ 50.00").await);
    }
    world.settle().await;
    let bad = orders[2];
    world
        .sql(&format!(
            "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'broken row'; end $$;
             create trigger refuse before update on orders for each row when (new.order_id = '{bad}')
                 execute function refuse()"
        ))
        .await;
    world.now_is("2026-11-23T21:00:00Z").await;
    let run = world.run(MONDAY).await;
    world.until(&run, Some("late prints")).await.unwrap();
    world.settle().await;
    for order in &orders {
        let expected = if *order == bad {
            "new, filled 0"
        } else {
            "expired, filled 0"
        };
        assert_eq!(world.stands(*order).await, expected);
    }
    world.sql("drop trigger refuse on orders").await;
    world.until(&run, None).await.unwrap();
    assert_eq!(
        world.stands(bad).await,
        "expired, filled 0",
        "asked once more before anything is looked up"
    );
}
