//! The parts put together, and the use cases that write.

use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use chassis::batch::{Batcher, Busy};
use chassis::clock::SharedClock;
use chassis::ids::SharedIds;
use chassis::shutdown::Shutdown;
use chassis::step::{Wake, run_loop};
use db::PgPool;
use domain::{AccountId, ClientOrderId, OrderId, RequestId, Side};
use identity::KeyRing;
use identity::limits::Limits as RequestLimits;
use instruments::{Asset, Instruments};
use orders::StoredOrder;
use rust_decimal::Decimal;
use sessions::Sessions;
use tokio::net::TcpListener;
use wire::rest::{PlaceOrder, ReplaceOrder};

use crate::cancel::{CancelCommand, CancelReply, CancelWork};
use crate::config::Config;
use crate::draft::{Change, DraftOrder};
use crate::error::{CancelError, PlaceOrderError, ReplaceError};
use crate::firm::{self, FirmOpen, FollowFirm};
use crate::limits::Meter;
use crate::limits::flights::Flights;
use crate::limits::follow::Follow;
use crate::limits::share::Shares;
use crate::limits::sign_in::Entrance;
use crate::place::decide::Command;
use crate::place::{Controls, PlaceWork, Reply, terms};
use crate::prices::{FollowClosing, ReferencePrices};
use crate::query::{Market, find_asset};
use crate::replace::{ReplaceCommand, ReplaceReply, ReplaceWork};
use crate::stream::Streams;

/// Orders of one cancel command. An account may have any number open, and a transaction has only so much time.
const CANCELS_AT_ONCE: usize = 100;

/// A change of an operator's is in force everywhere within a second.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// What it needs from outside.
#[derive(Clone)]
pub struct Deps {
    /// Where the books are.
    pub pool: PgPool,
    /// What time it is.
    pub clock: SharedClock,
    /// Ids of orders.
    pub ids: SharedIds,
    /// Whom to wake after a commit.
    pub bus: Bus,
    /// What can be traded; somebody else keeps it fresh.
    pub instruments: Instruments,
    /// When.
    pub sessions: Sessions,
}

/// The running part; clones share it.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    deps: Deps,
    entrance: Entrance,
    flights: Flights,
    shares: Shares,
    prices: ReferencePrices,
    market_collar: Decimal,
    close_wait: Duration,
    placing: Vec<Batcher<Command, Reply>>,
    canceling: Vec<Batcher<CancelCommand, CancelReply>>,
    replacing: Vec<Batcher<ReplaceCommand, ReplaceReply>>,
    streams: Streams,
}

impl App {
    /// Starts the batchers as tasks of `shutdown`; they work off what is queued before they end.
    pub fn start(config: &Config, deps: Deps, shutdown: &Shutdown) -> Self {
        let shards = (config.place_shards.max(1), config.cancel_shards.max(1));
        // Replaces are as many batchers as cancels: they lock orders, as those do.
        let writing = pool_for(&deps.pool, shards.0 + 2 * shards.1);
        let limits = RequestLimits::new(config.limits.usual);
        let prices = ReferencePrices::new(deps.instruments.clone());
        let firm = FirmOpen::default();
        let follow = FollowFirm::new(deps.pool.clone(), firm.clone());
        shutdown.spawn(
            "firm-open-value",
            run_loop(follow, Wake::new(), firm::EVERY, shutdown.clone()),
        );
        let place = PlaceWork {
            pool: writing.clone(),
            clock: deps.clock.clone(),
            bus: deps.bus.clone(),
            sessions: deps.sessions.clone(),
            request_limits: limits.clone(),
            controls: Controls::new(config, firm),
        };
        let replace = ReplaceWork {
            pool: writing.clone(),
            clock: deps.clock.clone(),
            bus: deps.bus.clone(),
            sessions: deps.sessions.clone(),
            prices: prices.clone(),
            instruments: deps.instruments.clone(),
            request_limits: limits.clone(),
            controls: place.controls.clone(),
        };
        let cancel = CancelWork {
            pool: writing,
            clock: deps.clock.clone(),
            bus: deps.bus.clone(),
        };
        let placing = (0..shards.0).map(|_| Batcher::start("place", config.batch, place.clone(), shutdown));
        let canceling = (0..shards.1).map(|_| Batcher::start("cancel", config.batch, cancel.clone(), shutdown));
        let replacing = (0..shards.1).map(|_| Batcher::start("replace", config.batch, replace.clone(), shutdown));
        let replacing = replacing.collect();
        let (placing, canceling) = (placing.collect(), canceling.collect());
        let closing = FollowClosing {
            pool: deps.pool.clone(),
            prices: prices.clone(),
        };
        let closing = run_loop(closing, Wake::new(), config.closing_every, shutdown.clone());
        shutdown.spawn("closing-prices", closing);
        let streams = Streams::start(config.streams, &deps, shutdown);
        App(Arc::new(Parts {
            entrance: entrance(config, &deps, limits, shutdown),
            flights: Flights::default(),
            shares: Shares::new(config.account_share),
            deps,
            prices,
            market_collar: config.market_collar,
            close_wait: config.close_wait,
            placing,
            canceling,
            replacing,
            streams,
        }))
    }

