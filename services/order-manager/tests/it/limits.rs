//! How much anybody may ask for, over real connections and with a clock that is moved (RSK-7).

use std::net::SocketAddr;
use std::time::Duration;

use chassis::http_client::{ClientSettings, client};
use identity::limits::{AccountLimit, Class, Rate, TierLimit, Usual};
use identity::limits::{Rates, set_account_limit, set_tier_limit};
use order_manager::Config;
use order_manager::limits::LimitSettings;
use reqwest::Client;
use serde_json::{Value, json};
use testkit::{TestDb, wait_until};
use tokio::net::TcpListener;

use crate::house::{Customer, House, order};

/// A house with a door that is open to the network.
struct Street {
    house: House,
    url: String,
    http: Client,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    /// Limit, remaining, reset.
    left: [i64; 3],
    retry_after: Option<i64>,
    body: Value,
}

impl Street {
    async fn with(limits: LimitSettings) -> Self {
        let config = Config {
            limits,
            ..Config::default()
        };
        let house = House::strict(TestDb::new().await, config, 1);
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = chassis::http::serve(house.router.clone(), listener, house.shutdown.clone());
        tokio::spawn(serving);
        Street {
            house,
            url,
            http: client(ClientSettings::default()),
        }
    }

    async fn call(&self, who: Option<(&str, &str)>, method: &str, path: &str, forwarded: Option<&str>) -> Answer {
        let method = method.parse().unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some((key_id, secret)) = who {
            request = request
                .header("APCA-API-KEY-ID", key_id)
                .header("APCA-API-SECRET-KEY", secret);
        }
        if let Some(forwarded) = forwarded {
            request = request.header("X-Forwarded-For", forwarded);
        }
        if path == "/v2/orders" {
            request = request.body(order("buy", "1", "1").to_string());
        }
        let answer = request.send().await.unwrap();
        let number = |name: &str| Some(answer.headers().get(name)?.to_str().unwrap().parse::<i64>().unwrap());
        let told = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
        let left = told.map(|name| number(name).unwrap_or_else(|| panic!("{name} is on every answer: {answer:?}")));
        Answer {
            status: answer.status().as_u16(),
            left,
            retry_after: number("retry-after"),
            body: serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null),
        }
    }

    async fn by(&self, who: &Customer, method: &str, path: &str) -> Answer {
        self.call(Some((&who.key_id, &who.secret)), method, path, None).await
    }

    /// How many of so many requests passed.
    async fn passed(&self, who: &Customer, method: &str, path: &str, requests: u32) -> u32 {
        let mut passed = 0;
        for _ in 0..requests {
            passed += u32::from(self.by(who, method, path).await.status != 429);
        }
        passed
    }

    fn now(&self) -> i64 {
        chassis::clock::Clock::now(&*self.house.clock).timestamp()
    }
}

fn limits(per_minute: u32) -> LimitSettings {
    LimitSettings {
        usual: Usual {
            rates: Rates::per_minute(per_minute),
            ..Usual::default()
        },
        ..LimitSettings::default()
    }
}

#[tokio::test]
async fn rsk_7_two_hundred_a_minute_by_default_and_then_429_until_there_is_a_token() {
    let street = Street::with(LimitSettings::default()).await;
    let (ada, bob) = (street.house.customer(100).await, street.house.customer(100).await);
    let first = street.by(&ada, "GET", "/v2/clock").await;
    assert_eq!((first.status, first.left), (200, [200, 199, street.now() + 1]));
    assert_eq!(street.passed(&ada, "GET", "/v2/clock", 199).await, 199);

    let refused = street.by(&ada, "GET", "/v2/clock").await;
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.body,
        json!({ "code": 42910000, "message": "rate limit exceeded" })
    );
    assert_eq!(
        (refused.left, refused.retry_after),
        ([200, 0, street.now() + 60], Some(1))
    );
    assert_eq!(
        street.by(&bob, "GET", "/v2/clock").await.status,
        200,
        "another key has its own"
    );

    street.house.clock.advance(Duration::from_millis(300));
    let statuses = [
        street.by(&ada, "GET", "/v2/clock").await,
        street.by(&ada, "GET", "/v2/clock").await,
    ];
    assert_eq!(
        statuses.map(|answer| answer.status),
        [200, 429],
        "three tenths of a second, one token"
    );
    street.house.clock.advance(Duration::from_secs(60));
    assert_eq!(street.by(&ada, "GET", "/v2/clock").await.left[1], 199);
}

