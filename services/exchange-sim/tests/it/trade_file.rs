//! The end-of-day trade file, right and wrong.

use std::time::Duration;

use serde_json::{Value, json};

use crate::rig::{Rig, order};

const PATH: &str = "/trade-files/2026-11-23";

/// Two executions, the second taken back, and the session over.
async fn after_the_close() -> (Rig, Value) {
    let rig = Rig::start().await;
    rig.pin("AAPL", "229.90", "230.10", 50).await;
    let placed = rig.place(order("c-1", "buy", 10, "235")).await;
    rig.place(order("c-2", "buy", 5, "235")).await;
    let id = rig.executions().await[1]["execution_id"].clone();
    rig.post("/sim/bust", json!({ "execution_id": id })).await;
    assert_eq!(rig.text(PATH).await.0, 404, "it is written after the close");
    rig.clock.advance(Duration::from_secs(24 * 60 * 60));
    (rig, placed)
}

async fn file(rig: &Rig) -> Vec<String> {
    let (status, file) = rig.text(PATH).await;
    assert_eq!(status, 200, "{file}");
    file.lines().map(str::to_owned).collect()
}

async fn spoiled(rig: &Rig, kind: &str) -> Vec<String> {
    rig.fault(json!({ "kind": kind, "next": 1 })).await;
    file(rig).await
}

#[tokio::test]
async fn the_trade_file_has_every_execution_of_the_session_and_says_which_were_taken_back() {
    let (rig, placed) = after_the_close().await;
    let lines = file(&rig).await;
    assert_eq!((lines.len(), lines[0].as_str()), (4, "H,2026-11-23"));
    let order_id = placed["id"].as_str().unwrap();
    assert!(
        lines[1].contains(&format!("{order_id},\"c-1\",AAPL,buy,10,230.1,")),
        "{lines:?}"
    );
    assert!(
        lines[1].ends_with(",live") && lines[2].ends_with(",busted"),
        "{lines:?}"
    );
    assert!(lines[3].starts_with("Z,2,10,2301,"), "{lines:?}");
    assert_eq!(file(&rig).await, lines, "asked again it is the same");
}

#[tokio::test]
async fn recon_file_partial_a_file_can_be_cut_unfinished_or_about_another_day() {
    let (rig, _) = after_the_close().await;
    let good = file(&rig).await;
    let cut = spoiled(&rig, "file_cut").await;
    assert!(cut.len() < good.len() && !good.contains(cut.last().unwrap()), "{cut:?}");
    assert_eq!(spoiled(&rig, "file_no_trailer").await, good[..3]);
    let wrong_sum = spoiled(&rig, "file_wrong_sum").await;
    assert_eq!(wrong_sum[3], good[3].replacen("Z,2,10,", "Z,2,101,", 1));
    assert_eq!(wrong_sum[..3], good[..3]);
    let wrong_date = spoiled(&rig, "file_wrong_date").await;
    assert_eq!((wrong_date[0].as_str(), &wrong_date[1..]), ("H,2026-11-22", &good[1..]));
    assert_eq!(file(&rig).await, good, "the rules are used up");
}

#[tokio::test]
async fn rec_3_a_file_that_adds_up_can_miss_an_execution_know_an_unknown_one_or_have_one_wrong() {
    let (rig, _) = after_the_close().await;
    let good = file(&rig).await;
    let missing = spoiled(&rig, "file_missing_line").await;
    assert_eq!((missing.len(), &missing[1]), (3, &good[2]));
    assert!(missing[2].starts_with("Z,1,0,0,"), "{missing:?}");
    let unknown = spoiled(&rig, "file_unknown_line").await;
    assert!(
        unknown[3].contains("\"unknown-2026-11-23\",AAPL,buy,10,230.1,"),
        "{unknown:?}"
    );
    assert!(unknown[4].starts_with("Z,3,20,4602,"), "{unknown:?}");
    assert_eq!(spoiled(&rig, "file_unknown_line").await, unknown, "the same each time");
    let wrong_qty = spoiled(&rig, "file_wrong_qty").await;
    assert!(wrong_qty[1].contains(",AAPL,buy,11,230.1,") && wrong_qty[3].starts_with("Z,2,11,2531.1,"));
    let wrong_price = spoiled(&rig, "file_wrong_price").await;
    assert!(wrong_price[1].contains(",AAPL,buy,10,230.11,") && wrong_price[3].starts_with("Z,2,10,2301.1,"));
}

#[tokio::test]
async fn a_rule_of_files_can_name_the_execution_and_the_call_can_fail_like_others() {
    let (rig, _) = after_the_close().await;
    rig.fault(json!({ "kind": "file_missing_line", "client_order_id": "c-2", "next": 1 }))
        .await;
    let lines = file(&rig).await;
    assert!(
        lines[1].contains("\"c-1\"") && lines[2].starts_with("Z,1,10,2301,"),
        "{lines:?}"
    );
    rig.fault(json!({ "kind": "503", "on": "trade_file", "next": 1 })).await;
    assert_eq!(rig.text(PATH).await.0, 503);
}
