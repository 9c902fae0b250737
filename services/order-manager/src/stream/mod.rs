//! Trade updates as they happen: the WebSocket `/stream` and the server-sent events `/v2/events/trades`.
//!
//! ```text
//!  order_events ◀── Tail ──▶ Hub ──▶ a queue for each connection ──▶ client          what is new
//!       ▲            ▲
//!       │            └── bus: order-updates, wake-ups only
//!       └── Subscription, one for each connection: what it missed
//! ```
//!
//! | module         | what                                                                               |
//! |----------------|------------------------------------------------------------------------------------|
//! | `settings`     | limits and times                                                                   |
//! | `update`       | one event, rendered once for all who get it; event ids                             |
//! | `hub`          | who listens to which account, and how far each account has been read               |
//! | `tail`         | the one reader of a process: what is new, for all accounts with listeners at once  |
//! | `subscription` | a connection's place in its account: replay, then live, without gap or repeat      |
//! | `door`         | how many connections there may be                                                  |
//! | `keys`         | a revoked key closes what it opened                                                |
//! | `end`          | why a connection ends, as its close code, its words and its metric                 |
//! | `ws`, `sse`    | the two protocols                                                                  |
//!
//! The number of an account's event (given under the account's lock, without gaps) is the only thing that order and
//! completeness rest on. Everything else – wake-ups, queues, the hub – decides when an event is sent, never whether.

mod door;
mod end;
mod hub;
mod keys;
mod settings;
pub(crate) mod sse;
mod subscription;
mod tail;
mod update;
pub(crate) mod ws;

pub use settings::StreamSettings;

use std::sync::Arc;
use std::time::Duration;

use bus::Topic;
use chassis::metrics::{describe_counter, describe_gauge, describe_histogram};
use chassis::shutdown::Shutdown;
use chassis::step::run_loop;
use db::DbError;
use domain::{AccountId, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::app::Deps;
use door::Door;
use hub::Hub;
use keys::{KeyWatch, Revoked};
use subscription::Subscription;
use tail::Tail;
use update::Update;

/// Connections that read what they missed at the same time: a thousand that come back at once must not keep orders
/// and reads from the database.
const READERS: usize = 4;
/// How long connections may take to say goodbye when the process stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// The streams of one process; clones share them.
#[derive(Clone)]
pub(crate) struct Streams(Arc<Parts>);

struct Parts {
    settings: StreamSettings,
    deps: Deps,
    hub: Hub,
    door: Door,
    keys: KeyWatch,
    readers: Arc<Semaphore>,
    shutdown: Shutdown,
    sessions: TaskTracker,
}

impl Streams {
    /// Starts what they need as tasks of `shutdown`.
    pub(crate) fn start(settings: StreamSettings, deps: &Deps, shutdown: &Shutdown) -> Self {
        describe();
        let wake = deps.bus.waker(Topic::OrderUpdates);
        let hub = Hub::new(wake.clone(), settings.queue);
        let keys = KeyWatch::default();
        let tail = Tail::new(hub.clone(), deps.clone(), settings.sweep_every);
        shutdown.spawn("streams", run_loop(tail, wake, settings.look_every, shutdown.clone()));
        let revoked = Revoked::new(keys.clone(), deps.pool.clone());
        let (rings, every) = (keys.wake(), settings.keys_every);
        shutdown.spawn("stream-keys", run_loop(revoked, rings, every, shutdown.clone()));
        let streams = Streams(Arc::new(Parts {
            settings,
            deps: deps.clone(),
            hub,
            door: Door::new(settings),
            keys,
            readers: Arc::new(Semaphore::new(READERS)),
            shutdown: shutdown.clone(),
            sessions: TaskTracker::new(),
        }));
        shutdown.spawn("stream-farewells", streams.clone().farewells());
        streams
    }

    pub(crate) fn settings(&self) -> &StreamSettings {
        &self.0.settings
    }

    fn door(&self) -> &Door {
        &self.0.door
    }

    fn keys(&self) -> &KeyWatch {
        &self.0.keys
    }

    /// Ends when the process drains.
    async fn stopping(&self) {
        self.0.shutdown.wait().await;
    }

    /// The account's updates after this number.
    fn subscribe(&self, account: AccountId, after: i64) -> Subscription {
        Subscription::new(self.clone(), account, after)
    }

    /// The number of the account's last event.
    async fn present(&self, account: AccountId) -> Result<i64, DbError> {
        let _turn = self.turn().await;
        let mut conn = self.0.deps.pool.acquire().await?;
        orders::history::last_event(&mut conn, account).await
    }

    /// The number of the account's last event until then.
    async fn until(&self, account: AccountId, moment: Timestamp) -> Result<i64, DbError> {
        let _turn = self.turn().await;
        let mut conn = self.0.deps.pool.acquire().await?;
        orders::history::last_event_until(&mut conn, account, moment).await
    }

    /// The account's updates after this number, a page of them.
    async fn page(&self, account: AccountId, after: i64, most: i64) -> Result<Vec<Arc<Update>>, DbError> {
        let _turn = self.turn().await;
        let mut conn = self.0.deps.pool.acquire().await?;
        let calendar = self.0.deps.sessions.calendar();
        update::read(&mut conn, &[(account, after)], most, &calendar).await
    }

    async fn turn(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        self.0.readers.clone().acquire_owned().await.ok()
    }

    /// WebSockets live beside the HTTP server, which does not wait for them: this does.
    async fn farewells(self) {
        self.stopping().await;
        self.0.sessions.close();
        if tokio::time::timeout(FAREWELL, self.0.sessions.wait()).await.is_err() {
            tracing::info!(
                "{} stream connections were cut without a goodbye",
                self.0.sessions.len()
            );
        }
    }
}

fn describe() {
    describe_gauge(
        "daybook_order_manager_stream_connections_size",
        "Open stream connections, by protocol.",
    );
    describe_gauge(
        "daybook_order_manager_stream_accounts_size",
        "Accounts with a listener in this process.",
    );
    describe_counter(
        "daybook_order_manager_stream_events_total",
        "Updates sent, one for each connection, by protocol.",
    );
    describe_counter(
        "daybook_order_manager_stream_replayed_total",
        "Updates read anew for a connection that had missed them.",
    );
    describe_histogram(
        "daybook_order_manager_stream_delay_seconds",
        "From an order's change to its place in the listeners' queues, the longest of each batch.",
    );
    describe_counter(
        "daybook_order_manager_stream_ends_total",
        "Stream connections that ended or were refused, by why.",
    );
}
