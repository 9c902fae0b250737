//! What is told, and how often.

use std::collections::HashSet;

use domain::order::StreamEvent::{Canceled, Expired, Fill, New, PartialFill, Rejected, TradeBust, TradeCorrect};

use crate::world::World;

#[tokio::test]
async fn eod_2_each_end_of_an_order_gives_one_notice_with_what_was_filled() {
    let mut world = World::new().await;
    for event in [Canceled, Expired, Rejected] {
        let order = world.order().await;
        world.happens(order, New).await;
        if event != Rejected {
            world.fills(order, &format!("x-{event}"), PartialFill).await;
        }
        world.happens(order, event).await;
    }
    world.settle().await;
    assert_eq!(
        world.told().await,
        [
            "canceled: 4 of 10 filled, average 99.90, 6 canceled. Reason: nobody sells.",
            "expired: 4 of 10 filled, average 99.90, 6 expired.",
            "rejected: The order was not accepted: nobody sells. None of 10 filled.",
        ]
    );
    let list = world.list().await;
    assert_eq!((list.len(), list[0].title.as_str()), (3, "Buy of 10 XYZ: not accepted"));
    assert!(list.iter().all(|notice| notice.read_at.is_none()));
}

#[tokio::test]
async fn v14_a_message_that_comes_twice_tells_once() {
    let mut world = World::new().await;
    let order = world.order().await;
    let told = world.happens(order, Canceled).await;
    world.send(&[told.clone(), told.clone()]).await;
    world.settle().await;
    world.send(&[told]).await;
    world.settle().await;
    assert_eq!(world.kinds().await, ["canceled"]);
}

#[tokio::test]
async fn v14_the_whole_topic_read_again_tells_nothing_anew() {
    let mut world = World::new().await;
    let order = world.order().await;
    world.fills(order, "x-1", PartialFill).await;
    world.happens(order, Expired).await;
    world.settle().await;
    let before = world.column("select n::text from notices n order by notice_id").await;
    world
        .run("update bus_positions set xid = '0', id = 0 where consumer_group = 'notifier'")
        .await;
    world.restart().await;
    world.settle().await;
    assert_eq!(
        world.column("select n::text from notices n order by notice_id").await,
        before
    );
    assert_eq!(before.len(), 1);
}

#[tokio::test]
async fn messages_that_overtake_each_other_give_the_same_notices() {
    let mut kinds = HashSet::new();
    for swapped in [false, true] {
        let mut world = World::new().await;
        let order = world.order().await;
        let canceled = world.tell(order, Canceled, None).await;
        let late = world.tell(order, PartialFill, Some("x-1")).await;
        let mut messages = [canceled, late];
        if swapped {
            messages.reverse();
        }
        world.send(&messages[..1]).await;
        world.settle().await;
        world.send(&messages[1..]).await;
        world.settle().await;
        kinds.insert(world.kinds().await);
    }
    assert_eq!(
        kinds,
        HashSet::from([vec!["canceled".to_owned(), "late_fill".to_owned()]])
    );
}

#[tokio::test]
async fn ord_11_a_fill_after_the_end_has_a_notice_of_its_own_even_when_it_fills_the_order() {
    let mut world = World::new().await;
    let order = world.order().await;
    world.happens(order, Expired).await;
    world.fills(order, "x-1", PartialFill).await;
    world.fills(order, "x-2", Fill).await;
    world.settle().await;
    assert_eq!(world.kinds().await, ["expired", "late_fill", "late_fill"]);
    let last = world.told().await.pop().unwrap();
    assert_eq!(
        last,
        "late_fill: 4 at 99.90 more, after the order had ended. Now 8 of 10 filled, average 99.90."
    );
}

#[tokio::test]
async fn ord_12_each_bust_and_each_correction_is_told_and_a_second_fill_of_the_order_is_not() {
    let mut world = World::new().await;
    let order = world.order().await;
    world.fills(order, "x-1", PartialFill).await;
    world.fills(order, "x-2", Fill).await;
    world.trade_changes(order, "x-1", TradeCorrect).await;
    world.trade_changes(order, "x-1", TradeCorrect).await;
    world.trade_changes(order, "x-2", TradeBust).await;
    world.fills(order, "x-3", Fill).await;
    world.settle().await;
    assert_eq!(world.kinds().await, ["filled", "correction", "correction", "bust"]);
}

#[tokio::test]
async fn v12_a_message_about_a_change_that_never_happened_parks_its_order_only() {
    let mut world = World::new().await;
    let (order, other) = (world.order().await, world.order().await);
    let mut ghost = world.tell(order, Canceled, None).await;
    ghost.seq += 1_000;
    world.send(&[ghost]).await;
    world.happens(other, Canceled).await;
    world.settle().await;
    assert_eq!(world.kinds().await, ["canceled"]);
    let parked = world
        .column("select cause from bus_parked where consumer_group = 'notifier'")
        .await;
    assert!(parked[0].contains("not in their accounts' histories"), "{parked:?}");
}

#[tokio::test]
async fn another_process_goes_on_where_the_first_one_stopped() {
    let mut world = World::new().await;
    let order = world.order().await;
    world.happens(order, Canceled).await;
    world.settle().await;
    world.restart().await;
    let next = world.order().await;
    world.happens(next, Expired).await;
    world.settle().await;
    assert_eq!(world.kinds().await, ["canceled", "expired"]);
}
