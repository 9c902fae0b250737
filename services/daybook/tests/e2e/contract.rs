//! The bundled exchange keeps the contract of every venue, over HTTP and WebSocket.

use std::sync::Arc;

use chassis::clock::{Clock as _, SystemClock};
use chassis::ids::SystemIds;
use domain::calendar::to_new_york;
use domain::{Price, Symbol};
use venue::alpaca::{AlpacaSettings, AlpacaVenue};
use venue::contract::{self, Terms};

use crate::house::House;

#[tokio::test]
async fn the_bundled_exchange_keeps_the_venue_contract() {
    let mut house = House::open().await;
    let url = house.market.url().to_owned();
    // Only the exchange goes on: the brokerage would take these orders for nobody's.
    house.market.pin("AAPL", "99.00", "100.00", 1_000).await;
    let mut settings = AlpacaSettings::new("exchange", &url, "exchange-key", "exchange-secret".to_owned().into());
    settings.bulk_lookup = true;
    settings.trade_files = true;
    let venue = AlpacaVenue::new(settings).unwrap();
    let terms = Terms {
        symbol: Symbol::parse("AAPL").unwrap(),
        whole_only: Symbol::parse("AMZN").unwrap(),
        today: to_new_york(SystemClock.now()).date_naive(),
        resting: Price::parse("50.00").unwrap(),
        marketable: Price::parse("101.00").unwrap(),
    };
    contract::all(&venue, &SystemIds::new(Arc::new(SystemClock)), &terms).await;
    house.stop().await;
}
