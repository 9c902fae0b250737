//! Killed between reading, writing and the position: again, under the same id.
//!
//! A failpoint counts for its whole process, so the one that dies is a process of its own: this test binary again, with
//! only [`child_dies`] to run.

use bus::{Bus, BusSettings};
use domain::order::StreamEvent::{Canceled, PartialFill};
use notifier::Deps;

use crate::world::{World, settle};

const URL: &str = "NOTIFIER_VICTIM_URL";

#[tokio::test]
async fn v14_killed_at_any_point_of_a_batch_nothing_half_is_left_and_each_end_is_told_once() {
    for point in ["notify::read_not_sent", "notify::sent_not_marked"] {
        let mut world = World::new().await;
        let order = world.order().await;
        world.fills(order, "x-1", PartialFill).await;
        world.happens(order, Canceled).await;
        for _ in 0..2 {
            kill(&world.db.url, point);
            assert_eq!(
                world.kinds().await,
                [""; 0],
                "{point}: notice and position are one commit"
            );
            let read = "select id::text from bus_positions where consumer_group = 'notifier' and id > 0";
            assert_eq!(world.column(read).await, [""; 0], "{point}");
            world.restart().await;
        }
        world.settle().await;
        assert_eq!(
            world.told().await,
            ["canceled: 4 of 10 filled, average 99.90, 6 canceled. Reason: nobody sells."],
            "after {point}"
        );
    }
}

fn kill(url: &str, point: &str) {
    testkit::victim::dies_at("crashes::child_dies", point, &[(URL, url)]);
}

#[tokio::test]
#[ignore = "the process that dies; the test of this file starts it"]
async fn child_dies() {
    let Ok(url) = std::env::var(URL) else { return };
    testkit::victim::abort_on_panic();
    let _armed = fail::FailScenario::setup();
    let pool = db::connect(&url, db::PoolSettings::default()).await.unwrap();
    let bus = Bus::new(pool, testkit::ids(99), BusSettings::default());
    let clock = testkit::clock();
    settle(&mut Deps { bus, clock }.notifier()).await;
}
