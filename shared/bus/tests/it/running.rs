//! The runner: batches, splits, retries.

use std::time::Duration;

use bus::{HandleError, Handler, Runner, Topic};
use chassis::step::{Progress, Step};
use db::DbError;

use crate::support::{LEASE, Recorder, World, event, order, record};

#[tokio::test]
async fn a_batch_is_one_call_and_then_there_is_nothing() {
    let world = World::new().await;
    let recorder = Recorder::default();
    let mut runner = world.runner(&recorder);
    assert_eq!(runner.step().await.unwrap(), Progress::Idle);
    let events: Vec<_> = (0..20).map(|n| event("AAPL", n, "a")).collect();
    world.publish(&events).await;
    assert_eq!(runner.step().await.unwrap(), Progress::Worked);
    assert_eq!(runner.step().await.unwrap(), Progress::Idle);
    assert_eq!((recorder.calls(), recorder.told()), (vec![20], (1, 0)));
    assert_eq!(world.effects().await.len(), 20);
}

#[tokio::test]
async fn what_is_held_back_is_looked_at_again_soon() {
    let world = World::new().await;
    let recorder = Recorder::default();
    let mut runner = world.runner(&recorder);
    runner.step().await.unwrap();
    let mut writing = db::begin(world.pool()).await.unwrap();
    bus::append(&mut writing, &[event("AAPL", 1, "first")]).await.unwrap();
    let mut other = db::begin(world.pool()).await.unwrap();
    bus::append(&mut other, &[event("AAPL", 2, "second")]).await.unwrap();
    other.commit().await.unwrap();
    assert_eq!(runner.step().await.unwrap(), Progress::Soon(Duration::from_millis(1)));
    writing.commit().await.unwrap();
    world.settled().await;
    assert_eq!(runner.step().await.unwrap(), Progress::Worked);
    assert_eq!(
        world.effects().await,
        [(order(1), "first".into()), (order(2), "second".into())]
    );
}

/// Nobody waits for what it does.
struct Patient(Recorder);

impl Handler for Patient {
    async fn handle(&mut self, conn: &mut sqlx::PgConnection, events: &[bus::Event]) -> Result<(), HandleError> {
        self.0.handle(conn, events).await
    }

    fn can_wait(&self, _: &[bus::Event]) -> bool {
        true
    }
}

#[tokio::test]
async fn what_can_wait_comes_in_short_turns_while_somebody_is_served() {
    let world = World::new().await;
    let (patient, pressing) = (Recorder::default(), Recorder::default());
    let mut quiet = Runner::new("patient", world.consumer(), Patient(patient.clone()));
    let mut loud = Runner::new(
        "pressing",
        world.bus.consumer("pressing", Topic::Orders),
        pressing.clone(),
    );
    let events: Vec<_> = (0..300).map(|n| event("AAPL", n, "a")).collect();
    world.publish(&events).await;
    quiet.step().await.unwrap();
    assert_eq!(patient.calls(), [300], "nobody is served");
    world.publish(&events).await;
    let _served = world.bus.hurry();
    quiet.step().await.unwrap();
    loud.step().await.unwrap();
    assert_eq!(patient.calls(), [300, 128, 128, 44]);
    assert_eq!(pressing.calls(), [600], "what somebody waits for is done at once");
    assert_eq!(world.effects().await.len(), 1_200, "all of it, by both");
}

/// A failure that has nothing to do with the messages must not park them, however often it comes.
async fn check_is_tried_again(failure: fn() -> HandleError) {
    let world = World::new().await;
    let recorder = Recorder::default();
    recorder.fails_on(order(1), "a", failure);
    let mut runner = world.runner(&recorder);
    world.publish(&[event("AAPL", 1, "a"), event("AAPL", 2, "b")]).await;
    for _ in 0..5 {
        runner.step().await.unwrap_err();
    }
    assert_eq!(recorder.calls(), [2; 5], "never split");
    assert_eq!((world.effects().await, recorder.told()), (vec![], (0, 5)));
    recorder.heals();
    assert_eq!(runner.step().await.unwrap(), Progress::Worked);
    assert_eq!(world.effects().await.len(), 2);
}

#[tokio::test]
async fn a_passing_fault_of_the_database_is_tried_again() {
    check_is_tried_again(|| DbError::Sqlx(sqlx::Error::PoolTimedOut).into()).await;
}

#[tokio::test]
async fn a_handler_may_ask_for_later() {
    check_is_tried_again(|| HandleError::Later("the other side sleeps".into())).await;
}

/// A missing table or grant fails every message alike: parking them all would be the end of the day's trading.
struct NoTable;

