//! Risk controls over HTTP: limits by tier and account, the collar, equal and crossing orders, restricted symbols and kill
//! switches (RSK-3 to RSK-6, PX-5).

use std::time::Duration;

use domain::{AccountId, Money, Price, Symbol};
use instruments::Quote;
use order_manager::Config;
use risk::desk::{self, NewSwitch, Restriction};
use risk::{Mode, Overrides, Scope, Settings, Target};
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{start_of_time, wait_until};

use crate::house::{Answer, Customer, House, order, router_of};
use crate::replacing::{patch, working};

pub const PATIENCE: Duration = Duration::from_secs(60);

fn dollars(n: i64) -> Money {
    Money::from_decimal(n.into())
}

fn aapl() -> Symbol {
    Symbol::parse("AAPL").unwrap()
}

impl House {
    /// An operator's change of the risk controls.
    pub async fn kill(&self, target: Target, mode: Mode) {
        let mut tx = db::begin(self.pool()).await.unwrap();
        let new = NewSwitch {
            target,
            mode,
            reason: "a test".to_owned(),
            by: "ada".to_owned(),
        };
        desk::set(&mut tx, &*self.ids, &new, start_of_time()).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn lift(&self, target: &Target, by: &str) {
        let mut tx = db::begin(self.pool()).await.unwrap();
        desk::lift(&mut tx, target, by, "it is over", start_of_time())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn set(&self, scope: Scope, name: &str, value: &str) {
        let mut tx = db::begin(self.pool()).await.unwrap();
        let mut row = desk::overrides(&mut tx, &scope).await.unwrap();
        row.set(name, value).unwrap();
        desk::put_overrides(&mut tx, &scope, &row, "ada", start_of_time())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// Orders until one has this outcome: a change is felt within a moment.
    async fn until(&self, who: &Customer, what: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let last = std::sync::Mutex::new(None);
        wait_until(what, PATIENCE, async || {
            let answer = self.order(who, "buy", "1", "1").await;
            let reached = wanted(&answer);
            *last.lock().unwrap() = Some(answer);
            reached
        })
        .await;
        last.into_inner().unwrap().unwrap()
    }

    pub fn quote(&self, bid: &str, ask: &str) {
        self.instruments.set_quotes(vec![Quote {
            symbol: aapl(),
            bid: Price::parse(bid).ok(),
            ask: Price::parse(ask).ok(),
            at: start_of_time(),
        }]);
    }
}

/// What a switch of this level stops, to stop this customer's orders in AAPL.
pub fn target_of(level: &str, who: &Customer) -> Target {
    match level {
        "symbol" => Target::Symbol(aapl()),
        "account" => Target::Account(who.account),
        "venue" => Target::Venue("exchange".to_owned()),
        _ => Target::Firm,
    }
}

#[rstest]
#[case("symbol", "new orders are stopped in this symbol")]
#[case("account", "new orders are stopped for this account")]
#[case("venue", "new orders are stopped at the exchange")]
#[case("firm", "new orders are stopped for everybody")]
#[tokio::test]
async fn rsk_6_a_kill_switch_stops_new_orders_and_no_cancel(#[case] level: &str, #[case] told: &str) {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let before = house.order(&ada, "buy", "1", "10").await.ok();
    let target = target_of(level, &ada);
    house.kill(target.clone(), Mode::BlockNew).await;
    let refused = house
        .until(&ada, "the switch is felt", |answer| !answer.status.is_success())
        .await;
    assert_eq!(refused.error(), (403, 40310000, told));
    let restarted = router_of(&house, 2);
    let answer = House::send_to(&restarted, &ada, order("buy", "1", "1")).await;
    assert_eq!(answer.error(), (403, 40310000, told), "a restart changes nothing");
    let canceled = house
        .delete(&ada, &format!("/v2/orders/{}", before["id"].as_str().unwrap()))
        .await;
    assert_eq!(canceled.status, 204, "cancels pass");
    house.lift(&target, "ada").await;
    assert_eq!(
        house.order(&ada, "buy", "1", "1").await.error(),
        refused.error(),
        "one person lifts nothing"
    );
    house.lift(&target, "bob").await;
    house
        .until(&ada, "it is lifted", |answer| answer.status.is_success())
        .await;
}

#[tokio::test]
async fn rsk_6_a_switch_stops_nobody_else() {
    let house = House::open().await;
    let (ada, bob) = (house.customer(1_000).await, house.customer(1_000).await);
    house.kill(Target::Account(ada.account), Mode::BlockNew).await;
    house
        .kill(Target::Symbol(Symbol::parse("MSFT").unwrap()), Mode::BlockNew)
        .await;
    house.kill(Target::Venue("elsewhere".to_owned()), Mode::BlockNew).await;
    house
        .until(&ada, "the switches are felt", |answer| !answer.status.is_success())
        .await;
    house.order(&bob, "buy", "1", "10").await.ok();
}

#[tokio::test]
async fn rsk_6_while_nobody_can_read_the_switches_no_order_is_taken_and_cancels_pass() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let before = house.order(&ada, "buy", "1", "10").await.ok();
    sqlx::query("alter table risk_revision rename to risk_revision_gone")
        .execute(house.pool())
        .await
        .unwrap();
    let refused = house
        .until(&ada, "what was known is too old", |answer| !answer.status.is_success())
        .await;
    let told = "orders cannot be taken at the moment: the risk controls cannot be read";
    assert_eq!(refused.error(), (503, 50310000, told));
    let canceled = house
        .delete(&ada, &format!("/v2/orders/{}", before["id"].as_str().unwrap()))
        .await;
    assert_eq!(canceled.status, 204);
}

#[tokio::test]
async fn rsk_3_limits_are_by_tier_and_by_account() {
    let house = House::open().await;
    let (ada, bob) = (house.customer(1_000).await, house.customer(1_000).await);
    let mut conn = house.pool().acquire().await.unwrap();
    let pro = identity::Tier::new("pro").unwrap();
    assert!(
        identity::accounts::set_tier(&mut conn, ada.account, &pro)
            .await
            .unwrap()
    );
    drop(conn);
    house.set(Scope::Tier("pro".to_owned()), "max-order-value", "5").await;
    let told = (403, 40310000, "order value 6.00 is above the limit of 5.00");
    wait_until("the tier's limit is felt", PATIENCE, async || {
        house.order(&ada, "buy", "2", "3").await.error() == told
    })
    .await;
    house.order(&bob, "buy", "2", "3").await.ok();
    house.set(Scope::Account(ada.account), "max-order-value", "6").await;
    wait_until("the account's limit is felt", PATIENCE, async || {
        house.order(&ada, "buy", "2", "3").await.status.is_success()
    })
    .await;
}

#[tokio::test]
async fn rsk_3_all_open_orders_together_are_limited_for_an_account_and_for_the_firm() {
    let limits = Settings {
        max_open_value: dollars(100),
        max_firm_open_value: dollars(150),
        ..Settings::default()
    };
    let house = House::with(Config {
        risk: limits,
        ..Config::default()
    })
    .await;
    let (ada, bob) = (house.customer(1_000).await, house.customer(1_000).await);
    house.give(&ada, "AAPL", 10).await;
    house.order(&ada, "buy", "5", "10").await.ok();
    house.order(&ada, "sell", "4", "12").await.ok();
    let value = "select sum(open_value)::bigint from account_sequences";
    assert_eq!(house.count(value).await, 98);
    let refused = house.order(&ada, "buy", "1", "2.01").await;
    let told = "all open orders together may be worth at most 100.00: cancel some first";
    assert_eq!(refused.error(), (403, 40310000, told));
    let refused = house.order(&bob, "buy", "1", "52.01").await;
    let told = "the firm's limit of open orders is reached, try again later";
    assert_eq!(refused.error(), (403, 40310000, told));
    house.order(&bob, "buy", "1", "52").await.ok();
}

#[tokio::test]
async fn px_5_a_limit_that_reaches_too_far_beyond_the_last_price_is_refused() {
    let house = House::open().await;
    let ada = house.customer(10_000).await;
    house.give(&ada, "AAPL", 10).await;
    house.clock.set(start_of_time());
    house.quote("99", "101");
    let told = "limit_price 110.01 is more than 10 percent above the last price, 100";
    assert_eq!(
        house.order(&ada, "buy", "1", "110.01").await.error(),
        (403, 40310000, told)
    );
    let told = "limit_price 89.99 is more than 10 percent below the last price, 100";
    assert_eq!(
        house.order(&ada, "sell", "1", "89.99").await.error(),
        (403, 40310000, told)
    );
    house.order(&ada, "buy", "1", "1").await.ok();
    house.order(&ada, "buy", "1", "110").await.ok();
}

#[tokio::test]
async fn rsk_5_an_order_that_would_trade_against_the_accounts_own_is_refused_with_that_order() {
    let house = House::open().await;
    let (ada, bob) = (house.customer(1_000).await, house.customer(1_000).await);
    house.give(&ada, "AAPL", 10).await;
    let sell = house.order(&ada, "sell", "2", "12").await.ok();
    let refused = house.order(&ada, "buy", "1", "12").await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.body,
        json!({
            "code": 40310000, "message": "potential wash trade detected. use complex orders",
            "reject_reason": "opposite side limit order exists", "existing_order_id": sell["id"],
        })
    );
    house.order(&bob, "buy", "1", "12").await.ok();
    let buy = house.order(&ada, "buy", "1", "11.99").await.ok();
    let refused = house.order(&ada, "sell", "1", "11.99").await;
    assert_eq!(refused.body["existing_order_id"], buy["id"]);
    house.order(&ada, "sell", "1", "12.01").await.ok();
}

/// The check finds the nearest order by its index, however many there are.
#[tokio::test]
async fn rsk_5_the_accounts_own_orders_are_found_by_index() {
    let house = House::open().await;
    let plan: Vec<(String,)> = sqlx::query_as(
        "explain (costs off)
         select limit_price, order_id
           from open_orders
          where account_id = '00000000-0000-0000-0000-000000000001' and symbol = 'AAPL' and side = 'sell'
          order by limit_price
          limit 1",
    )
    .fetch_all(house.pool())
    .await
    .unwrap();
    let plan: Vec<String> = plan.into_iter().map(|(line,)| line).collect();
    let plan = plan.join("\n");
    assert!(
        plan.contains("open_orders_crossing") && !plan.contains("Sort"),
        "{plan}"
    );
}

#[tokio::test]
async fn rsk_4_equal_orders_are_shown_to_surveillance_and_refused_only_where_that_is_set() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let first = house.order(&ada, "buy", "1", "10").await.ok();
    let second = house.order(&ada, "buy", "1", "10").await.ok();
    house.order(&ada, "buy", "1", "11").await.ok();
    let mut conn = house.pool().acquire().await.unwrap();
    let flags = risk::flags::newest(&mut conn, Some(ada.account), 10).await.unwrap();
    let shown: Vec<(String, String)> = flags
        .iter()
        .map(|flag| (flag.order.to_string(), flag.detail.clone()))
        .collect();
    let detail = format!("equals order {}, placed less than 2 seconds before", text(&first["id"]));
    assert_eq!(shown, [(text(&second["id"]), detail)]);
    drop(conn);
    house
        .set(Scope::Account(ada.account), "refuse-duplicates", "true")
        .await;
    let told = "an equal order was placed less than 2 seconds ago";
    let refused = house
        .until(&ada, "the setting is felt", |answer| {
            answer.error() == (403, 40310000, told)
        })
        .await;
    assert!(refused.body["existing_order_id"].is_string());
    // Orders of one moment are some microseconds apart.
    house.clock.advance(Duration::from_millis(2_001));
    house.order(&ada, "buy", "1", "1").await.ok();
}

