//! Messages that could not be handled (`consumer::poison`, V12), from their order's customer to the operator and back.

use std::time::Duration;

use bus::{NewEvent, Topic};
use domain::{OrderId, RequestId};
use reqwest::Method;
use rust_decimal::dec;
use serde_json::{Value, json};
use testkit::wait_until;
use uuid::Uuid;

use crate::harness::Customer;
use crate::house::House;
use crate::operator::{acts, call, get};

const PATIENCE: Duration = Duration::from_secs(60);

/// A brokerage whose market stands still, and a customer with money.
async fn open() -> (House, Customer) {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    (house, ada)
}

async fn parked(house: &House, order: Uuid) -> Vec<Value> {
    let parked = get(house, "/admin/v1/parked").await;
    let of_order = |one: &&Value| one["order_id"] == json!(order);
    parked.as_array().unwrap().iter().filter(of_order).cloned().collect()
}

async fn wait_for_parked(house: &House, order: Uuid, many: usize) -> Vec<Value> {
    let what = format!("{many} messages of {order} are parked");
    wait_until(&what, PATIENCE, || async { parked(house, order).await.len() >= many }).await;
    parked(house, order).await
}

/// No fill of this customer's can be stored: a cause that somebody can take away.
async fn break_fills_of(house: &House, ada: &Customer) {
    let account = ada.account;
    let broken = format!("alter table fills add constraint fills_broken check (account_id <> '{account}') not valid");
    run_sql(house, broken).await;
}

async fn run_sql(house: &House, statement: String) {
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .execute(&house.db.pool)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_cause_is_gone_is_handled_when_the_operator_says_so() {
    let (house, ada) = open().await;
    let other = house.customer(1_000).await;
    break_fills_of(&house, &ada).await;
    let order = ada.buy(2, "AAPL", "100.00").await;
    let waiting = wait_for_parked(&house, order, 1).await;
    assert_eq!(waiting[0]["group"], "status-updater");
    let unhurt = other.buy(1, "AAPL", "100.00").await;
    other.wait_for(unhurt, "filled").await;

    let named = order.to_string();
    let (code, listed) = house.command(&["admin", "parked", "list"]);
    assert!(
        code == 0 && listed.contains("fills_broken") && listed.contains(&named),
        "{listed}"
    );
    let (code, shown) = house.command(&["admin", "parked", "show", &named]);
    assert!(
        code == 0 && shown.contains("fills_broken") && shown.contains("\"filled\""),
        "{shown}"
    );

    // While its cause stands it comes back, and nothing is lost.
    assert_eq!(house.command(&["admin", "parked", "requeue", &named]).0, 0);
    wait_until("it has come back", PATIENCE, || async {
        parked(&house, order)
            .await
            .iter()
            .all(|one| one["requeued_at"].is_null())
    })
    .await;
    run_sql(&house, "alter table fills drop constraint fills_broken".to_owned()).await;
    let (code, said) = house.command(&["admin", "parked", "requeue", &named]);
    assert!(code == 0 && said.contains("status-updater"), "{said}");
    ada.wait_for(order, "filled").await;
    house.at_rest().await;
    assert_eq!(ada.account_field("cash").await, dec!(800));
    let requeued = acts(&house)
        .await
        .into_iter()
        .filter(|(_, act)| act == "requeue_parked");
    assert_eq!(requeued.count(), 2, "V16");
    let (code, said) = house.command(&["admin", "parked", "show", &named]);
    assert!(code == 1 && said.contains("parked list"), "{said}");
}

/// A message on the topic of the executor that nobody can ever read.
async fn publish_nonsense(house: &House, order: Uuid) {
    let nonsense = NewEvent {
        topic: Topic::Orders,
        key: "AAPL".to_owned(),
        order_id: OrderId::new(order),
        kind: "cancel_requested.v1",
        payload: "{\"order_id\": 7}".to_owned(),
        request_id: RequestId::new("nonsense").unwrap(),
    };
    let mut tx = db::begin(&house.db.pool).await.unwrap();
    bus::append(&mut tx, &[nonsense]).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_nobody_can_read_is_thrown_away_and_those_behind_it_are_handled() {
    let (house, ada) = open().await;
    let order = ada.buy(1, "AAPL", "50.00").await;
    ada.wait_for(order, "new").await;
    publish_nonsense(&house, order).await;
    wait_for_parked(&house, order, 1).await;
    assert_eq!(ada.cancel(order).await.0, 204);
    let waiting = wait_for_parked(&house, order, 2).await;
    assert!(
        waiting[0]["cause"]
            .as_str()
            .unwrap()
            .contains("cannot read cancel_requested.v1"),
        "{waiting:?}"
    );
    assert_eq!(waiting[0]["payload"], "{\"order_id\": 7}");

    let discard = |order: Uuid, body: Value| {
        let path = format!("/admin/v1/parked/{order}/discard");
        let house = &house;
        async move { call(house, Method::POST, path, Some(body)).await }
    };
    assert_eq!(discard(order, json!({"reason": " "})).await.0, 422);
    assert_eq!(discard(Uuid::nil(), json!({"reason": "why not"})).await.0, 404);
    let of_nobody = json!({"reason": "unreadable", "group": "notifier"});
    assert_eq!(discard(order, of_nobody).await.0, 404);
    let (status, outcome) = discard(order, json!({"reason": "unreadable"})).await;
    assert_eq!(status, 200, "{outcome}");
    assert_eq!(outcome, json!({"group": "executor", "requeued": 1, "discarded": 1}));
    ada.wait_for(order, "canceled").await;
    house.at_rest().await;
    assert_eq!(ada.spendable().await, dec!(1000));
    let act = "select detail from admin_acts where act = 'discard_parked' and actor = 'http:ada'";
    let detail: String = sqlx::query_scalar(act).fetch_one(&house.db.pool).await.unwrap();
    assert!(
        detail.contains("cannot read") && detail.ends_with("unreadable"),
        "V16: {detail}"
    );
}

/// All of it, also what only waited: from the next message on the order is handled as ever.
#[tokio::test(flavor = "multi_thread")]
async fn with_all_its_messages_thrown_away_an_order_goes_on_with_the_next() {
    let (house, ada) = open().await;
    let order = ada.buy(1, "AAPL", "50.00").await;
    ada.wait_for(order, "new").await;
    for _ in 0..2 {
        publish_nonsense(&house, order).await;
    }
    wait_for_parked(&house, order, 2).await;
    let named = order.to_string();
    let (code, said) = house.command(&["admin", "parked", "discard", &named, "--all", "--reason", "a test"]);
    assert!(code == 0 && said.starts_with("2 messages are gone"), "{said}");
    assert_eq!(parked(&house, order).await.len(), 0);
    assert_eq!(ada.cancel(order).await.0, 204);
    ada.wait_for(order, "canceled").await;
    house.at_rest().await;
}
