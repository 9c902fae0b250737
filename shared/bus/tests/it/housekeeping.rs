//! The outbox' daily partitions (`relay::before_prune`).

use bus::engine::{Again, Replayed, replay};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::support::{World, event, order};

async fn partitions(world: &World) -> Vec<String> {
    sqlx::query_scalar(
        "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
          where i.inhparent = 'outbox'::regclass order by 1",
    )
    .fetch_all(world.pool())
    .await
    .unwrap()
}

async fn now(world: &World) -> DateTime<Utc> {
    sqlx::query_scalar("select daybook_now()")
        .fetch_one(world.pool())
        .await
        .unwrap()
}

/// The table that the log's first row is in, and the row's moment: the real clock may have passed midnight since.
async fn landed(world: &World) -> (String, DateTime<Utc>) {
    sqlx::query_as("select tableoid::regclass::text, created_at from outbox order by created_at limit 1")
        .fetch_one(world.pool())
        .await
        .unwrap()
}

async fn ensure(world: &World, day: NaiveDate) -> i32 {
    let mut conn = world.pool().acquire().await.unwrap();
    bus::ensure_outbox_partitions(&mut conn, day).await.unwrap()
}

async fn drop_before(world: &World, keep_from: DateTime<Utc>) -> Vec<String> {
    let mut conn = world.pool().acquire().await.unwrap();
    bus::drop_outbox_partitions(&mut conn, keep_from).await.unwrap()
}

#[tokio::test]
async fn partitions_are_made_a_week_ahead_and_only_once() {
    let world = World::new().await;
    let day: NaiveDate = "2031-03-01".parse().unwrap();
    assert_eq!(ensure(&world, day).await, 8);
    assert_eq!(ensure(&world, day).await, 0);
    assert_eq!(ensure(&world, day.succ_opt().unwrap()).await, 1);
    let names = partitions(&world).await;
    assert!(
        names.contains(&"outbox_20310301".into()) && names.contains(&"outbox_20310309".into()),
        "{names:?}"
    );
}

#[tokio::test]
async fn processes_that_start_at_once_make_the_same_days_once() {
    let world = World::new().await;
    let day: NaiveDate = "2032-03-01".parse().unwrap();
    let make = || {
        let pool = world.pool().clone();
        let pause = |_| std::time::Duration::from_millis(100);
        tokio::spawn(async move {
            db::with_retry(600, pause, || async {
                bus::ensure_outbox_partitions(&mut *pool.acquire().await?, day).await
            })
            .await
        })
    };
    let mut made = 0;
    for one in [make(), make(), make(), make()] {
        made += one.await.unwrap().unwrap();
    }
    assert_eq!(made, 8);
}

#[tokio::test]
async fn events_land_in_the_partition_of_their_day() {
    let world = World::new().await;
    world.publish(&[event("AAPL", 1, "a")]).await;
    let (table, at) = landed(&world).await;
    assert_eq!(table, format!("outbox_{}", at.format("%Y%m%d")));
}

#[tokio::test]
async fn a_day_is_dropped_only_when_every_registered_consumer_has_read_it() {
    let world = World::new().await;
    world.publish(&[event("AAPL", 1, "a"), event("F", 2, "a")]).await;
    let mut quick = world.owner().await;
    let mut slow = world.bus.consumer("slow", bus::Topic::Orders);
    slow.keep_leases().await.unwrap();
    let (today, _) = landed(&world).await;
    world.later(3 * 86_400).await;
    let keep_from = now(&world).await;

    read_all(&world, &mut quick).await;
    assert!(
        !drop_before(&world, keep_from).await.contains(&today),
        "one group has not read it"
    );
    read_all(&world, &mut slow).await;
    assert!(
        drop_before(&world, keep_from - chrono::TimeDelta::days(4))
            .await
            .is_empty(),
        "it is kept that long"
    );
    assert!(drop_before(&world, keep_from).await.contains(&today));
    assert!(!partitions(&world).await.contains(&today));

    ensure(&world, keep_from.date_naive()).await;
    world.publish(&[event("AAPL", 3, "b")]).await;
    assert_eq!(slow.fetch(10).await.unwrap().events.len(), 1, "and the log goes on");
}

async fn read_all(world: &World, consumer: &mut bus::Consumer) {
    let events = consumer.fetch(100).await.unwrap().events;
    assert_eq!(events.len(), 2);
    let mut tx = db::begin(world.pool()).await.unwrap();
    consumer.store(&mut tx, &events).await.unwrap();
    tx.commit().await.unwrap();
    consumer.advance(&events);
}

/// Housekeeping slept for weeks: rows land in the safety net, are read from there, and go by the same rule.
#[tokio::test]
async fn rows_outside_the_days_are_read_and_go_when_read() {
    let world = World::new().await;
    world.later(60 * 86_400).await;
    let mut consumer = world.owner().await;
    world.publish(&[event("AAPL", 1, "a"), event("F", 2, "a")]).await;
    let day = landed(&world).await.1.date_naive();
    assert_eq!(
        ensure(&world, day).await,
        7,
        "the day that has rows already stays where it is"
    );
    world.later(5 * 86_400).await;
    let keep_from = now(&world).await;
    drop_before(&world, keep_from).await;
    assert_eq!(strays(&world).await, 2);
    read_all(&world, &mut consumer).await;
    let (_, at) = landed(&world).await;
    drop_before(&world, keep_from).await;
    assert_eq!(strays(&world).await, 0);
    let replayed = replayed(&world, Again::Since(at)).await;
    assert!(
        matches!(replayed, Replayed::Dropped { kept_since } if at < kept_since && kept_since <= keep_from),
        "{replayed:?}"
    );
}

