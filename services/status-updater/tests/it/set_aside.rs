//! Reports that no rule allows, on a real database.

use crate::world::{World, acknowledged, busted, corrected, ended, filled, symbol};
use domain::{AccountId, Money, OrderId, Qty, Side};
use ledger::rules::{self, Disputed};
use ledger::{Cause, TransferKind};
use rust_decimal::Decimal;
use uuid::Uuid;
use wire::events::v1::{End, Fact};

async fn suspense(world: &World, asset: &str) -> Decimal {
    sqlx::query_scalar(
        "select coalesce(sum(amount), 0) from ledger_entries where book = 'firm.suspense' and asset = $1",
    )
    .bind(asset)
    .fetch_one(&world.db.pool)
    .await
    .unwrap()
}

async fn kinds(world: &World) -> Vec<(String, bool)> {
    sqlx::query_as("select kind, resolved_at is not null from venue_reports_set_aside order by at, kind")
        .fetch_all(&world.db.pool)
        .await
        .unwrap()
}

fn unmatched(exec_id: &str) -> Fact {
    Fact::Unmatched {
        exec_id: exec_id.into(),
        venue_order_id: "v-9".into(),
        symbol: "XYZ".into(),
        side: "buy".into(),
        qty: 5.into(),
        price: 50.into(),
        at: testkit::start_of_time(),
    }
}

#[tokio::test]
async fn updater_unknown_order_led_20_its_fill_waits_in_suspense_once() {
    let mut world = World::new().await;
    let (nobody, stranger) = (AccountId::new(Uuid::nil()), OrderId::new(Uuid::from_u128(99)));
    world
        .report(&[(stranger, nobody, unmatched("x")), (stranger, nobody, unmatched("x"))])
        .await;
    world.settle().await;
    world.report(&[(stranger, nobody, unmatched("x"))]).await;
    world.settle().await;
    assert_eq!(
        (suspense(&world, "XYZ").await, suspense(&world, "USD").await),
        (5.into(), (-250).into())
    );
    assert_eq!(kinds(&world).await, [("unknown_order".to_owned(), false)]);
    // The venue takes it back: suspense is empty again.
    world.report(&[(stranger, nobody, busted("x", "5", "50"))]).await;
    world.settle().await;
    assert_eq!(
        (suspense(&world, "XYZ").await, suspense(&world, "USD").await),
        (0.into(), 0.into())
    );
    let mut aside = kinds(&world).await;
    aside.sort_unstable();
    let settled = [("bust_of_aside".to_owned(), false), ("unknown_order".to_owned(), true)];
    assert_eq!(aside, settled, "nobody can decide it any more");
    world.report(&[(stranger, nobody, busted("x", "5", "50"))]).await;
    world.settle().await;
    assert_eq!(suspense(&world, "XYZ").await, 0.into(), "once");
    world.prove().await;
}

#[tokio::test]
async fn led_20_the_bust_of_an_execution_that_people_decided_posts_nothing_and_is_for_people() {
    let mut world = World::new().await;
    let (nobody, stranger) = (AccountId::new(Uuid::nil()), OrderId::new(Uuid::from_u128(99)));
    world.report(&[(stranger, nobody, unmatched("x"))]).await;
    world.settle().await;
    let decided = Disputed {
        symbol: symbol("XYZ"),
        side: Side::Buy,
        qty: Qty::new(5.into()).unwrap(),
        cash: Money::from_decimal(250.into()),
    };
    let cause = Cause::Movement(TransferKind::ToError, Uuid::from_u128(1));
    let transfer = rules::unknown_to_error(cause, &decided, testkit::start_of_time()).unwrap();
    ledger::post(&mut *world.conn().await, &[transfer]).await.unwrap();
    sqlx::query("update venue_reports_set_aside set resolved_at = daybook_now()")
        .execute(&world.db.pool)
        .await
        .unwrap();
    for _ in 0..2 {
        world.report(&[(stranger, nobody, busted("x", "5", "50"))]).await;
        world.settle().await;
    }
    assert_eq!(
        (suspense(&world, "XYZ").await, suspense(&world, "USD").await),
        (0.into(), 0.into())
    );
    let mut aside = kinds(&world).await;
    aside.sort_unstable();
    let waits = [
        ("bust_of_decided".to_owned(), false),
        ("unknown_order".to_owned(), true),
    ];
    assert_eq!(aside, waits);
    world.prove().await;
}

