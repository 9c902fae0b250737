//! Where in a trace an event was caused goes where the event goes.

use bus::{HandleError, Topic, parked};
use chassis::step::Step;

use crate::support::{GROUP, Recorder, TRACE, World, event, order, traced};

async fn stored(world: &World, table: &str) -> Vec<Option<String>> {
    let query = format!("select trace_context from {table} order by xid, id");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query))
        .fetch_all(world.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn an_event_comes_out_with_the_trace_that_it_was_caused_in() {
    let world = World::new().await;
    let mut consumer = world.owner().await;
    world.publish(&[traced("AAPL", 1, "a"), event("AAPL", 2, "a")]).await;
    assert_eq!(stored(&world, "outbox").await, [Some(TRACE.to_owned()), None]);
    let events = consumer.fetch(10).await.unwrap().events;
    let traces: Vec<_> = events.iter().map(|event| event.request_id.trace_text()).collect();
    assert_eq!(traces, [Some(TRACE.to_owned()), None]);
}

#[tokio::test]
async fn a_parked_message_keeps_its_trace_until_it_is_handled() {
    let world = World::new().await;
    let recorder = Recorder::default();
    recorder.fails_on(order(1), "a", || HandleError::Poison("bad".into()));
    let mut runner = world.runner(&recorder);
    world.publish(&[traced("AAPL", 1, "a")]).await;
    runner.step().await.unwrap();
    assert_eq!(stored(&world, "bus_parked").await, [Some(TRACE.to_owned())]);
    let mut conn = world.pool().acquire().await.unwrap();
    parked::requeue(&mut conn, GROUP, Topic::Orders, order(1))
        .await
        .unwrap();
    runner.consumer().look_now();
    runner.consumer().keep_leases().await.unwrap();
    let again = runner.consumer().next_requeued().await.unwrap().unwrap();
    assert_eq!(again.request_id.trace_text().as_deref(), Some(TRACE));
}

/// A row that somebody else wrote, or that was damaged, loses its trace and nothing else.
#[tokio::test]
async fn a_context_that_is_none_stops_no_event() {
    let world = World::new().await;
    let mut consumer = world.owner().await;
    world.publish(&[traced("AAPL", 1, "a")]).await;
    let damage = |text: String| {
        sqlx::query("update outbox set trace_context = $1")
            .bind(text)
            .execute(world.pool())
    };
    assert!(damage("x".repeat(56)).await.is_err(), "longer than any context");
    damage("x".repeat(55)).await.unwrap();
    let events = consumer.fetch(10).await.unwrap().events;
    assert_eq!((events.len(), events[0].request_id.trace()), (1, None));
}
