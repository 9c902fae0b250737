//! A venue that answers no question: all executors together make the retries of one.

use std::time::Duration;

use domain::OrderId;
use executor::Config;
use testkit::TestDb;
use venue::fake::{Act, CallKind};

use crate::breaker::two_with;
use crate::world::{World, settle, settle_for};

/// Asks about one order at a time, often, and never takes the venue for dead.
fn impatient(config: &mut Config) {
    config.lookup_chunk = 1;
    config.first_ask = Duration::from_millis(500);
    config.longest_backoff = Duration::from_millis(500);
    config.breaker_failures = u32::MAX;
}

/// Orders of this symbol whose answers are lost, as those of every question about them will be.
async fn in_doubt(world: &World, symbol: &str) -> Vec<OrderId> {
    world.venue.script(CallKind::Submit, vec![Act::LoseAnswer; 50]);
    let orders = world.place_many(&[symbol; 50]).await;
    for order in &orders {
        world.venue.script_for(*order, CallKind::Lookup, vec![Act::Fail; 500]);
    }
    orders
}

#[tokio::test]
async fn two_executors_make_the_retries_of_one() {
    let (world, (mut first, mut second), [ours, theirs]) = two_with(impatient).await;
    let mut orders = in_doubt(&world, ours).await;
    settle(&mut first).await;
    orders.extend(in_doubt(&world, theirs).await);
    settle(&mut second).await;
    let before = world.venue.calls().len();
    for _ in 0..240 {
        settle(&mut first).await;
        settle(&mut second).await;
        world.pass(Duration::from_millis(250));
    }
    let asked = |orders: &[OrderId]| -> usize {
        let of = |order: &OrderId| world.venue.count(CallKind::Lookup, *order);
        orders.iter().map(of).sum()
    };
    let each: Vec<usize> = orders.chunks(50).map(asked).collect();
    let asked: usize = each.iter().sum();
    assert_eq!(asked, world.venue.calls().len() - before, "nothing else was called");
    // A hundred saved up, ten a second for a minute, and a fifth of the hundred and some first calls.
    assert!((600..=725).contains(&asked), "{asked} retries in a minute");
    // They look at the same moments, always one after the other.
    assert!(each[1] * 3 > each[0], "{each:?}");
}

/// What is written of the venue's row.
async fn row(db: &TestDb) -> String {
    let row = "select xmin::text || ' ' || retry_credit from venue_breakers";
    sqlx::query_scalar(row).fetch_one(&db.pool).await.unwrap()
}

#[tokio::test]
async fn while_nothing_fails_nothing_is_written_of_the_venue() {
    let (world, mut executor) = World::started().await;
    world.working(&mut executor, "AAPL").await;
    settle_for(&world, &mut executor, 2).await;
    let before = row(&world.db).await;
    for _ in 0..8 {
        world.place_many(&["AAPL", "MSFT", "TSLA", "F"]).await;
        settle_for(&world, &mut executor, 1).await;
    }
    assert_eq!(row(&world.db).await, before);
    world.venue.script(CallKind::Lookup, vec![Act::Fail; 3]);
    world.in_doubt(&mut executor, "AAPL").await;
    settle_for(&world, &mut executor, 60).await;
    assert_ne!(row(&world.db).await, before, "retries are paid for");
}
