//! The apca crate, as published, drives a running Daybook. It knows what demo.env says, and where the exchange shows its prices.

use std::time::{Duration, Instant};

use apca::api::v2::account::{self, Status as AccountStatus};
use apca::api::v2::account_activities::{self, Activity, ActivityReq, ActivityType};
use apca::api::v2::order::{self, Amount, ChangeReq, CreateReqInit, Order, Side, Status, TimeInForce, Type};
use apca::api::v2::updates::{OrderStatus, OrderUpdates};
use apca::api::v2::{account_config, asset, assets, calendar, clock, orders, position, positions};
use apca::{ApiInfo, Client, RequestError};
use chrono::NaiveDate;
use futures::StreamExt as _;
use num_decimal::Num;

const PATIENCE: Duration = Duration::from_secs(60);

/// The address and the key pair come from the environment; so does the stream's address, the same with `/stream`.
fn client() -> Client {
    let text = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let base = text("APCA_API_BASE_URL");
    let mut info = ApiInfo::from_parts(&base, text("APCA_API_KEY_ID"), text("APCA_API_SECRET_KEY")).unwrap();
    info.api_stream_url = format!("{}/stream", base.replacen("http", "ws", 1)).parse().unwrap();
    Client::new(info)
}

/// Waits for an order's status, never for time.
async fn until(client: &Client, id: order::Id, status: Status) -> Order {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let seen = client.issue::<order::Get>(&id).await.unwrap();
        if seen.status == status {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited in vain for {status:?} of {id:?}");
}

/// Bid and ask in cents, from the exchange's page for people: a line of heads, a line of values.
async fn quote(symbol: &str) -> (i64, i64) {
    let url = format!("{}/quotes/{symbol}", std::env::var("DAYBOOK_QUOTES_URL").unwrap());
    let page = reqwest::get(url).await.unwrap().text().await.unwrap();
    let cents = |nth: usize| {
        let value = page.lines().nth(1).unwrap().split_whitespace().nth(nth).unwrap();
        value.replace('.', "").parse().unwrap()
    };
    (cents(1), cents(3))
}

fn limit(symbol: &str, side: Side, shares: i64, cents: i64) -> order::CreateReq {
    CreateReqInit {
        type_: Type::Limit,
        time_in_force: TimeInForce::Day,
        limit_price: Some(Num::new(cents, 100)),
        ..Default::default()
    }
    .init(symbol, side, Amount::quantity(shares))
}

/// A buy at half the bid, once the exchange has it.
async fn resting(client: &Client, symbol: &str) -> Order {
    let (bid, _) = quote(symbol).await;
    let placed = client
        .issue::<order::Create>(&limit(symbol, Side::Buy, 2, bid / 2))
        .await
        .unwrap();
    until(client, placed.id, Status::New).await
}

#[tokio::test]
async fn the_account_has_money() {
    let account = client().issue::<account::Get>(&()).await.unwrap();
    assert_eq!(account.status, AccountStatus::Active);
    assert!(account.cash > Num::from(0));
}

#[tokio::test]
async fn an_order_is_placed_read_listed_and_canceled() {
    let client = client();
    let placed = resting(&client, "KO").await;
    let found = client
        .issue::<order::GetByClientId>(&placed.client_order_id)
        .await
        .unwrap();
    assert_eq!(found.id, placed.id);
    let open = client.issue::<orders::List>(&orders::ListReq::default()).await.unwrap();
    assert!(open.iter().any(|one| one.id == placed.id));
    client.issue::<order::Delete>(&placed.id).await.unwrap();
    until(&client, placed.id, Status::Canceled).await;
    let again = client.issue::<order::Delete>(&placed.id).await.unwrap_err();
    assert!(
        matches!(again, RequestError::Endpoint(order::DeleteError::NotCancelable(_))),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_replacement_takes_the_place() {
    let client = client();
    let old = resting(&client, "PG").await;
    let change = ChangeReq {
        quantity: Some(Num::from(3)),
        ..Default::default()
    };
    let replacement = client.issue::<order::Change>(&(old.id, change)).await.unwrap();
    assert_ne!(replacement.id, old.id);
    until(&client, replacement.id, Status::New).await;
    until(&client, old.id, Status::Replaced).await;
    client.issue::<order::Delete>(&replacement.id).await.unwrap();
    until(&client, replacement.id, Status::Canceled).await;
}

#[tokio::test]
async fn a_position_is_opened_and_closed() {
    let client = client();
    let (_, ask) = quote("UNH").await;
    let placed = client
        .issue::<order::Create>(&limit("UNH", Side::Buy, 2, ask * 105 / 100))
        .await
        .unwrap();
    until(&client, placed.id, Status::Filled).await;
    let symbol = asset::Symbol::Sym("UNH".to_owned());
    let held = client.issue::<position::Get>(&symbol).await.unwrap();
    assert!(held.quantity >= Num::from(2) && held.quantity_available == held.quantity);
    assert!(!client.issue::<positions::List>(&()).await.unwrap().is_empty());
    let closing = client.issue::<position::Delete>(&symbol).await.unwrap();
    until(&client, closing.id, Status::Filled).await;
    let flat = client.issue::<position::Delete>(&symbol).await.unwrap_err();
    assert!(
        matches!(flat, RequestError::Endpoint(position::DeleteError::NotFound(_))),
        "{flat:?}"
    );
    let request = ActivityReq {
        types: vec![ActivityType::Fill],
        ..Default::default()
    };
    let told = client.issue::<account_activities::Get>(&request).await.unwrap();
    assert!(
        told.iter()
            .any(|one| matches!(one, Activity::Trade(trade) if trade.order_id == placed.id))
    );
}

#[tokio::test]
async fn clock_calendar_assets_and_configuration() {
    let client = client();
    let now = client.issue::<clock::Get>(&()).await.unwrap();
    assert!(now.next_open > now.current);
    let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
    let days = client
        .issue::<calendar::List>(&calendar::ListReq::from(day(26)..day(28)))
        .await
        .unwrap();
    assert_eq!(days.iter().map(|one| one.date).collect::<Vec<_>>(), [day(27)]);
    assert!(
        client
            .issue::<assets::List>(&assets::ListReq::default())
            .await
            .unwrap()
            .len()
            >= 20
    );
    let apple = client
        .issue::<asset::Get>(&asset::Symbol::Sym("AAPL".to_owned()))
        .await
        .unwrap();
    assert!(apple.tradable);
    let usual = client.issue::<account_config::Get>(&()).await.unwrap();
    assert_eq!(client.issue::<account_config::Change>(&usual).await.unwrap(), usual);
}

#[tokio::test]
async fn refusals_are_the_typed_errors() {
    let client = client();
    let (bid, _) = quote("LLY").await;
    let mut penny = limit("KO", Side::Buy, 1, 1000);
    penny.limit_price = Some(Num::new(10_123, 1_000));
    let refused = client.issue::<order::Create>(&penny).await.unwrap_err();
    assert!(
        matches!(refused, RequestError::Endpoint(order::CreateError::InvalidInput(_))),
        "{refused:?}"
    );
    let refused = client
        .issue::<order::Create>(&limit("LLY", Side::Sell, 1, bid * 2))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, RequestError::Endpoint(order::CreateError::NotPermitted(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_stream_tells_of_each_step() {
    let client = client();
    let (mut stream, _subscription) = client.subscribe::<OrderUpdates>().await.unwrap();
    let placed = resting(&client, "F").await;
    client.issue::<order::Delete>(&placed.id).await.unwrap();
    let mut told = Vec::new();
    while told.last() != Some(&OrderStatus::Canceled) {
        let update = tokio::time::timeout(PATIENCE, stream.next())
            .await
            .expect("in time")
            .expect("open")
            .unwrap()
            .unwrap();
        if update.order.id == placed.id {
            told.push(update.event);
        }
    }
    let expected = [
        OrderStatus::Unknown,
        OrderStatus::New,
        OrderStatus::PendingCancel,
        OrderStatus::Canceled,
    ];
    assert_eq!(told, expected);
}