async fn strays(world: &World) -> i64 {
    sqlx::query_scalar("select count(*) from outbox_default")
        .fetch_one(world.pool())
        .await
        .unwrap()
}

async fn replayed(world: &World, again: Again) -> Replayed {
    let mut tx = db::begin(world.pool()).await.unwrap();
    let replayed = replay(&mut tx, again).await.unwrap();
    tx.commit().await.unwrap();
    replayed
}

/// As if a relay had shipped everything.
async fn all_is_shipped(world: &World) {
    sqlx::query(
        "insert into bus_positions (consumer_group, topic, partition, incarnation, xid)
         select 'relay', 'orders', n, 1, '9223372036854775807' from generate_series(0, 15) n
             on conflict (consumer_group, topic, partition) do update set xid = excluded.xid",
    )
    .execute(world.pool())
    .await
    .unwrap();
}

fn rows(partitions: usize, oldest: Option<DateTime<Utc>>) -> Replayed {
    Replayed::Rows { partitions, oldest }
}

#[tokio::test]
async fn what_is_shipped_again_is_kept_until_then_and_what_is_dropped_is_not_promised() {
    let world = World::new().await;
    world.publish(&[event("AAPL", 1, "a"), event("F", 2, "a")]).await;
    let (today, at) = landed(&world).await;
    let past = Again::Since("2020-01-01T00:00:00Z".parse().unwrap());
    all_is_shipped(&world).await;
    assert_eq!(
        replayed(&world, past).await,
        rows(2, Some(at)),
        "nothing was dropped yet"
    );
    world.later(3 * 86_400).await;
    let keep_from = now(&world).await;
    assert!(
        !drop_before(&world, keep_from).await.contains(&today),
        "it is to be shipped"
    );

    all_is_shipped(&world).await;
    assert!(drop_before(&world, keep_from).await.contains(&today));
    let kept_since = keep_from.date_naive().and_time(NaiveTime::MIN).and_utc();
    let dropped = Replayed::Dropped { kept_since };
    assert_eq!(replayed(&world, past).await, dropped);
    let just_before = Again::Since(kept_since - TimeDelta::microseconds(1));
    assert_eq!(replayed(&world, just_before).await, dropped);
    assert_eq!(replayed(&world, Again::Since(kept_since)).await, rows(0, None));

    world.publish(&[event("AAPL", 3, "b")]).await;
    let (_, at) = landed(&world).await;
    for again in [Again::Since(kept_since), Again::Oldest] {
        all_is_shipped(&world).await;
        assert_eq!(replayed(&world, again).await, rows(1, Some(at)));
    }
}

/// A day that somebody still has to read stays while a later one goes: it is not the beginning of all that follows.
#[tokio::test]
async fn the_log_is_whole_from_the_end_of_the_last_day_that_was_dropped() {
    let world = World::new().await;
    world.publish(&[event("AAPL", 1, "a")]).await;
    let (first, _) = landed(&world).await;
    let mut slow = world.owner().await;
    world.later(86_400).await;
    world.publish(&[event("F", 2, "a")]).await;
    let second =
        sqlx::query_scalar("select max((created_at at time zone 'UTC')::date) from outbox").fetch_one(world.pool());
    let second: NaiveDate = second.await.unwrap();
    let mut read = slow.fetch(10).await.unwrap().events;
    read.retain(|event| event.order_id == order(2));
    let mut tx = db::begin(world.pool()).await.unwrap();
    slow.store(&mut tx, &read).await.unwrap();
    tx.commit().await.unwrap();

    let kept_since = (second + TimeDelta::days(1)).and_time(NaiveTime::MIN).and_utc();
    let dropped = drop_before(&world, kept_since).await;
    assert_eq!(dropped, [second.format("outbox_%Y%m%d").to_string()]);
    assert!(partitions(&world).await.contains(&first), "somebody has to read it");
    let of_the_second_day = Again::Since(kept_since - TimeDelta::seconds(1));
    assert_eq!(
        replayed(&world, of_the_second_day).await,
        Replayed::Dropped { kept_since }
    );
}

/// The run-time role is not the owner of the table.
#[tokio::test]
async fn the_run_time_role_can_do_all_of_it() {
    let world = World::new().await;
    let mut tx = db::begin(world.pool()).await.unwrap();
    sqlx::query("set local role daybook_app")
        .execute(&mut *tx)
        .await
        .unwrap();
    let day: NaiveDate = "2031-03-01".parse().unwrap();
    assert_eq!(bus::ensure_outbox_partitions(&mut tx, day).await.unwrap(), 8);
    let far: DateTime<Utc> = "2032-01-01T00:00:00Z".parse().unwrap();
    assert!(
        bus::drop_outbox_partitions(&mut tx, far)
            .await
            .unwrap()
            .contains(&"outbox_20310301".to_owned())
    );
    replay(&mut tx, Again::Oldest).await.unwrap();
    bus::append(&mut tx, &[event("AAPL", 1, "a")]).await.unwrap();
    let refused = sqlx::query("drop table outbox_default")
        .execute(&mut *tx)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("must be owner"), "{refused}");
}
