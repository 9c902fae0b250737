//! Batches: everybody gets their own answer, and nobody's fate hangs on a neighbour's.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chassis::batch::{BatchSettings, BatchWork, Batcher, Busy};
use chassis::shutdown::{Shutdown, ShutdownError};
use futures::future::join_all;
use futures::poll;
use tokio::sync::Semaphore;

const SECOND: Duration = Duration::from_secs(1);

/// Doubles numbers; each batch waits for a permit, so that a test decides when it runs.
struct Doubler {
    permits: Arc<Semaphore>,
    seen: Arc<Mutex<Vec<Vec<u32>>>>,
}

impl BatchWork for Doubler {
    type Item = u32;
    type Reply = u32;

    async fn run(&mut self, batch: Vec<u32>) -> Vec<u32> {
        self.permits.acquire().await.unwrap().forget();
        self.seen.lock().unwrap().push(batch.clone());
        batch.iter().map(|n| n * 2).collect()
    }
}

struct Bench {
    batcher: Batcher<u32, u32>,
    permits: Arc<Semaphore>,
    seen: Arc<Mutex<Vec<Vec<u32>>>>,
    shutdown: Shutdown,
}

impl Bench {
    fn new(settings: BatchSettings) -> Self {
        let (permits, seen, shutdown) = (Arc::new(Semaphore::new(0)), Arc::default(), Shutdown::new());
        let work = Doubler {
            permits: Arc::clone(&permits),
            seen: Arc::clone(&seen),
        };
        Bench {
            batcher: Batcher::start("doubler", settings, work, &shutdown),
            permits,
            seen,
            shutdown,
        }
    }

    /// Lets the worker run up to where it waits.
    async fn settle(&self) {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    fn sizes(&self) -> Vec<usize> {
        self.seen.lock().unwrap().iter().map(Vec::len).collect()
    }
}

fn settings(max: usize, queue: usize) -> BatchSettings {
    BatchSettings {
        max,
        queue,
        linger: Duration::ZERO,
        patience: 60 * SECOND,
    }
}

#[tokio::test]
async fn each_caller_gets_its_own_reply() {
    let bench = Bench::new(settings(7, 1_000));
    bench.permits.add_permits(1_000);
    let replies = join_all((0..100).map(|n| bench.batcher.submit(n))).await;
    assert_eq!(replies, (0..100).map(|n| Ok(n * 2)).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_queues_during_a_batch_is_the_next_batch() {
    let bench = Bench::new(settings(256, 100));
    let mut first = pin!(bench.batcher.submit(1));
    assert!(poll!(&mut first).is_pending());
    bench.settle().await;
    let mut rest = pin!(join_all((2..7).map(|n| bench.batcher.submit(n))));
    assert!(poll!(&mut rest).is_pending());
    bench.permits.add_permits(2);
    assert_eq!(first.await, Ok(2));
    assert_eq!(rest.await.len(), 5);
    assert_eq!(bench.sizes(), [1, 5]);
}

#[tokio::test]
async fn a_batch_is_never_larger_than_its_maximum() {
    let bench = Bench::new(settings(1, 100));
    bench.permits.add_permits(100);
    join_all((0..5).map(|n| bench.batcher.submit(n))).await;
    assert_eq!(bench.sizes(), [1, 1, 1, 1, 1]);
}

#[tokio::test]
async fn a_full_queue_refuses_the_newcomer_only() {
    let bench = Bench::new(settings(256, 2));
    let mut working = pin!(bench.batcher.submit(1));
    assert!(poll!(&mut working).is_pending());
    bench.settle().await;
    let mut queued = pin!(join_all([bench.batcher.submit(2), bench.batcher.submit(3)]));
    assert!(poll!(&mut queued).is_pending());
    assert_eq!(bench.batcher.submit(4).await, Err(Busy::Full));
    bench.permits.add_permits(2);
    assert_eq!(working.await, Ok(2));
    assert_eq!(queued.await, [Ok(4), Ok(6)]);
}

#[tokio::test]
async fn a_caller_that_goes_away_harms_nobody_and_its_item_is_done() {
    let bench = Bench::new(settings(256, 100));
    let mut stays = pin!(bench.batcher.submit(1));
    let mut leaves = Box::pin(bench.batcher.submit(2));
    let mut stays_too = pin!(bench.batcher.submit(3));
    assert!(poll!(&mut stays).is_pending());
    assert!(poll!(&mut leaves).is_pending());
    assert!(poll!(&mut stays_too).is_pending());
    drop(leaves);
    bench.permits.add_permits(10);
    assert_eq!((stays.await, stays_too.await), (Ok(2), Ok(6)));
    assert_eq!(*bench.seen.lock().unwrap(), [[1, 2, 3]]);
}

#[tokio::test]
async fn draining_works_off_the_queue_and_refuses_the_rest() {
    let bench = Bench::new(settings(1, 100));
    let mut queued = pin!(join_all((0..3).map(|n| bench.batcher.submit(n))));
    assert!(poll!(&mut queued).is_pending());
    bench.settle().await;
    bench.shutdown.begin();
    bench.permits.add_permits(1);
    bench.settle().await;
    assert_eq!(bench.batcher.submit(9).await, Err(Busy::Draining));
    bench.permits.add_permits(100);
    assert_eq!(queued.await, [Ok(0), Ok(2), Ok(4)]);
    bench.shutdown.drain(SECOND).await.unwrap();
}

#[tokio::test]
async fn what_waited_beyond_its_patience_is_refused_and_not_done() {
    let impatient = BatchSettings {
        patience: Duration::ZERO,
        ..settings(256, 100)
    };
    let bench = Bench::new(impatient);
    bench.permits.add_permits(1);
    assert_eq!(bench.batcher.submit(1).await, Err(Busy::Slow));
    assert!(bench.sizes().is_empty());
}

#[tokio::test]
async fn a_linger_waits_for_company() {
    let bench = Bench::new(BatchSettings {
        max: 3,
        queue: 100,
        linger: Duration::from_secs(60),
        ..BatchSettings::default()
    });
    bench.permits.add_permits(100);
    let mut first = pin!(bench.batcher.submit(1));
    assert!(poll!(&mut first).is_pending());
    bench.settle().await;
    assert!(bench.sizes().is_empty(), "one of three lingers");
    // The third one fills the batch, which then does not wait for its minute to end.
    assert_eq!(
        join_all([bench.batcher.submit(2), bench.batcher.submit(3)]).await,
        [Ok(4), Ok(6)]
    );
    assert_eq!(bench.sizes(), [3]);
}

#[tokio::test]
async fn a_worker_that_dies_leaves_its_callers_in_doubt_and_stops_the_process() {
    struct Broken;
    impl BatchWork for Broken {
        type Item = u32;
        type Reply = u32;
        async fn run(&mut self, _: Vec<u32>) -> Vec<u32> {
            Vec::new()
        }
    }
    let shutdown = Shutdown::new();
    let batcher = Batcher::start("broken", settings(256, 100), Broken, &shutdown);
    assert_eq!(batcher.submit(1).await, Err(Busy::Lost));
    let outcome = shutdown.drain(SECOND).await;
    assert!(
        matches!(outcome, Err(ShutdownError::TaskFailed { task: "broken", .. })),
        "{outcome:?}"
    );
}