#[tokio::test]
async fn rsk_8_classes_do_not_compete_and_a_cancel_is_never_refused() {
    let street = Street::with(limits(3)).await;
    let ada = street.house.customer(100).await;
    let placed = street.by(&ada, "POST", "/v2/orders").await;
    assert_eq!((placed.status, placed.left[1]), (200, 2));
    let id = placed.body["id"].as_str().unwrap().to_owned();
    assert_eq!(street.passed(&ada, "POST", "/v2/orders", 5).await, 2);
    assert_eq!(street.passed(&ada, "GET", "/v2/account", 5).await, 3);

    let path = format!("/v2/orders/{id}");
    let first = street.by(&ada, "DELETE", &path).await;
    assert_eq!((first.status, first.left[..2].to_vec()), (204, vec![90, 14]));
    for _ in 0..50 {
        assert_eq!(
            street.by(&ada, "DELETE", &path).await.status,
            204,
            "beyond its bucket, too"
        );
    }
    let all = street.by(&ada, "DELETE", "/v2/orders").await;
    assert_eq!((all.status, all.left[1]), (207, 0));
    let canceled = street.house.count("select sum(cancels) from order_cancels").await;
    assert_eq!(canceled, 3, "each order once, however often it was asked for");
}

#[tokio::test]
async fn rsk_7_every_answer_tells_what_is_left() {
    let street = Street::with(LimitSettings::default()).await;
    let ada = street.house.customer(100).await;
    for (method, path, status) in [
        ("GET", "/v2/nothing", 404),
        ("PUT", "/v2/clock", 405),
        ("GET", "/v2/orders?limit=many", 422),
        ("GET", "/v2/positions/AAPL", 404),
        ("POST", "/v2/orders", 200),
        ("DELETE", "/v2/orders", 207),
    ] {
        // `call` demands the headers.
        assert_eq!(street.by(&ada, method, path).await.status, status, "{method} {path}");
    }
    for (who, path, status) in [
        (None, "/v2/clock", 401),
        (None, "/v2/nothing", 404),
        (Some((ada.key_id.as_str(), "wrong")), "/v2/clock", 401),
        (Some(("nobody", "wrong")), "/v2/clock", 401),
    ] {
        let answer = street.call(who, "GET", path, None).await;
        assert_eq!((answer.status, answer.left[0]), (status, 60), "{who:?} {path}");
    }
}