impl Handler for NoTable {
    async fn handle(&mut self, conn: &mut sqlx::PgConnection, _: &[bus::Event]) -> Result<(), HandleError> {
        sqlx::query("insert into no_such_table values (1)")
            .execute(conn)
            .await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_broken_installation_parks_nothing() {
    let world = World::new().await;
    world.publish(&[event("AAPL", 1, "a")]).await;
    let mut runner = Runner::new("broken", world.consumer(), NoTable);
    for _ in 0..4 {
        let failure = runner.step().await.unwrap_err().to_string();
        assert!(failure.contains("no_such_table"), "{failure}");
    }
    let mut conn = world.pool().acquire().await.unwrap();
    assert_eq!(bus::parked::list(&mut conn, None, None, 10).await.unwrap(), []);
}

/// Takes its time for each message, and has little of it.
struct Slow;

impl Handler for Slow {
    async fn handle(&mut self, conn: &mut sqlx::PgConnection, events: &[bus::Event]) -> Result<(), HandleError> {
        sqlx::query("set local statement_timeout = '1s'")
            .execute(&mut *conn)
            .await?;
        sqlx::query("select pg_sleep(0.3 * $1)")
            .bind(i32::try_from(events.len()).unwrap())
            .execute(&mut *conn)
            .await?;
        for event in events {
            record(conn, event).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_batch_that_takes_too_long_is_done_in_parts() {
    let world = World::new().await;
    world.publish(&[1, 2, 3, 4].map(|n| event("AAPL", n, "a"))).await;
    let mut runner = Runner::new("slow", world.consumer(), Slow);
    assert_eq!(runner.step().await.unwrap(), Progress::Worked);
    let done: Vec<_> = world.effects().await.into_iter().map(|(order, _)| order).collect();
    assert_eq!(done, [1, 2, 3, 4].map(order));
}

/// `consumer::rebalance`, `lease::paused`: it wakes up after its lease and does not know it yet.
#[tokio::test]
async fn an_owner_that_was_overtaken_has_no_effect() {
    let world = World::new().await;
    let (paused, awake) = (Recorder::default(), Recorder::default());
    let (mut old, mut new) = (world.runner(&paused), world.runner(&awake));
    old.step().await.unwrap();
    world.publish(&[event("AAPL", 1, "a")]).await;
    world.later(LEASE + 1).await;
    new.consumer().keep_leases().await.unwrap();
    assert_eq!(new.consumer().owned().len(), 16);

    assert_eq!(
        old.step().await.unwrap(),
        Progress::Worked,
        "no failure, part of any rebalance"
    );
    assert_eq!(paused.calls(), [0; 0], "it learns it before it does anything");
    assert_eq!(old.step().await.unwrap(), Progress::Idle);
    assert_eq!(new.step().await.unwrap(), Progress::Worked);
    assert_eq!(world.effects_of(order(1)).await, ["a"]);
}

/// Writers that overlap and roll back, two processes that read and hand partitions over: each committed event has its
/// effect once, and those of one order in their order (V8, V10).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_writers_and_owners_in_a_crowd_each_effect_happens_once_and_in_order() {
    const WRITERS: u128 = 6;
    const EACH: usize = 40;
    let world = World::new().await;
    let recorder = Recorder::default();
    let mut runners = [world.runner(&recorder), world.runner(&recorder)];
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| tokio::spawn(write(world.pool().clone(), n, EACH)))
        .collect();
    let all = usize::try_from(WRITERS).unwrap() * EACH;
    // By time, not by rounds: strangers on the cluster may hold the horizon for seconds.
    let begun = std::time::Instant::now();
    for round in 0_u64.. {
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "{} of {all} effects",
            world.effects().await.len()
        );
        let [one, two] = &mut runners;
        if round % 7 == 0 {
            one.consumer().look_now();
            two.consumer().look_now();
        }
        if round % 50 == 49 {
            world.bus.release().await.unwrap();
        }
        let (first, second) = tokio::join!(one.step(), two.step());
        first.unwrap();
        second.unwrap();
        if world.effects().await.len() >= all {
            break;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    for n in 0..WRITERS {
        let expected: Vec<String> = (0..EACH).map(|k| k.to_string()).collect();
        assert_eq!(world.effects_of(order(n)).await, expected, "order {n}");
    }
}

async fn write(pool: sqlx::PgPool, n: u128, events: usize) {
    let symbol = ["AAPL", "F", "KO"][usize::try_from(n).unwrap() % 3];
    for k in 0..events {
        let kind: &'static str = k.to_string().leak();
        for commits in [k % 3 != 0, true] {
            let mut tx = db::begin(&pool).await.unwrap();
            bus::append(&mut tx, &[event(symbol, n, kind)]).await.unwrap();
            if k % 5 == 0 {
                tokio::task::yield_now().await;
            }
            if commits {
                tx.commit().await.unwrap();
                break;
            }
            tx.rollback().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_wake_reaches_every_loop_of_its_topic() {
    let world = World::new().await;
    let wakers = [world.bus.waker(bus::Topic::Orders), world.bus.waker(bus::Topic::Orders)];
    world.bus.wake(bus::Topic::VenueReports);
    world.bus.wake(bus::Topic::Orders);
    for waker in wakers {
        tokio::time::timeout(Duration::from_secs(10), waker.woken())
            .await
            .expect("it was rung");
    }
}