    /// Takes an order: checked, held and committed when this returns `Ok`.
    ///
    /// # Errors
    /// Why not, see [`PlaceOrderError`].
    pub async fn place(&self, account: AccountId, body: &PlaceOrder, request: RequestId) -> Reply {
        self.place_draft(account, DraftOrder::try_from(body)?, request).await
    }

    /// The same for an order that is in order by itself.
    pub(crate) async fn place_draft(&self, account: AccountId, draft: DraftOrder, request: RequestId) -> Reply {
        let asset = self.tradable(&draft.instrument)?;
        let command = self.command(account, draft, &asset, request)?;
        let share = self.0.shares.take(account).ok_or(PlaceOrderError::Busy)?;
        let reply = shard(&self.0.placing, account)
            .submit_holding(command, share)
            .await
            .unwrap_or_else(|busy| Err(refused(busy)));
        match reply {
            Err(PlaceOrderError::InsufficientQty { .. }) => self.with_related(account, reply).await,
            other => other,
        }
    }

    /// Takes an order that is to take another one's place: checked, held and committed when this returns `Ok`.
    ///
    /// # Errors
    /// Why not, see [`ReplaceError`].
    pub async fn replace(
        &self,
        account: AccountId,
        order: OrderId,
        body: &ReplaceOrder,
        request_id: RequestId,
    ) -> Result<StoredOrder, ReplaceError> {
        let change = Change::try_from(body)?;
        let command = ReplaceCommand {
            account,
            order,
            order_id: OrderId::new(self.deps().ids.uuid()),
            client_order_id: self.name_of(change.client_order_id.clone())?,
            change,
            request_id,
        };
        shard(&self.0.replacing, account)
            .submit(command)
            .await
            .unwrap_or_else(|busy| Err(refused(busy).into()))
    }

    /// Records the wish to end an order. Wishes for the same order that come at the same time are one.
    ///
    /// # Errors
    /// Why not, see [`CancelError`].
    pub async fn cancel(&self, account: AccountId, order: OrderId, request_id: RequestId) -> Result<(), CancelError> {
        let app = self.clone();
        let cancel = move || async move { app.cancel_one(account, order, request_id).await };
        self.0.flights.join(account, order, cancel).await
    }

    async fn cancel_one(&self, account: AccountId, order: OrderId, request_id: RequestId) -> Result<(), CancelError> {
        let outcomes = self.cancel_many(account, vec![order], request_id).await?;
        outcomes.into_iter().next().unwrap_or(Err(CancelError::Internal))
    }

    /// Records the wish to end these orders; one outcome each, in parts that each are a step of their own.
    ///
    /// # Errors
    /// When none of them was looked at.
    pub async fn cancel_many(
        &self,
        account: AccountId,
        orders: Vec<OrderId>,
        request_id: RequestId,
    ) -> Result<Vec<Result<(), CancelError>>, CancelError> {
        let mut outcomes = Vec::with_capacity(orders.len());
        for part in orders.chunks(CANCELS_AT_ONCE) {
            match self.cancel_part(account, part.to_vec(), request_id.clone()).await {
                Ok(part) => outcomes.extend(part),
                Err(refusal) if outcomes.is_empty() => return Err(refusal),
                Err(refusal) => {
                    outcomes.resize(orders.len(), Err(refusal));
                    break;
                }
            }
        }
        Ok(outcomes)
    }

    async fn cancel_part(
        &self,
        account: AccountId,
        orders: Vec<OrderId>,
        request_id: RequestId,
    ) -> Result<CancelReply, CancelError> {
        let command = CancelCommand {
            account,
            orders,
            request_id,
        };
        shard(&self.0.canceling, account)
            .submit(command)
            .await
            .map_err(|busy| match busy {
                Busy::Full | Busy::Slow => CancelError::Busy,
                Busy::Draining | Busy::Lost => CancelError::Unavailable,
            })
    }

    /// Who is calling, if they may ask at all.
    pub(crate) fn entrance(&self) -> &Entrance {
        &self.0.entrance
    }

    /// Trade updates.
    pub(crate) fn streams(&self) -> &Streams {
        &self.0.streams
    }

    /// What symbols cost.
    pub(crate) fn prices(&self) -> &ReferencePrices {
        &self.0.prices
    }

