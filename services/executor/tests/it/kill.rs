//! RSK-6: orders that were accepted before a kill switch was set and not sent yet.

use std::time::Duration;

use chassis::clock::Clock;
use domain::Symbol;
use risk::desk::{self, NewSwitch};
use risk::{Mode, Target};
use venue::fake::{Act, CallKind};

use crate::world::{World, settle};

impl World {
    async fn kill(&self, target: Target) {
        let new = NewSwitch {
            target,
            mode: Mode::BlockNew,
            reason: "a test".to_owned(),
            by: "ada".to_owned(),
        };
        let mut tx = db::begin(&self.db.pool).await.unwrap();
        desk::set(&mut tx, &*self.ids, &new, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn lift(&self, target: Target) {
        let mut tx = db::begin(&self.db.pool).await.unwrap();
        for by in ["ada", "bob"] {
            desk::lift(&mut tx, &target, by, "it is over", self.clock.now())
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }
}

fn aapl() -> Target {
    Target::Symbol(Symbol::parse("AAPL").unwrap())
}

#[tokio::test]
async fn rsk_6_an_order_of_a_killed_symbol_stays_queued_until_the_switch_is_lifted_and_stops_no_other() {
    let world = World::new().await;
    world.kill(aapl()).await;
    // An executor that starts now: what it knew before would be forgotten after a moment.
    let mut executor = world.executor();
    let [killed, canceled, other] = [
        world.place("AAPL").await,
        world.place("AAPL").await,
        world.place("MSFT").await,
    ];
    settle(&mut executor).await;
    assert_eq!(world.row(killed).await, "queued/0/none");
    assert_eq!(world.row(other).await, "working/1/none");
    world.cancel(canceled, "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.told(canceled).await, "canceled 0@never_sent", "cancels pass");
    world.lift(aapl()).await;
    // What it knows of switches may be a moment old.
    for _ in 0..2_000 {
        world.pass(Duration::from_millis(500));
        settle(&mut executor).await;
        if world.row(killed).await == "working/1/none" {
            return;
        }
    }
    panic!("the order never goes out");
}

#[tokio::test]
async fn rsk_6_an_order_that_the_venue_denies_is_not_sent_again_under_a_switch() {
    let world = World::new().await;
    let mut executor = world.executor();
    world.venue.script(CallKind::Submit, [Act::LoseRequest]);
    let order = world.place("AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.row(order).await, "in_doubt/1/none");
    world.kill(aapl()).await;
    // Another one of a moment later, which reads the switch before it decides.
    drop(executor);
    world.leases_run_out().await;
    let mut executor = world.executor();
    crate::world::settle_for(&world, &mut executor, 30).await;
    assert_eq!(world.row(order).await, "in_doubt/1/none");
}

#[tokio::test]
async fn rsk_6_while_nobody_can_read_the_switches_nothing_is_sent_and_cancels_are() {
    let (world, mut executor) = World::started().await;
    let working = world.working(&mut executor, "AAPL").await;
    sqlx::query("alter table risk_revision rename to risk_revision_gone")
        .execute(&world.db.pool)
        .await
        .unwrap();
    drop(executor);
    world.leases_run_out().await;
    let mut executor = world.executor();
    let queued = world.place("AAPL").await;
    world.cancel(working, "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.row(queued).await, "queued/0/none");
    assert_ne!(world.row(working).await, "working/1/none", "its cancel went out");
}
