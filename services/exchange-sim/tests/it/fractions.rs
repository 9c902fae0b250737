//! Parts of a share (QTY-2).

use std::time::Duration;

use serde_json::{Value, json};

use crate::rig::{Rig, order};

fn part(key: &str, side: &str, qty: &str, limit: &str) -> Value {
    let mut body = order(key, side, 1, limit);
    body["qty"] = qty.into();
    body["time_in_force"] = "day".into();
    body
}

#[tokio::test]
async fn qty_2_a_part_of_a_share_trades_exactly_and_is_the_same_everywhere() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "229.90", "230.10", 1).await;
    let placed = rig.place(part("c-1", "buy", "0.123456789", "235")).await;
    assert_eq!(
        (
            &placed["status"],
            &placed["qty"],
            &placed["filled_qty"],
            &placed["filled_avg_price"]
        ),
        (
            &json!("filled"),
            &json!("0.123456789"),
            &json!("0.123456789"),
            &json!("230.1")
        )
    );
    let more = rig.place(part("c-2", "buy", "1.5", "235")).await;
    assert_eq!(
        (&more["status"], &more["filled_qty"]),
        (&json!("partially_filled"), &json!("0.876543211")),
        "what is left of the one share that is offered"
    );
    let rig = rig.restarted().await;
    assert_eq!(rig.order("c-2").await, more);
    rig.pin("AAPL", "229.90", "230.10", 1).await;
    let filled = rig.order("c-2").await;
    assert_eq!(
        (&filled["status"], &filled["filled_qty"]),
        (&json!("filled"), &json!("1.5"))
    );
    let fills = rig.get("/v2/account/activities/FILL?direction=asc").await;
    let told: Vec<&str> = fills
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x["qty"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["0.123456789", "0.876543211", "0.623456789"]);
    assert_eq!(
        rig.executions().await[1]["qty"].to_string(),
        "0.876543211",
        "digit for digit"
    );
    rig.clock.advance(Duration::from_secs(24 * 60 * 60));
    let (_, file) = rig.text("/trade-files/2026-11-23").await;
    assert!(file.contains(",AAPL,buy,0.876543211,230.1,"), "{file}");
    assert!(file.contains("\nZ,3,1.623456789,373.5574071489,"), "{file}");
}

#[tokio::test]
async fn qty_2_parts_of_a_share_are_for_day_orders_of_some_symbols_and_have_nine_decimals() {
    let rig = Rig::start().await;
    let refused = |name: &'static str, value: &'static str| {
        let mut body = part("c-1", "buy", "0.5", "1");
        body[name] = value.into();
        rig.json("POST", "/v2/orders", Some(body))
    };
    let (status, body) = refused("symbol", "BRK.B").await;
    let text = "asset \"BRK.B\" is not fractionable";
    assert_eq!(
        (status.as_u16(), body),
        (403, json!({ "code": 40310000, "message": text }))
    );
    for word in ["gtc", "ioc", "fok"] {
        let (status, body) = refused("time_in_force", word).await;
        let text = "fractional orders must be DAY orders";
        assert_eq!(
            (status.as_u16(), body),
            (422, json!({ "code": 42210000, "message": text }))
        );
    }
    let (status, body) = refused("qty", "0.0000000001").await;
    assert_eq!((status.as_u16(), &body["code"]), (422, &json!(40010001)));
    assert!(!rig.knows("c-1").await);
    let mut whole = part("c-2", "buy", "2.000", "1");
    whole["symbol"] = "BRK.B".into();
    assert_eq!(
        rig.place(whole).await["qty"],
        "2",
        "two shares are whole, however they are written"
    );
    let assets = rig.get("/v2/assets").await;
    let of = |wanted: bool| {
        assets
            .as_array()
            .unwrap()
            .iter()
            .filter(|a| a["fractionable"] == wanted)
            .count()
    };
    assert_eq!((of(true), of(false)), (17, 3));
}

#[tokio::test]
async fn an_order_for_a_part_of_a_share_is_canceled_and_not_replaced() {
    let rig = Rig::start().await;
    let id = rig.place(part("c-1", "buy", "0.5", "1")).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v2/orders/{id}");
    let (status, body) = rig.json("PATCH", &path, Some(json!({ "qty": 1 }))).await;
    let text = "fractional orders cannot be replaced";
    assert_eq!((status.as_u16(), &body["message"]), (422, &json!(text)));
    assert_eq!(rig.json("DELETE", &path, None).await.0, 204);
    assert_eq!(rig.order("c-1").await["status"], "canceled");
}
