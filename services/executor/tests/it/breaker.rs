//! A venue that is down: what one executor finds out keeps the others from calling, and one finds out that it is back.

use std::time::Duration;

use bus::{BusSettings, Topic};
use db::PgConnection;
use domain::{OrderId, Symbol};
use executor::{Config, Executor, GROUP, breakers};
use uuid::Uuid;
use venue::fake::{Act, CallKind, FakeVenue};

use crate::world::{World, settle, settle_for, steps};

const LETTERS: [&str; 12] = ["A", "B", "C", "D", "E", "F", "G", "H", "J", "K", "L", "M"];
/// How long it is left alone at first; the database's clock, which nobody moves, stays far below.
const OUTAGE: Duration = Duration::from_secs(600);
/// Then each executor has looked.
const LOOK: Duration = Duration::from_millis(250);

pub type Pair = (Executor<FakeVenue>, Executor<FakeVenue>);

/// A world with two executors, each with a symbol of its own, and a long outage.
async fn two() -> (World, Pair, [&'static str; 2]) {
    let long_outage = |config: &mut Config| {
        config.first_outage = OUTAGE;
        config.longest_outage = OUTAGE;
    };
    two_with(long_outage).await
}

/// A world with two executors of these settings, each with a symbol of its own.
pub async fn two_with(settings: impl FnOnce(&mut Config)) -> (World, Pair, [&'static str; 2]) {
    let mut world = World::new().await;
    let symbols = LETTERS.map(|symbol| Symbol::parse(symbol).unwrap());
    world.venue = FakeVenue::new(world.clock.clone(), &symbols);
    settings(&mut world.config);
    // On a busy machine, too, whoever is not stepped for a while keeps what it has.
    world.bus = BusSettings {
        lease: Duration::from_secs(120),
        ..BusSettings::default()
    };
    let mut pair = (world.executor(), world.executor());
    share(&world, &mut pair).await;
    let symbols = one_each(&world, &mut pair).await;
    (world, pair, symbols)
}

/// Each has its half at once: the first one shares with a member that goes before it takes anything.
async fn share(world: &World, (first, second): &mut Pair) {
    let ghost = Uuid::from_u128(1);
    let comes = sqlx::query("insert into bus_members values ($1, $2, $3, daybook_now() + interval '1 hour')")
        .bind(GROUP)
        .bind(Topic::Orders.as_str())
        .bind(ghost);
    comes.execute(&world.db.pool).await.unwrap();
    settle(first).await;
    let goes = sqlx::query("delete from bus_members where owner = $1").bind(ghost);
    goes.execute(&world.db.pool).await.unwrap();
    settle(second).await;
    let shares = "select count(*) from bus_positions where owner is not null group by owner";
    let shares: Vec<i64> = sqlx::query_scalar(shares).fetch_all(&world.db.pool).await.unwrap();
    assert_eq!(shares, [8, 8]);
}

/// A symbol of the first one's, and one of the second's.
async fn one_each(world: &World, (first, second): &mut Pair) -> [&'static str; 2] {
    let mut found = [None, None];
    for symbol in LETTERS {
        let order = world.place(symbol).await;
        settle(first).await;
        let whose = usize::from(world.venue.count(CallKind::Submit, order) == 0);
        settle(second).await;
        assert_eq!(world.row(order).await, "working/1/none");
        found[whose] = Some(symbol);
    }
    found.map(|symbol| symbol.expect("of twelve symbols each has some"))
}

async fn state(world: &World) -> String {
    let mut conn = world.db.pool.acquire().await.unwrap();
    breakers::list(&mut conn).await.unwrap()[0].state.to_string()
}

/// executor::venue_down: nothing is asked of a venue that somebody else found to be down, and nothing is ended.
#[tokio::test]
async fn what_one_executor_finds_out_keeps_the_other_from_calling() {
    let (world, (mut first, mut second), [ours, theirs]) = two().await;
    assert_eq!(state(&world).await, "closed");
    world.venue.script(CallKind::Submit, vec![Act::Unreachable; 5]);
    let lost = world.place(ours).await;
    settle(&mut first).await;
    assert_eq!(state(&world).await, "open");
    world.pass(LOOK);
    let calls = world.venue.calls().len();
    let other = world.place(theirs).await;
    for executor in [&mut first, &mut second] {
        settle_for(&world, executor, 5).await;
    }
    assert_eq!(world.venue.calls().len(), calls, "nobody calls");
    for order in [lost, other] {
        assert_eq!(
            (world.row(order).await, world.told(order).await),
            ("queued/0/none".to_owned(), String::new())
        );
    }
    world.pass(OUTAGE);
    settle(&mut second).await;
    assert_eq!(world.row(other).await, "working/1/none", "its probe");
    assert_eq!(state(&world).await, "closed");
    world.pass(LOOK);
    settle(&mut first).await;
    assert_eq!(world.row(lost).await, "working/1/none");
}

/// Timeouts and 5xx say that it is down; a refusal is an answer like any other.
#[tokio::test]
async fn failures_in_a_row_open_it_and_refusals_do_not() {
    for act in [Act::Fail, Act::LoseRequest, Act::Unreachable] {
        let (world, mut executor) = World::started().await;
        world.venue.script(CallKind::Submit, vec![act.clone(); 5]);
        world.place_many(&["AAPL", "MSFT", "TSLA", "F", "AAPL"]).await;
        settle(&mut executor).await;
        assert_eq!(state(&world).await, "open", "{act:?}");
    }
    let (world, mut executor) = World::started().await;
    world
        .venue
        .script(CallKind::Submit, vec![Act::Refuse("no".to_owned()); 20]);
    world.place_many(&["AAPL"; 20]).await;
    settle(&mut executor).await;
    assert_eq!(state(&world).await, "closed");
}

/// However many executors and orders wait, only a few calls of one of them go first.
#[tokio::test]
async fn one_of_them_probes_a_little() {
    let (world, (mut first, mut second), [ours, theirs]) = two().await;
    world.venue.script(CallKind::Submit, vec![Act::Unreachable; 5]);
    let mut orders: Vec<OrderId> = world.place_many(&[ours; 8]).await;
    settle(&mut first).await;
    orders.extend(world.place_many(&[theirs; 8]).await);
    world.pass(LOOK);
    settle(&mut second).await;
    assert_eq!(state(&world).await, "open");
    // What was scripted and did not come to pass would fail the probes.
    world.venue.behave();
    world.venue.pause();
    world.pass(OUTAGE);
    steps(&mut first).await;
    steps(&mut second).await;
    assert_eq!((first.in_flight().calls, second.in_flight().calls), (3, 0));
    assert_eq!(state(&world).await, "half_open");
    world.venue.resume();
    settle(&mut first).await;
    world.pass(LOOK);
    settle(&mut second).await;
    for order in orders {
        assert_eq!(world.row(order).await, "working/1/none");
    }
}

/// V4 goes on: a cancel of an order that the venue has keeps trying, and its answer tells that the venue is back.
#[tokio::test]
async fn a_cancel_keeps_trying_and_its_answer_brings_the_rest_forward() {
    let (world, (mut first, mut second), [ours, theirs]) = two().await;
    let working = world.working(&mut second, theirs).await;
    world.venue.script(CallKind::Submit, vec![Act::Unreachable; 5]);
    let lost = world.place(ours).await;
    settle(&mut first).await;
    world.pass(LOOK);
    world.venue.script(CallKind::Cancel, vec![Act::Unreachable; 2]);
    world.cancel(working, theirs).await;
    settle_for(&world, &mut second, 10).await;
    assert!(world.is_canceled(working), "tried until it was heard");
    // It was answered: the next call of the second may be a probe.
    let other = world.place(theirs).await;
    settle(&mut second).await;
    assert_eq!(world.row(other).await, "working/1/none");
    world.pass(LOOK);
    settle(&mut first).await;
    assert_eq!(world.row(lost).await, "working/1/none");
}

async fn by_hand(world: &World, act: impl AsyncFn(&mut PgConnection) -> Result<bool, db::DbError>) {
    let mut conn = world.db.pool.acquire().await.unwrap();
    assert!(act(&mut conn).await.unwrap());
    world.pass(LOOK);
}

#[tokio::test]
async fn what_an_operator_opened_is_closed_by_an_operator_only() {
    let (world, mut executor) = World::started().await;
    let working = world.working(&mut executor, "AAPL").await;
    by_hand(&world, async |conn| {
        breakers::open(conn, "fake", "ada", "they move house").await
    })
    .await;
    let waiting = world.place("AAPL").await;
    world.cancel(working, "AAPL").await;
    settle_for(&world, &mut executor, 120).await;
    assert!(world.is_canceled(working), "a wish to cancel goes all the same");
    assert_eq!(world.row(waiting).await, "queued/0/none");
    by_hand(&world, async |conn| {
        breakers::close(conn, "fake", "ada", "they have moved").await
    })
    .await;
    settle(&mut executor).await;
    assert_eq!(world.row(waiting).await, "working/1/none");
    let mut conn = world.db.pool.acquire().await.unwrap();
    assert!(!breakers::open(&mut conn, "nowhere", "ada", "why").await.unwrap());
}

/// executor::answer_429: whoever is told to wait tells the others.
#[tokio::test]
async fn a_pause_that_the_venue_asks_one_for_is_kept_by_the_other() {
    let (world, (mut first, mut second), [ours, theirs]) = two().await;
    world
        .venue
        .script(CallKind::Submit, [Act::Throttle(Duration::from_secs(600))]);
    let throttled = world.place(ours).await;
    settle(&mut first).await;
    world.pass(LOOK);
    let other = world.place(theirs).await;
    let calls = world.venue.calls().len();
    settle_for(&world, &mut second, 5).await;
    assert_eq!(world.venue.calls().len(), calls);
    world.pass(Duration::from_secs(600));
    for (executor, order) in [(&mut first, throttled), (&mut second, other)] {
        settle(executor).await;
        assert_eq!(world.row(order).await, "working/1/none");
    }
    assert_eq!(state(&world).await, "closed", "it answers");
}

/// executor::venue_down: whoever takes over knows it from the row, before the first call.
#[tokio::test]
async fn an_executor_that_starts_while_it_is_open_does_not_call() {
    let mut world = World::new().await;
    world.config.first_outage = OUTAGE;
    world.config.longest_outage = OUTAGE;
    let mut first = world.executor();
    world.venue.script(CallKind::Submit, vec![Act::Unreachable; 5]);
    let order = world.place("AAPL").await;
    settle(&mut first).await;
    let calls = world.venue.calls().len();
    drop(first);
    world.leases_run_out().await;
    let mut second = world.executor();
    settle(&mut second).await;
    assert_eq!(world.venue.calls().len(), calls);
    world.pass(OUTAGE);
    settle(&mut second).await;
    assert_eq!(world.row(order).await, "working/1/none");
}