/// Two doors of one house: what one took, the other has never heard of.
#[tokio::test]
async fn rsk_4_an_equal_order_of_another_process_is_seen_too_and_its_burst_is_shown_once() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let doors = [2, 3].map(|seed| router_of(&house, seed));
    let mut ids = Vec::new();
    for n in 0..6 {
        let taken = House::send_to(&doors[n % 2], &ada, order("buy", "1", "10")).await.ok();
        ids.push(text(&taken["id"]));
        house.clock.advance(Duration::from_millis(900));
    }
    let mut conn = house.pool().acquire().await.unwrap();
    let flags = risk::flags::newest(&mut conn, Some(ada.account), 10).await.unwrap();
    let shown: Vec<String> = flags.iter().map(|flag| flag.order.to_string()).collect();
    assert_eq!(shown, [ids[1].clone()], "of {ids:?}");
    drop(conn);
    house
        .set(Scope::Account(ada.account), "refuse-duplicates", "true")
        .await;
    // A third one knows nothing but what it reads.
    let refused = House::send_to(&router_of(&house, 4), &ada, order("buy", "1", "10")).await;
    assert_eq!(refused.body["existing_order_id"], ids[5].as_str(), "{:?}", refused.body);
    house.clock.advance(Duration::from_millis(1_100));
    House::send_to(&doors[0], &ada, order("buy", "1", "10")).await.ok();
}

