//! Many callers, one worker: a bounded queue in front of work that is cheaper by the batch.
//!
//! The worker takes everything that queued up while its last batch was under way, at most `max`, does it
//! in one go and answers each caller with its own result. No timer by default: an idle system does a
//! single item at once, a busy one gets cheaper per item.
//!
//! Once queued, an item is done whether its caller still waits or not: a client that hangs up must not
//! decide what happens to its neighbours, and it finds its own item again by its key.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::http::ApiError;
use crate::metrics::count;
use crate::shutdown::Shutdown;

/// The work behind a [`Batcher`].
pub trait BatchWork: Send + 'static {
    /// What a caller hands in.
    type Item: Send + 'static;
    /// What the caller gets back, a refusal included.
    type Reply: Send + 'static;
    /// Does all items; the n-th reply answers the n-th item.
    fn run(&mut self, batch: Vec<Self::Item>) -> impl Future<Output = Vec<Self::Reply>> + Send;
}

/// Size and patience of a batcher.
#[derive(Debug, Clone, Copy)]
pub struct BatchSettings {
    /// Most items in one batch; 1 turns batching off.
    pub max: usize,
    /// Most items waiting; one more is refused.
    pub queue: usize,
    /// How long a batch that is not full waits for more. Zero is right nearly always.
    pub linger: Duration,
    /// How long an item may wait for its batch to begin; one that waited longer is refused, not done: while the work
    /// behind the queue is stuck, its callers would otherwise hear of it one slow batch after the other.
    pub patience: Duration,
}

impl Default for BatchSettings {
    fn default() -> Self {
        BatchSettings {
            max: 256,
            queue: 4_096,
            linger: Duration::ZERO,
            patience: Duration::from_secs(5),
        }
    }
}

/// Why an item was not done (or, for `Lost`, why nobody knows).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// The queue is full; the item was not taken.
    #[error("too many requests are waiting")]
    Full,
    /// The item waited too long for its turn; it was not done.
    #[error("the work behind the queue is slow")]
    Slow,
    /// The process stops; the item was not taken.
    #[error("shutting down")]
    Draining,
    /// The worker died with the item in its hands; look it up by its key.
    #[error("the outcome is unknown")]
    Lost,
}

impl From<Busy> for ApiError {
    fn from(busy: Busy) -> Self {
        ApiError::unavailable(format!("{busy}, try again"), 1)
    }
}

/// The callers' end of the queue; clones share it.
pub struct Batcher<Item, Reply> {
    name: &'static str,
    queue: mpsc::Sender<Waiting<Item, Reply>>,
}

impl<Item, Reply> Clone for Batcher<Item, Reply> {
    fn clone(&self) -> Self {
        Batcher {
            name: self.name,
            queue: self.queue.clone(),
        }
    }
}

struct Waiting<Item, Reply> {
    item: Item,
    since: Instant,
    /// Dropped when the item's batch begins.
    held: Option<Box<dyn Send>>,
    answer: oneshot::Sender<Result<Reply, Busy>>,
}

