//! How large a part of a symbol's usual day one order may ask for (RSK-3): new orders, replacements, and what nobody knows.

use chassis::clock::Clock as _;
use domain::{AccountId, Symbol};
use instruments::AverageVolume;
use risk::Scope;
use serde_json::json;
use testkit::wait_until;

use crate::house::{House, order};
use crate::replacing::{filled, heard, patch, shown, working};
use crate::risk_controls::PATIENCE;

impl House {
    /// So many shares of AAPL trade in a session.
    fn volume(&self, average: u64) {
        self.volume_through(average, self.clock.now().date_naive().pred_opt().unwrap());
    }

    fn volume_through(&self, average: u64, through: chrono::NaiveDate) {
        self.instruments.set_volumes(vec![AverageVolume {
            symbol: Symbol::parse("AAPL").unwrap(),
            average,
            sessions: 20,
            through,
        }]);
    }

    async fn share(&self, account: AccountId, share: &str) {
        self.set(Scope::Account(account), "max-volume-share", share).await;
    }
}

#[tokio::test]
async fn rsk_3_an_order_above_its_share_of_the_average_volume_is_refused_and_leaves_nothing() {
    let house = House::open().await;
    let (ada, bob) = (house.customer(1_000).await, house.customer(1_000).await);
    house.give(&ada, "AAPL", 11).await;
    house.volume(219);
    let before = house.traces().await;
    let told = "qty 11 is above the limit of 10.95, 5 percent of the average daily volume of 219: send smaller orders";
    for side in ["buy", "sell"] {
        let refused = house.order(&ada, side, "11", "10").await;
        assert_eq!(refused.error(), (403, 40310000, told));
    }
    assert_eq!(house.traces().await, before);
    house.order(&ada, "buy", "10", "10").await.ok();
    let other = json!({"symbol": "MSFT", "qty": "11", "side": "buy", "type": "limit", "time_in_force": "day", "limit_price": "10"});
    house.post(&ada, other.to_string()).await.ok();
    house.share(bob.account, "0.1").await;
    wait_until("the account's limit is felt", PATIENCE, async || {
        house.order(&bob, "buy", "11", "10").await.status.is_success()
    })
    .await;
    assert_eq!(house.order(&ada, "buy", "11", "10").await.status, 403, "nobody else's");
}

/// Of its total, what traded before it counts no more.
#[tokio::test]
async fn rsk_3_a_replacement_is_measured_by_what_it_may_still_trade() {
    let house = House::open().await;
    let ada = house.customer(10_000).await;
    let old = working(&house, &ada, "buy", "8", "10").await;
    heard(&house, &old, &[filled(6, 10)]).await;
    house.volume(200);
    let before = (shown(&house, &ada, &old).await, house.traces().await);
    let refused = patch(&house, &ada, &old, json!({"qty": 17})).await;
    let told = "qty 11 is above the limit of 10, 5 percent of the average daily volume of 200: send smaller orders";
    assert_eq!(refused.error(), (403, 40310000, told));
    assert_eq!((shown(&house, &ada, &old).await, house.traces().await), before);
    patch(&house, &ada, &old, json!({"qty": 16})).await.ok();
}

/// The order was taken while more traded, or nobody knew how much.
#[tokio::test]
async fn rsk_3_an_order_that_is_too_large_by_now_may_be_made_smaller_and_not_larger() {
    let house = House::open().await;
    let ada = house.customer(10_000).await;
    let old = working(&house, &ada, "buy", "20", "10").await;
    house.volume(200);
    let larger = patch(&house, &ada, &old, json!({"qty": 21})).await;
    assert_eq!(
        (larger.status.as_u16(), larger.body["code"].as_i64()),
        (403, Some(40310000))
    );
    patch(&house, &ada, &old, json!({"qty": 15})).await.ok();
}

#[tokio::test]
async fn rsk_3_what_nobody_knows_or_knew_long_ago_measures_nothing() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let day = |days| house.clock.now().date_naive() - chrono::Days::new(days);
    house.order(&ada, "buy", "100", "1").await.ok();
    house.volume_through(1, day(8));
    house.order(&ada, "buy", "101", "1").await.ok();
    house.volume_through(1, day(7));
    assert_eq!(house.order(&ada, "buy", "102", "1").await.status, 403);
}

/// At the market as at a limit, in dollars as in shares.
#[tokio::test]
async fn rsk_3_dollars_are_measured_by_the_shares_they_come_to() {
    let house = House::open().await;
    let ada = house.customer(10_000).await;
    house.clock.set(testkit::start_of_time());
    house.fractionable(&["AAPL"]);
    house.volume(20);
    let dollars = |dollars: &str| {
        let mut body = order("buy", "1", "100");
        body.as_object_mut().unwrap().remove("qty");
        body["notional"] = dollars.into();
        body.to_string()
    };
    let told = "qty 1.01 is above the limit of 1, 5 percent of the average daily volume of 20: send smaller orders";
    assert_eq!(house.post(&ada, dollars("101")).await.error(), (403, 40310000, told));
    house.post(&ada, dollars("100")).await.ok();
}