/// A replacement equals no order, and no order equals it.
#[tokio::test]
async fn rsk_4_a_replacement_is_not_among_the_recent_orders() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    house
        .set(Scope::Account(ada.account), "refuse-duplicates", "true")
        .await;
    let old = working(&house, &ada, "buy", "1", "10").await;
    patch(&house, &ada, &old, json!({"limit_price": "11"})).await.ok();
    house.order(&ada, "buy", "1", "11").await.ok();
    let refused = House::send_to(&router_of(&house, 2), &ada, order("buy", "1", "10")).await;
    assert_eq!(refused.body["existing_order_id"], old.as_str(), "{:?}", refused.body);
}

#[tokio::test]
async fn restricted_symbols_are_refused_until_they_are_off_the_list() {
    let house = House::open().await;
    let (ada, bob) = (house.customer(1_000).await, house.customer(1_000).await);
    let row = |account: Option<AccountId>| Restriction {
        symbol: aapl(),
        account,
        reason: "a test".to_owned(),
        added_by: "ada".to_owned(),
        added_at: start_of_time(),
    };
    let mut conn = house.pool().acquire().await.unwrap();
    desk::restrict(&mut conn, &row(Some(ada.account))).await.unwrap();
    let refused = house
        .until(&ada, "the list is felt", |answer| !answer.status.is_success())
        .await;
    assert_eq!(refused.error(), (403, 40310000, "trading in AAPL is restricted"));
    house.order(&bob, "buy", "1", "1").await.ok();
    desk::unrestrict(&mut conn, &aapl(), Some(ada.account)).await.unwrap();
    house
        .until(&ada, "it is off the list", |answer| answer.status.is_success())
        .await;
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Overrides that say nothing leave no row behind.
#[tokio::test]
async fn a_setting_that_is_taken_back_leaves_the_wider_one() {
    let house = House::open().await;
    let scope = Scope::Tier("pro".to_owned());
    house.set(scope.clone(), "max-open-orders", "1").await;
    house.set(scope.clone(), "max-open-orders", "default").await;
    let mut conn = house.pool().acquire().await.unwrap();
    assert_eq!(desk::overrides(&mut conn, &scope).await.unwrap(), Overrides::default());
    drop(conn);
    assert_eq!(house.count("select count(*) from risk_settings").await, 0);
}