#[tokio::test]
async fn rsk_7_guessing_keys_from_one_address_is_over_after_a_minutes_worth() {
    let street = Street::with(LimitSettings::default()).await;
    let (ada, new) = (street.house.customer(100).await, street.house.customer(100).await);
    assert_eq!(street.by(&ada, "GET", "/v2/clock").await.status, 200);
    let mut statuses = Vec::new();
    for n in 0..80 {
        let key_id = format!("DKGUESS{n:013}");
        let guess = street
            .call(Some((key_id.as_str(), "guess")), "GET", "/v2/clock", None)
            .await;
        statuses.push(guess.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 60);
    assert!(statuses[60..].iter().all(|status| *status == 429), "{statuses:?}");
    let nobody = street.call(None, "GET", "/v2/clock", None).await;
    assert_eq!((nobody.status, nobody.left[..2].to_vec()), (429, vec![60, 0]));

    assert_eq!(
        street.by(&ada, "GET", "/v2/clock").await.status,
        200,
        "who is known goes on"
    );
    let stolen = street
        .call(Some((ada.key_id.as_str(), "guess")), "GET", "/v2/clock", None)
        .await;
    assert_eq!(stolen.status, 429, "and nobody in their name");
    assert_eq!(
        street.by(&new, "GET", "/v2/clock").await.status,
        429,
        "who is not looks like a guess"
    );
    street.house.clock.advance(Duration::from_secs(1));
    assert_eq!(street.by(&new, "GET", "/v2/clock").await.status, 200);
}

#[tokio::test]
async fn rsk_7_behind_a_trusted_proxy_each_client_is_an_address_of_its_own() {
    let trusted = LimitSettings {
        strangers: Rate::per_minute(2),
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..LimitSettings::default()
    };
    let untrusted = LimitSettings {
        trusted_proxies: vec![],
        ..trusted.clone()
    };
    for (limits, expected) in [(trusted, [401, 401, 429, 401]), (untrusted, [401, 401, 429, 429])] {
        let street = Street::with(limits).await;
        let mut statuses = [0; 4];
        let from = [
            "198.51.100.1",
            "6.6.6.6, 198.51.100.1",
            "7.7.7.7, 198.51.100.1",
            "198.51.100.2",
        ];
        for (status, from) in statuses.iter_mut().zip(from) {
            *status = street.call(None, "GET", "/v2/clock", Some(from)).await.status;
        }
        assert_eq!(statuses, expected);
    }
}

#[tokio::test]
async fn rsk_7_an_operators_change_is_in_force_within_moments_also_for_who_is_refused() {
    let street = Street::with(limits(2)).await;
    let ada = street.house.customer(100).await;
    assert_eq!(street.passed(&ada, "GET", "/v2/clock", 4).await, 2);
    let mut conn = street.house.pool().acquire().await.unwrap();
    sqlx::query("update accounts set tier = 'gold'")
        .execute(&mut *conn)
        .await
        .unwrap();
    let gold = TierLimit {
        tier: "gold".to_owned(),
        class: Class::Read,
        rate: Some(Rate::per_minute(1_000)),
    };
    set_tier_limit(&mut conn, &gold).await.unwrap();
    let is_limited_to = async |most: i64| {
        // What is known of a key is believed for half a second of the house's time.
        street.house.clock.advance(Duration::from_millis(500));
        street.by(&ada, "GET", "/v2/clock").await.left[0] == most
    };
    wait_until("the tier", Duration::from_secs(60), || is_limited_to(1_000)).await;
    let own = AccountLimit {
        account: ada.account,
        class: Class::Read,
        rate: Some(Rate::per_minute(7)),
    };
    set_account_limit(&mut conn, own).await.unwrap();
    wait_until("the customer's own", Duration::from_secs(60), || is_limited_to(7)).await;
    sqlx::query("update accounts set tier = 'unlimited'")
        .execute(&mut *conn)
        .await
        .unwrap();
    sqlx::query("delete from account_limits")
        .execute(&mut *conn)
        .await
        .unwrap();
    wait_until("no limits", Duration::from_secs(60), || is_limited_to(1_000_000_000)).await;
    assert_eq!(street.passed(&ada, "GET", "/v2/clock", 20).await, 20);
}

#[tokio::test]
async fn rsk_7_a_revoked_key_is_a_strangers_again() {
    let street = Street::with(limits(100)).await;
    let ada = street.house.customer(100).await;
    assert_eq!(street.by(&ada, "GET", "/v2/clock").await.status, 200);
    sqlx::query("update api_keys set revoked_at = daybook_now()")
        .execute(street.house.pool())
        .await
        .unwrap();
    let is_denied = async || street.by(&ada, "GET", "/v2/clock").await.status == 401;
    wait_until("the revocation", Duration::from_secs(60), is_denied).await;
    assert_eq!(
        street.by(&ada, "GET", "/v2/clock").await.left[0],
        60,
        "the address's bucket"
    );
}