    /// What positions are valued by.
    pub(crate) fn market(&self) -> Market<'_> {
        Market {
            instruments: &self.deps().instruments,
            prices: self.prices(),
            now: self.deps().clock.now(),
        }
    }

    /// How long closing all positions waits for the orders it canceled.
    pub(crate) fn close_wait(&self) -> Duration {
        self.0.close_wait
    }

    /// What it was given.
    pub(crate) fn deps(&self) -> &Deps {
        &self.0.deps
    }

    fn tradable(&self, text: &str) -> Result<Arc<Asset>, PlaceOrderError> {
        let instruments = &self.deps().instruments;
        if !instruments.is_loaded() {
            return Err(PlaceOrderError::NotReady("instruments are not loaded yet"));
        }
        let asset = find_asset(instruments, text)
            .ok_or_else(|| PlaceOrderError::AssetNotFound(text.chars().take(40).collect()))?;
        if asset.tradable && asset.status == "active" {
            Ok(asset)
        } else {
            Err(PlaceOrderError::NotTradable(asset.symbol.clone()))
        }
    }

    fn command(
        &self,
        account: AccountId,
        draft: DraftOrder,
        asset: &Asset,
        request_id: RequestId,
    ) -> Result<Command, PlaceOrderError> {
        let Deps {
            ids,
            clock,
            sessions,
            instruments,
            ..
        } = self.deps();
        let reference = self.0.prices.get(&asset.symbol);
        let (now, calendar) = (clock.now(), sessions.calendar());
        let at_market = reference.filter(|reference| reference.counts(now, &calendar));
        let terms = terms(&draft, asset, at_market, self.0.market_collar)?;
        let client_order_id = self.name_of(draft.client_order_id)?;
        Ok(Command {
            order_id: OrderId::new(ids.uuid()),
            account,
            client_order_id,
            asset_id: asset.asset_id,
            symbol: asset.symbol.clone(),
            side: draft.side,
            time_in_force: draft.time_in_force,
            asked: draft.asked,
            order_type: terms.order_type,
            qty: terms.qty,
            limit_price: terms.limit_price,
            notional: terms.notional,
            fractionable: asset.fractionable,
            value: terms.value,
            reference,
            volume: instruments.average_volume(&asset.symbol),
            request_id,
        })
    }

    /// The caller's own name for an order, or one of ours.
    fn name_of(&self, given: Option<ClientOrderId>) -> Result<ClientOrderId, PlaceOrderError> {
        let drawn =
            || ClientOrderId::new(&self.deps().ids.uuid().to_string()).map_err(PlaceOrderError::BadClientOrderId);
        given.map_or_else(drawn, Ok)
    }

    /// Names the open sells that hold the shares. Read after the decision and without a lock: it only explains.
    async fn with_related(&self, account: AccountId, reply: Reply) -> Reply {
        let Err(PlaceOrderError::InsufficientQty {
            symbol,
            requested,
            available,
            held,
            ..
        }) = reply
        else {
            return reply;
        };
        let filter = orders::read::ListFilter {
            account,
            status: orders::read::ListStatus::Open,
            limit: 50,
            after: None,
            until: None,
            direction: orders::read::Direction::Asc,
            symbols: vec![symbol.clone()],
            side: Some(Side::Sell),
        };
        let related = match self.deps().pool.acquire().await {
            Ok(mut conn) => orders::read::list(&mut conn, &filter).await.unwrap_or_default(),
            Err(_) => vec![],
        };
        let related = related.into_iter().map(|order: StoredOrder| order.order_id).collect();
        Err(PlaceOrderError::InsufficientQty {
            symbol,
            requested,
            available,
            held,
            related,
        })
    }
}

/// Buckets and keys, and what keeps them as the operators set them.
fn entrance(config: &Config, deps: &Deps, limits: RequestLimits, shutdown: &Shutdown) -> Entrance {
    let meter = Arc::new(Meter::new(config.limits.clone(), limits.clone(), deps.clock.clone()));
    let follow = Follow::new(deps.pool.clone(), limits, meter.clone(), deps.clock.clone());
    shutdown.spawn("limits", run_loop(follow, Wake::new(), FOLLOW_EVERY, shutdown.clone()));
    Entrance::new(meter, KeyRing::new(deps.pool.clone(), config.keys))
}

/// A pool of their own for the batchers, one connection each, set up like the one for reads: however many reads there
/// are, orders and cancels do not wait for a connection.
fn pool_for(reads: &PgPool, batchers: usize) -> PgPool {
    let most = u32::try_from(batchers).unwrap_or(u32::MAX);
    let options = reads.options().clone().min_connections(0).max_connections(most);
    options.connect_lazy_with((*reads.connect_options()).clone())
}

/// An account always meets the same batcher, so its orders are decided in the order they came.
fn shard<I, R>(batchers: &[Batcher<I, R>], account: AccountId) -> &Batcher<I, R> {
    let spread = account.get().as_u64_pair().1;
    let n = usize::try_from(spread % batchers.len() as u64).unwrap_or(0);
    &batchers[n]
}

fn refused(busy: Busy) -> PlaceOrderError {
    match busy {
        Busy::Full | Busy::Slow => PlaceOrderError::Busy,
        Busy::Draining => PlaceOrderError::NotReady("the service is stopping"),
        Busy::Lost => PlaceOrderError::Unknown,
    }
}

/// Runs this part alone, on its own listener, until the process drains.
///
/// # Errors
/// When the listener fails.
pub async fn run(config: Config, deps: Deps, listener: TcpListener, shutdown: Shutdown) -> Result<(), std::io::Error> {
    let ids = deps.ids.clone();
    let app = App::start(&config, deps, &shutdown);
    let router = chassis::http::observed(crate::http::router(&app), ids);
    chassis::http::serve(router, listener, shutdown).await
}
