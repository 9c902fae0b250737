//! How much trades, in (RSK-3): when the venue is asked, what is stored, and what a venue does that has none of it.

use std::sync::Arc;
use std::time::Duration;

use chassis::clock::{Clock as _, ManualClock};
use chassis::shutdown::Shutdown;
use chassis::step::{Progress, Step as _};
use domain::Symbol;
use instruments::{AverageVolume, Instruments};
use market_data::{Config, Deps, MarketData, Volumes};
use testkit::{TestDb, wait_until};
use venue::fake::{Act, CallKind, FakeVenue};

const PATIENCE: Duration = Duration::from_secs(60);

struct Market {
    db: TestDb,
    clock: Arc<ManualClock>,
    venue: FakeVenue,
    instruments: Instruments,
}

fn aapl() -> Symbol {
    Symbol::parse("AAPL").unwrap()
}

impl Market {
    async fn open() -> Self {
        let (db, clock) = (TestDb::new().await, testkit::clock());
        let venue = FakeVenue::new(clock.clone(), &[aapl(), Symbol::parse("MSFT").unwrap()]);
        Market {
            db,
            clock,
            venue,
            instruments: Instruments::new(),
        }
    }

    fn deps(&self) -> Deps<FakeVenue> {
        Deps {
            pool: self.db.pool.clone(),
            venue: Arc::new(self.venue.clone()),
            clock: self.clock.clone(),
            instruments: self.instruments.clone(),
        }
    }

    /// A service that knows what is listed.
    async fn listed(&self) -> Volumes<FakeVenue> {
        MarketData::new(Config::default(), self.deps()).step().await.unwrap();
        Volumes::new(Config::default(), self.deps())
    }

    fn asked(&self) -> usize {
        let calls = self.venue.calls().into_iter();
        calls.filter(|call| call.kind == CallKind::Volumes).count()
    }

    async fn average(&self) -> Option<AverageVolume> {
        self.instruments.refresh(&self.db.pool).await.unwrap();
        self.instruments.average_volume(&aapl())
    }
}

#[tokio::test]
async fn rsk_3_volumes_are_asked_for_at_the_start_and_every_hour() {
    let market = Market::open().await;
    let mut volumes = market.listed().await;
    market.venue.volume(&aapl(), 48_000_000);
    volumes.step().await.unwrap();
    let yesterday = market.clock.now().date_naive().pred_opt().unwrap();
    let expected = AverageVolume {
        symbol: aapl(),
        average: 48_000_000,
        sessions: 20,
        through: yesterday,
    };
    assert_eq!(market.average().await, Some(expected.clone()));
    market.venue.volume(&aapl(), 5);
    market.clock.advance(Duration::from_secs(3_599));
    volumes.step().await.unwrap();
    assert_eq!((market.asked(), market.average().await), (1, Some(expected.clone())));
    market.clock.advance(Duration::from_secs(1));
    volumes.step().await.unwrap();
    assert_eq!(market.average().await, Some(AverageVolume { average: 5, ..expected }));
}

#[tokio::test]
async fn rsk_3_a_venue_without_volumes_is_asked_once_a_minute_and_what_is_stored_stays() {
    let market = Market::open().await;
    let mut volumes = market.listed().await;
    volumes.step().await.unwrap();
    let before = market.average().await;
    assert!(before.is_some());
    market.clock.advance(Duration::from_secs(3_600));
    market.venue.script(CallKind::Volumes, [Act::Fail, Act::Unreachable]);
    for asked in [2, 3, 4] {
        volumes.step().await.unwrap();
        volumes.step().await.unwrap();
        assert_eq!(market.asked(), asked);
        assert_eq!(market.average().await, before);
        market.clock.advance(Duration::from_secs(60));
    }
    volumes.step().await.unwrap();
    assert_eq!(market.asked(), 4, "from then on every hour");
}

#[tokio::test]
async fn nothing_is_asked_before_anything_is_listed() {
    let market = Market::open().await;
    let mut volumes = Volumes::new(Config::default(), market.deps());
    let progress = volumes.step().await.unwrap();
    assert!(matches!(progress, Progress::Soon(_)) && market.asked() == 0);
}

/// Both run beside each other.
#[tokio::test]
async fn rsk_3_quotes_come_in_while_nobody_tells_how_much_trades() {
    let market = Market::open().await;
    market.venue.script(CallKind::Volumes, [Act::Fail]);
    let config = Config {
        quotes_every: Duration::from_millis(10),
        volumes_again: Duration::from_millis(10),
        ..Config::default()
    };
    let shutdown = Shutdown::new();
    let running = tokio::spawn(market_data::run(config, market.deps(), shutdown.clone()));
    wait_until("the first question failed", PATIENCE, async || market.asked() == 1).await;
    market.clock.advance(Duration::from_millis(5));
    let quoted_at = || market.instruments.quote(&aapl()).map(|quote| quote.at);
    wait_until("a quote of after that", PATIENCE, async || {
        quoted_at() == Some(market.clock.now())
    })
    .await;
    assert_eq!((market.asked(), market.average().await), (1, None));
    market.clock.advance(Duration::from_millis(10));
    wait_until("the second one is answered", PATIENCE, async || {
        market.average().await.is_some()
    })
    .await;
    shutdown.begin();
    running.await.unwrap();
}