impl<Item: Send + 'static, Reply: Send + 'static> Batcher<Item, Reply> {
    /// Starts the worker as a task of `shutdown`. It ends when the process drains, after working off
    /// what is queued, or when the last clone of the batcher is gone.
    pub fn start<W>(name: &'static str, settings: BatchSettings, work: W, shutdown: &Shutdown) -> Self
    where
        W: BatchWork<Item = Item, Reply = Reply>,
    {
        let (queue, items) = mpsc::channel(settings.queue.max(1));
        shutdown.spawn(name, worker(name, settings, work, items, shutdown.clone()));
        Batcher { name, queue }
    }

    /// Queues an item and waits for its own reply. Refuses at once when the queue is full or closed.
    pub async fn submit(&self, item: Item) -> Result<Reply, Busy> {
        self.enqueue(item, None).await
    }

    /// As [`Batcher::submit`], holding on to something while the item waits for its turn, whether its caller still
    /// waits or not: a place that its account may take in the queue.
    pub async fn submit_holding(&self, item: Item, held: impl Send + 'static) -> Result<Reply, Busy> {
        self.enqueue(item, Some(Box::new(held))).await
    }

    async fn enqueue(&self, item: Item, held: Option<Box<dyn Send>>) -> Result<Reply, Busy> {
        let (answer, reply) = oneshot::channel();
        let waiting = Waiting {
            item,
            since: Instant::now(),
            held,
            answer,
        };
        self.queue.try_send(waiting).map_err(|refused| self.refuse(&refused))?;
        reply.await.unwrap_or(Err(Busy::Lost))
    }

    fn refuse<T>(&self, refused: &TrySendError<T>) -> Busy {
        metrics::counter!("daybook_batch_refused_total", "batcher" => self.name).increment(1);
        match refused {
            TrySendError::Full(_) => Busy::Full,
            TrySendError::Closed(_) => Busy::Draining,
        }
    }
}

async fn worker<W: BatchWork>(
    name: &'static str,
    settings: BatchSettings,
    mut work: W,
    mut items: mpsc::Receiver<Waiting<W::Item, W::Reply>>,
    shutdown: Shutdown,
) {
    loop {
        let batch = next_batch(&mut items, settings, &shutdown).await;
        if batch.is_empty() {
            return;
        }
        metrics::gauge!("daybook_batch_queue_depth", "batcher" => name).set(count(items.len()));
        run_one(name, settings.patience, &mut work, batch).await;
    }
}

/// What is queued, at least one item; nothing when the queue is closed and worked off.
async fn next_batch<T>(items: &mut mpsc::Receiver<T>, settings: BatchSettings, shutdown: &Shutdown) -> Vec<T> {
    let max = settings.max.max(1);
    let mut batch = Vec::new();
    tokio::select! {
        biased;
        // From here on callers are refused; what they queued before is still handed out.
        () = shutdown.wait(), if !items.is_closed() => items.close(),
        _ = items.recv_many(&mut batch, max) => {}
    }
    if batch.is_empty() {
        items.recv_many(&mut batch, max).await;
    }
    if !settings.linger.is_zero() && !batch.is_empty() {
        linger(items, &mut batch, max, settings.linger).await;
    }
    batch
}

/// Waits a little for a batch to fill. `recv_many` loses nothing when the time cuts it off.
async fn linger<T>(items: &mut mpsc::Receiver<T>, batch: &mut Vec<T>, max: usize, time: Duration) {
    let until = tokio::time::Instant::now() + time;
    while batch.len() < max {
        let room = max - batch.len();
        match tokio::time::timeout_at(until, items.recv_many(batch, room)).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

async fn run_one<W: BatchWork>(
    name: &'static str,
    patience: Duration,
    work: &mut W,
    batch: Vec<Waiting<W::Item, W::Reply>>,
) {
    let begun = Instant::now();
    let (todo, answers) = begin(name, begun, patience, batch);
    if todo.is_empty() {
        return;
    }
    let size = todo.len();
    let replies = work.run(todo).await;
    // One reply too few would give everyone after it somebody else's answer: better no process at all.
    assert_eq!(replies.len(), size, "{name} must answer each item of a batch");
    for (answer, reply) in answers.into_iter().zip(replies) {
        // A caller that went away has dropped its end; its item is done all the same.
        let _ = answer.send(Ok(reply));
    }
    metrics::histogram!("daybook_batch_size", "batcher" => name).record(count(size));
    metrics::histogram!("daybook_batch_run_seconds", "batcher" => name).record(begun.elapsed());
}

type Answer<Reply> = oneshot::Sender<Result<Reply, Busy>>;

/// The items that are done now, with their callers; those that waited too long are refused.
fn begin<Item, Reply>(
    name: &'static str,
    begun: Instant,
    patience: Duration,
    batch: Vec<Waiting<Item, Reply>>,
) -> (Vec<Item>, Vec<Answer<Reply>>) {
    let waited = metrics::histogram!("daybook_batch_wait_seconds", "batcher" => name);
    let (mut todo, mut answers) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
    for waiting in batch {
        drop(waiting.held);
        let time = begun.duration_since(waiting.since);
        waited.record(time);
        if time > patience {
            metrics::counter!("daybook_batch_refused_total", "batcher" => name).increment(1);
            let _ = waiting.answer.send(Err(Busy::Slow));
            continue;
        }
        todo.push(waiting.item);
        answers.push(waiting.answer);
    }
    (todo, answers)
}
