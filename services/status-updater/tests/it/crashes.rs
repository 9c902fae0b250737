//! The crash points of this service: killed there, nothing half is left, and the next owner ends the same.
//!
//! A failpoint counts for its whole process, so the one that dies is a process of its own: this test binary again, with
//! only [`child_dies`] to run.

use crate::world::{World, acknowledged, asked, ended, filled, settle};
use bus::{Bus, BusSettings};
use domain::{AccountId, OrderId, Price, Qty};
use status_updater::{Deps, IntakeSettings};
use std::sync::Arc;
use uuid::Uuid;
use venue::Venue;
use venue::fake::FakeVenue;
use wire::events::v1::End;

/// What the victim does, on which database, about which order.
const PART: &str = "UPDATER_VICTIM";
const URL: &str = "UPDATER_VICTIM_URL";
const ORDER: &str = "UPDATER_VICTIM_ORDER";

const APPLIER_POINTS: [&str; 6] = [
    "consumer::fetched",
    "consumer::tx_seen_marked",
    "updater::tx_fill_made",
    "updater::tx_ledger_made",
    "updater::tx_position_made",
    "updater::commit_unknown",
];

#[tokio::test]
async fn killed_at_any_point_of_a_batch_nothing_half_is_left_and_the_next_owner_ends_the_same() {
    for point in APPLIER_POINTS {
        let mut world = World::new().await;
        let account = world.account(1_000, 0).await;
        let order = world.place(account, "buy 10 XYZ @ 5.00").await;
        world.report(&reports(order, account)).await;
        kill(&world, "applier", order, point);
        world.prove().await;
        let booked = world.count("fills").await;
        assert_eq!(
            booked,
            if point == "updater::commit_unknown" { 2 } else { 0 },
            "all or nothing at {point}"
        );
        outlive_leases(&world).await;
        world.settle().await;
        assert_eq!(
            world.summary(order).await,
            "canceled, filled 7, held 0.00, cash 965.30",
            "after {point}"
        );
        assert_eq!(world.count("fills").await, 2);
        world.prove().await;
    }
}

fn reports(order: OrderId, account: AccountId) -> [(OrderId, AccountId, wire::events::v1::Fact); 4] {
    [
        acknowledged(),
        filled("a", "3", "4.90"),
        filled("b", "4", "5.00"),
        ended(End::Canceled, "7"),
    ]
    .map(|fact| (order, account, fact))
}

#[tokio::test]
async fn killed_between_a_page_and_its_cursor_the_intake_reads_it_again() {
    for point in ["poll::page_done", "stream::reconnected"] {
        let mut world = World::new().await;
        let account = world.account(1_000, 0).await;
        let order = world.place(account, "buy 10 XYZ @ 5.00").await;
        kill(&world, "intake", order, point);
        assert_eq!(
            world.count("outbox").await + world.count("venue_cursors").await,
            0,
            "one transaction"
        );
        outlive_leases(&world).await;
        trade(&world.venue, order).await;
        let mut intake = world.intake();
        settle(&mut intake).await;
        world.settle().await;
        assert_eq!(
            world.summary(order).await,
            "partially_filled, filled 4, held 30.00, cash 980.00"
        );
        world.prove().await;
    }
}

/// The dead one's leases end by the database's clock.
async fn outlive_leases(world: &World) {
    sqlx::query("update db_clock set clock_offset = clock_offset + interval '1 minute'")
        .execute(&world.db.pool)
        .await
        .unwrap();
}

fn kill(world: &World, part: &str, order: OrderId, point: &str) {
    let environment = [(PART, part), (URL, &world.db.url), (ORDER, &order.to_string())];
    testkit::victim::dies_at("crashes::child_dies", point, &environment);
}

async fn trade(venue: &FakeVenue, order: OrderId) {
    venue.submit(order, &asked("buy 10 XYZ @ 5.00")).await;
    venue.fill(order, Qty::parse("4").unwrap(), Price::parse("5.00").unwrap());
}

#[tokio::test]
#[ignore = "the process that dies; the tests of this file start it"]
async fn child_dies() {
    let Ok(part) = std::env::var(PART) else { return };
    testkit::victim::abort_on_panic();
    let _armed = fail::FailScenario::setup();
    let order = OrderId::new(Uuid::parse_str(&std::env::var(ORDER).unwrap()).unwrap());
    let clock = testkit::clock();
    let ids = testkit::ids(99);
    let pool = db::connect(&std::env::var(URL).unwrap(), db::PoolSettings::default())
        .await
        .unwrap();
    let bus = Bus::new(pool.clone(), Arc::clone(&ids), BusSettings::default());
    let venue = FakeVenue::new(clock.clone(), &[crate::world::symbol("XYZ")]);
    trade(&venue, order).await;
    let sessions = sessions::Sessions::fixed(domain::calendar::Calendar::nyse());
    let deps = Deps {
        pool,
        bus,
        venue: Arc::new(venue),
        clock,
        ids,
        sessions,
    };
    match part.as_str() {
        "intake" => settle(&mut deps.intake(IntakeSettings::default(), None)).await,
        _ => settle(&mut deps.applier()).await,
    }
}
