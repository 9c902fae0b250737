//! Processes over a real Kafka that are killed, stopped and robbed of their ground under load. What was acknowledged is
//! not lost, nothing is done twice, the books are the exchange's, and how long customers saw it is said.
//!
//! A recovery begins with the fault and ends when an order that was placed after it is seen as filled: see [`probe`].

mod broker;
mod hearing;
mod probe;
mod town;

use std::time::{Duration, Instant};

use testkit::wait_until;
use town::Town;

const PATIENCE: Duration = Duration::from_secs(120);

/// Says how long a fault was seen.
fn report(fault: &str, recovery: probe::Recovery) {
    eprintln!("  recovery | {fault} | {recovery}");
}

/// Says when the broker was back: Java has to start, and an empty disk is formatted first.
fn listens(since: Instant) {
    eprintln!("  the broker listens after {:.1} s", since.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: a broker, and the processes of a whole installation"]
async fn every_part_is_killed_in_turn_and_started_again() {
    let mut town = Town::open().await;
    let trading = town.trade();
    trading.0.until_more(100).await;
    report("none", town.recovery(Instant::now()).await);
    for name in [
        "relay",
        "order-manager-1",
        "executor-1",
        "status-updater-1",
        "scheduler-1",
        "notifier",
        "market-data",
    ] {
        trading.0.until_more(50).await;
        let since = Instant::now();
        town.kill(name).await;
        town.start(name);
        report(&format!("kill -9 of {name}"), town.recovery(since).await);
        town.all_ready().await;
    }
    town.comes_to_rest(trading).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: a broker, and the processes of a whole installation"]
async fn the_broker_is_killed_and_then_loses_its_disk() {
    let mut town = Town::open().await;
    let trading = town.trade();
    trading.0.until_more(100).await;
    let since = Instant::now();
    town.broker.kill().await;
    town.broker.up().await;
    listens(since);
    report("kill -9 of the broker", town.recovery(since).await);
    trading.0.until_more(100).await;
    // Some of what is lost nobody has read yet.
    let executors = ["executor-1", "executor-2"];
    for name in executors {
        town.signal(name, "-STOP").await;
    }
    trading.0.until_more(10).await;
    wait_until("the relay has shipped what is lost then", PATIENCE, || async {
        town.number(SHIPPED_AND_UNREAD).await >= 10
    })
    .await;
    let since = Instant::now();
    town.broker.kill().await;
    town.broker.lose_disk();
    for name in executors {
        town.signal(name, "-CONT").await;
    }
    town.broker.up().await;
    listens(since);
    report("the broker's disk wiped", town.recovery(since).await);
    trading.0.until_more(100).await;
    town.comes_to_rest(trading).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: a broker, and the processes of a whole installation"]
async fn postgres_is_killed_under_everybody() {
    let mut town = Town::open().await;
    let trading = town.trade();
    for _ in 0..2 {
        trading.0.until_more(100).await;
        let since = Instant::now();
        town.cluster.kill().await;
        town.cluster.up().await;
        report("kill -9 of PostgreSQL", town.recovery(since).await);
    }
    // Nobody was started again: who does not live any more fails here.
    town.all_ready().await;
    trading.0.until_more(100).await;
    town.comes_to_rest(trading).await;
}

/// `lease::paused`: others have taken over when it goes on, with a batch that it had read and answers of the exchange.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: a broker, and the processes of a whole installation"]
async fn who_was_stopped_beyond_the_session_finds_its_work_taken_over() {
    let mut town = Town::open().await;
    let trading = town.trade();
    for (name, owners) in [("executor-1", EXECUTORS), ("status-updater-1", UPDATERS)] {
        town.start_slow(name).await;
        wait_until("both share the work", PATIENCE, || async {
            town.number(owners).await == 2
        })
        .await;
        trading.0.until_more(100).await;
        let since = Instant::now();
        town.signal(name, "-STOP").await;
        report(
            &format!("{name} stopped beyond its session"),
            town.recovery(since).await,
        );
        wait_until("the other one has everything", PATIENCE, || async {
            town.number(owners).await == 1
        })
        .await;
        trading.0.until_more(50).await;
        let since = Instant::now();
        town.signal(name, "-CONT").await;
        report(&format!("{name} goes on"), town.recovery(since).await);
        wait_until("both share the work again", PATIENCE, || async {
            town.number(owners).await == 2
        })
        .await;
    }
    town.comes_to_rest(trading).await;
}

/// `relay::two_relays` and `lease::race` by an operator's mistake: the broker throws out one of two of the same name,
/// who comes back and has the other one thrown out, while both send what they have.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: a broker, and the processes of a whole installation"]
async fn two_executors_of_one_name_claim_the_same_partitions() {
    let mut town = Town::open().await;
    let trading = town.trade();
    town.start_slow("executor-1").await;
    trading.0.until_more(100).await;
    let before = town.number(CLAIMS).await;
    let twin = town.twin("executor-1", "executor");
    let second = twin.start(None);
    wait_until("the same partitions have changed hands often", PATIENCE, || async {
        town.number(CLAIMS).await >= before + 100
    })
    .await;
    trading.0.until_more(50).await;
    let since = Instant::now();
    second.kill().await;
    report(
        "one of two executors with the same name killed",
        town.recovery(since).await,
    );
    town.comes_to_rest(trading).await;
}

/// What an operator does who changes `DAYBOOK_ENGINE`: all stop, all start, while customers go on trying.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: a broker, and the processes of a whole installation"]
async fn the_engine_is_changed_there_and_back_under_load() {
    let mut town = Town::open().await;
    let trading = town.trade();
    for engine in ["postgres", "kafka", "postgres", "kafka"] {
        trading.0.until_more(100).await;
        let since = Instant::now();
        // What is placed from here on nobody reads before the other engine does.
        town.stop(&["executor-1", "executor-2"]).await;
        trading.0.until_more(10).await;
        town.stop_all().await;
        assert_ne!(town.number(UNREAD).await, 0, "nothing was left to hand over");
        town.set_engine(engine);
        town.start_all().await;
        report(
            &format!("all stopped, and started on {engine}"),
            town.recovery(since).await,
        );
    }
    trading.0.until_more(100).await;
    town.comes_to_rest(trading).await;
}

/// Who owns partitions of `orders` in the executors' group.
const EXECUTORS: &str = "select count(distinct owner) from bus_positions
                          where consumer_group = 'executor' and lease_until >= daybook_now()";
const UPDATERS: &str = "select count(distinct owner) from bus_positions
                         where consumer_group = 'status-updater' and lease_until >= daybook_now()";
/// How often partitions were claimed.
const CLAIMS: &str = "select sum(epoch)::bigint from bus_positions where consumer_group = 'executor'";
/// Events at the broker that no executor has read.
const SHIPPED_AND_UNREAD: &str = "select count(*)
                                    from bus_positions p
                                    join bus_positions r
                                      on r.consumer_group = 'relay'
                                     and r.topic = p.topic
                                     and r.partition = p.partition
                                    join outbox o
                                      on o.topic = p.topic
                                     and o.partition = p.partition
                                     and (o.xid, o.id) > (p.xid, p.id)
                                     and (o.xid, o.id) <= (r.xid, r.id)
                                   where p.consumer_group = 'executor'";
/// Events that no executor has read.
const UNREAD: &str = "select count(*)
                        from bus_positions p
                        join outbox o
                          on o.topic = p.topic
                         and o.partition = p.partition
                         and (o.xid, o.id) > (p.xid, p.id)
                       where p.consumer_group = 'executor'";