#[tokio::test]
async fn ord_6_a_correction_before_its_fill_that_is_too_much_waits_in_suspense_for_room() {
    let mut world = World::new().await;
    let account = world.account(1_000, 0).await;
    let order = world.place(account, "buy 10 XYZ @ 5.00").await;
    let reports = [
        acknowledged(),
        filled("a", "10", "5.00"),
        corrected("b", "8", "4.00", 1),
    ];
    world.report(&reports.map(|fact| (order, account, fact))).await;
    world.settle().await;
    assert_eq!(suspense(&world, "XYZ").await, 8.into(), "LED-20");
    assert_eq!(kinds(&world).await, [("too_much".to_owned(), false)]);
    world.prove().await;
    world.report(&[(order, account, busted("a", "10", "5.00"))]).await;
    world.settle().await;
    assert_eq!(
        world.summary(order).await,
        "partially_filled, filled 8, held 10.00, cash 968.00"
    );
    assert_eq!(
        (suspense(&world, "XYZ").await, suspense(&world, "USD").await),
        (0.into(), 0.into())
    );
    assert_eq!(kinds(&world).await, [("too_much".to_owned(), true)]);
    world.prove().await;
}

#[tokio::test]
async fn updater_impossible_fill_nothing_of_it_reaches_the_customer() {
    let mut world = World::new().await;
    let account = world.account(1_000, 0).await;
    let order = world.place(account, "buy 10 XYZ @ 5.00").await;
    let negative = filled("n", "-3", "5.00");
    let reports = [
        acknowledged(),
        filled("w", "3", "5.01"),
        negative,
        filled("a", "8", "5.00"),
        filled("o", "3", "5.00"),
    ];
    world.report(&reports.map(|fact| (order, account, fact))).await;
    world.settle().await;
    assert_eq!(
        world.summary(order).await,
        "partially_filled, filled 8, held 10.00, cash 960.00"
    );
    let mut aside: Vec<String> = kinds(&world).await.into_iter().map(|(kind, _)| kind).collect();
    aside.sort_unstable();
    assert_eq!(aside, ["beyond_limit", "too_much", "unreadable"]);
    assert_eq!(
        suspense(&world, "XYZ").await,
        6.into(),
        "ORD-2: booked whole, never clipped"
    );
    assert_eq!(world.count("bus_parked").await, 0, "the order goes on");
    world.prove().await;
}

#[tokio::test]
async fn ord_6_an_over_fill_of_an_earlier_batch_is_booked_when_a_bust_makes_room() {
    let mut world = World::new().await;
    let account = world.account(1_000, 0).await;
    let order = world.place(account, "buy 10 XYZ @ 5.00").await;
    world
        .report(&[
            (order, account, filled("a", "10", "5.00")),
            (order, account, filled("b", "10", "4.00")),
        ])
        .await;
    world.settle().await;
    assert_eq!(suspense(&world, "XYZ").await, 10.into());
    world.report(&[(order, account, busted("a", "10", "5.00"))]).await;
    world.settle().await;
    assert_eq!(world.summary(order).await, "filled, filled 10, held 0.00, cash 960.00");
    assert_eq!(
        (suspense(&world, "XYZ").await, suspense(&world, "USD").await),
        (0.into(), 0.into())
    );
    assert_eq!(kinds(&world).await, [("too_much".to_owned(), true)]);
    world.report(&[(order, account, filled("b", "10", "4.00"))]).await;
    world.settle().await;
    assert_eq!(world.summary(order).await, "filled, filled 10, held 0.00, cash 960.00");
    world.prove().await;
}

#[tokio::test]
async fn a_payload_of_another_version_parks_its_order_and_nobody_else() {
    let mut world = World::new().await;
    let account = world.account(1_000, 0).await;
    let (bad, good) = (
        world.place(account, "buy 10 XYZ @ 5.00").await,
        world.place(account, "buy 10 ABC @ 5.00").await,
    );
    world
        .report(&[(bad, account, acknowledged()), (good, account, acknowledged())])
        .await;
    sqlx::query("update outbox set payload = '{\"fact\":\"beamed_up\"}' where order_id = $1")
        .bind(bad.get())
        .execute(&world.db.pool)
        .await
        .unwrap();
    world.settle().await;
    assert_eq!(world.summary(good).await, "new, filled 0, held 100.00, cash 1000.00");
    assert_eq!(world.count("bus_parked").await, 1);
    world.report(&[(bad, account, ended(End::Canceled, "0"))]).await;
    world.settle().await;
    assert_eq!(
        world.count("bus_parked").await,
        2,
        "later messages of that order wait with it"
    );
    world.prove().await;
}
