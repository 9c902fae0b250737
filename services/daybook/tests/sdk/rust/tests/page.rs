//! What docs/alpaca-clients.md shows of the apca crate: the passages between `docs:begin` and `docs:end` stand there as they are.

// docs:begin connect
use std::env;
use std::error::Error;

use apca::api::v2::order::{self, Amount, CreateReqInit, Side, TimeInForce, Type};
use apca::api::v2::updates::{OrderStatus, OrderUpdates};
use apca::{ApiInfo, Client};
use futures::StreamExt as _;
use num_decimal::Num;

fn connect() -> Result<Client, Box<dyn Error>> {
    let base = env::var("APCA_API_BASE_URL")?;
    let mut info = ApiInfo::from_parts(&base, env::var("APCA_API_KEY_ID")?, env::var("APCA_API_SECRET_KEY")?)?;
    info.api_stream_url = format!("{}/stream", base.replacen("http", "ws", 1)).parse()?; // else it insists on wss
    Ok(Client::new(info))
}
// docs:end connect

#[tokio::test]
async fn the_page_for_client_authors() {
    let name = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    let whole = page(name.trim());
    let told = tokio::time::timeout(std::time::Duration::from_secs(60), whole)
        .await
        .expect("in time")
        .unwrap();
    assert_eq!(told, [OrderStatus::PendingCancel, OrderStatus::Canceled]);
}

/// Places, hears of, reads and cancels an order; what the stream tells after it was new.
async fn page(client_order_id: &str) -> Result<Vec<OrderStatus>, Box<dyn Error>> {
    // docs:begin stream
    let client = connect()?;
    let (mut updates, _subscription) = client.subscribe::<OrderUpdates>().await?;
    // docs:end stream
    // docs:begin order
    let request = CreateReqInit {
        type_: Type::Limit,
        time_in_force: TimeInForce::Day,
        limit_price: Some(Num::from(100)),
        client_order_id: Some(client_order_id.to_owned()),
        ..Default::default()
    };
    let order = client
        .issue::<order::Create>(&request.init("AAPL", Side::Buy, Amount::quantity(1)))
        .await?;
    // docs:end order
    while updates.next().await.ok_or("the stream ended")???.event != OrderStatus::New {}
    // docs:begin cancel
    let found = client
        .issue::<order::GetByClientId>(&client_order_id.to_owned())
        .await?;
    client.issue::<order::Delete>(&found.id).await?;
    // docs:end cancel
    assert_eq!(found.id, order.id);
    // docs:begin updates
    let mut told = Vec::new();
    while told.last() != Some(&OrderStatus::Canceled) {
        let update = updates.next().await.ok_or("the stream ended")???;
        if update.order.client_order_id == client_order_id {
            told.push(update.event);
        }
    }
    // docs:end updates
    Ok(told)
}
