//! Assets, clock and calendar.

use crate::house::House;
use insta::assert_json_snapshot;
use serde_json::json;

#[tokio::test]
async fn an_asset_is_found_by_symbol_by_id_and_with_its_exchange() {
    let house = House::open().await;
    let ada = house.customer(0).await;
    let asset = house.get(&ada, "/v2/assets/AAPL").await.ok();
    assert_json_snapshot!(asset);
    let id = "00000000000000000000000000000001";
    for path in [
        id,
        "00000000-0000-0000-0000-000000000001",
        "AAPL:NASDAQ",
        "AAPL:NASDAQ:us_equity",
    ] {
        assert_eq!(
            house.get(&ada, &format!("/v2/assets/{path}")).await.ok(),
            asset,
            "{path}"
        );
    }
    assert_eq!(house.get(&ada, "/v2/assets/AAPL:NYSE").await.status, 404);
}

#[tokio::test]
async fn assets_are_listed_by_symbol_and_narrowed_by_every_filter() {
    let house = House::open().await;
    let ada = house.customer(0).await;
    let queries = [
        ("", 3),
        ("?status=active&asset_class=us_equity", 3),
        ("?status=inactive", 0),
        ("?asset_class=crypto", 0),
        ("?exchange=NASDAQ", 3),
        ("?exchange=NYSE", 0),
        ("?attributes=ptp_no_exception", 0),
    ];
    for (query, count) in queries {
        let list = house.get(&ada, &format!("/v2/assets{query}")).await.ok();
        assert_eq!(list.as_array().unwrap().len(), count, "{query}");
    }
    let list = house.get(&ada, "/v2/assets").await.ok();
    let symbols: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|asset| asset["symbol"].clone())
        .collect();
    assert_eq!(symbols, ["AAPL", "HALT", "MSFT"]);
}

#[tokio::test]
async fn the_clock_speaks_new_york_and_turns_with_the_session() {
    let house = House::open().await;
    let ada = house.customer(0).await;
    let open = json!({
        "timestamp": "2026-11-23T10:00:00-05:00", "is_open": true,
        "next_open": "2026-11-24T09:30:00-05:00", "next_close": "2026-11-23T16:00:00-05:00",
    });
    assert_eq!(house.get(&ada, "/v2/clock").await.ok(), open);
    house.clock.set("2026-11-27T18:00:00Z".parse().unwrap());
    let closed = json!({
        "timestamp": "2026-11-27T13:00:00-05:00", "is_open": false,
        "next_open": "2026-11-30T09:30:00-05:00", "next_close": "2026-11-30T16:00:00-05:00",
    });
    assert_eq!(
        house.get(&ada, "/v2/clock").await.ok(),
        closed,
        "a half day ends at 13:00"
    );
}

#[tokio::test]
async fn the_calendar_lists_trading_days_both_ends_included() {
    let house = House::open().await;
    let ada = house.customer(0).await;
    let days = house
        .get(&ada, "/v2/calendar?start=2026-11-25&end=2026-11-30")
        .await
        .ok();
    assert_json_snapshot!(days);
    let stamped = house
        .get(
            &ada,
            "/v2/calendar?start=2026-11-25T00:00:00.000Z&end=2026-11-30T00:00:00.000Z",
        )
        .await
        .ok();
    assert_eq!(stamped, days);
    assert!(house.get(&ada, "/v2/calendar").await.ok().as_array().unwrap().len() > 1_000);
    assert_eq!(
        house
            .get(&ada, "/v2/calendar?start=2026-11-30&end=2026-11-25")
            .await
            .ok(),
        json!([])
    );
}
